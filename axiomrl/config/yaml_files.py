"""Reads configuration files: YAML with the scalars of YAML 1.2, and no key given twice.

PyYAML alone follows YAML 1.1, where `3e-4` is a string, `no` is false and `1:30` is 90.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from axiomrl.config.fields import join_surrogates
from axiomrl.errors import ConfigError

_PLAIN = "axiomrl:plain"  # the tag of scalars that carry no quotes and no tag of their own
_STANDARD = "tag:yaml.org,2002:"
_MOST_VALUES = 100_000  # aliases of aliases can stand for more values than fit into memory
_LONGEST_KEY = 128
_LONGEST_OTHER_BASE = 1000  # digits; Python reads decimal ones up to 4300 on its own

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False}
_BOOLEAN["FALSE"] = False
# 1_000_000 is text in YAML 1.2, but nobody who writes it means text
_INTEGER = re.compile(r"[-+]?([0-9]+|[0-9]{1,3}(_[0-9]{3})+)")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NON_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class _Loader(yaml.SafeLoader):
    """Composes nodes without YAML 1.1's guesses about what a scalar means."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own attribute


_Loader.add_implicit_resolver(_PLAIN, re.compile(""), None)


def read_yaml(path: Path | str, *, required: str = "algo and env_id") -> dict[str, Any]:
    """The mapping that a YAML file holds.

    `required` names the keys that an empty file lacks. Raises ConfigError, naming file and line,
    for a file that cannot be read, is not UTF-8, is not valid YAML, repeats a key, holds no
    mapping or more than one document.
    """
    values = parse_yaml(_read_text(path), source=str(path))
    if values is None:
        raise ConfigError(f"{path}: the file is empty", hint=f"it needs at least {required}")
    if not isinstance(values, dict):
        kind = "a list" if isinstance(values, list) else f"the single value {values!r:.60}"
        raise ConfigError(f"{path}: holds {kind}, not settings", hint="write lines `key: value`")
    return values


def parse_yaml(text: str, *, source: str) -> Any:
    """The value of a YAML document; None if it is empty. `source` begins each error message."""
    try:
        loader = _Loader(text)
        node = loader.get_node() if loader.check_node() else None
        if node is None:
            return None
        second = loader.get_node() if loader.check_node() else None
        if second is not None:
            line = second.start_mark.line + 1
            raise ConfigError(
                f"{source}:{line}: a second document begins here", hint="write one per file"
            )
        return _Builder(source).build(node)
    except yaml.YAMLError as error:
        raise _broken(error, source) from None
    except RecursionError:
        raise ConfigError(f"{source}: values are nested too deeply to be settings") from None


def parse_value(text: str, *, source: str) -> Any:
    """The value typed behind `key=`: a scalar as in a file, or a `[list]` or `{mapping}`.

    Text that begins with none of `[{"'` is one scalar, whatever characters follow.
    """
    text = text.strip()
    if text[:1] in ("[", "{", '"', "'"):
        return parse_yaml(text, source=source)
    return plain_scalar(text)


def plain_scalar(text: str) -> bool | int | float | str | None:
    """What an unquoted scalar means in YAML 1.2 (core schema); whatever else is a string."""
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text) and len(text) <= _LONGEST_OTHER_BASE:
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NON_FINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text


class _Builder:
    """Turns composed nodes into dicts, lists and scalars."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.values = 0

    def build(self, node: yaml.Node) -> Any:
        self.values += 1
        if self.values > _MOST_VALUES:
            raise self.error(node, f"stands for more than {_MOST_VALUES:,} values")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node)
        if isinstance(node, yaml.SequenceNode):
            self.check_tag(node, "seq")
            return [self.build(item) for item in node.value]
        return self.scalar(node)

    def mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        self.check_tag(node, "map")
        lines: dict[str, int] = {}
        merged: dict[str, Any] = {}
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node)
            if key in lines:
                raise self.error(
                    key_node, f"{key} is repeated, first on line {lines[key]}", "keep one of them"
                )
            lines[key] = key_node.start_mark.line + 1
            if key == "<<" and key_node.tag == _PLAIN:
                merged = self.merged(value_node)
            else:
                values[key] = self.build(value_node)
        return {**merged, **values}

    def merged(self, node: yaml.Node) -> dict[str, Any]:
        """What `<<` brings in: one mapping or a list of them, of which the first wins."""
        values = self.build(node)
        mappings = values if isinstance(values, list) else [values]
        result: dict[str, Any] = {}
        for mapping in mappings:
            if not isinstance(mapping, dict):
                raise self.error(node, "<< must be followed by a mapping, such as *an_anchor")
            result = {**mapping, **result}
        return result

    def key(self, node: yaml.Node) -> str:
        key = self.build(node)
        if not isinstance(key, str):
            raise self.error(node, f"the key {key!r:.60} is not text", "put it into quotes")
        if len(key) > _LONGEST_KEY:
            raise self.error(node, f"a key is longer than {_LONGEST_KEY} characters")
        return key

    def scalar(self, node: yaml.Node) -> Any:
        text = join_surrogates(str(node.value))
        if node.tag == _STANDARD + "str":
            return text
        try:
            value = plain_scalar(text)
        except ValueError:  # Python refuses to read thousands of digits
            raise self.error(node, f"the number {text[:20]}… is too long") from None
        if node.tag == _STANDARD + "float" and type(value) is int:
            return float(value)
        expected = {"null": type(None), "bool": bool, "int": int, "float": float}
        name = node.tag.removeprefix(_STANDARD)
        if node.tag != _PLAIN and (name not in expected or type(value) is not expected[name]):
            raise self.error(
                node, f"the tag {_shown(node.tag)} cannot be used here", "leave it out"
            )
        return value

    def check_tag(self, node: yaml.Node, name: str) -> None:
        if node.tag != _STANDARD + name:
            raise self.error(
                node, f"the tag {_shown(node.tag)} cannot be used here", "leave it out"
            )

    def error(self, node: yaml.Node, message: str, hint: str | None = None) -> ConfigError:
        return ConfigError(f"{self.source}:{node.start_mark.line + 1}: {message}", hint=hint)


def _read_text(path: Path | str) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file", hint="give the path of a YAML file") from None
    except IsADirectoryError:
        raise ConfigError(
            f"{path}: is a directory", hint="give the path of a YAML file in it"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: is not UTF-8 text (byte {error.start})", hint="save it as UTF-8"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path}: cannot be read: {reason}") from None


def _broken(error: yaml.YAMLError, source: str) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
    where = f"{source}:{mark.line + 1}" if mark else source
    context = getattr(error, "context", None)
    told = f"{context}, {problem}" if context else str(problem)
    hint = "look at indentation, colons, quotes and brackets on this line and the one above"
    if "\\t" in told:
        hint = "indent with spaces instead of tabs"
    return ConfigError(f"{where}: not valid YAML: {' '.join(told.split())}", hint=hint)


def _shown(tag: str) -> str:
    return tag.replace(_STANDARD, "!!")
