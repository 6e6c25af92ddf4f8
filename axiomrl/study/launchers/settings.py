"""The settings of launchers: `key=value` texts from the command line, values from a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from axiomrl.errors import InputError, did_you_mean

Reader = Callable[[str], Any]
"""Makes a value of a text; raises ValueError that says what it must be."""


def read_settings(
    launcher: str, given: Mapping[str, Any] | None, readers: Mapping[str, Reader]
) -> dict[str, Any]:
    """The values of the options given; raises InputError for unknown names and bad values.

    Names may be written with dashes. A value that is no text yet is read as one.
    """
    settings: dict[str, Any] = {}
    for key, value in (given or {}).items():
        name = str(key).replace("-", "_")
        if name not in readers:
            known = ", ".join(readers) or "none"
            raise InputError(
                f"launcher {launcher}: {key!r} is not one of its options ({known})",
                hint=did_you_mean(name, readers),
            )
        try:
            settings[name] = readers[name](_text(value))
        except ValueError as error:
            raise InputError(
                f"launcher {launcher}: option {name} is {value!r}, but must be {error}"
            ) from None
    return settings


def whole(low: int) -> Reader:
    """A whole number that is at least `low`."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if number < low:
            raise ValueError(f"a whole number >= {low}")
        return number

    return read


def amount(text: str) -> float:
    """A number that is at least 0, such as a share of a GPU."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise ValueError("a number >= 0")
    return number


def switch(text: str) -> bool:
    """True or false."""
    if text.lower() not in ("true", "false"):
        raise ValueError("true or false")
    return text.lower() == "true"


def one_of(*words: str) -> Reader:
    """One of some words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return text

    return read


def plain(text: str) -> str:
    """Any text but an empty one."""
    if not text:
        raise ValueError("a text")
    return text


def several(text: str) -> tuple[str, ...]:
    """Words between commas; `none`: no word."""
    if text == "none":
        return ()
    words = tuple(word.strip() for word in text.split(","))
    if not all(words):
        raise ValueError("words with commas between them, or none")
    return words


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(_text(item) for item in value)
    return str(value).strip()
