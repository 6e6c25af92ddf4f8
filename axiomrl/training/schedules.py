"""Numbers that change over training."""

from __future__ import annotations

import math

from axiomrl.config.schema import Schedulable


def value_at(setting: Schedulable, fraction: float) -> float:
    """The setting's value when `fraction` (0 to 1) of the training's env steps have been taken."""
    if isinstance(setting, (int, float)):
        return float(setting)
    end = setting.start if setting.end is None else setting.end
    part = min(max(fraction / setting.until, 0.0), 1.0)
    if setting.schedule == "constant":
        return setting.start
    if setting.schedule == "cosine":
        part = (1.0 - math.cos(math.pi * part)) / 2.0
    return setting.start + (end - setting.start) * part
