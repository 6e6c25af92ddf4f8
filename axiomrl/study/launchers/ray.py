"""Jobs as tasks of Ray: on a cluster, or on a Ray of this machine alone."""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axiomrl.errors import InputError
from axiomrl.runs.provenance import described_error
from axiomrl.study.launchers.contract import Job, JobOutcome, OnJobProgress
from axiomrl.study.launchers.dispatch import Ended, Event, Lost, dispatch
from axiomrl.study.launchers.machine import n_usable_cores, visible_gpus
from axiomrl.study.launchers.remote import Post, compute, event_of
from axiomrl.study.launchers.settings import Reader, amount, plain, read_settings, whole
from axiomrl.study.launchers.worker import handed_over

GRACE_S = 60.0
LOCAL = "local"
OPTIONS: dict[str, Reader] = {
    "retries": whole(0),
    "address": plain,
    "num_cpus": amount,
    "num_gpus": amount,
    "memory_gb": amount,
    "folder": plain,
}


class RayLauncher:
    """A `Launcher` whose workers are tasks of Ray, each with the resources that a run gets.

    `address` is that of a cluster, `auto` for the one that this machine belongs to, or `local`,
    the default: a Ray is started on this machine, for no longer than the jobs take. A Ray that
    the program has initialised is used as it is. The folders of the runs must be seen from the
    nodes under the same paths. A job whose worker or node is lost is begun again elsewhere,
    `retries` times at most.
    """

    def __init__(
        self, n_workers: int | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        """Raises InputError for unusable options, without Ray, and for a cluster out of reach."""
        self._settings: dict[str, Any] = {"num_cpus": 1.0, "num_gpus": 0.0, "address": LOCAL}
        self._settings |= read_settings("ray", options, OPTIONS)
        if importlib.util.find_spec("ray") is None:
            raise InputError(
                "launcher ray: Ray is not installed",
                hint="install it: pip install 'axiomrl[ray]'",
            )
        self._is_ours = False  # the connection that there is
        self._n_workers = n_workers
        self.n_workers = n_workers or self._what_fits()

    def run(
        self, jobs: Iterable[Job], *, on_progress: OnJobProgress | None = None
    ) -> Generator[JobOutcome, None, None]:
        """See `Launcher.run`."""
        try:
            yield from dispatch(
                self._open_pool,
                jobs,
                n_workers=self.n_workers,
                retries=self._settings.get("retries", 3),
                on_progress=on_progress,
            )
        finally:
            self._disconnect()

    def _open_pool(self) -> _Pool:
        self._connect()
        return _Pool(self._settings)

    def _what_fits(self) -> int:
        """How many runs the resources allow at once."""
        if self._settings["address"] == LOCAL and not _is_initialized():
            has: Mapping[str, float] = {"CPU": n_usable_cores(), "GPU": len(visible_gpus())}
        else:
            self._connect()
            import ray

            has = ray.cluster_resources()  # type: ignore[no-untyped-call]
        wanted = {"CPU": self._settings["num_cpus"], "GPU": self._settings["num_gpus"]}
        counts = []
        for name, amount_wanted in wanted.items():
            if amount_wanted > 0:
                counts.append(int(has.get(name, 0.0) // amount_wanted))
                if not counts[-1]:
                    raise InputError(
                        f"launcher ray: a run is to have {amount_wanted:g} {name}, "
                        f"but there are {has.get(name, 0.0):g} in all",
                        hint="see the launcher options num_cpus and num_gpus",
                    )
        return min(counts, default=n_usable_cores())

    def _connect(self) -> None:
        if _is_initialized():
            return
        address = self._settings["address"]
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if address != LOCAL:
            import ray

            with _handlers_kept():
                try:
                    ray.init(address=address, **quiet)
                except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
                    raise InputError(
                        f"launcher ray: no Ray answers at {address}: {error}",
                        hint="`ray status` says whether one runs; address=local starts one",
                    ) from error
        else:
            cores = max(n_usable_cores(), (self._n_workers or 0) * self._settings["num_cpus"])
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            import ray

            with _handlers_kept(), _on_loopback():
                ray.init(
                    address=LOCAL,
                    num_cpus=math.ceil(cores),
                    include_dashboard=False,
                    **quiet,
                )
        self._is_ours = True

    def _disconnect(self) -> None:
        if self._is_ours:
            import ray

            self._is_ours = False
            ray.shutdown()


class _Pool:
    """A `Pool` of Ray tasks."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        import ray

        folder = settings.get("folder")
        self._post = Post(None if folder is None else Path(folder).expanduser())
        self._threads = max(1, int(settings["num_cpus"]))
        resources = {"num_cpus": settings["num_cpus"], "num_gpus": settings["num_gpus"]}
        if "memory_gb" in settings:
            resources["memory"] = int(settings["memory_gb"] * 2**30)
        # Ray's own retries would not know that the run of a lost worker has to be let go.
        self._compute = ray.remote(compute).options(max_retries=0, name="axiomrl", **resources)
        self._references: dict[int, Any] = {}  # of what tasks return

    def begin(self, ticket: int, job: Job) -> None:
        """Ray begins it when there are resources for it."""
        given = handed_over(job, threads=self._threads)
        mailbox = self._post.open(ticket, given)
        self._references[ticket] = self._compute.remote(pickle.dumps(given), mailbox)

    def wait(self, timeout_s: float) -> list[Event]:
        """What the mailboxes say, and which tasks have ended."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = [*self._post.news(), *self._ended(min(timeout_s, 0.05))]
            if found or time.monotonic() >= deadline:
                return found
            if not self._references:  # all are lost, but not yet for sure
                time.sleep(0.05)

    def ask_to_end(self, ticket: int) -> None:
        """Through its mailbox, or by withdrawing what has not begun."""
        import ray

        mailbox = self._post.of(ticket)
        mailbox.ask_to_end()
        if ticket in self._references and not mailbox.told():
            ray.cancel(self._references[ticket])

    def close(self, *, at_once: bool) -> None:
        """End the tasks, and wait for that."""
        import ray

        for ticket in self._references:
            self.ask_to_end(ticket)
        deadline = time.monotonic() + (0.0 if at_once else GRACE_S)
        while self._references and time.monotonic() < deadline:
            self._ended(0.1)
        for reference in self._references.values():
            ray.cancel(reference, force=True)
        self._post.close()

    def _ended(self, timeout_s: float) -> list[Event]:
        import ray

        if not self._references:
            return []
        tickets = {reference: ticket for ticket, reference in self._references.items()}
        ready, _ = ray.wait(list(tickets), num_returns=len(tickets), timeout=timeout_s)
        found: list[Event] = []
        for reference in ready:
            ticket = tickets[reference]
            del self._references[ticket]
            event = _event(ticket, reference)
            if isinstance(event, Lost):
                self._post.lose(event)
            else:
                found.append(event)
        return found


def _event(ticket: int, reference: Any) -> Event:
    """How a task ended."""
    import ray
    from ray import exceptions

    try:
        return event_of(ticket, ray.get(reference))
    except exceptions.TaskCancelledError:
        return Ended(ticket=ticket, state="interrupted")
    except (
        exceptions.RayTaskError,  # `compute` could not be called, or raised
        exceptions.RuntimeEnvSetupError,
        exceptions.TaskUnschedulableError,
    ) as error:
        return Ended(ticket=ticket, state="failed", error=described_error(error))
    except exceptions.RayError as error:
        said = str(error).strip().splitlines()
        return Lost(
            ticket=ticket, why=f"is gone: {type(error).__name__}: {said[0] if said else ''}"
        )


def _is_initialized() -> bool:
    """Whether the program has a Ray already."""
    return "ray" in sys.modules and bool(sys.modules["ray"].is_initialized())


@contextmanager
def _on_loopback() -> Iterator[None]:
    """A Ray that is started in the block is not reached from other machines.

    On Linux it listens on every interface unless it believes that it can never be one of several
    nodes, as it does on other systems.
    """
    from ray._private import ray_constants as constants

    before = getattr(constants, "ENABLE_RAY_CLUSTER", True)
    constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself when it is initialised: here it asks for an early end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
