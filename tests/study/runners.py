"""Run as a program: runners of studies that are killed at every write point, or that compete.

A light process forks them, so that hundreds take a moment.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from axiomrl.errors import RunAliveError
from axiomrl.runs import provenance
from tests.study.quick_training import QuickTraining, run_study, study
from tests.tracking.writers import fork, kill_at

SEEDS = [5, 6]
METRICS: dict[int, Any] = {
    5: {"eval_return_mean": -5.0},
    6: RuntimeError("broken"),
}


def run(folder: Path, *, resume: bool = False) -> None:
    run_study(study(folder, seeds=SEEDS, resume=resume), train=QuickTraining(METRICS), command=[])


def kill_everywhere(folder: Path) -> list[list[int]]:
    """Kill a runner at its first write point, the next one at its second, until one completes.

    Each of them is resumed by another process. The one killed at point `n` works in `folder/n`.
    Returns how both of each pair ended.
    """
    ends: list[list[int]] = []
    while not ends or ends[-1][0] != 0:
        place, point = folder / str(len(ends)), len(ends)

        def begin(place: Path = place, point: int = point) -> None:
            kill_at(point)
            run(place)

        def resume(place: Path = place) -> None:
            run(place, resume=True)

        ends.append([os.waitpid(fork(work), 0)[1] for work in (begin, resume)])
    return ends


def compete(folder: Path, count: int) -> list[int]:
    """Run one study in `count` processes at the same moment; returns the exit codes."""
    gate, opener = os.pipe()

    def start() -> None:
        os.close(opener)
        os.read(gate, 1)  # until the parent closes the other end
        slow = QuickTraining({5: {"eval_return_mean": -5.0}})

        def train(*arguments: Any, **options: Any) -> Any:
            while len(os.listdir(folder / "refused")) < count - 1:
                os.sched_yield()
            return slow(*arguments, **options)

        try:
            run_study(study(folder / "study", seeds=[5]), train=train, command=[])
        except RunAliveError:
            (folder / "refused" / str(os.getpid())).touch()
            raise

    children = [fork(start) for _ in range(count)]
    os.close(opener)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


if __name__ == "__main__":
    # What every child would find out again, or wait for.
    provenance.git = lambda folder=None: ({"commit": None, "is_dirty": None}, None)
    os.fsync = lambda handle: None
    place = Path(sys.argv[2])
    run(place / "first")
    if sys.argv[1] == "compete":
        print(json.dumps(compete(place, int(sys.argv[3]))))
    else:
        print(json.dumps(kill_everywhere(place)))
