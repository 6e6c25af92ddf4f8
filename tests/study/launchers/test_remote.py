"""Mailboxes, and runs that a machine has left behind."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from axiomrl.errors import RunAliveError
from axiomrl.runs.ownership import DirectoryLock, declare_dead
from axiomrl.study.launchers import remote
from axiomrl.study.launchers.contract import Job, JobProgress
from axiomrl.study.launchers.dispatch import Lost
from axiomrl.study.launchers.remote import Mailbox, Post, compute
from axiomrl.study.launchers.worker import execute

from .jobs import job, metadata_of

WRITER = {"pid": 7, "start_time": 1.5, "boot_id": "x", "hostname": "elsewhere"}


@pytest.fixture
def left_behind(tmp_path: Path) -> Job:
    """A run that is being written on another machine, as its metadata says."""
    left = job(tmp_path, 1)
    execute(left, must_end=lambda: True)
    change(left, status="running", process={key: WRITER[key] for key in list(WRITER)[:3]})
    change(left, system={**metadata_of(left)["system"], "hostname": "elsewhere"})
    return left


def change(job: Job, **changes: Any) -> None:
    path = job.directory / "metadata.json"
    path.write_text(json.dumps({**metadata_of(job), **changes}))


def test_a_run_whose_writer_is_known_to_be_gone_goes_on(left_behind: Job) -> None:
    change(left_behind, heartbeat_utc="2999-01-01T00:00:00Z")
    with pytest.raises(RunAliveError):
        execute(left_behind)
    declare_dead(left_behind.directory, WRITER)
    assert metadata_of(left_behind)["status"] == "interrupted"
    assert execute(left_behind).state == "completed"


@pytest.mark.parametrize("key", list(WRITER))
def test_a_run_that_another_process_writes_is_not_taken_from_it(left_behind: Job, key: str) -> None:
    declare_dead(left_behind.directory, {**WRITER, key: "another"})
    assert metadata_of(left_behind)["status"] == "running"


def test_a_run_that_is_locked_is_alive(left_behind: Job) -> None:
    lock = DirectoryLock(left_behind.directory)
    with pytest.raises(RunAliveError):
        declare_dead(left_behind.directory, WRITER)
    lock.release()


def test_a_run_that_never_began_has_no_writer(tmp_path: Path) -> None:
    declare_dead(tmp_path / "nowhere", WRITER)
    assert list(tmp_path.iterdir()) == []


def lost(post: Post) -> list[Any]:
    return [event for event in post.news() if isinstance(event, Lost)]


def test_a_worker_elsewhere_is_lost_once_it_has_been_quiet(
    left_behind: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    post = Post(None)
    mailbox = post.open(0, left_behind)
    (mailbox.folder / "told.json").write_text(json.dumps({"worker": WRITER, "progress": None}))
    post.lose(Lost(ticket=0, why="is gone"))
    assert lost(post) == []
    clock[0] = remote.QUIET_S - 1
    change(left_behind, heartbeat_utc="2026-01-01T00:00:00Z")  # it was only cut off
    assert lost(post) == []
    clock[0] += remote.QUIET_S - 1
    assert lost(post) == []
    assert metadata_of(left_behind)["status"] == "running"
    clock[0] += 2
    assert [event.ticket for event in lost(post)] == [0]
    assert metadata_of(left_behind)["status"] == "interrupted"
    assert lost(post) == []
    post.close()
    assert list(tmp_path.glob(".launcher-*")) == []


def test_a_worker_on_this_machine_is_lost_at_once(left_behind: Job) -> None:
    post = Post(None)
    mailbox = post.open(0, left_behind)
    worker = {**WRITER, "hostname": socket.gethostname()}
    (mailbox.folder / "told.json").write_text(json.dumps({"worker": worker, "progress": None}))
    post.lose(Lost(ticket=0, why="is gone"))
    assert len(lost(post)) == 1
    post.close()


def test_progress_comes_through_a_mailbox_unchanged(tmp_path: Path) -> None:
    progress = JobProgress(
        env_steps=3, total_timesteps=9, env_steps_per_s=1.5, phase="saving", best=-2.0,
        duration_s=2.0, run_directory=tmp_path / "run", replay_bytes=5,
    )  # fmt: skip
    post = Post(tmp_path)
    post.open(4, job(tmp_path, 1)).tell(progress)
    (told,) = post.news()
    assert (told.ticket, told.progress) == (4, progress)  # type: ignore[union-attr]
    assert post.news() == []
    post.close()


def test_a_job_that_cannot_be_unpickled_fails(tmp_path: Path) -> None:
    outcome = compute(b"nonsense", Mailbox(folder=tmp_path))
    assert outcome["state"] == "failed"
    assert outcome["error"]["type"] == "UnpicklingError"
