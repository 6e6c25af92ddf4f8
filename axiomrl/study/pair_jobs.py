"""Trains pairs of configuration and seed on a launcher, several of them at once.

The claims are held here, and records written as outcomes come: workers see nothing but runs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing

from axiomrl.config.schema import TrainConfig
from axiomrl.errors import InputError, ResumeMismatchError, error_named
from axiomrl.records.store import RecordStore
from axiomrl.results import RunResult
from axiomrl.study.launchers.contract import Job, JobOutcome, Launcher, OnJobProgress
from axiomrl.study.pairs import IfExists, failed, finished, published, unfinished

_log = logging.getLogger(__name__)


def run_pairs(
    store: RecordStore,
    configs: Sequence[TrainConfig],
    launcher: Launcher,
    *,
    if_exists: IfExists = "skip",
    imports: Sequence[str] = (),
    on_progress: OnJobProgress | None = None,
) -> Iterator[tuple[int, RunResult, bool]]:
    """Place, result, and whether that is an earlier one, of each configuration as they come.

    The rules are those of `run_pair`, and so are the errors raised.
    """
    pairs = _Pairs(store, configs, if_exists, tuple(imports))
    try:
        while pairs.waiting:  # again for attempts that could not be resumed
            with closing(launcher.run(pairs.jobs(), on_progress=on_progress)) as outcomes:
                for outcome in outcomes:
                    pairs.note(outcome)
                    yield from pairs.taken_results()
            yield from pairs.taken_results()
    finally:
        pairs.release_all()


class _Pairs:
    """Which pairs are still to be trained, which are under way, and what came of the others."""

    def __init__(
        self,
        store: RecordStore,
        configs: Sequence[TrainConfig],
        if_exists: IfExists,
        imports: tuple[str, ...],
    ) -> None:
        self.waiting = list(range(len(configs)))
        self._store = store
        self._configs = configs
        self._if_exists = if_exists
        self._imports = imports
        self._claims: dict[str, tuple[int, ExitStack]] = {}  # by the names of jobs
        self._resumed: set[str] = set()
        self._afresh: set[int] = set()  # whose unfinished attempts cannot be resumed
        self._results: list[tuple[int, RunResult, bool]] = []

    def jobs(self) -> Iterator[Job]:
        """A job for each pair that is not finished; it is claimed before."""
        while self.waiting:
            place = self.waiting.pop(0)
            config = self._configs[place]
            with ExitStack() as claim:
                claim.enter_context(self._store.claimed(config))
                earlier = finished(self._store, config, self._if_exists)
                if earlier is not None:
                    self._results.append((place, earlier, True))
                    continue
                job = self._job(place, config)
                self._claims[job.name] = (place, claim.pop_all())
            yield job

    def note(self, outcome: JobOutcome) -> None:
        """Write down how a job has ended; raises InputError for bad input at a new run."""
        name = outcome.job.name
        place, claim = self._claims.pop(name)
        with claim:
            if outcome.state == "interrupted":
                return
            if outcome.error is None:
                result = published(self._store, self._configs[place])
            else:
                text = outcome.error["message"]
                error = error_named(outcome.error["type"], text)
                if name in self._resumed and isinstance(error, InputError | ResumeMismatchError):
                    _log.warning("%s; a new attempt is made", error.message)
                    self._afresh.add(place)
                    self.waiting.append(place)
                    return
                if isinstance(error, InputError):
                    raise error
                self._store.publish(self._configs[place])
                result = failed(self._configs[place], outcome.job.directory, outcome.error)
            self._results.append((place, result, False))

    def taken_results(self) -> list[tuple[int, RunResult, bool]]:
        """The results since the last call."""
        results, self._results = self._results, []
        return results

    def release_all(self) -> None:
        """Give up the claims of jobs that did not come to an end."""
        for _, claim in self._claims.values():
            claim.close()
        self._claims.clear()

    def _job(self, place: int, config: TrainConfig) -> Job:
        found = None if place in self._afresh else unfinished(self._store, config)
        directory = self._store.free_directory(config) if found is None else found.directory
        name = f"{directory.parent.name}/{directory.name}"
        if found is not None:
            self._resumed.add(name)
        return Job(name=name, config=config, directory=directory, imports=self._imports)
