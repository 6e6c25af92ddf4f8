"""Conditions on named values, with three truth values: True, False, and None for unknown.

Whatever is missing, null or not finite makes a comparison unknown, and so do two values of
different kinds. `not` leaves unknown unknown, so that a run without a value is never kept
because of it, however a condition is turned round.
"""

from __future__ import annotations

import fnmatch
import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

Truth: TypeAlias = bool | None
ValueOf: TypeAlias = Callable[[str], Any]  # the value that a name stands for, None if it is missing
Kind = Literal["number", "text", "truth"]


class Operand(Protocol):
    """What stands beside an operator."""

    def value(self, value_of: ValueOf) -> Any:
        """The value it has for one run."""


class Condition(Protocol):
    """What may hold for one run, or not, or be unknown of it."""

    def truth(self, value_of: ValueOf) -> Truth:
        """Whether it holds."""


@dataclass(frozen=True)
class Constant:
    """A number, a text, true, false, null, or a list of such."""

    constant: Any

    def value(self, value_of: ValueOf) -> Any:
        """The same for every run."""
        return self.constant


@dataclass(frozen=True)
class Name:
    """A value that every run has for itself; alone, it is a condition: that the value is true."""

    name: str

    def value(self, value_of: ValueOf) -> Any:
        """What the name stands for."""
        return value_of(self.name)

    def truth(self, value_of: ValueOf) -> Truth:
        """The value, if it is true or false."""
        value = value_of(self.name)
        return value if isinstance(value, bool) else None


@dataclass(frozen=True)
class Comparison:
    """Two operands and one of OPERATORS."""

    left: Operand
    operator: str
    right: Operand

    def truth(self, value_of: ValueOf) -> Truth:
        """Whether the values compare so."""
        return OPERATORS[self.operator](self.left.value(value_of), self.right.value(value_of))


@dataclass(frozen=True)
class Not:
    """The contrary."""

    condition: Condition

    def truth(self, value_of: ValueOf) -> Truth:
        """True for false, and the other way round."""
        return _contrary(self.condition.truth(value_of))


@dataclass(frozen=True)
class All:
    """Conditions joined by `and`."""

    conditions: tuple[Condition, ...]

    def truth(self, value_of: ValueOf) -> Truth:
        """False if one is false, else unknown if one is unknown."""
        return _contrary(_any_of(_contrary(each.truth(value_of)) for each in self.conditions))


@dataclass(frozen=True)
class Either:
    """Conditions joined by `or`."""

    conditions: tuple[Condition, ...]

    def truth(self, value_of: ValueOf) -> Truth:
        """True if one is true, else unknown if one is unknown."""
        return _any_of(each.truth(value_of) for each in self.conditions)


def kind_of(value: Any) -> Kind | None:
    """What a value can be compared with: its like; None if with nothing."""
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return "number"
    return "text" if isinstance(value, str) else None


def _compare(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Truth]:
    is_order = compare not in (operator.eq, operator.ne)

    def compared(left: Any, right: Any) -> Truth:
        kind = kind_of(left)
        if kind is None or kind != kind_of(right) or (kind == "truth" and is_order):
            return None
        return compare(left, right)

    return compared


_equal = _compare(operator.eq)


def _is_in(value: Any, container: Any) -> Truth:
    if kind_of(value) is None or not isinstance(container, list | tuple):
        return None
    return _any_of(_equal(value, item) for item in container)


def _is_like(value: Any, pattern: Any) -> Truth:
    if not isinstance(value, str) or not isinstance(pattern, str):
        return None
    return fnmatch.fnmatchcase(value, pattern)


OPERATORS: dict[str, Callable[[Any, Any], Truth]] = {
    "==": _equal,
    "!=": _compare(operator.ne),
    "<": _compare(operator.lt),
    "<=": _compare(operator.le),
    ">": _compare(operator.gt),
    ">=": _compare(operator.ge),
    "in": _is_in,
    "like": _is_like,
}


def _contrary(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _any_of(truths: Iterable[Truth]) -> Truth:
    result: Truth = False
    for truth in truths:
        if truth:
            return True
        if truth is None:
            result = None
    return result
