"""Anything that Python code has at hand, in JSON's own types."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from numbers import Integral, Real
from typing import Any

from axiomrl.errors import InputError

_DEEPEST = 100  # levels; whatever is nested deeper is a mistake
_NOTHING: Any = object()


def to_json(value: Any, place: str) -> Any:
    """The value in JSON's own types; `place` is its name, for errors.

    | value | becomes |
    |---|---|
    | NaN, infinity | null |
    | arrays and scalars of NumPy, PyTorch, JAX, TensorFlow | numbers, lists |
    | mappings, dataclasses, named tuples | objects; keys become texts |
    | lists, tuples, ranges; sets | lists; those of sets are sorted |
    | paths, dates, times, texts as bytes | texts |
    | time spans | seconds |
    | members of an Enum | their values |
    | functions and classes | `module.name` |
    | anything else | its `repr` |

    Raises InputError for what contains itself, is nested more than 100 levels deep, or has two
    keys that become one.
    """
    return _converted(value, place, ())


def to_json_object(value: Any, place: str) -> dict[str, Any]:
    """Like `to_json`, for what has to become an object; None is an empty one.

    Raises InputError for what does not.
    """
    converted = {} if value is None else to_json(value, place)
    if not isinstance(converted, dict):
        raise InputError(
            f"{place} is a {type(value).__name__}, but must be a mapping",
            hint='for example {"name": 1.0}; vars(arguments) makes one of parsed arguments',
        )
    return converted


def _converted(value: Any, place: str, outer: tuple[int, ...]) -> Any:
    """The value converted; `outer` holds the identities of what it lies in."""
    simple = _simple(value)
    if simple is not _NOTHING:
        return simple
    if id(value) in outer:
        raise InputError(f"{place} contains itself", hint="JSON cannot hold that; leave it out")
    if len(outer) >= _DEEPEST:
        raise InputError(f"{place[:80]}… is nested more than {_DEEPEST} levels deep")
    inner = (*outer, id(value))
    opened = _opened(value, place)
    if opened is not _NOTHING:
        return _converted(opened, place, inner)
    if isinstance(value, Mapping):
        return _object(value, place, inner)
    if isinstance(value, Sequence | Set):
        items = [_converted(item, f"{place}[{n}]", inner) for n, item in enumerate(value)]
        return sorted(items, key=_by_kind) if isinstance(value, Set) else items
    return _described(value)


def _simple(value: Any) -> Any:
    """A value that holds no others, converted; `_NOTHING` for other values."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _NOTHING  # also where it is a number or a text: see _opened
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real | Decimal):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "backslashreplace")
    return _simple_object(value)


def _simple_object(value: Any) -> Any:
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, os.PathLike) and not isinstance(value, type):
        return os.fsdecode(value)
    return _NOTHING


def _opened(value: Any, place: str) -> Any:
    """What a value stands for: an Enum's value, an array's numbers; `_NOTHING` for other values.

    Arrays are known by their methods, so that no library has to be imported to know its own.
    """
    if isinstance(value, type):
        return _NOTHING
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    for method in ("_asdict", "tolist", "numpy"):
        open_value = getattr(value, method, None)
        if callable(open_value):
            try:
                return open_value()
            except Exception as error:
                raise InputError(
                    f"{place} is a {type(value).__name__} that cannot be read: {error}"
                ) from error
    return _NOTHING


def _object(value: Mapping[Any, Any], place: str, outer: tuple[int, ...]) -> dict[str, Any]:
    converted: dict[str, Any] = {}
    for key, item in value.items():
        name = _key(key, place, outer)
        if name in converted:
            raise InputError(
                f"{place} has two keys that are {name!r} in JSON", hint="rename one of them"
            )
        converted[name] = _converted(item, f"{place}.{name}", outer)
    return converted


def _key(key: Any, place: str, outer: tuple[int, ...]) -> str:
    """The key as JSON would have it: texts as they are, `true`, `null`, `1`, `[1, 2]`."""
    converted = _converted(key, f"a key of {place}", outer)
    if isinstance(converted, str):
        return converted
    words = {None: "null", True: "true", False: "false"}
    is_word = converted is None or isinstance(converted, bool)
    return words[converted] if is_word else str(converted)


def _described(value: Any) -> str:
    """A value that JSON has no type for: functions and classes by name, others as they print."""
    module, name = (getattr(value, part, None) for part in ("__module__", "__qualname__"))
    if isinstance(module, str) and isinstance(name, str):
        return f"{module}.{name}"
    return repr(value)


def _by_kind(converted: Any) -> tuple[str, Any]:
    """Order for the members of a set, which may be of several types."""
    is_number = isinstance(converted, int | float)
    return ("", converted) if is_number else (type(converted).__name__, str(converted))
