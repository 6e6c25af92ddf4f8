"""A worker process of `ProcessLauncher`, and what it and its launcher tell each other.

Messages are pickled: jobs come on stdin, progress and outcomes go to stdout. At the end of stdin,
which comes with the launcher's death too, a job that runs is ended early, and the worker with it.
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from axiomrl.errors import Interrupted, RunAliveError
from axiomrl.runs.provenance import described_error
from axiomrl.study.launchers.contract import JobOutcome, JobProgress
from axiomrl.study.launchers.dispatch import Busy, Ended, Told
from axiomrl.study.launchers.worker import execute_patiently


@dataclass(frozen=True, kw_only=True)
class Task:
    """A job for the worker, pickled: one that cannot be unpickled fails alone."""

    ticket: int
    job: bytes


@dataclass(frozen=True, kw_only=True)
class Warned:
    """The worker was warned of something: the launcher's process shows it as its own."""

    text: str
    category: str


@dataclass(frozen=True, kw_only=True)
class EndEarly:
    """A request to end a job, if it still runs."""

    ticket: int


def main(cores: Sequence[int]) -> None:
    """Serve the launcher at the other ends of stdin and stdout, on these cores."""
    inbox, outbox = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what environments print must not get among the messages
    sys.argv = ["axiomrl worker"]
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    try:
        _Worker(inbox, outbox).serve()
    except Interrupted as error:  # somebody else's signal: the launcher begins the job again
        sys.exit(error.exit_code)
    finally:
        with suppress(OSError):  # nobody is there
            outbox.close()


class _Worker:
    def __init__(self, inbox: IO[bytes], outbox: IO[bytes]) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._to_end: set[int] = set()
        self._is_alone = False  # nobody is there to take messages

    def serve(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        while (task := self._tasks.get()) is not None:
            self._work(task)

    def _listen(self) -> None:
        while True:
            try:
                message = pickle.load(self._inbox)
            except (EOFError, OSError, pickle.UnpicklingError):  # the launcher is gone
                self._is_alone = True
                self._tasks.put(None)
                self._inbox.close()
                return
            if isinstance(message, EndEarly):
                self._to_end.add(message.ticket)
            else:
                self._tasks.put(message)

    def _work(self, task: Task) -> None:
        ticket = task.ticket

        def told(progress: JobProgress) -> None:
            self._send(Told(ticket=ticket, progress=progress))

        def must_end() -> bool:
            return self._is_alone or ticket in self._to_end

        def warned(message: Warning | str, category: type[Warning], *where: Any) -> None:
            self._send(Warned(text=str(message), category=category.__name__))

        try:
            with warnings.catch_warnings():
                warnings.showwarning = warned  # type: ignore[assignment]
                outcome: JobOutcome = execute_patiently(pickle.loads(task.job), told, must_end)
            ended: Ended | Busy = Ended(ticket=ticket, state=outcome.state, error=outcome.error)
        except RunAliveError as error:
            ended = Busy(ticket=ticket, message=error.message, hint=error.hint)
        except Interrupted:
            raise
        except Exception as error:  # the job could not be unpickled
            ended = Ended(ticket=ticket, state="failed", error=described_error(error))
        self._send(ended)

    def _send(self, message: Any) -> None:
        try:
            pickle.dump(message, self._outbox)
            self._outbox.flush()
        except OSError:
            self._is_alone = True
