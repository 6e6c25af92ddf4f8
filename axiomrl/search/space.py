"""What a search may choose from: one dimension per setting, in Python and in files.

A dimension knows its Optuna distribution. Optuna's values are numbers and texts: a choice that
is a list or a mapping goes by its JSON text there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from axiomrl.errors import InputError, did_you_mean
from axiomrl.runs.files import plain_number

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

MISSING: Any = object()
"""Stands for a value that a dimension does not have."""


@dataclass(frozen=True)
class Choice:
    """One of several values; `is_grid` if it was given as something to walk through."""

    values: tuple[Any, ...]
    is_grid: bool = False

    def to_mapping(self) -> dict[str, Any]:
        """As a search file has it."""
        return {"type": "grid" if self.is_grid else "choice", "values": list(self.values)}

    def distribution(self) -> BaseDistribution:
        """As Optuna knows it."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution([_key(value) for value in self.values])

    def points(self) -> list[Any]:
        """Every value, in the order given."""
        return list(self.values)

    def to_check(self) -> list[Any]:
        """The values that a configuration must accept."""
        return list(self.values)

    def encoded(self, value: Any) -> Any:
        """Optuna's value for one of a configuration; MISSING if it is none of the values."""
        return next((_key(each) for each in self.values if _same(each, value)), MISSING)

    def decoded(self, key: Any) -> Any:
        """The configuration's value for one of Optuna's."""
        return next(each for each in self.values if _same(_key(each), key))


@dataclass(frozen=True)
class Real:
    """A number between two bounds, both included; `log`: equally likely in every decade."""

    low: float
    high: float
    log: bool = False

    def to_mapping(self) -> dict[str, Any]:
        """As a search file has it."""
        kind = "loguniform" if self.log else "uniform"
        return {"type": kind, "low": self.low, "high": self.high}

    def distribution(self) -> BaseDistribution:
        """As Optuna knows it."""
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, log=self.log)

    def points(self) -> list[Any] | None:
        """There are too many to list, unless both bounds are one."""
        return [self.low] if self.low == self.high else None

    def to_check(self) -> list[Any]:
        """Both bounds."""
        return [self.low, self.high]

    def encoded(self, value: Any) -> Any:
        """Optuna's value for one of a configuration; MISSING outside of the bounds."""
        is_inside = _is_number(value) and self.low <= value <= self.high
        return float(value) if is_inside else MISSING

    def decoded(self, key: Any) -> Any:
        """The configuration's value for one of Optuna's."""
        return float(key)


@dataclass(frozen=True)
class Integer:
    """A whole number from low to high, both included; low, low + step, … not beyond high."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    def to_mapping(self) -> dict[str, Any]:
        """As a search file has it."""
        return {"type": "randint", "low": self.low, "high": self.high, "step": self.step,
                "log": self.log}  # fmt: skip

    def distribution(self) -> BaseDistribution:
        """As Optuna knows it."""
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.points_range()[-1], log=self.log, step=self.step)

    def points_range(self) -> range:
        """Every value in order."""
        return range(self.low, self.high + 1, self.step)

    def points(self) -> list[Any]:
        """Every value in order."""
        return list(self.points_range())

    def to_check(self) -> list[Any]:
        """The least and the greatest value."""
        return [self.low, self.points_range()[-1]]

    def encoded(self, value: Any) -> Any:
        """Optuna's value for one of a configuration; MISSING if it is none of the values."""
        is_inside = _is_number(value) and value == int(value) and int(value) in self.points_range()
        return int(value) if is_inside else MISSING

    def decoded(self, key: Any) -> Any:
        """The configuration's value for one of Optuna's."""
        return int(key)


Dimension = Choice | Real | Integer
Space = Mapping[str, Dimension]


def choice(values: Iterable[Any]) -> Choice:
    """One of the values, which may be lists or mappings, such as hidden_sizes or schedules."""
    return Choice(_distinct("choice", values))


def grid(values: Iterable[Any]) -> Choice:
    """Values that the sampler `grid` walks through; a choice for other samplers."""
    return Choice(_distinct("grid", values), is_grid=True)


def uniform(low: float, high: float) -> Real:
    """A number from low to high, both included."""
    low, high = _ordered(
        "uniform", _number("uniform", "low", low), _number("uniform", "high", high)
    )
    return Real(low, high)


def loguniform(low: float, high: float) -> Real:
    """A number from low (above 0) to high, both included, whose logarithm is uniform."""
    name = "loguniform"
    low, high = _ordered(name, _number(name, "low", low), _number(name, "high", high))
    if low <= 0:
        raise InputError(f"{name}: low is {low:g}, but must be above 0")
    return Real(low, high, log=True)


def randint(low: int, high: int, step: int = 1, log: bool = False) -> Integer:
    """A whole number from low to high: both are included, unlike in NumPy's `integers`.

    With `step` it is low, low + step, … as far as high allows; with `log` its logarithm is
    uniform, for which low must be above 0 and step 1.
    """
    name = "randint"
    first, last = _ordered(name, _whole(name, "low", low), _whole(name, "high", high))
    by = _whole(name, "step", step)
    if by < 1:
        raise InputError(f"{name}: step is {by}, but must be at least 1")
    if not isinstance(log, bool):
        raise InputError(f"{name}: log is {log!r}, but must be true or false")
    if log and first < 1:
        raise InputError(f"{name}: low is {first}, but must be at least 1 with log")
    if log and by != 1:
        raise InputError(f"{name}: step is {by}, but must be 1 with log")
    return Integer(first, last, by, log)


_TYPES: dict[str, tuple[Callable[..., Dimension], tuple[str, ...], tuple[str, ...]]] = {
    # name: what makes it, keys that it needs, keys that it may have
    "choice": (choice, ("values",), ()),
    "grid": (grid, ("values",), ()),
    "uniform": (uniform, ("low", "high"), ()),
    "loguniform": (loguniform, ("low", "high"), ()),
    "randint": (randint, ("low", "high"), ("step", "log")),
}


def dimension_from_mapping(values: Any) -> Dimension:
    """The dimension that `{type: …, …}` describes, as `to_mapping` gives it.

    Raises InputError with the problem alone; the caller says where it is.
    """
    if isinstance(values, Choice | Real | Integer):
        return values
    if not isinstance(values, Mapping):
        raise InputError(
            f"is {values!r:.60}, but must be a mapping with a type",
            hint="write {type: choice, values: [1, 2]} or {type: uniform, low: 0, high: 1}",
        )
    name = values.get("type")
    if name not in _TYPES:
        problem = "has no type" if name is None else f"has the type {name!r:.60}, which is none"
        choices = f"choose from {', '.join(_TYPES)}"
        near = did_you_mean(name, _TYPES) if name is not None else None
        raise InputError(problem, hint=f"{near}; {choices}" if near else choices)
    make, needed, optional = _TYPES[name]
    for key in values:
        if key not in ("type", *needed, *optional):
            known = [*needed, *optional]
            hint = did_you_mean(str(key), known) or f"{name} has: {', '.join(known)}"
            raise InputError(f"has {key!r}, which {name} does not take", hint=hint)
    for key in needed:
        if key not in values:
            raise InputError(f"lacks {key}, which {name} needs")
    return make(**{key: value for key, value in values.items() if key != "type"})


def space_to_mapping(space: Space) -> dict[str, Any]:
    """The space as a search file has it."""
    return {path: dimension.to_mapping() for path, dimension in space.items()}


def number_of_points(space: Space) -> int | None:
    """How many points the space has; None if that cannot be counted."""
    counts = [dimension.points() for dimension in space.values()]
    if any(points is None for points in counts):
        return None
    return math.prod(len(points) for points in counts if points is not None)


def _distinct(name: str, values: Iterable[Any]) -> tuple[Any, ...]:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise InputError(f"{name}: values is {values!r:.60}, but must be a list")
    kept: list[Any] = []
    for given in values:
        value = _plain(name, given)
        if any(_key(value) == _key(other) for other in kept):
            raise InputError(f"{name}: values holds {value!r:.60} twice")
        kept.append(value)
    if not kept:
        raise InputError(f"{name}: values is empty", hint="give at least one value")
    return tuple(kept)


def _plain(name: str, value: Any) -> Any:
    """A value in JSON's types; raises InputError for what JSON cannot hold."""
    from axiomrl.runs.json_values import to_json

    plain = to_json(value, f"{name}: values")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name}: values holds {value}, but numbers must be finite")
    return plain


def _same(one: Any, other: Any) -> bool:
    """Equality as configurations have it: 1 is 1.0, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _key(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return json.dumps(value, sort_keys=True)


def _ordered(name: str, low: Any, high: Any) -> tuple[Any, Any]:
    if low > high:
        raise InputError(
            f"{name}: low is {low:g}, which is above high, {high:g}", hint="exchange them"
        )
    return low, high


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _number(name: str, key: str, value: Any) -> float:
    value = plain_number(value)
    if not _is_number(value):
        raise InputError(f"{name}: {key} is {value!r:.60}, but must be a finite number")
    return float(value)


def _whole(name: str, key: str, value: Any) -> int:
    value = plain_number(value)
    if not _is_number(value) or value != int(value):
        raise InputError(f"{name}: {key} is {value!r:.60}, but must be a whole number")
    return int(value)
