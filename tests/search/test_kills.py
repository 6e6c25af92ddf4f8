"""Searches that are killed, or share one journal, in processes of their own."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from axiomrl.runs.record import RunRecord
from axiomrl.search.folder import read_description
from axiomrl.search.journal import Journal, Trial
from tests.tracking.writers import reported_by


def searchers(*words: object) -> tuple[Any, str]:
    """What `searchers.py` reports on stdout and stderr."""
    return reported_by("tests.search.searchers", *words)


def trials_in(folder: Path) -> list[Trial]:
    return Journal(folder, read_description(folder), is_writer=False).trials()


def told(folder: Path) -> list[tuple[Any, ...]]:
    """What a search came to that does not depend on when it was run."""
    return [
        (trial.number, trial.state, trial.params, trial.score, dict(trial.scores), trial.error,
         dict(trial.intermediate))
        for trial in trials_in(folder)
    ]  # fmt: skip


def test_killed_at_any_write_point_a_search_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    ends, errors = searchers("kill", tmp_path, 13)  # every 13th: a few seconds
    assert errors == ""
    *killed, last = ends
    assert last == [0, 0]
    assert len(killed) > 15
    assert killed == [[signal.SIGKILL, 0]] * len(killed)
    expected = told(tmp_path / "whole" / "search")
    assert {state for _, state, *_ in expected} == {"completed", "failed", "pruned"}
    for place in sorted(tmp_path.iterdir()):
        assert told(place / "search") == expected, place
        result = json.loads((place / "search" / "result.json").read_text())
        assert [each["score"] for each in result["run_results"]] == [each[3] for each in expected]


def test_processes_that_share_a_search_try_every_trial_once(tmp_path: Path) -> None:
    codes, errors = searchers("share", tmp_path, 3)
    assert errors == ""
    assert codes == [0, 0, 0]
    trials = trials_in(tmp_path / "search")
    assert [trial.number for trial in trials] == list(range(12))
    assert {trial.state for trial in trials} == {"completed"}
    assert len({trial.config_hash for trial in trials}) == 12
    owners = {(trial.owner or {}).get("pid") for trial in trials}
    assert len(owners) > 1
    for trial in trials:  # nobody else has touched its runs
        folder = tmp_path / "search" / "trials" / f"{trial.number:04}"
        processes = {
            RunRecord.read(folder / f"seed{seed}").metadata["process"]["pid"] for seed in (1, 2)
        }
        assert processes == {(trial.owner or {}).get("pid")}
