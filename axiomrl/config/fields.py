"""Reads the fields of configuration classes: their types, bounds and defaults."""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from axiomrl.config.schema import Schedule, SettingInfo

_NAMES = {int: "integer", float: "number", str: "text", dict: "mapping"}
_PLURALS = {int: "integers", float: "numbers", str: "texts"}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What values a field takes."""

    base: type  # bool, int, float, str, dict (free-form), object (hyperparameters), a dataclass
    optional: bool = False  # null is allowed
    many: bool = False  # a list of `base`
    schedulable: bool = False  # a number, or a Schedule of it
    worded: bool = False  # a number, or one of the setting's choices

    @property
    def is_block(self) -> bool:
        """Whether the values are settings of their own."""
        return dataclasses.is_dataclass(self.base) or self.base is object

    def text(self) -> str:
        """The type in words: `integer`, `list of texts`, `number, schedule or null`."""
        name = _NAMES.get(self.base, "mapping of settings")
        parts = [f"list of {_PLURALS.get(self.base, 'mappings')}" if self.many else name]
        if self.base is bool and not self.many:
            parts = ["true", "false"]
        parts += ["schedule"] * self.schedulable + ["word"] * self.worded + ["null"] * self.optional
        return ", ".join(parts[:-1]) + " or " + parts[-1] if len(parts) > 1 else parts[0]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One field of a configuration class."""

    name: str
    kind: Kind
    info: SettingInfo
    default: Any  # MISSING: the setting is required

    @property
    def required(self) -> bool:
        """Whether a configuration must give it."""
        return self.default is MISSING


@functools.cache
def settings_of(block: type) -> dict[str, Setting]:
    """The fields of a configuration class by name, in their order."""
    annotations = get_type_hints(block)
    return {
        field.name: Setting(
            name=field.name,
            kind=_kind(annotations[field.name]),
            info=field.metadata.get("setting") or SettingInfo(help=""),
            default=_default(field),
        )
        for field in dataclasses.fields(block)
    }


def join_surrogates(text: str) -> str:
    r"""Text in which an escaped pair such as `\ud83d\ude00` is the one character it stands for."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _kind(annotation: Any) -> Kind:
    if get_origin(annotation) in (Union, types.UnionType):
        members = set(get_args(annotation))
        optional = type(None) in members
        members -= {type(None)}
        if members == {float, Schedule}:
            return Kind(base=float, optional=optional, schedulable=True)
        if members == {float, str}:
            return Kind(base=float, optional=optional, worded=True)
        (member,) = members
        return dataclasses.replace(_kind(member), optional=optional)
    if get_origin(annotation) is tuple:
        return Kind(base=_kind(get_args(annotation)[0]).base, many=True)
    if get_origin(annotation) in (Mapping, dict):
        return Kind(base=dict)
    return Kind(base=object if annotation is Any else annotation)
