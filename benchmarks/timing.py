"""What a measured process reports: CPU seconds of its parts, and the versions it ran with.

Imported by the scripts of every side, in every virtual environment: standard library only.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MARKER_VARIABLE = "FIRST_STEP_MARKER"  # names the file that P10 finds the time in
LAST_EPISODES = 100  # what the training return that a side reports is the mean of
PACKAGES = ("torch", "numpy", "gymnasium", "tensorboard", "mujoco", "box2d")


def read_job() -> dict[str, Any]:
    """The job that `children.run_side` passed as the only argument."""
    job: dict[str, Any] = json.loads(sys.argv[1])
    return job


def report(values: Mapping[str, Any]) -> None:
    """Print the figures as the last line of standard output."""
    sys.stdout.flush()
    print(json.dumps(values), flush=True)


def versions(*packages: str) -> dict[str, str]:
    """Python's version and those of the installed ones among the packages."""
    found = {"python": platform.python_version()}
    for name in (*packages, *PACKAGES):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of a call, over all threads of the process."""
    before = time.process_time()
    work()
    return time.process_time() - before


def training_figures(
    *, import_s: float, one_off_s: float, training_s: float, env_steps: int
) -> dict[str, float]:
    """The figures of a training case in microseconds per env step.

    `one_off_s` is what the process pays once and not per step although the training call would
    contain it: the import of dynamo by the first torch Adam.
    """
    per_step = 1e6 / env_steps
    return {
        "net": training_s * per_step,
        "as_run": (one_off_s + training_s) * per_step,
        "process": (import_s + one_off_s + training_s) * per_step,
    }


def mean(values: Sequence[float]) -> float | None:
    """The mean, or None of nothing."""
    return sum(values) / len(values) if values else None
