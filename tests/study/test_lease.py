"""One runner at a time, also where the lock of the file system says nothing."""

from __future__ import annotations

import json
import os
import socket
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from axiomrl.errors import InputError, RunAliveError
from axiomrl.runs.clock import utc_now
from axiomrl.runs.provenance import this_process
from axiomrl.study import lease as leases
from axiomrl.study.lease import lease, this_runner

from .conftest import state_in
from .quick_training import QuickTraining, run_study, study


@pytest.fixture
def held(folder: Path) -> Path:
    """A finished study."""
    run_study(study(folder, seeds=[1]), train=QuickTraining({1: {"a": 1.0}}))
    return folder


def set_runner(folder: Path, **changes: Any) -> None:
    """Pretend that a runner of the study is alive, or died."""
    runner = {**this_runner(utc_now()), **changes}
    state = {**state_in(folder), "runner": runner}
    (folder / "runner_state.json").write_text(json.dumps(state))


def test_a_second_runner_is_told_who_the_first_is(held: Path) -> None:
    set_runner(held)
    with lease(held.parent / "other", now=utc_now), pytest.raises(RunAliveError) as caught:
        run_study(study(held, seeds=[1], resume=True), train=QuickTraining({}))
    assert f"process {os.getpid()} on {socket.gethostname()}" in caught.value.message
    assert caught.value.exit_code == 2


def test_a_lock_that_is_held_counts_before_its_holder_is_known(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "PATIENCE_S", 0.0)
    with (
        lease(folder, now=utc_now),
        pytest.raises(RunAliveError, match="another process"),
        lease(folder, now=utc_now),
    ):
        pass


def test_the_lease_of_a_dead_process_is_taken_over(held: Path) -> None:
    set_runner(held, start_time=this_process()["start_time"] - 1000)  # its number was given out
    outcome = run_study(study(held, seeds=[1], resume=True), train=QuickTraining({}))
    assert outcome.is_completed
    assert state_in(held)["runner"] is None


@pytest.mark.parametrize(("minutes", "is_alive"), [(14, True), (16, False)])
def test_a_runner_on_another_machine_lives_while_its_heartbeat_is_young(
    held: Path, minutes: int, is_alive: bool
) -> None:
    set_runner(held, hostname="elsewhere", pid=1)

    def later() -> datetime:
        return utc_now() + timedelta(minutes=minutes)

    config = study(held, seeds=[1], resume=True)
    if is_alive:
        with pytest.raises(RunAliveError, match="process 1 on elsewhere"):
            run_study(config, train=QuickTraining({}), now=later)
    else:
        assert run_study(config, train=QuickTraining({}), now=later).is_completed


def test_folder_that_cannot_be_made_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = study(tmp_path / "file" / "study", seeds=[1])
    with pytest.raises(InputError, match="output_base_dir"):
        run_study(config, train=QuickTraining({}))


def test_a_folder_that_stays_empty_is_not_left_behind(folder: Path) -> None:
    with lease(folder, now=utc_now) as plan:
        assert plan is None
        assert folder.is_dir()
    assert not folder.parent.exists()
