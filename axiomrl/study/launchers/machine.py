"""What this machine has for workers: cores that may be used, and GPUs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of CPU per period
_GPUS = Path("/proc/driver/nvidia/gpus")


def usable_cores() -> list[int]:
    """The numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def n_usable_cores() -> int:
    """How many cores this process gets the time of: a container may give less than it shows."""
    count = len(usable_cores())
    try:
        quota, period = _QUOTA.read_text().split()
        return max(1, min(count, int(quota) // int(period)))
    except (OSError, ValueError):  # no such limit
        return count


def visible_gpus() -> list[str]:
    """The NVIDIA GPUs that a process may use, as CUDA_VISIBLE_DEVICES names them."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        return [name.strip() for name in told.split(",") if name.strip() not in ("", "-1")]
    try:
        return [str(number) for number, _ in enumerate(_GPUS.iterdir())]
    except OSError:
        return []


def share_of_cores(cores: Sequence[int], slot: int, n_slots: int) -> list[int]:
    """The cores of one of several workers: equal shares of them all, at least one each."""
    if n_slots >= len(cores):
        return [cores[slot % len(cores)]]
    return list(cores[slot * len(cores) // n_slots : (slot + 1) * len(cores) // n_slots])


def share_of_gpus(gpus: Sequence[str], slot: int, per_worker: int) -> list[str]:
    """The GPUs of one worker, in turn; never one of them twice."""
    per_worker = min(per_worker, len(gpus))
    return [gpus[(slot * per_worker + place) % len(gpus)] for place in range(per_worker)]
