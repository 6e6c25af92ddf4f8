"""Reads the values of options and arguments without loading pydantic, where that is simple.

Recent versions of typer convert every value with pydantic, which takes 80 ms to load and to set
up: as long as all of the rest of a short command. Here a text that plainly is what the option
takes is converted at once. Everything else, and so every error, is left to typer.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

_WHOLE = re.compile(r"[+-]?\d{1,15}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?(e[+-]?\d{1,2})?", re.ASCII)


def read_simply(parameters: list[Any]) -> list[Any]:
    """The parameters of a command, told to read their simple values here."""
    for parameter in parameters:
        # typer's own place for it; versions that convert otherwise have none
        if getattr(parameter, "_runtime_param", parameter) is None:
            parameter._runtime_param = _Conversion()
    return parameters


class NotSimpleError(Exception):
    """A value is for typer to convert, or to refuse."""


class _Conversion:
    """What typer asks for the value of one parameter."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as the command takes it."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        try:
            return simple_value(value, param.type_descriptor.annotation, param.type_descriptor)
        except NotSimpleError:
            from typer._coercion import build_runtime_param

            return build_runtime_param(param.type_descriptor).coerce(value, param=param, ctx=ctx)


def simple_value(value: Any, kind: Any, described: Any) -> Any:
    """A value from the command line, or a default, as `kind` has it.

    `described` is typer's descriptor of the parameter. Raises NotSimpleError.
    """
    info = described.parameter_info
    if get_origin(kind) is list and isinstance(value, list | tuple):
        (inner,) = get_args(kind)
        return [simple_value(each, inner, described) for each in value]
    if info.parser is not None or not isinstance(value, str):
        if kind in (str, int, float, Path) and type(value) is kind and info.parser is None:
            return value
        raise NotSimpleError
    if kind is str:
        return value
    if kind in (int, float) and info.min is None and info.max is None:
        if (_WHOLE if kind is int else _DECIMAL).fullmatch(value):
            return kind(value)
    elif kind is Path and _asks_nothing(info):
        if not os.path.lexists(value) or os.access(value, os.R_OK):
            return Path(value)
    elif get_origin(kind) is Literal and value in get_args(kind):
        return value
    raise NotSimpleError


def _asks_nothing(info: Any) -> bool:
    """Whether a path may be anything that, if it is there, can be read."""
    return bool(
        info.file_okay
        and info.dir_okay
        and info.readable
        and not (info.exists or info.writable or info.resolve_path or info.allow_dash)
        and info.path_type is None
    )
