"""The expressions of `--where`: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from axiomrl.errors import InputError
from axiomrl.reports.where import MAX_DEPTH, MAX_LENGTH, is_name, parse

VALUES = {
    "seed": 3,
    "gamma": 0.99,
    "steps": 50_000,
    "algo": "ppo",
    "tags": ["ablation", "night"],
    "git.commit": "0a1b2c",
    "git.is_dirty": True,
    "is_old": False,
    "versions.ale-py": "0.11.0",
    "nothing": None,
    "lost": math.nan,
    "endless": math.inf,
    "block": {"a": 1},
}


def matches(text: str) -> bool:
    return parse(text).matches(VALUES.get)


@pytest.mark.parametrize(
    "text",
    [
        "seed == 3",
        "seed == 3.0",
        "seed != 4",
        "seed > 2.5 and seed >= 3 and seed < 4 and seed <= 3",
        "gamma >= .99 and gamma < 1.",
        "gamma > -1e3",
        "steps == 50_000 and steps == 5e4",
        "3 == seed",
        "seed < steps",
        "seed in [1, 2, 3]",
        "seed in [3.0]",
        "seed not in [1, 2]",
        "seed not in []",
        "'night' in tags",
        "'day' not in tags",
        "algo == 'ppo'",
        'algo == "ppo"',
        "algo in ['dqn', 'ppo']",
        "algo >= 'a' and algo < 'q'",
        "algo like 'p*'",
        "algo not like 'P*'",
        "git.commit like '0a?b*'",
        "versions.ale-py == '0.11.0'",
        "git.is_dirty == true",
        "git.is_dirty == True",
        "git.is_dirty != FALSE",
        "git.is_dirty",
        "not is_old",
        "not (seed == 1 or seed == 2)",
        "not not seed == 3",
        "not seed == 4",
        "seed == 4 or algo == 'ppo' and seed == 3",
        "(seed == 4 or seed == 3) and not (algo == 'dqn')",
        "seed==3 AND algo=='ppo' OR nothing == 1",
        "  seed\n==\t3  ",
        "true",
    ],
)
def test_condition_that_holds_matches(text: str) -> None:
    assert matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "seed == 4",
        "seed != 3",
        "seed > 3",
        "seed in [1, 2]",
        "seed in []",
        "seed not in [3]",
        "'day' in tags",
        "'night' not in tags",
        "algo like 'P*'",
        "git.commit == 'x'",
        "is_old",
        "not git.is_dirty",
        "seed == 3 and seed == 4",
        "seed == 3 and (seed == 4 or algo == 'dqn')",
        "false",
    ],
)
def test_condition_that_does_not_hold_does_not_match(text: str) -> None:
    assert not matches(text)
    assert matches(f"not ({text})")


@pytest.mark.parametrize("name", ["nothing", "lost", "endless", "absent", "absent.inner"])
@pytest.mark.parametrize(
    "text",
    [
        "{} == 3",
        "{} != 3",
        "{} > 3",
        "{} <= 3",
        "3 > {}",
        "{0} == {0}",
        "{0} != {0}",
        "{} == null",
        "{} != null",
        "{} in [1, null]",
        "{} not in [1]",
        "{} not in []",
        "1 not in {}",
        "{} like '*'",
        "{} not like 'x'",
        "{}",
    ],
)
def test_missing_value_matches_nothing_whichever_way_round(text: str, name: str) -> None:
    assert not matches(text.format(name))
    assert not matches(f"not ({text.format(name)})")
    assert not matches(f"not (seed == 3 and ({text.format(name)}))")


def test_unknown_does_not_hide_what_is_known() -> None:
    assert matches("absent == 1 or seed == 3")
    assert matches("not (absent == 1 and seed == 4)")
    assert not matches("absent == 1 and seed == 3")
    assert not matches("not (absent == 1 or seed == 4)")


@pytest.mark.parametrize(
    "text",
    [
        "3 > 'a'",
        "seed == '3'",
        "seed != 'x'",
        "algo == 3",
        "algo != 3",
        "git.is_dirty == 1",
        "is_old != 1",
        "seed == true",
        "git.is_dirty > false",
        "git.is_dirty in [1]",
        "seed not in ['a']",
        "tags == 'night'",
        "block == 1",
        "block in [1]",
        "'a' in block",
        "'p' in algo",
        "seed like '3'",
        "algo like 3",
        "seed",
        "algo",
        "tags",
        "null",
    ],
)
def test_values_of_different_kinds_are_not_compared(text: str) -> None:
    assert not matches(text)
    assert not matches(f"not ({text})")


def test_large_integers_are_compared_exactly() -> None:
    big = 2**53
    assert parse(f"x == {big + 1}").matches({"x": big + 1}.get)
    assert not parse(f"x == {big + 1}").matches({"x": big}.get)
    assert not parse(f"x == {big + 1}").matches({"x": float(big)}.get)


def test_quotes_and_backslashes_in_texts_are_escaped_by_a_backslash() -> None:
    value_of = {"x": 'it\'s a \\ "b"'}.get
    assert parse(r"""x == 'it\'s a \\ "b"'""").matches(value_of)
    assert parse(r'''x == "it's a \\ \"b\""''').matches(value_of)


def test_names_are_listed_once_in_their_order() -> None:
    text = "b.c == 1 and (a in [1] or not b.c > a) and 'x' in tags and 'b' == \"d\""
    assert parse(text).names == ("b.c", "a", "tags")


def test_words_of_the_language_are_no_names() -> None:
    names = (
        "gamma",
        "a.b-c.d_1",
        "in.x",
        "größe",
        "not",
        "In",
        "None",
        "a b",
        "",
        "1a",
        "a.",
        "a..b",
    )
    assert [is_name(each) for each in names] == [True] * 4 + [False] * 8


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("", 1, "expected a name, number or 'text', found the end"),
        ("seed >", 7, "expected a name, number or 'text', found the end"),
        ("seed > and x == 1", 8, "expected a name, number or 'text', found and"),
        ("seed = 3", 6, "= means nothing here; write =="),
        ("seed == 3 && x == 1", 11, "& means nothing here; write and"),
        ("seed == 3 || x == 1", 11, "| means nothing here; write or"),
        ("!seed == 3", 1, "! means nothing here; write not"),
        ("algo ~ 'p*'", 6, "~ means nothing here; write like"),
        ("seed == 3 x == 1", 11, "expected and, or, or the end of the expression, found x"),
        ("seed == 3)", 10, "expected and, or, or the end of the expression, found )"),
        (
            "0 < seed < 3",
            10,
            "expected and, or, or the end of the expression (join two comparisons with and), "
            "found <",
        ),
        ("(seed == 3", 11, "expected and, or, or ), found the end"),
        ("seed in 3", 9, "expected a list such as [1, 2] or a name, found 3"),
        ("seed in [1, 2", 14, "expected , or ], found the end"),
        ("seed in [1 2]", 12, "expected , or ], found 2"),
        ("seed in [, 2]", 10, "expected a number, 'text' or ], found ,"),
        ("seed in [1, x]", 13, "expected a number or 'text', found x"),
        ("seed not 3", 10, "expected in or like, found 3"),
        ("algo == 'ppo", 9, "the text that begins here is not closed by another '"),
        ("seed == 3x", 9, "this is no number; text is written in quotes"),
        ("seed == 1.2.3", 9, "this is no number; text is written in quotes"),
        ("seed == 1e999", 9, "1e999 is too large a number"),
        ("seed == $HOME", 9, "'$' means nothing here; text is written in quotes"),
        ("f(seed)", 2, "expected ==, !=, <, <=, >, >=, in, not in, like or not like, found ("),
        ("a.__class__ == b[0]", 17, "expected and, or, or the end of the expression, found ["),
        (
            "3",
            2,
            "expected ==, !=, <, <=, >, >=, in, not in, like or not like after 3, found the end",
        ),
    ],
)
def test_expression_that_means_nothing_is_marked_where_it_goes_wrong(
    text: str, column: int, problem: str
) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert caught.value.message == f"--where: column {column}: {problem}"
    shown, marker = (caught.value.hint or "").split("\n")
    assert shown == text
    assert marker.removeprefix("       ") == " " * (column - 1) + "^"


def test_only_the_surroundings_of_an_error_are_shown() -> None:
    text = "x == 1 and " * 20 + "y = 2" + " and x == 1" * 20
    with pytest.raises(InputError, match="column 223: = means nothing") as caught:
        parse(text)
    shown, marker = (caught.value.hint or "").split("\n       ")
    assert len(shown) == 64
    assert shown[marker.index("^")] == "="


def test_error_stays_in_its_line_whatever_the_text_holds() -> None:
    with pytest.raises(InputError) as caught:
        parse("x ==\n\x1b[31m 1")
    assert all(line.isprintable() for line in str(caught.value).split("\n"))
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "text",
    ["(" * 1500 + "x == 1" + ")" * 1500, "not " * 900 + "x", "(not " * 400 + "x" + ")" * 400],
)
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=f"nested more than {MAX_DEPTH} deep"):
        parse(text)


def test_what_is_not_nested_too_deep_is_read() -> None:
    text = "(" * MAX_DEPTH + "seed == 3" + ")" * MAX_DEPTH
    assert matches(text)
    assert matches("not " * MAX_DEPTH + "seed == 3")


def test_long_expression_is_read_up_to_a_bound() -> None:
    assert matches("seed in [" + ", ".join(str(n) for n in range(700)) + "]")
    assert matches(" or ".join(["seed == 1"] * 300 + ["seed == 3"]))
    assert matches("seed < " + "9" * (MAX_LENGTH - 7))
    with pytest.raises(InputError, match="has 4,001 characters, more than 4,000"):
        parse("seed < " + "9" * (MAX_LENGTH - 6))


def assert_one_line(message: str) -> None:
    assert message.isprintable()


@given(
    st.one_of(
        st.text(),
        st.text("()[],'\"<>=!. -_not inalike5seed\\", max_size=60),
        st.lists(
            st.sampled_from(
                ["not", "and", "or", "in", "like", "(", ")", "[", "]", ",", "==", "<", "seed",
                 "a.b", "'x'", "1", "-2.5", "true", "null"]
            ),
            max_size=12,
        ).map(" ".join),
    )
)  # fmt: skip
@example("\ud800")
@example("'\x00")
@example("\u0661 == 1")
def test_any_text_is_read_or_refused_with_an_input_error(text: str) -> None:
    try:
        assert parse(text).matches(VALUES.get) in (True, False)
    except InputError as error:
        assert_one_line(error.message)


# Against a reference: expressions as trees, evaluated by a truth table in numbers (1, 1/2, 0)

SCALARS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, -1.0, 2.0, 1e-300]),
    st.text("ab'\"\\ *", max_size=3),
    st.booleans(),
    st.none(),
)
RECORDED = st.one_of(SCALARS, st.just(math.nan), st.lists(SCALARS, max_size=3))
NAMES = st.sampled_from(["a", "b.c", "d-e", "missing"])
OPERANDS = st.one_of(NAMES.map(lambda name: ("name", name)), SCALARS.map(lambda v: ("value", v)))
COMPARISONS = st.one_of(
    st.tuples(st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "like"]), OPERANDS, OPERANDS),
    st.tuples(
        st.just("in"),
        OPERANDS,
        st.one_of(
            NAMES.map(lambda name: ("name", name)),
            st.lists(SCALARS, max_size=3).map(lambda values: ("value", values)),
        ),
    ),
)
TREES = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=6,
)
STRENGTH = {"or": 0, "and": 1, "not": 2}


def written(value: Any) -> str:
    if isinstance(value, str):
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{quoted}'"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return {True: "true", False: "false", None: "null"}[value] if is_word(value) else repr(value)


def is_word(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def rendered(tree: Any) -> str:
    """The tree as an expression, with the parentheses that it needs and no others."""
    kind = tree[0]
    if kind == "not":
        return f"not {within(tree[1], kind)}"
    if kind in STRENGTH:
        return f" {kind} ".join(within(each, kind) for each in tree[1])
    left, right = (each[1] if each[0] == "name" else written(each[1]) for each in tree[1:])
    return f"{left} {kind} {right}"


def within(tree: Any, outer: str) -> str:
    is_weaker = STRENGTH.get(tree[0], 3) <= STRENGTH[outer] and not tree[0] == outer == "not"
    return f"({rendered(tree)})" if is_weaker else rendered(tree)


def strength_of_belief(tree: Any, values: dict[str, Any]) -> float:
    """1 for true, 0 for false, 1/2 for unknown: `and` is the least, `or` the greatest."""
    kind = tree[0]
    if kind == "not":
        return 1 - strength_of_belief(tree[1], values)
    if kind in STRENGTH:
        beliefs = [strength_of_belief(each, values) for each in tree[1]]
        return min(beliefs) if kind == "and" else max(beliefs)
    left, right = (values.get(each[1]) if each[0] == "name" else each[1] for each in tree[1:])
    return belief_in(kind, left, right)


def belief_in(kind: str, left: Any, right: Any) -> float:
    if kind == "in":
        if not is_comparable(left) or not isinstance(right, list):
            return 0.5
        return max([0.0, *(belief_in("==", left, item) for item in right)])
    if not is_comparable(left) or not is_comparable(right):
        return 0.5
    if (is_number := isinstance(left, int | float) and not isinstance(left, bool)) != (
        isinstance(right, int | float) and not isinstance(right, bool)
    ):
        return 0.5
    if not is_number and type(left) is not type(right):
        return 0.5
    if kind == "like":
        return float(fnmatchcase(left, right)) if isinstance(left, str) else 0.5
    if kind in ("==", "!="):
        return float((left == right) == (kind == "=="))
    if isinstance(left, bool):
        return 0.5
    return float(
        {"<": left < right, "<=": left <= right, ">": left > right}.get(kind, left >= right)
    )


def is_comparable(value: Any) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and not math.isnan(value))


@given(TREES, st.fixed_dictionaries({"a": RECORDED, "b.c": RECORDED, "d-e": RECORDED}))
def test_expression_means_what_its_tree_means(tree: Any, values: dict[str, Any]) -> None:
    belief = strength_of_belief(tree, values)
    text = rendered(tree)
    assert parse(text).matches(values.get) is (belief == 1)
    assert parse(f"not ({text})").matches(values.get) is (belief == 0)
