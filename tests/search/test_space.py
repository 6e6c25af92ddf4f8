"""Dimensions: what they refuse, and how their values get to Optuna and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl import search
from axiomrl.errors import InputError
from axiomrl.search.space import MISSING, Dimension, dimension_from_mapping, number_of_points

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: search.uniform(2, 1), "uniform: low is 2, which is above high, 1"),
        (lambda: search.uniform("0", 1), "uniform: low is '0', but must be a finite number"),
        (lambda: search.uniform(0, float("inf")), "high is inf, but must be a finite number"),
        (lambda: search.loguniform(0, 1), "loguniform: low is 0, but must be above 0"),
        (lambda: search.randint(1.5, 3), "randint: low is 1.5, but must be a whole number"),
        (lambda: search.randint(3, 1), "randint: low is 3, which is above high, 1"),
        (lambda: search.randint(0, 8, log=True), "low is 0, but must be at least 1 with log"),
        (lambda: search.randint(1, 8, step=2, log=True), "step is 2, but must be 1 with log"),
        (lambda: search.randint(1, 8, step=0), "step is 0, but must be at least 1"),
        (lambda: search.choice([]), "choice: values is empty"),
        (lambda: search.choice("abc"), "choice: values is 'abc', but must be a list"),
        (lambda: search.choice([1, 2, 1.0]), "choice: values holds 1.0 twice"),
        (lambda: search.grid([[64, 64], [64, 64]]), r"grid: values holds \[64, 64\] twice"),
    ],
)
def test_a_dimension_that_makes_no_sense_is_refused(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        ({"type": "logunifrom", "low": 1, "high": 2}, "which is none", "did you mean: loguniform"),
        ({"low": 1, "high": 2}, "has no type", "choose from choice, grid"),
        ({"type": "uniform", "low": 1}, "lacks high", None),
        ({"type": "uniform", "low": 1, "hihg": 2}, "has 'hihg'", "did you mean: high"),
        ([1, 2], "must be a mapping with a type", "type: choice"),
    ],
)
def test_a_mapping_that_describes_no_dimension_is_refused(
    values: Any, message: str, hint: str | None
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        dimension_from_mapping(values)
    assert (hint or "") in (caught.value.hint or "")


@pytest.mark.parametrize(
    "dimension",
    [
        search.choice([1, "a", None, [64, 64], {"schedule": "linear", "start": 1.0, "end": 0.0}]),
        search.grid([0.1, 0.2]),
        search.uniform(0, 1),
        search.loguniform(1e-5, 1e-2),
        search.randint(1, 10, step=3),
        search.randint(1, 64, log=True),
    ],
)
def test_the_form_in_files_gives_the_same_dimension_back(dimension: Dimension) -> None:
    assert dimension_from_mapping(dimension.to_mapping()) == dimension


@given(st.lists(SCALARS | st.lists(st.integers()), min_size=1, max_size=6))
def test_every_value_of_a_choice_comes_back_from_optuna(values: list[Any]) -> None:
    try:
        dimension = search.choice(values)
    except InputError:
        return  # two of them are equal
    distribution = dimension.distribution()
    for value in dimension.values:
        internal = distribution.to_internal_repr(dimension.encoded(value))
        back = dimension.decoded(distribution.to_external_repr(internal))
        assert back == value
        assert type(back) is type(value)


def test_a_whole_number_may_be_the_upper_bound() -> None:
    assert search.randint(1, 3).points() == [1, 2, 3]
    assert search.randint(1, 6, step=2).points() == [1, 3, 5]
    assert search.randint(np.int64(1), np.int64(2)).points() == [1, 2]


def test_values_outside_of_a_dimension_are_told_apart() -> None:
    assert search.uniform(0, 1).encoded(1.5) is MISSING
    assert search.uniform(0, 1).encoded({"schedule": "linear"}) is MISSING
    assert search.randint(1, 6, step=2).encoded(2) is MISSING
    assert search.choice([1, 2]).encoded(True) is MISSING
    assert search.choice([None]).encoded(None) is None


def test_points_of_a_space_are_counted_where_that_is_possible() -> None:
    space = {"a": search.choice([1, 2]), "b": search.randint(0, 9)}
    assert number_of_points(space) == 20
    assert number_of_points({**space, "c": search.uniform(0, 1)}) is None
