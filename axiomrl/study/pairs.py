"""Trains one pair of configuration and seed, unless that has been done: the engine of `Experiment`.

Whoever works on a pair has claimed it, so that no two processes train it at once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from axiomrl import fingerprint
from axiomrl.config.dump import config_to_mapping
from axiomrl.config.schema import TrainConfig
from axiomrl.config.secrets import mask_mapping
from axiomrl.errors import (
    InputError,
    Interrupted,
    ResumeMismatchError,
    RunAliveError,
    did_you_mean,
)
from axiomrl.records.files import masked_run_config
from axiomrl.records.store import RecordStore
from axiomrl.results import RunResult
from axiomrl.runs import provenance
from axiomrl.runs.ownership import alive_error
from axiomrl.runs.record import RunRecord

if TYPE_CHECKING:
    from axiomrl.training.session import OnProgress

IfExists = Literal["skip", "new-attempt", "error"]
_log = logging.getLogger(__name__)


class Trainer(Protocol):
    """What starts and resumes runs: `axiomrl.training.session`, or a stand-in for it."""

    def start(
        self, config: TrainConfig, *, directory: Path, on_progress: OnProgress | None
    ) -> object:
        """Train a new run in a directory that is not there yet."""

    def resume(self, record: RunRecord, *, on_progress: OnProgress | None) -> object:
        """Go on with an unfinished run in its directory."""


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


def run_pair(
    store: RecordStore,
    config: TrainConfig,
    trainer: Trainer,
    *,
    if_exists: IfExists = "skip",
    on_progress: OnProgress | None = None,
) -> tuple[RunResult, bool]:
    """The result of a pair, and whether it is an earlier one.

    An attempt that was killed, interrupted or has failed is resumed in its directory, unless a
    later one was completed. A run that fails gives a result with the status `failed`. Raises
    RunAliveError if somebody else works on the pair, InputError for bad input and, with "error",
    for a finished pair; Interrupted and KeyboardInterrupt pass through.
    """
    with store.claimed(config):
        earlier = finished(store, config, if_exists)
        if earlier is not None:
            return earlier, True
        return _train(store, config, trainer, on_progress), False


def finished(store: RecordStore, config: TrainConfig, if_exists: IfExists) -> RunResult | None:
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


def finished_error(store: RecordStore, config: TrainConfig) -> InputError:
    """The error for a pair that was not to be finished."""
    return InputError(
        f"{store.place(config).record(config.seed)}: this configuration and seed are finished "
        "already",
        hint='if_exists="skip" reuses the result, "new-attempt" trains it again',
    )


def _train(
    store: RecordStore, config: TrainConfig, trainer: Trainer, on_progress: OnProgress | None
) -> RunResult:
    found = unfinished(store, config)
    directory = store.free_directory(config) if found is None else found.directory
    try:
        if found is None or not _resumed(trainer, found, on_progress):
            directory = store.free_directory(config)
            trainer.start(config, directory=directory, on_progress=on_progress)
    except (InputError, Interrupted):
        raise
    except Exception as error:  # of any kind: an environment may raise what it likes
        store.publish(config)
        return failed(config, directory, provenance.described_error(error))
    return published(store, config)


def published(store: RecordStore, config: TrainConfig) -> RunResult:
    """The result of a pair that has just been trained."""
    result = store.publish(config)
    assert result is not None, "a run was trained and is not there"
    return result


def unfinished(store: RecordStore, config: TrainConfig) -> RunRecord | None:
    """The attempt to go on with: the newest one, unless it is completed."""
    attempts = store.attempts(config)
    for problem in attempts.problems:
        _log.warning("%s: is left alone", problem)
    newest = attempts.newest
    if newest is not None and newest.status == "running":
        raise alive_error(newest.directory, newest.metadata)
    return None if newest is None or newest.status == "completed" else newest


def _resumed(trainer: Trainer, record: RunRecord, on_progress: OnProgress | None) -> bool:
    """Go on with a run; False if its files do not allow that."""
    try:
        trainer.resume(record, on_progress=on_progress)
    except RunAliveError:
        raise
    except (InputError, ResumeMismatchError) as error:
        _log.warning("%s; a new attempt is made", error.message)
        return False
    _log.info("%s: was continued", record.directory)
    return True


def failed(config: TrainConfig, directory: Path, error: Mapping[str, Any]) -> RunResult:
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
