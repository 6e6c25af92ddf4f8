"""Writes a configuration as JSON text that YAML readers understand equally.

`json.loads` and `yaml.safe_load` give equal values: floats carry a point (`1.0e-05`, which
YAML 1.1 would else take for text), and characters that YAML does not allow raw are escaped.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from axiomrl.config.fields import settings_of
from axiomrl.config.schema import TrainConfig
from axiomrl.config.secrets import mask_mapping

_INDENT = "  "
# JSON's own escapes cover quotes, the backslash and U+0000-001F
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def config_to_mapping(config: TrainConfig) -> dict[str, Any]:
    """Every setting in plain containers that JSON can hold; blocks and schedules as mappings.

    `config_from_mapping` gives an equal configuration back.
    """
    plain: dict[str, Any] = _plain(config)
    return plain


def dump_config(config: TrainConfig, *, mask: bool = True) -> str:
    """The text of a run's `config.yaml`: JSON, two spaces of indentation, one final newline.

    With `mask`, what looks like a secret is written as `***`.
    """
    mapping = config_to_mapping(config)
    return json_text(mask_mapping(mapping) if mask else mapping) + "\n"


def json_text(value: Any, indent: str = "") -> str:
    """Strict JSON that YAML 1.1 and 1.2 readers take for the same values.

    Raises ValueError for NaN and infinities.
    """
    inner = indent + _INDENT
    if isinstance(value, Mapping) and value:
        lines = [f"{inner}{_text(key)}: {json_text(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        if any(isinstance(item, list | Mapping) for item in value):
            lines = [inner + json_text(item, inner) for item in value]
            return "[\n" + ",\n".join(lines) + f"\n{indent}]"
        return "[" + ", ".join(json_text(item) for item in value) + "]"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value)


def _text(value: str) -> str:
    escaped = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped)


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be written as JSON")
    mantissa, exponent, power = repr(value).partition("e")
    return f"{mantissa}.0{exponent}{power}" if exponent and "." not in mantissa else repr(value)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in settings_of(type(value))}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
