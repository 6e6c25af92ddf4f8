"""How a launcher and its workers on other machines speak: through files in a shared folder.

Each attempt at a job has a mailbox: a folder in which the worker writes how far it is and how it
ended, and the launcher, if it comes to that, that the job is to end early.
"""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from axiomrl.errors import InputError, Interrupted, RunAliveError
from axiomrl.runs import files, layout
from axiomrl.runs.ownership import declare_dead
from axiomrl.runs.provenance import described_error, this_process
from axiomrl.study.launchers.contract import Job, JobProgress
from axiomrl.study.launchers.dispatch import Busy, Ended, Event, Lost, Told
from axiomrl.study.launchers.worker import execute_patiently

QUIET_S = 30.0  # a worker that was lost elsewhere has not written for so long: it is dead
_TOLD, _OUTCOME, _END = "told.json", "outcome.json", "end.json"
_LOOK_S = 0.5  # between two looks of a worker at whether it is to end


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """One attempt at a job, as both sides see it."""

    folder: Path

    def ask_to_end(self) -> None:
        """The launcher wants an early end."""
        files.write_json(self.folder / _END, {}, durable=False)

    def is_to_end(self) -> bool:
        """Whether the launcher wants that."""
        return (self.folder / _END).exists()

    def tell(self, progress: JobProgress | None) -> None:
        """The worker says who it is, and how far."""
        told = None
        if progress is not None:
            told = {**asdict(progress), "run_directory": str(progress.run_directory)}
        worker = {**this_process(), "hostname": socket.gethostname()}
        files.write_json(self.folder / _TOLD, {"worker": worker, "progress": told}, durable=False)

    def told(self) -> dict[str, Any]:
        """What the worker has said last."""
        return _read(self.folder / _TOLD)

    def end(self, outcome: Mapping[str, Any]) -> None:
        """The worker says how the job ended."""
        files.write_json(self.folder / _OUTCOME, dict(outcome), durable=False)

    def outcome(self) -> dict[str, Any]:
        """How the job ended; empty if the worker has not said so."""
        return _read(self.folder / _OUTCOME)


def compute(
    pickled: bytes, mailbox: Mailbox, *, is_asked: Callable[[], bool] = lambda: False
) -> dict[str, Any]:
    """Bring a pickled job to its end in this process; gives the outcome for `event_of`.

    `is_asked` is another reason to end early than the launcher's wish.
    """
    looked_at, must_stop = 0.0, False

    def must_end() -> bool:
        nonlocal looked_at, must_stop
        if not must_stop and time.monotonic() - looked_at >= _LOOK_S:
            looked_at, must_stop = time.monotonic(), mailbox.is_to_end()
        return must_stop or is_asked()

    try:
        job: Job = pickle.loads(pickled)
        predecessor = mailbox.told().get("worker")
        if predecessor is not None:  # the cluster has begun this attempt again
            _outlive(_Missing(job, predecessor))
        mailbox.tell(None)
        outcome = execute_patiently(job, mailbox.tell, must_end)
    except RunAliveError as error:
        return {"state": "busy", "message": error.message, "hint": error.hint}
    except Interrupted as error:
        return {"state": "lost", "why": f"was ended by signal {error.signal_number}"}
    except Exception as error:  # the job could not be unpickled, for one
        return {"state": "failed", "error": described_error(error)}
    return {"state": outcome.state, "error": outcome.error}


def event_of(ticket: int, outcome: Mapping[str, Any]) -> Ended | Busy | Lost:
    """The event that an outcome of `compute` is for the launcher."""
    if outcome["state"] == "busy":
        return Busy(ticket=ticket, message=outcome["message"], hint=outcome["hint"])
    if outcome["state"] == "lost":
        return Lost(ticket=ticket, why=outcome["why"])
    return Ended(ticket=ticket, state=outcome["state"], error=outcome["error"])


class Post:
    """The mailboxes of one launcher's jobs, in a private folder beside their runs."""

    def __init__(self, folder: Path | None) -> None:
        """`folder`: where else that folder is made; it must be shared with the workers."""
        self._parent = folder
        self._folder: Path | None = None
        self._attempts = 0
        self._boxes: dict[int, tuple[Job, Mailbox]] = {}
        self._told: dict[int, Any] = {}
        self._missing: dict[int, tuple[Lost, _Missing]] = {}

    @property
    def folder(self) -> Path:
        """Where everything is."""
        assert self._folder is not None, "no job has been begun"
        return self._folder

    def open(self, ticket: int, job: Job) -> Mailbox:
        """The mailbox for a new attempt at a job."""
        if self._folder is None:
            self._folder = _private_folder(self._parent or job.directory.parent)
        self._attempts += 1
        folder = self._folder / f"job{ticket}-attempt{self._attempts}"
        folder.mkdir()
        self._boxes[ticket] = (job, Mailbox(folder=folder))
        return self._boxes[ticket][1]

    def of(self, ticket: int) -> Mailbox:
        """The mailbox of the current attempt."""
        return self._boxes[ticket][1]

    def news(self) -> list[Event]:
        """What workers have told since the last call, and which lost ones are surely dead."""
        found: list[Event] = []
        for ticket, (_, mailbox) in self._boxes.items():
            progress = mailbox.told().get("progress")
            if progress is not None and progress != self._told.get(ticket):
                self._told[ticket] = progress
                found.append(Told(ticket=ticket, progress=_progress(progress)))
        for ticket, (lost, missing) in list(self._missing.items()):
            if missing.is_dead():
                del self._missing[ticket]
                found.append(lost)
        return found

    def lose(self, lost: Lost) -> None:
        """A worker is said to be gone; `news` has it as soon as its run can go on elsewhere."""
        job, mailbox = self._boxes[lost.ticket]
        self._missing[lost.ticket] = (lost, _Missing(job, mailbox.told().get("worker") or {}))

    def close(self) -> None:
        """Remove the mailboxes, and the folder unless there is something else in it."""
        if self._folder is None:
            return
        for folder in self._folder.glob("job*-attempt*"):
            shutil.rmtree(folder)
        if not any(self._folder.iterdir()):
            self._folder.rmdir()


class _Missing:
    """A worker that is said to be gone, and the run that it may have been writing."""

    def __init__(self, job: Job, worker: Mapping[str, Any]) -> None:
        self._directory = job.directory
        self._worker = worker
        self._seen: Any = None
        self._quiet_since = time.monotonic()

    def is_dead(self) -> bool:
        """Whether nothing keeps its run from going on.

        Of a process on this machine one knows. One elsewhere may only be cut off, and write on:
        its run must have been left alone for a while.
        """
        if self._worker.get("hostname") in (None, socket.gethostname()):
            return True
        metadata = _read(self._directory / layout.METADATA)
        if metadata.get("status") != "running":
            return True
        if metadata.get("heartbeat_utc") != self._seen:
            self._seen = metadata.get("heartbeat_utc")
            self._quiet_since = time.monotonic()
        if time.monotonic() - self._quiet_since < QUIET_S:
            return False
        try:
            declare_dead(self._directory, self._worker)
        except RunAliveError:  # it holds the lock
            self._quiet_since = time.monotonic()
            return False
        return True


def _outlive(missing: _Missing) -> None:
    while not missing.is_dead():
        time.sleep(_LOOK_S)


def _private_folder(parent: Path) -> Path:
    """A new folder that nobody else may look into: what is in it may hold secrets."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        made = tempfile.mkdtemp(prefix=".launcher-", dir=os.path.abspath(parent))
    except OSError as error:
        raise InputError(
            f"launcher: a folder for its workers cannot be made in {parent}: {error.strerror}",
            hint="name another shared folder with the launcher option `folder`",
        ) from error
    return Path(made)


def _progress(told: Mapping[str, Any]) -> JobProgress:
    known = {field.name: told[field.name] for field in fields(JobProgress) if field.name in told}
    return JobProgress(**{**known, "run_directory": Path(told["run_directory"])})


def _read(path: Path) -> dict[str, Any]:
    """A JSON object, or nothing while there is none that can be read."""
    try:
        value = files.read_json(path)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
