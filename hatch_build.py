"""Puts the shipped presets into wheels, as `axiomrl/configs`.

An editable install needs none: there the package finds them beside itself, in the checkout.
(Hatchling's own `force-include` would copy them there too, and the copies would grow old.)
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ShippedPresets(BuildHookInterface):  # type: ignore[type-arg]  # found by its base class
    """Adds `configs/` to every wheel that is not an editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds; `version` is `standard` or `editable`."""
        if version == "standard":
            build_data["force_include"]["configs"] = "axiomrl/configs"
