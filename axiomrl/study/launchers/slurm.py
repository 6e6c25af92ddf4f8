"""Jobs on a Slurm cluster, submitted as arrays by submitit."""

from __future__ import annotations

import importlib.util
import os
import pickle
import shutil
import signal
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from axiomrl.errors import InputError
from axiomrl.study.launchers.contract import Job, JobOutcome, OnJobProgress
from axiomrl.study.launchers.dispatch import Ended, Event, Lost, dispatch
from axiomrl.study.launchers.machine import n_usable_cores
from axiomrl.study.launchers.remote import Mailbox, Post, compute, event_of
from axiomrl.study.launchers.settings import (
    Reader,
    amount,
    one_of,
    plain,
    read_settings,
    whole,
)
from axiomrl.study.launchers.worker import handed_over

N_WORKERS = 16  # jobs in the queue at once, unless it is said how many
LATE_S = 15.0  # after the end of a Slurm job, for its last words to be seen on this machine
GRACE_S = 60.0
_REQUEUES = 1000  # time limits that one job may run into
OPTIONS: dict[str, Reader] = {
    "retries": whole(0),
    "executor": one_of("slurm", "local"),
    "folder": plain,
    "timeout_min": whole(1),
    "cpus_per_task": whole(1),
    "gpus_per_node": whole(0),
    "mem_gb": amount,
    "partition": plain,
    "account": plain,
    "qos": plain,
    "constraint": plain,
    "exclude": plain,
    "setup": plain,
    "signal_delay_s": whole(1),
}
_ANYWHERE = ("timeout_min", "cpus_per_task", "gpus_per_node", "mem_gb")  # names without a prefix


class SlurmLauncher:
    """A `Launcher` whose workers are Slurm jobs, at most `n_workers` of them in the queue.

    The folders of the runs must be seen from the nodes under the same paths. A job that comes
    near its time limit, or is preempted, ends early with a checkpoint and is queued again; one
    whose node is lost, or that Slurm has ended otherwise, is submitted again, `retries` times at
    most. `executor=local` makes processes of this machine of them.
    """

    def __init__(
        self, n_workers: int | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        """Raises InputError for unusable options, and without submitit or Slurm."""
        self._settings = read_settings("slurm", options, OPTIONS)
        if importlib.util.find_spec("submitit") is None:
            raise InputError(
                "launcher slurm: submitit is not installed",
                hint="install it: pip install 'axiomrl[slurm]'",
            )
        is_local = self._settings.get("executor") == "local"
        if not is_local and shutil.which("sbatch") is None:
            raise InputError(
                "launcher slurm: there is no sbatch on this machine",
                hint="start it where jobs are submitted, such as a login node",
            )
        self.n_workers = n_workers or (n_usable_cores() if is_local else N_WORKERS)

    def run(
        self, jobs: Iterable[Job], *, on_progress: OnJobProgress | None = None
    ) -> Generator[JobOutcome, None, None]:
        """See `Launcher.run`."""
        return dispatch(
            lambda: _Pool(self._settings, self.n_workers),
            jobs,
            n_workers=self.n_workers,
            retries=self._settings.get("retries", 3),
            on_progress=on_progress,
        )


class Task:
    """What a Slurm job does; submitit pickles it, and calls `checkpoint` to queue it again."""

    def __init__(self, job: bytes, mailbox: Mailbox) -> None:
        self.job = job
        self.mailbox = mailbox
        self.path = [os.path.abspath(entry) for entry in sys.path]

    def __call__(self) -> None:
        """Bring the run to its end, or to a checkpoint when the time is up."""
        sys.path += [entry for entry in self.path if entry not in sys.path]
        handlers = {
            number: handler
            for number in (signal.SIGUSR1, signal.SIGUSR2)
            if callable(handler := signal.getsignal(number))
        }
        received: list[signal.Signals] = []
        for number in handlers:  # submitit's would end the run in the middle of a step
            signal.signal(number, lambda number, _: received.append(signal.Signals(number)))
        outcome = compute(self.job, self.mailbox, is_asked=lambda: bool(received))
        for number, handler in handlers.items():
            signal.signal(number, handler)
        must_go_on = outcome["state"] == "interrupted" and not self.mailbox.is_to_end()
        if received and must_go_on:
            handlers[received[0]](received[0], None)  # queues it again, and exits
        self.mailbox.end(outcome)

    def checkpoint(self) -> Any:
        """The same again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


class _Pool:
    """A `Pool` of Slurm jobs; those that are begun together become one array."""

    def __init__(self, settings: Mapping[str, Any], n_workers: int) -> None:
        self._settings = settings
        self._n_workers = n_workers
        self._is_local = settings.get("executor") == "local"
        folder = settings.get("folder")
        self._post = Post(None if folder is None else Path(folder).expanduser())
        self._executor: Any = None
        self._new: dict[int, Task] = {}
        self._withdrawn: list[Event] = []
        self._submitted: dict[int, Any] = {}  # submitit's jobs
        self._ended_at: dict[int, float] = {}  # when they were first seen to have ended

    def begin(self, ticket: int, job: Job) -> None:
        """It is submitted at the next look, with all that were begun until then."""
        given = handed_over(job, threads=self._settings.get("cpus_per_task", 1))
        self._new[ticket] = Task(pickle.dumps(given), self._post.open(ticket, given))

    def wait(self, timeout_s: float) -> list[Event]:
        """What the mailboxes say, and which jobs have gone without a word."""
        if self._withdrawn:
            found, self._withdrawn = [*self._withdrawn], []
            return found
        if not timeout_s:  # more may be begun before the array is made
            return []
        self._submit()
        deadline = time.monotonic() + timeout_s
        while True:
            found = self._post.news()
            for ticket in list(self._submitted):
                found += self._ended(ticket)
            if found or time.monotonic() >= deadline:
                return found
            time.sleep(0.05)

    def ask_to_end(self, ticket: int) -> None:
        """Through its mailbox, or by withdrawing what has not begun."""
        mailbox = self._post.of(ticket)
        mailbox.ask_to_end()
        if self._new.pop(ticket, None) is not None:
            self._withdrawn.append(Ended(ticket=ticket, state="interrupted"))
        elif not self._is_local and not mailbox.told() and ticket in self._submitted:
            self._submitted[ticket].cancel(check=False)  # it may be in the queue for days

    def close(self, *, at_once: bool) -> None:
        """End the Slurm jobs; what they have left is removed, but for logs of lost ones."""
        for ticket in self._submitted:
            self.ask_to_end(ticket)
        deadline = time.monotonic() + (0.0 if at_once else GRACE_S)
        while self._submitted and time.monotonic() < deadline:
            for ticket in list(self._submitted):
                self._ended(ticket)
            time.sleep(0.05)
        for ticket in list(self._submitted):
            self._cancel(self._submitted.pop(ticket))
        if self._executor is not None:
            for path in [*self._executor.folder.glob("*.sh"), *self._executor.folder.glob("*.pkl")]:
                path.unlink(missing_ok=True)
            if not any(self._executor.folder.iterdir()):
                self._executor.folder.rmdir()
        self._post.close()

    def _submit(self) -> None:
        if not self._new:
            return
        from submitit.core.utils import FailedJobError

        executor = self._executor = self._executor or self._made_executor()
        tickets, tasks = zip(*self._new.items(), strict=True)
        self._new = {}
        try:
            with _spared_from_interrupts() if self._is_local else nullcontext():
                submitted = _submitted(executor, tasks)
        except FailedJobError as error:
            raise InputError(
                f"launcher slurm: the jobs were not accepted: {error}",
                hint="see the launcher options, such as partition and account",
            ) from error
        self._submitted.update(zip(tickets, submitted, strict=True))

    def _made_executor(self) -> Any:
        import submitit

        folder = self._post.folder / "slurm"
        executor = submitit.AutoExecutor(
            folder=folder,
            cluster="local" if self._is_local else "slurm",
            slurm_max_num_timeout=_REQUEUES,
            local_max_num_timeout=_REQUEUES,
        )
        executor.update_parameters(
            name="axiomrl",
            timeout_min=60,
            slurm_array_parallelism=self._n_workers,
        )
        executor.update_parameters(**_parameters(self._settings))
        return executor

    def _ended(self, ticket: int) -> list[Event]:
        """How a job ended, if it has, whose files are removed then."""
        submitted = self._submitted[ticket]
        if not submitted.done():
            return []
        outcome = self._post.of(ticket).outcome()
        if not outcome:
            now = time.monotonic()
            seen = self._ended_at.setdefault(ticket, now)
            if now - seen < (1.0 if self._is_local else LATE_S):
                return []
        del self._submitted[ticket]
        self._ended_at.pop(ticket, None)
        paths = submitted.paths
        for path in (paths.submitted_pickle, paths.result_pickle):  # secrets may be in them
            path.unlink(missing_ok=True)
        if outcome:
            event = event_of(ticket, outcome)
            if not isinstance(event, Lost):
                for path in (paths.stdout, paths.stderr):
                    path.unlink(missing_ok=True)
                return [event]
            why = event.why
        else:
            why = f"ended as {submitted.state} (its log: {paths.stderr})"
        self._post.lose(Lost(ticket=ticket, why=why))
        return []

    def _cancel(self, submitted: Any) -> None:
        if self._is_local:
            os.kill(int(submitted.job_id), signal.SIGTERM)  # handed on to its task
        else:
            submitted.cancel(check=False)


def _submitted(executor: Any, tasks: Sequence[Task]) -> list[Any]:
    """The tasks as jobs of submitit; several become an array."""
    if len(tasks) == 1:
        return [executor.submit(tasks[0])]
    with executor.batch():
        return [executor.submit(task) for task in tasks]


def _parameters(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as submitit names them."""
    named = {}
    for name, value in settings.items():
        if name in _ANYWHERE:
            named[name] = value
        elif name == "setup":
            named["slurm_setup"] = [line.strip() for line in value.split(";")]
        elif name not in ("retries", "executor", "folder"):
            named[f"slurm_{name}"] = value
    return named


@contextmanager
def _spared_from_interrupts() -> Iterator[None]:
    """Processes that are begun in the block never see the Ctrl-C of a terminal."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
