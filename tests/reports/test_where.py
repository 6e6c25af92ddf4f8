"""The language of `--where`."""

from __future__ import annotations

import contextlib
import math
import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.errors import InputError
from axiomrl.reports.where import DEEPEST, LONGEST, parse

RUN: dict[str, Any] = {
    "seed": 3,
    "algo": "ppo",
    "env_id": "CartPole-v1",
    "status": "failed",
    "tags": ["a", "b"],
    "hyperparameters.gamma": 0.99,
    "deterministic": True,
    "broken": math.nan,
    "nothing": None,
}


def matches(text: str, run: dict[str, Any] = RUN) -> bool:
    return parse(text).matches(run.get)


@pytest.mark.parametrize(
    "text",
    [
        "seed == 3",
        "seed == 3.0",
        "seed in [1, 2, 3]",
        "seed not in [4,5]",
        "2 < seed",
        "hyperparameters.gamma >= 0.99",
        "hyperparameters.gamma > 9.8e-1 and seed != -1",
        "algo == 'ppo'",
        'algo == "ppo"',
        "algo == ppo",
        "algo in [dqn, ppo]",
        "env_id == CartPole-v1",
        "env_id ~ 'Cart*'",
        "'a' in tags",
        "deterministic == true",
        "deterministic == True and not (seed == 4 or seed == 5)",
        "NOT seed == 4",
        "seed == 4 or seed == 3",
        "(seed == 3)",
        "algo < 'q'",
    ],
)
def test_what_holds_matches(text: str) -> None:
    assert matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "seed == 4",
        "seed in []",
        "'c' in tags",
        "seed == '3'",  # a text is no number
        "deterministic == 1",  # neither is a boolean
        "algo > 3",
        "seed ~ '3'",
        "deterministic < true",
        "seed == 3 and seed == 4",
    ],
)
def test_what_does_not_hold_does_not_match(text: str) -> None:
    assert not matches(text)


@pytest.mark.parametrize("name", ["absent", "broken", "nothing"])
@pytest.mark.parametrize(
    "comparison",
    [
        "{} == 1",
        "{} != 1",
        "{} < 1",
        "{} >= 1",
        "{} in [1]",
        "{} not in [1]",
        "{} == null",
        "{} ~ 'a'",
    ],
)
def test_missing_null_and_nan_never_match_nor_does_their_negation(
    comparison: str, name: str
) -> None:
    text = comparison.format(name)
    assert not matches(text)
    assert not matches(f"not ({text})")
    assert not matches(f"not ({text} or seed == 4)")
    assert matches(f"{text} or seed == 3")  # what is known decides
    assert matches(f"not ({text} and seed == 4)")


def test_and_binds_tighter_than_or_and_not_tighter_than_both() -> None:
    assert matches("seed == 3 or seed == 4 and seed == 5")
    assert not matches("(seed == 3 or seed == 4) and seed == 5")
    assert matches("not seed == 4 and seed == 3")


def test_names_are_those_that_runs_are_asked_for() -> None:
    expression = parse("seed == 1 and status == failed and x.y in [a] and seed < 3 or 'a' in tags")
    assert expression.names == ("seed", "status", "x.y", "tags")


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        ("", 1, "a name"),
        ("seed", 5, "a comparison"),
        ("seed ==", 8, "a name"),
        ("seed = 3", 6, "cannot be read"),
        ("seed == 3 seed", 11, "and, or, or the end"),
        ("(seed == 3", 11, "')'"),
        ("seed in 3", 10, "a list"),
        ("seed in [1 2]", 12, "','"),
        ("seed in [1,", 12, "a name"),
        ("and seed == 3", 1, "a name"),
        ("seed == 3 and", 14, "a name"),
        ("__import__('os').system('x') == 1", 17, "cannot be read"),
        ("algo == 'ppo", 9, "cannot be read"),
        ("seed == 1__2", 9, "cannot be read"),
    ],
)
def test_mistakes_are_pointed_at(text: str, place: int, wanted: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert f"at character {place}: " in caught.value.message
    assert wanted in caught.value.message
    assert "\n" not in caught.value.message


def test_endless_expressions_are_refused() -> None:
    with pytest.raises(InputError, match="characters are too many"):
        parse("seed == 3 or " * LONGEST)
    deep = DEEPEST + 1
    for text in ("(" * deep + "seed == 3" + ")" * deep, "not " * deep + "seed == 3"):
        with pytest.raises(InputError, match="levels of nesting"):
            parse(text)
    assert parse("(" * DEEPEST + "seed == 3" + ")" * DEEPEST).matches(RUN.get)


@given(st.text(max_size=60))
def test_any_text_is_an_expression_or_an_input_error(text: str) -> None:
    with contextlib.suppress(InputError):
        parse(text).matches(RUN.get)


# A second reading of the language: expressions as trees, and what they should come to.

SIGNS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
numbers = st.integers(-5, 5) | st.sampled_from([0.5, -1.5, 2.0])
comparisons = st.tuples(st.sampled_from("abcd"), st.sampled_from(sorted(SIGNS)), numbers)
trees = st.recursive(
    comparisons,
    lambda inner: (
        st.tuples(st.just("not"), inner) | st.tuples(st.sampled_from(["and", "or"]), inner, inner)
    ),
    max_leaves=8,
)


def written(tree: Any) -> str:
    if tree[0] == "not":
        return f"not ({written(tree[1])})"
    if tree[0] in ("and", "or"):
        return f"({written(tree[1])}) {tree[0]} ({written(tree[2])})"
    name, sign, number = tree
    return f"{name} {sign} {number}"


def truth(tree: Any, run: dict[str, Any]) -> bool | None:
    if tree[0] == "not":
        inner = truth(tree[1], run)
        return None if inner is None else not inner
    if tree[0] in ("and", "or"):
        sides = {truth(tree[1], run), truth(tree[2], run)}
        deciding = tree[0] == "or"
        return deciding if deciding in sides else None if None in sides else not deciding
    name, sign, number = tree
    return SIGNS[sign](run[name], number) if name in run else None


@given(trees, st.dictionaries(st.sampled_from("abcd"), numbers))
def test_expressions_mean_what_three_valued_logic_says(tree: Any, run: dict[str, Any]) -> None:
    assert parse(written(tree)).matches(run.get) == (truth(tree, run) is True)
