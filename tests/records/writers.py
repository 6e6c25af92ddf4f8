"""Run as a program: experiments that compete for a pair, or are killed at every write point.

A light process forks them, so that hundreds take seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from axiomrl.errors import RunAliveError
from axiomrl.records import RecordStore, load_records
from axiomrl.results import RunResult
from axiomrl.study.pairs import IfExists
from records.standins import StandIn, run_pair, small

NOT_COMPARED = {"created_at_utc", "ended_at_utc"}  # say when, not what
FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def fork(work: Callable[[], int]) -> int:
    """A child that does the work and ends with the code that it returns."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    return child


def compete(folder: Path, count: int) -> dict[str, Any]:
    """Run one pair in `count` processes at the same moment; the one that trains waits for all."""
    gate, opener = os.pipe()
    others_gate, others_opener = os.pipe()

    def work() -> int:
        os.close(opener)
        os.close(others_opener)
        os.read(gate, 1)  # until the parent closes the other end
        training = StandIn(during=lambda run: void(os.read(others_gate, 1)))
        try:
            run_pair(RecordStore(folder), small(), training)
        except RunAliveError:
            return 1
        return 0 if training.calls else 2

    children = [fork(work) for _ in range(count)]
    os.close(opener)
    codes = [os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1]) for _ in children[1:]]
    os.close(others_opener)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1]))
    return {"codes": codes, "files": files_in(folder)}


def void(_: object) -> None:
    """Nothing, of whatever was read."""


def kill_everywhere(folder: Path, if_exists: IfExists) -> list[dict[str, Any]]:
    """Kill an experiment before its first write, the next before its second, until one is done.

    Reports of each what could be loaded right afterwards, what running the pair again gave (with
    "skip", then with `if_exists`), and which files there are then. With "new-attempt" each begins
    with a copy of a pair that is finished.
    """
    reports: list[dict[str, Any]] = []
    begun = folder / "begun"
    if if_exists == "new-attempt":
        run_pair(RecordStore(begun), small(), StandIn())
    is_done = False
    while not is_done:
        place = folder / str(len(reports))
        if begun.is_dir():
            shutil.copytree(begun, place)

        def work(place: Path = place, point: int = len(reports)) -> int:
            kill_at(point, place)
            run_pair(RecordStore(place), small(), StandIn(), if_exists=if_exists)
            return 0

        _, status = os.waitpid(fork(work), 0)
        is_done = os.waitstatus_to_exitcode(status) == 0
        assert is_done or os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        loaded = load_records(place)
        result, _ = run_pair(RecordStore(place), small(), StandIn())
        again, _ = run_pair(RecordStore(place), small(), StandIn(), if_exists=if_exists)
        after = load_records(place)
        reports.append(
            {
                "loaded": [described(each, place) for each in loaded.results],
                "problems": [str(each) for each in [*loaded.problems, *after.problems]],
                "results": [described(each, place) for each in (result, again)],
                "recorded": [described(each, place) for each in after.results],
                "best_is_stored": best_is_stored(again),
                "files": files_in(place),
            }
        )
    return reports


def described(result: RunResult, place: Path) -> dict[str, Any]:
    """A result without what depends on when and where it was written."""
    values = result.to_mapping()
    for name in NOT_COMPARED:
        values["metadata"].pop(name)
    for artifact in values["artifacts"].values():
        artifact["url"] = artifact["url"].replace(place.as_uri(), "")
    text = json.dumps(values).replace(str(place), "")
    described_result: dict[str, Any] = json.loads(text)
    return described_result


def best_is_stored(result: RunResult) -> bool:
    """Whether the artifact is the best checkpoint of the run that the result describes."""
    path = result.artifacts["best.pt"].path
    best = Path(result.metadata["run_directory"]) / "checkpoints" / "best.pt"
    return path is not None and path.read_bytes() == best.read_bytes()


def files_in(folder: Path) -> list[str]:
    """Every file below a folder, except for locks."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if path.parts[0] != ".locks")


def kill_at(point: int, folder: Path) -> None:
    """From now on, count what changes files in a folder, and be killed just before one of them."""
    left = point
    prefix = str(folder)

    def step(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        is_change = event in ("os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir")
        is_change |= event == "os.truncate"
        if event == "open":
            is_change = bool(arguments[2] & FOR_WRITING or set("wax+") & set(arguments[1] or ""))
        if is_change and str(arguments[0]).startswith(prefix):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(step)


if __name__ == "__main__":
    os.chdir(sys.argv[2])  # outside of any repository
    os.fsync = lambda fd: None  # what a process wrote survives its end without it
    if sys.argv[1] == "compete":
        print(json.dumps(compete(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        again: IfExists = "skip" if sys.argv[1] == "kill" else "new-attempt"
        print(json.dumps(kill_everywhere(Path(sys.argv[2]), again)))
