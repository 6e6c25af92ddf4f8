"""Several jobs at once, in worker processes on this machine."""

from __future__ import annotations

import builtins
import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from typing import IO, Any

from axiomrl.study.launchers.contract import Job, JobOutcome, OnJobProgress
from axiomrl.study.launchers.dispatch import Event, Lost, dispatch
from axiomrl.study.launchers.machine import (
    n_usable_cores,
    share_of_cores,
    share_of_gpus,
    usable_cores,
    visible_gpus,
)
from axiomrl.study.launchers.settings import Reader, read_settings, several, switch, whole
from axiomrl.study.launchers.worker import handed_over
from axiomrl.study.launchers.worker_process import EndEarly, Task, Warned

GRACE_S = 60.0  # for workers to end early when nobody waits for their outcomes any more
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
OPTIONS: dict[str, Reader] = {
    "retries": whole(0),
    "gpus": several,
    "gpus_per_worker": whole(1),
    "pin_cores": switch,
}

# Not `-m`: the program that launches is not imported again, and its modules are found where it
# finds them.
_BEGIN = (
    "import json, sys; path, cores = json.loads(sys.argv[1]); sys.path[:] = path; "
    "from axiomrl.study.launchers.worker_process import main; main(cores)"
)


class ProcessLauncher:
    """A `Launcher` whose workers are processes, each of which computes one job after another.

    By default there are as many workers as cores. Each has an equal share of the cores, is pinned
    to them where the system can do that (unless `pin_cores` is false), and has no more threads
    than that. GPUs (`gpus`, by default those that can be seen) are given out in turn,
    `gpus_per_worker` to each. A job whose worker dies is begun again `retries` times at most.
    """

    def __init__(
        self, n_workers: int | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        """Raises InputError for options that are none of it or have unusable values."""
        settings = read_settings("process", options, OPTIONS)
        self.n_workers = n_usable_cores() if n_workers is None else n_workers
        self._retries = settings.get("retries", 3)
        self._pins = settings.get("pin_cores", True)
        self._gpus = list(settings["gpus"]) if "gpus" in settings else visible_gpus()
        self._gpus_per_worker = settings.get("gpus_per_worker", 1)

    def run(
        self, jobs: Iterable[Job], *, on_progress: OnJobProgress | None = None
    ) -> Generator[JobOutcome, None, None]:
        """See `Launcher.run`."""
        return dispatch(
            self._open_pool,
            jobs,
            n_workers=self.n_workers,
            retries=self._retries,
            on_progress=on_progress,
        )

    def _open_pool(self) -> _Pool:
        return _Pool([self._place(slot) for slot in range(self.n_workers)])

    def _place(self, slot: int) -> _Place:
        cores = share_of_cores(usable_cores(), slot, self.n_workers)
        threads = max(1, n_usable_cores() // self.n_workers)
        variables = {name: _at_most(threads, os.environ.get(name)) for name in THREAD_VARIABLES}
        if self._gpus:
            gpus = share_of_gpus(self._gpus, slot, self._gpus_per_worker)
            variables["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        return _Place(variables, cores if self._pins else [], threads)


class _Place:
    """Where one worker runs: its environment variables, cores and threads."""

    def __init__(self, variables: dict[str, str], cores: list[int], threads: int) -> None:
        self.variables = variables
        self.cores = cores
        self.threads = threads
        self.worker: _Worker | None = None


class _Worker:
    """One process, seen from here; everything that it sends goes to `events`."""

    def __init__(self, place: _Place, events: queue.SimpleQueue[tuple[_Worker, Any]]) -> None:
        flags = [f"-W{option}" for option in sys.warnoptions]
        told = json.dumps([[os.path.abspath(entry) for entry in sys.path], place.cores])
        self.place = place
        self.ticket: int | None = None  # of the job that it has now
        self._events = events
        # A group of its own: Ctrl-C in a terminal is for the launcher to pass on, once.
        apart: dict[str, Any] = (
            {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
            if sys.platform == "win32"
            else {"process_group": 0}
        )
        self.process = subprocess.Popen(
            [sys.executable, *flags, "-c", _BEGIN, told],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **place.variables},
            **apart,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._waiter = threading.Thread(target=self._await_end, daemon=True)
        self._reader.start()
        self._waiter.start()

    def send(self, message: Any) -> None:
        """Tell it something; if it has died, its end is an event of its own."""
        with suppress(OSError):
            pickle.dump(message, self._stdin)
            self._stdin.flush()

    def dismiss(self) -> None:
        """Let it end what it does, checkpointed, and itself."""
        with suppress(OSError):
            self._stdin.close()

    def join(self, timeout_s: float) -> None:
        """Wait for its end; raises TimeoutExpired."""
        self._waiter.join(timeout_s)
        if self._waiter.is_alive():
            raise subprocess.TimeoutExpired(self.process.args, timeout_s)
        self.dismiss()
        if self.process.stdout is not None and not self._reader.is_alive():
            self.process.stdout.close()

    def why_it_ended(self) -> str:
        """In words that follow `the worker`."""
        code = self.process.returncode
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    @property
    def _stdin(self) -> IO[bytes]:
        assert self.process.stdin is not None, "a worker has a pipe to it"
        return self.process.stdin

    def _read(self) -> None:
        assert self.process.stdout is not None, "a worker has a pipe from it"
        while True:
            try:
                message = pickle.load(self.process.stdout)
            except (EOFError, OSError, pickle.UnpicklingError):  # killed while it wrote
                return
            self._events.put((self, message))

    def _await_end(self) -> None:
        # The process is what counts, not its pipe: processes that it has forked may hold that.
        self.process.wait()
        self._reader.join(1.0)
        self._events.put((self, None))


class _Pool:
    """A `Pool` of worker processes, which are begun when there is a job for them."""

    def __init__(self, places: list[_Place]) -> None:
        self._places = places
        self._events: queue.SimpleQueue[tuple[_Worker, Any]] = queue.SimpleQueue()

    def begin(self, ticket: int, job: Job) -> None:
        """An idle worker gets the job, or a new one."""
        place = self._free_place()
        worker = place.worker = place.worker or _Worker(place, self._events)
        worker.ticket = ticket
        given = handed_over(job, threads=place.threads)
        worker.send(Task(ticket=ticket, job=pickle.dumps(given)))

    def wait(self, timeout_s: float) -> list[Event]:
        """What workers have sent, and which of them have ended."""
        found: list[Event] = []
        try:
            worker, message = self._events.get(timeout=timeout_s) if timeout_s else self._pop()
            while True:
                found += self._noted(worker, message)
                worker, message = self._pop()
        except queue.Empty:
            return found

    def ask_to_end(self, ticket: int) -> None:
        """Tell the worker that has the job."""
        for worker in self._workers():
            if worker.ticket == ticket:
                worker.send(EndEarly(ticket=ticket))

    def close(self, *, at_once: bool) -> None:
        """End the workers, and wait for that."""
        workers = self._workers()
        for worker in workers:
            worker.process.kill() if at_once else worker.dismiss()
        deadline = time.monotonic() + GRACE_S
        try:
            for worker in workers:
                worker.join(max(0.0, deadline - time.monotonic()))
        except BaseException:
            for worker in workers:
                worker.process.kill()
                worker.join(GRACE_S)
            raise

    def _pop(self) -> tuple[_Worker, Any]:
        return self._events.get_nowait()

    def _noted(self, worker: _Worker, message: Any) -> list[Event]:
        if isinstance(message, Warned):
            warnings.warn(message.text, _category(message.category), stacklevel=2)
            return []
        if message is not None:
            if not hasattr(message, "progress"):
                worker.ticket = None
            return [message]
        worker.place.worker = None
        worker.join(GRACE_S)  # the thread that told us may not have come to its own end yet
        if worker.ticket is None:
            return []
        return [Lost(ticket=worker.ticket, why=worker.why_it_ended())]

    def _free_place(self) -> _Place:
        """A place with an idle worker, else one without any."""
        idle = [p for p in self._places if p.worker is not None and p.worker.ticket is None]
        empty = [p for p in self._places if p.worker is None]
        return (idle + empty)[0]

    def _workers(self) -> list[_Worker]:
        return [place.worker for place in self._places if place.worker is not None]


def _at_most(threads: int, told: str | None) -> str:
    """A number of threads, or fewer where the environment says so."""
    return str(min(threads, int(told)) if told is not None and told.isdigit() else threads)


def _category(name: str) -> type[Warning]:
    """The built-in kind of warning that is called so, or the general one."""
    kind = getattr(builtins, name, UserWarning)
    return kind if isinstance(kind, type) and issubclass(kind, Warning) else UserWarning
