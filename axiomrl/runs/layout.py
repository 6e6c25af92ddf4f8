"""The names of a run directory and of the files in it."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

METADATA = "metadata.json"
CONFIG = "config.yaml"
METRICS = "metrics.jsonl"
DIFF = "diff.patch"
CHECKPOINTS = "checkpoints"
TENSORBOARD = "tensorboard"
BEST = "best.pt"

_CHECKPOINT = re.compile(r"step_(\d+)\.pt")


def directory_name(algo: str, env_id: str, seed: int, created: datetime) -> str:
    """`<algo>__<env_id>__seed<seed>__<YYYYMMDD-HHMMSS-ffffff>`, in local time.

    Characters outside `[A-Za-z0-9._-]` become `-`, and `__` within a part becomes `_`. The name
    is for people: nothing ever parses it.
    """
    stamp = created.astimezone().strftime("%Y%m%d-%H%M%S-%f")
    return f"{plain_name(algo)}__{plain_name(env_id)}__seed{seed}__{stamp}"


def checkpoint_name(step: int) -> str:
    """`step_<n>.pt`."""
    return f"step_{step}.pt"


def checkpoint_step(path: Path) -> int | None:
    """The env step in a checkpoint's name; None for `best.pt` and anything else."""
    found = _CHECKPOINT.fullmatch(path.name)
    return int(found[1]) if found else None


def checkpoint_files(directory: Path) -> dict[int, Path]:
    """The checkpoints of a run directory by env step, lowest first; `best.pt` is not among them."""
    try:
        files = list((directory / CHECKPOINTS).iterdir())
    except OSError:
        return {}
    steps = {step: path for path in files if (step := checkpoint_step(path)) is not None}
    return dict(sorted(steps.items()))


def plain_name(text: str) -> str:
    """A text as part of a name: `-` for what is not in `[A-Za-z0-9._-]`, and no `__`."""
    return re.sub("__+", "_", re.sub(r"[^A-Za-z0-9._-]", "-", text))
