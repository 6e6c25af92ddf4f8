"""Run as a program: searches that are killed at every write point, or that share one journal.

A light process forks them, so that hundreds take a moment.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from axiomrl.config import TrainConfig
from axiomrl.runs import provenance
from axiomrl.search.running import begin, run_search
from axiomrl.study.launchers.contract import Job
from tests.search.quick_launcher import QuickLauncher, described, gamma_and_seed
from tests.tracking.writers import fork, kill_at

KILLED = {"n_trials": 4, "seeds": [1, 2], "pruner": {"type": "median", "n_startup_trials": 1}}
SHARED = {"n_trials": 12, "seeds": [1, 2]}


def curve(config: TrainConfig) -> list[float] | Exception:
    """Trial 1 fails; what is worse than the base is pruned."""
    if config.hyperparameters.gamma < 0.63:
        return RuntimeError("broken")
    return gamma_and_seed(config)


def run(folder: Path, block: dict[str, Any], launcher: QuickLauncher | None = None) -> None:
    """Begin a search unless it has begun, and bring it to its end."""
    if not (folder / "search" / "search.json").exists():
        begin(described(folder, **block), command=[])
    run_search(folder / "search", launcher or QuickLauncher(curve))


def kill_everywhere(folder: Path, every: int) -> list[list[int]]:
    """Kill a search at its first write point, another at its second, until one completes.

    Of all points, each `every`-th is tried. Each search is gone on with by another process. The
    one killed at point `n` works in `folder/n`. Returns how both of each pair ended.
    """
    ends: list[list[int]] = []
    while not ends or ends[-1][0] != 0:
        point = every * len(ends)
        place = folder / str(point)

        def first(place: Path = place, point: int = point) -> None:
            write_halves_of_journals()
            kill_at(point)
            run(place, KILLED)

        def second(place: Path = place) -> None:
            run(place, KILLED)

        ends.append([os.waitpid(fork(work), 0)[1] for work in (first, second)])
    return ends


def write_halves_of_journals() -> None:
    """Have Optuna's lines written in two parts, between which a process may be killed."""
    from optuna.storages.journal import JournalFileBackend
    from optuna.storages.journal._file import get_lock_file

    def append_logs(self: Any, logs: list[dict[str, Any]]) -> None:
        with get_lock_file(self._lock):
            data = "".join(json.dumps(log) + "\n" for log in logs).encode()
            for part in (data[: len(data) // 2], data[len(data) // 2 :]):
                handle = os.open(self._file_path, os.O_WRONLY | os.O_APPEND)
                os.write(handle, part)
                os.close(handle)
            os.fsync(0)  # another point to be killed at

    JournalFileBackend.append_logs = append_logs  # type: ignore[method-assign]


def share(folder: Path, count: int) -> list[int]:
    """Go on with one search in `count` processes at the same moment; returns the exit codes."""
    begin(described(folder, **SHARED), command=[])
    gate, opener = os.pipe()

    def work() -> None:
        os.close(opener)
        os.read(gate, 1)  # until the parent closes the other end

        def linger(job: Job, step: int) -> None:
            time.sleep(0.002)  # so that none of them has done everything before another comes

        run(folder, SHARED, QuickLauncher(before_step=linger))

    children = [fork(work) for _ in range(count)]
    os.close(opener)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


if __name__ == "__main__":
    # What every child would find out again, or wait for.
    provenance.git = lambda folder=None: ({"commit": None, "is_dirty": None}, None)
    os.fsync = lambda handle: None
    place = Path(sys.argv[2])
    run(place / "whole", KILLED)
    if sys.argv[1] == "share":
        print(json.dumps(share(place, int(sys.argv[3]))))
    else:
        print(json.dumps(kill_everywhere(place, int(sys.argv[3]))))
