"""What a checkpoint says of other files, read without torch."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axiomrl.errors import CheckpointError
from axiomrl.runs.sealing import outline, sealed
from axiomrl.training import checkpoints

from .run_folders import save_state, write_run


def test_outline_names_the_best_step_and_the_replay_files(tmp_path: Path) -> None:
    path = save_state(write_run(tmp_path), 8, best=4, rows=["replay_0.rows", "replay_5.rows"])
    found = outline(path)
    assert found.best_step == 4
    assert found.replay_files == {"replay_0.rows", "replay_5.rows"}


def test_tensors_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "step_1.pt"
    state: dict[str, Any] = {"counters": {"best_step": None}, "algorithm": {"w": np.ones((3, 2))}}
    checkpoints.save(path, {**state, "more": [np.float32(1), np.arange(4), True]})
    assert outline(path).best_step is None
    assert outline(path).replay_files == frozenset()


def test_damage_is_noticed(tmp_path: Path) -> None:
    path = save_state(write_run(tmp_path), 8)
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[1:], b"", whole[:50] + b"!" + whole[51:]):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="damaged"):
            outline(path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        outline(tmp_path / "absent.pt")


class Harmful:
    def __reduce__(self) -> Any:
        return os.mkdir, ("it-ran",)


def test_nothing_in_a_checkpoint_is_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pickle

    monkeypatch.chdir(tmp_path)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("archive/data.pkl", pickle.dumps({"counters": Harmful()}, protocol=2))
    path = tmp_path / "step_1.pt"
    path.write_bytes(sealed(archive.getvalue()))
    with pytest.raises(CheckpointError, match="not a training state"):
        outline(path)
    assert not (tmp_path / "it-ran").exists()
