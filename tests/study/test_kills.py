"""Runners that are killed, or compete, in processes of their own."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

from axiomrl.runs.record import RunRecord
from tests.tracking.writers import reported_by

from .conftest import state_in, summary_in
from .runners import SEEDS


def runners(*words: object) -> tuple[Any, str]:
    """What `runners.py` reports on stdout and stderr."""
    return reported_by("tests.study.runners", *words)


def told(folder: Path) -> list[tuple[Any, ...]]:
    """What a study's plan and directories say that does not depend on when it was run."""
    return [
        (run["run"], run["seed"], run["directory"], run["state"], (run["error"] or {}).get("type"),
         RunRecord.read(folder / run["directory"]).status)
        for run in state_in(folder)["runs"]
    ]  # fmt: skip


def test_killed_at_any_write_point_nothing_is_lost_or_half_written(tmp_path: Path) -> None:
    ends, errors = runners("kill", tmp_path)
    assert errors == ""
    *killed, last = ends
    assert last == [0, 0]
    assert len(killed) > 50
    assert killed == [[signal.SIGKILL, 0]] * len(killed)
    whole = tmp_path / str(len(killed))
    summary = summary_in(whole)
    assert [row["eval_return_mean"] for row in summary] == ["-5.000000", "", "-5.000000", ""]
    expected = [
        (0, SEEDS[0], "run_00_seed5", "completed", None, "completed"),
        (1, SEEDS[1], "run_01_seed6", "failed", "RuntimeError", "failed"),
    ]
    for point in range(len(ends)):
        folder = tmp_path / str(point)
        assert told(folder) == expected, point
        assert summary_in(folder) == summary, point
        assert sorted(os.listdir(folder)) == sorted(os.listdir(whole)), point


def test_only_one_of_several_runners_gets_a_study(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    (tmp_path / "refused").mkdir()
    codes, errors = runners("compete", tmp_path, 5)
    assert sorted(codes) == [0, 2, 2, 2, 2]
    holders = re.findall(r"is being run by process (\d+) on (\S+)", errors)
    assert len(holders) == 4
    assert len(set(holders)) == 1
    refused = {path.name for path in (tmp_path / "refused").iterdir()}
    assert holders[0][0] not in refused
    assert [row["run"] for row in summary_in(folder)] == ["0", "mean", "std"]
    assert sorted(os.listdir(folder)) == ["run_00_seed5", "runner_state.json", "summary.csv"]
