"""What cannot be resumed is refused in one or two lines, and nothing is touched."""

from __future__ import annotations

import io
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from axiomrl.cli.app import main
from axiomrl.runs.sealing import sealed
from axiomrl.training import checkpoints, session

from .resume_harness import (
    IMPORTED,
    TIMEOUT_S,
    command,
    differences,
    metadata_of,
    only_run,
    train_arguments,
    variables,
)
from .resume_runs import (
    CONFIG,
    END,
    copied,
    finished_run,
    flip_a_bit,
    newest_checkpoint,
    record,
    snapshot,
    truncate,
    unfinished_run,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: Any) -> Path:
    """A finished run; tests that change it work on a copy."""
    return finished_run(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: Any) -> Path:
    """A run interrupted in its second half."""
    return unfinished_run(tmp_path_factory.mktemp("unfinished"), 1700)


def refusal(capsys: Any, *arguments: object) -> str:
    """What `resume` prints when it refuses: exit code 2, one or two lines, no traceback."""
    capsys.readouterr()
    assert main(["resume", *map(str, arguments)]) == 2
    printed = capsys.readouterr()
    lines = printed.err.strip().splitlines()
    assert printed.out == ""
    assert lines[0].startswith("error: ")
    assert 1 <= len(lines) <= 2
    assert "Traceback" not in printed.err
    return str(printed.err)


class _Touches:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def test_directory_that_is_no_run_is_refused(tmp_path: Path, capsys: Any) -> None:
    assert "is not a run" in refusal(capsys, tmp_path)


def test_name_that_no_run_has_is_refused(tmp_path: Path, capsys: Any) -> None:
    assert "nothing-here" in refusal(capsys, "nothing-here", "--runs-dir", tmp_path)


def test_missing_checkpoint_is_refused(finished: Path, capsys: Any) -> None:
    assert "step_7.pt" in refusal(capsys, finished / "checkpoints" / "step_7.pt")


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, lambda path: path.write_bytes(b"")])
def test_damaged_checkpoint_given_by_path_is_refused(
    damage: Any, finished: Path, tmp_path: Path, capsys: Any
) -> None:
    run = copied(finished, tmp_path)
    path = newest_checkpoint(run)
    damage(path)
    before = snapshot(run)
    printed = refusal(capsys, path)
    assert path.name in printed
    assert "truncated or damaged" in printed
    assert snapshot(run) == before


def test_text_file_given_as_checkpoint_is_refused(
    finished: Path, tmp_path: Path, capsys: Any
) -> None:
    path = copied(finished, tmp_path) / "checkpoints" / "step_5.pt"
    path.write_text("not a checkpoint")
    assert "step_5.pt" in refusal(capsys, path)


def test_file_that_torch_saved_is_refused(finished: Path, tmp_path: Path, capsys: Any) -> None:
    path = copied(finished, tmp_path) / "checkpoints" / "step_99.pt"
    torch.save({"weights": torch.zeros(3)}, path)
    assert "is no checkpoint" in refusal(capsys, path)


def test_run_whose_checkpoints_are_all_damaged_is_refused(
    unfinished: Path, tmp_path: Path, capsys: Any
) -> None:
    run = copied(unfinished, tmp_path)
    for path in (run / "checkpoints").iterdir():
        truncate(path)
    before = snapshot(run)
    assert "truncated or damaged" in refusal(capsys, run)
    assert snapshot(run) == before


def test_checkpoint_with_a_pickled_class_is_refused_and_nothing_runs(
    finished: Path, tmp_path: Path, capsys: Any
) -> None:
    run = copied(finished, tmp_path)
    path, marker = run / "checkpoints" / "step_99.pt", tmp_path / "it_ran"
    buffer = io.BytesIO()
    torch.save({**checkpoints.load(newest_checkpoint(run)), "algorithm": _Touches(marker)}, buffer)
    path.write_bytes(sealed(buffer.getvalue()))  # as by somebody who means harm
    assert "refused" in refusal(capsys, path)
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists()  # it would have run


def test_checkpoint_that_is_no_training_state_is_refused(
    finished: Path, tmp_path: Path, capsys: Any
) -> None:
    path = copied(finished, tmp_path) / "checkpoints" / "step_99.pt"
    checkpoints.save(path, {"weights": np.zeros(3)})
    assert "not a training state" in refusal(capsys, path)


def test_checkpoint_of_a_newer_format_is_refused(
    finished: Path, tmp_path: Path, capsys: Any
) -> None:
    run = copied(finished, tmp_path)
    path = run / "checkpoints" / "step_99.pt"
    checkpoints.save(path, {**checkpoints.load(newest_checkpoint(run)), "format": 1000})
    assert "format 1000" in refusal(capsys, path)


def test_checkpoint_of_another_environment_is_refused(
    finished: Path, tmp_path: Path, capsys: Any
) -> None:
    other = finished_run(tmp_path / "other", env_id="Acrobot-v1", total_timesteps=200)
    path = copied(finished, tmp_path) / "checkpoints" / "step_99.pt"
    shutil.copyfile(newest_checkpoint(other), path)
    printed = refusal(capsys, path)
    assert "Acrobot-v1" in printed
    assert "CartPole-v1" in printed


def test_total_that_is_already_reached_is_refused(unfinished: Path, capsys: Any) -> None:
    reached = metadata_of(unfinished)["progress"]["env_steps"]
    before = snapshot(unfinished)
    printed = refusal(capsys, unfinished, "--total-timesteps", reached)
    assert f"--total-timesteps: {reached}" in printed
    assert snapshot(unfinished) == before


def test_older_checkpoint_beyond_the_total_is_refused(finished: Path, capsys: Any) -> None:
    older = record(finished).checkpoints()[-2]
    assert "not beyond" in refusal(capsys, older, "--total-timesteps", 100)


@pytest.mark.parametrize("total", ["0", "-5", "many"])
def test_impossible_total_is_refused(total: str, finished: Path, capsys: Any) -> None:
    assert "--total-timesteps" in refusal(capsys, finished, "--total-timesteps", total)


def test_metrics_that_lost_rows_stop_the_resume_before_anything_changes(
    unfinished: Path, tmp_path: Path, capsys: Any
) -> None:
    run = copied(unfinished, tmp_path)
    truncate(run / "metrics.jsonl")
    before = snapshot(run / "checkpoints")
    assert main(["resume", str(run)]) == 1
    printed = capsys.readouterr().err
    assert "metrics.jsonl" in printed
    assert "Traceback" not in printed
    assert snapshot(run / "checkpoints") == before


@contextmanager
def living_run(folder: Path) -> Iterator[Path]:
    """A run whose process is alive, held at some step; killed at the end of the block."""
    ready = folder / "ready"
    os.mkfifo(ready)
    child = subprocess.Popen(
        command(*train_arguments(CONFIG, folder), *IMPORTED),
        cwd=folder,
        env=variables(interruption="WAIT step 1500", ready=ready),
    )
    reader = os.open(ready, os.O_RDONLY | os.O_NONBLOCK)
    try:
        came, _, _ = select.select([reader], [], [], TIMEOUT_S)
        assert came, "the child never came to that step"
        yield only_run(folder)
    finally:
        os.close(reader)
        child.send_signal(signal.SIGKILL)
        child.wait(TIMEOUT_S)


def test_living_run_is_refused_until_its_process_is_gone(
    finished: Path, tmp_path: Path, capsys: Any
) -> None:
    with living_run(tmp_path) as run:
        before = snapshot(run)
        pid = metadata_of(run)["process"]["pid"]
        assert f"process {pid}" in refusal(capsys, run)
        assert f"process {pid}" in refusal(capsys, run, "--total-timesteps", 2 * END)
        assert snapshot(run) == before
    session.resume(record(run))
    assert differences(run, finished) == []
