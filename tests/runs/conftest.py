"""Small configurations, runs in tmp_path, and Python processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import axiomrl
from axiomrl.config import CheckpointConfig, TrainConfig
from axiomrl.runs.run import Run

PREAMBLE = """
import os, sys
from pathlib import Path
from axiomrl.config import CheckpointConfig, TrainConfig
from axiomrl.runs import files
from axiomrl.runs.run import Run

def config(folder, **changes):
    values = {"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 1000}
    return TrainConfig(**{**values, "hyperparameters": {}, "output_dir": str(folder), **changes})
"""

MakeConfig = Callable[..., TrainConfig]
StartPython = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def make_config(tmp_path: Path) -> MakeConfig:
    """`make_config(every=…, keep=…, **fields)`: a configuration whose runs go to tmp_path/runs."""

    def make(*, every: int = 100, keep: int = 3, **changes: Any) -> TrainConfig:
        values: dict[str, Any] = {
            "algo": "ppo",
            "env_id": "CartPole-v1",
            "total_timesteps": 1000,
            "hyperparameters": {},
            "output_dir": str(tmp_path / "runs"),
            "checkpoint": CheckpointConfig(every=every, keep=keep),
        }
        return TrainConfig(**{**values, **changes})

    return make


@pytest.fixture
def run(make_config: MakeConfig) -> Iterator[Run]:
    """A run that has just been created, and is completed after the test."""
    with Run.create(make_config()) as created:
        yield created


@pytest.fixture
def start_python() -> Iterator[StartPython]:
    """`start_python(code, *arguments)`: a process that runs code after PREAMBLE."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object, stdin: int | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PREAMBLE + code, *map(str, arguments)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(axiomrl.__file__).parents[1])},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def text(content: str) -> Callable[[Path], None]:
    """A `write` callback that makes a small file."""

    def write(path: Path) -> None:
        path.write_text(content)

    return write


KillEach = Callable[[Path, str, str], list[Path]]


@pytest.fixture
def kill_before_each_change(tmp_path: Path) -> KillEach:
    """`kill_before_each_change(source, module, code)`: see killing.py.

    Returns the copies of `source` that the killed processes have left, at least two.
    """

    def kill(source: Path, module: str, code: str) -> list[Path]:
        folder = tmp_path / "killed"
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, Path(__file__).with_name("killing.py"), source, folder, module, code],
            env={**os.environ, "PYTHONPATH": str(Path(axiomrl.__file__).parents[1])},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        killed = int(done.stdout)
        assert killed >= 2
        return [folder / str(number) for number in range(1, killed + 1)]

    return kill
