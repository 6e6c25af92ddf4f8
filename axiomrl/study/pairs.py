"""Trains pairs of configuration and seed that have not been trained: the engine of `Experiment`.

Whoever works on a pair has claimed it, so that no two processes train it at once. The claims are
held here, and records written as outcomes come: a launcher sees nothing but runs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Literal, get_args

from axiomrl import fingerprint
from axiomrl.config.dump import config_to_mapping
from axiomrl.config.schema import TrainConfig
from axiomrl.config.secrets import mask_mapping
from axiomrl.errors import InputError, ResumeMismatchError, did_you_mean, error_named
from axiomrl.records.files import masked_run_config
from axiomrl.records.store import RecordStore
from axiomrl.results import RunResult
from axiomrl.runs.ownership import alive_error
from axiomrl.runs.record import RunRecord
from axiomrl.study.launchers.contract import Job, JobOutcome, Launcher, OnJobProgress

IfExists = Literal["skip", "new-attempt", "error"]
_log = logging.getLogger(__name__)


def checked_if_exists(if_exists: str) -> IfExists:
    """What is to be done with a finished pair; raises InputError for another word."""
    for known in get_args(IfExists):
        if if_exists == known:
            choice: IfExists = known
            return choice
    words = get_args(IfExists)
    raise InputError(
        f"if_exists is {if_exists!r}, but must be one of {', '.join(words)}",
        hint=did_you_mean(if_exists, words),
    )


def finished_error(store: RecordStore, config: TrainConfig) -> InputError:
    """The error for a pair that was not to be finished."""
    return InputError(
        f"{store.place(config).record(config.seed)}: this configuration and seed are finished "
        "already",
        hint='if_exists="skip" reuses the result, "new-attempt" trains it again',
    )


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

    An attempt that was killed, interrupted or has failed is resumed in its directory, unless a
    later one was completed; one that cannot be resumed makes room for a new attempt. A run that
    fails gives a result with the status `failed`, one that `on_progress` ends early a result with
    `interrupted`. Raises RunAliveError if somebody else works on a pair, InputError for bad input
    and, with "error", for a finished pair; Interrupted passes through.
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
                earlier = _finished(self._store, config, self._if_exists)
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
                record = RunRecord.read_if_any(outcome.job.directory)
                if record is None:  # it ended before it had begun
                    return
                result = RunResult.from_run(record)
            elif outcome.error is None:
                result = _published(self._store, self._configs[place])
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
                result = _failed(self._configs[place], outcome.job.directory, outcome.error)
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
        found = None if place in self._afresh else _unfinished(self._store, config)
        directory = self._store.free_directory(config) if found is None else found.directory
        name = f"{directory.parent.name}/{directory.name}"
        if found is not None:
            self._resumed.add(name)
        return Job(name=name, config=config, directory=directory, imports=self._imports)


def _finished(store: RecordStore, config: TrainConfig, if_exists: IfExists) -> RunResult | None:
    """The result of a claimed pair that is finished; None if it is to be trained.

    Raises InputError for a finished one with "error".
    """
    earlier = store.publish(config)  # also finishes what a killed process had begun to write
    if earlier is not None and earlier.metadata.get("status") == "completed":
        if if_exists == "skip":
            return earlier
        if if_exists == "error":
            raise finished_error(store, config)
    return None


def _published(store: RecordStore, config: TrainConfig) -> RunResult:
    """The result of a pair that has just been trained."""
    result = store.publish(config)
    assert result is not None, "a run was trained and is not there"
    return result


def _unfinished(store: RecordStore, config: TrainConfig) -> RunRecord | None:
    """The attempt to go on with: the newest one, unless it is completed."""
    attempts = store.attempts(config)
    for problem in attempts.problems:
        _log.warning("%s: is left alone", problem)
    newest = attempts.newest
    if newest is not None and newest.status == "running":
        raise alive_error(newest.directory, newest.metadata)
    return None if newest is None or newest.status == "completed" else newest


def _failed(config: TrainConfig, directory: Path, error: Mapping[str, Any]) -> RunResult:
    """The result of a run that failed, also where it did so before it had a directory.

    `error` is as in metadata.json.
    """
    record = RunRecord.read_if_any(directory)
    if record is not None and record.status == "failed":
        return RunResult.from_run(record)
    metadata: dict[str, Any] = {
        "status": "failed",
        "algo": config.algo,
        "env_id": config.env_id,
        "seed": config.seed,
        "error": dict(error),
    }
    hparams = mask_mapping(config_to_mapping(config))
    return RunResult(
        params=hparams["hyperparameters"],
        metadata=metadata,
        hparams=hparams,
        run_config=masked_run_config(config),
        config_hash=fingerprint.config_hash(config),
        run_id=fingerprint.run_id(config),
        seed=config.seed,
    )
