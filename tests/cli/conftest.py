"""A terminal for tests: `axiomrl` called in this process, or run as one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from axiomrl.cli.app import main

QUICK = """\
algo: ppo
env_id: CartPole-v1
total_timesteps: 256
hyperparameters: {n_steps: 128, batch_size: 64, n_epochs: 1, hidden_sizes: [8]}
evaluation: {every: 128, episodes: 2}
"""


@dataclass(frozen=True)
class Outcome:
    """What one command line left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def error_lines(self) -> list[str]:
        return self.stderr.splitlines()


Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs land in the test's own folder, and nothing of the developer's settings counts."""
    monkeypatch.chdir(tmp_path)
    for name in ("AXIOMRL_DEBUG", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # `main` sets them; here they are put back
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def axiomrl(capsys: pytest.CaptureFixture[str]) -> Command:
    """`axiomrl(*words)` in this process."""

    def call(*words: str | Path) -> Outcome:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def axiomrl_process() -> Command:
    """`axiomrl_process(*words)`: a process of its own, with pipes for stdout and stderr."""

    def call(*words: str | Path, **variables: str) -> Outcome:
        command = [sys.executable, "-m", "axiomrl", *map(str, words)]
        environment = {**os.environ, **variables}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """A configuration that trains in a moment."""
    path = tmp_path / "quick.yaml"
    path.write_text(QUICK)
    return path


@pytest.fixture
def run_directory(axiomrl: Command, config_file: Path) -> Path:
    """A finished run below ./runs."""
    outcome = axiomrl("train", "--config", config_file, "--quiet")
    assert outcome.code == 0, outcome.stderr
    return Path(outcome.stdout.strip()).absolute()
