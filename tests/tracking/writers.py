"""Run as a program: writers of histories that compete, or are killed at every write point.

A light process forks them, so that dozens take a moment.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from axiomrl import ExperimentManager
from axiomrl.errors import AxiomRLError

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS: list[Callable[[ExperimentManager], Any]] = [
    lambda manager: manager.start_experiment("mlp", {"lr": 0.1}),
    lambda manager: manager.log_metrics({"loss": [0.9, 0.5], "accuracy": 0.1}),
    lambda manager: manager.add_checkpoint("ckpt/1.pt"),
    lambda manager: manager.log_metrics({"loss": 0.25}),
    lambda manager: manager.end_experiment("failed"),
    lambda manager: manager.start_experiment("mlp", {"lr": 0.2}),
    lambda manager: manager.log_metrics({"loss": 0.75}),
]


def fork(work: Callable[[], None]) -> int:
    """A child that does the work and ends; returns its number."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except AxiomRLError as error:
            sys.stderr.write(f"{error}\n")
            sys.stderr.flush()
            code = error.exit_code
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(code)
    return child


def reported_by(program: str, *words: object) -> tuple[Any, str]:
    """What a program of the tests, by its module, reports on stdout (as JSON) and on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", program, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def compete(folder: Path, count: int) -> list[int]:
    """Start one experiment in `count` processes at the same moment; returns the exit codes."""
    gate, opener = os.pipe()

    def start() -> None:
        os.close(opener)
        os.read(gate, 1)  # until the parent closes the other end
        manager = ExperimentManager(folder)
        record = manager.start_experiment("mlp", {"pid": os.getpid()})
        manager.log_metrics({"number": [record.version]})

    children = [fork(start) for _ in range(count)]
    os.close(opener)
    return [os.waitpid(child, 0)[1] for child in children]


def kill_everywhere(folder: Path) -> list[int]:
    """Kill a writer at its first write point, the next one at its second, until one completes.

    The one killed at point `n` works in `folder/n`. Returns how many operations each had
    completed.
    """
    completed: list[int] = []
    while not completed or completed[-1] < len(OPERATIONS):
        point = len(completed)
        reader, writer = os.pipe()

        def write(place: Path = folder / str(point), point: int = point, to: int = writer) -> None:
            manager = ExperimentManager(place)
            kill_at(point)
            for operation in OPERATIONS:
                operation(manager)
                os.write(to, b".")

        child = fork(write)
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            completed.append(len(stream.read()))
        os.waitpid(child, 0)
    return completed


def kill_at(point: int) -> None:
    """From now on, count the steps of writing, and have the process killed before one of them."""
    left = point

    def step() -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    def stepped(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            step()
            return original(*arguments, **options)

        setattr(owner, name, call)

    os.fsync = lambda handle: None  # what a process wrote survives its end without it
    for name in ("mkdir", "open", "fsync", "replace"):
        stepped(os, name)
    write_whole = Path.write_bytes

    def write_bytes(path: Path, data: bytes) -> int:
        step()
        write_whole(path, data[: len(data) // 2])
        step()
        return write_whole(path, data)

    Path.write_bytes = write_bytes  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    if sys.argv[1] == "compete":
        print(json.dumps(compete(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        print(json.dumps(kill_everywhere(Path(sys.argv[2]))))
