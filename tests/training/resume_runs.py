"""Small runs made within the test's own process, for tests of what resuming means."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from axiomrl.config import TrainConfig, config_from_mapping
from axiomrl.errors import Interrupted
from axiomrl.runs.record import RunRecord
from axiomrl.training import session

from .resume_cases import small_config

CONFIG = small_config("ppo", "CartPole-v1", num_envs=2, checkpoint={"keep": 3})
TOTAL = 3000
END = 3072  # the first block boundary at or after TOTAL
LARGER = 4000


def resolved(folder: Path, values: Mapping[str, Any] = CONFIG, **changes: Any) -> TrainConfig:
    """The configuration of a run whose directory is made in `folder`."""
    return config_from_mapping({**values, **changes, "output_dir": str(folder)})


def finished_run(folder: Path, values: Mapping[str, Any] = CONFIG, **changes: Any) -> Path:
    """A run trained to its end."""
    return session.start(resolved(folder, values, **changes)).directory


def stop_at(step: int) -> session.OnProgress:
    """Sends a SIGTERM at the first evaluation at or after a step."""

    def on_progress(progress: session.TrainingProgress) -> None:
        if progress.phase == "evaluating" and progress.env_steps >= step:
            os.kill(os.getpid(), signal.SIGTERM)

    return on_progress


def unfinished_run(folder: Path, step: int, values: Mapping[str, Any] = CONFIG) -> Path:
    """A run that a SIGTERM stopped soon after a step."""
    with pytest.raises(Interrupted):
        session.start(resolved(folder, values), on_progress=stop_at(step))
    (directory,) = folder.iterdir()
    return directory


def copied(directory: Path, folder: Path) -> Path:
    """A copy of a run directory somewhere else."""
    return Path(shutil.copytree(directory, folder / "elsewhere" / "renamed"))


def record(directory: Path) -> RunRecord:
    """A run as a command reads it."""
    return RunRecord.read(directory)


def newest_checkpoint(directory: Path) -> Path:
    """The newest checkpoint, whole or not."""
    return record(directory).checkpoints()[-1]


def truncate(path: Path) -> None:
    """Leave the first half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip_a_bit(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def snapshot(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of change of every file."""
    return {
        str(path.relative_to(directory)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in directory.rglob("*")
        if path.is_file()
    }
