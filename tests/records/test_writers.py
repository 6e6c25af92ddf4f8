"""Processes that compete for a pair, and processes that are killed while they work on one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from axiomrl.records import RecordStore

from . import writers
from .standins import StandIn, run_pair, small
from .writers import described, files_in

ATTEMPT = re.compile(r"(/seed1-[0-9a-f]{16})-attempt\d+")


def run_writers(*words: object) -> Any:
    """What `writers.py` reports."""
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, writers.__file__, *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{tests.parent}{os.pathsep}{tests}"},
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_killed_at_any_write_point_nothing_is_lost_or_half_written(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    result, _ = run_pair(RecordStore(whole), small(), StandIn())
    reports = run_writers("kill", tmp_path)
    assert len(reports) > 60
    for point, report in enumerate(reports):
        assert report["problems"] == [], point
        assert report["loaded"] in ([], [described(result, whole)]), point
        assert report["results"] == [described(result, whole)] * 2, point
        assert report["recorded"] == [described(result, whole)], point
        assert report["best_is_stored"], point
        assert report["files"] == files_in(whole), point  # no temporary, no second attempt
    assert {len(report["loaded"]) for report in reports} == {0, 1}


def test_further_attempt_killed_at_any_write_point_leaves_the_first_one_valid(
    tmp_path: Path,
) -> None:
    whole = tmp_path / "whole"
    run_pair(RecordStore(whole), small(), StandIn())
    names = {ATTEMPT.sub(r"\1", name) for name in files_in(whole)}
    reports = run_writers("kill-again", tmp_path)
    assert len(reports) > 40
    numbers = set()
    for point, report in enumerate(reports):
        assert report["problems"] == [], point
        (loaded,), (recorded,) = report["loaded"], report["recorded"]
        before, after = report["results"]
        assert loaded["metadata"]["run_directory"] <= before["metadata"]["run_directory"]
        assert before["metadata"]["run_directory"] < after["metadata"]["run_directory"]
        assert recorded == after, point
        assert report["best_is_stored"], point
        assert {ATTEMPT.sub(r"\1", name) for name in report["files"]} == names, point
        numbers.add(after["metadata"]["run_directory"].rpartition("-")[2])
    assert numbers == {"attempt2", "attempt3"}  # an attempt that was completed is not resumed


def test_of_processes_that_run_one_pair_at_once_one_trains_and_the_others_are_refused(
    tmp_path: Path,
) -> None:
    whole = tmp_path / "whole"
    run_pair(RecordStore(whole), small(), StandIn())
    reported = run_writers("compete", tmp_path, 6)
    assert sorted(reported["codes"]) == [0, 1, 1, 1, 1, 1]
    found = [name for name in reported["files"] if not name.startswith("whole/")]
    assert found == files_in(whole)
