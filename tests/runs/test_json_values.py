"""Conversion to JSON's own types."""

from __future__ import annotations

import collections
import enum
import fractions
import json
import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.errors import InputError
from axiomrl.runs.json_values import to_json, to_json_object


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Layer:
    size: Any
    inner: list[Any] = field(default_factory=list)


class Point(NamedTuple):
    x: float
    y: float


class DeviceArray:
    """As JAX and TensorFlow have them: known by what it can do."""

    def tolist(self) -> list[float]:
        return [1.5, math.nan]


class Tensor:
    def numpy(self) -> np.ndarray[Any, Any]:
        return np.arange(2)


class Opaque:
    def __repr__(self) -> str:
        return "Opaque()"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (-math.inf, None),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.float64("nan"), None),
        (np.str_("a"), "a"),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (np.array([0.5, np.inf]), [0.5, None]),
        (np.array(2.5), 2.5),
        (np.datetime64("2026-01-31"), "2026-01-31"),
        (torch.tensor(0.5, requires_grad=True), 0.5),
        (torch.tensor([1.5, math.nan], dtype=torch.bfloat16), [1.5, None]),
        (DeviceArray(), [1.5, None]),
        (Tensor(), [0, 1]),
        (Path("a/b"), "a/b"),
        (PureWindowsPath("a/b"), "a\\b"),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00+00:00"),
        (date(2026, 1, 31), "2026-01-31"),
        (timedelta(minutes=1.5), 90.0),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Layer(np.int8(2), [Layer(Colour.RED)]),
         {"size": 2, "inner": [{"size": "red", "inner": []}]}),
        (Point(1.0, math.nan), {"x": 1.0, "y": None}),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", 1, "a"}), [1, "a", "b"]),
        ((1, (2,)), [1, [2]]),
        (range(2), [0, 1]),
        (collections.deque([1]), [1]),
        (b"text", "text"),
        (b"\xff", "\\xff"),
        (Decimal("0.5"), 0.5),
        (fractions.Fraction(1, 4), 0.25),
        ({1: 1, None: 2, False: 3}, {"1": 1, "null": 2, "false": 3}),
        ({(1, 2): 1, Colour.RED: 2, 0.5: 3, np.int64(7): 4},
         {"[1, 2]": 1, "red": 2, "0.5": 3, "7": 4}),
        (math.sqrt, "math.sqrt"),
        (torch.nn.ReLU, "torch.nn.modules.activation.ReLU"),
        (Layer, f"{__name__}.Layer"),
        (Opaque(), "Opaque()"),
    ],
)  # fmt: skip
def test_value_becomes(value: Any, expected: Any) -> None:
    converted = to_json(value, "value")
    assert converted == expected
    assert json.loads(json.dumps(converted, allow_nan=False)) == converted
    assert type(converted) in (type(None), bool, int, float, str, list, dict)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip
PYTHON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.complex_numbers() | st.dates() | st.timedeltas() | st.sampled_from(Colour)
    | st.builds(np.float32, st.floats(width=32)) | st.builds(Path, st.just("a/b")),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner)
    | st.builds(Layer, inner),
    max_leaves=10,
)  # fmt: skip


@given(JSON)
def test_what_is_json_already_is_left_as_it_is(value: Any) -> None:
    assert to_json(value, "value") == value


@given(PYTHON)
def test_whatever_comes_out_is_strict_json(value: Any) -> None:
    converted = to_json(value, "value")
    assert json.loads(json.dumps(converted, allow_nan=False)) == converted
    assert to_json(converted, "value") == converted


def test_cycle_is_an_error_that_says_where() -> None:
    cycle: dict[str, Any] = {"a": [1]}
    cycle["a"].append({"b": cycle})
    with pytest.raises(InputError, match=r"metadata\.a\[1\]\.b contains itself"):
        to_json(cycle, "metadata")
    layer = Layer(1)
    layer.inner.append(layer)
    with pytest.raises(InputError, match=r"metadata\.inner\[0\] contains itself"):
        to_json(layer, "metadata")


def test_value_in_two_places_is_no_cycle() -> None:
    shared = [1]
    assert to_json({"a": shared, "b": [shared]}, "metadata") == {"a": [1], "b": [[1]]}


def test_value_that_never_ends_is_an_error() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(InputError, match="nested more than 100 levels"):
        to_json(deep, "metadata")


def test_two_keys_that_become_one_are_an_error() -> None:
    with pytest.raises(InputError, match="hyperparameters has two keys that are '1'"):
        to_json({1: "a", "1": "b"}, "hyperparameters")


def test_array_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(InputError, match=r"metrics\.loss is a Tensor that cannot be read"):
        to_json({"loss": torch.zeros(1, device="meta")}, "metrics")


@pytest.mark.parametrize("value", [[1], 3, "text", {1, 2}])
def test_only_mappings_become_objects(value: Any) -> None:
    with pytest.raises(InputError, match=r"metadata is a \w+, but must be a mapping"):
        to_json_object(value, "metadata")
    assert to_json_object(None, "metadata") == {}
    assert to_json_object(Layer(1), "metadata") == {"size": 1, "inner": []}
