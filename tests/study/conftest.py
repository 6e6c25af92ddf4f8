"""Studies in a folder of the test's own."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the study is; it does not exist yet."""
    return tmp_path / "outputs" / "study"


def state_in(folder: Path) -> dict[str, Any]:
    """The content of runner_state.json."""
    state: dict[str, Any] = json.loads((folder / "runner_state.json").read_text())
    return state


def states_in(folder: Path) -> list[str]:
    """The state of every run, as runner_state.json has it."""
    return [run["state"] for run in state_in(folder)["runs"]]


def summary_in(folder: Path) -> list[dict[str, str]]:
    """The rows of summary.csv without durations."""
    with (folder / "summary.csv").open(newline="") as stream:
        return [
            {name: cell for name, cell in row.items() if name != "duration_s"}
            for row in csv.DictReader(stream)
        ]
