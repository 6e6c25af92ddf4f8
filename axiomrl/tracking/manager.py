"""`ExperimentManager`: keeps what a training loop of one's own tells it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from axiomrl.errors import AxiomRLError, InputError, Interrupted, did_you_mean
from axiomrl.runs import provenance
from axiomrl.runs.clock import timestamp, utc_now
from axiomrl.runs.json_values import to_json, to_json_object
from axiomrl.tracking.histories import DEFAULT_FOLDER, Entry, HistoryFolder
from axiomrl.tracking.names import checked_id, id_for
from axiomrl.tracking.record import END_STATES, EndState, ExperimentRecord

DESCRIBED = ("precision", "model_size", "dataset_version", "hardware_constraint_mode")
"""Metadata that every record has: "unknown" where it was not given."""


class ExperimentManager:
    """Writes experiments to `<log_dir>/<experiment_id>.json`, every call at once and durably.

    One experiment is active at a time; starting another one completes it. As a context manager
    it ends the active experiment: completed, or failed or interrupted by what was raised.
    Any number of managers, threads and processes may share a folder.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = DEFAULT_FOLDER,
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        # absolute, for the sake of loops that change the current folder
        self.log_dir = Path(os.path.abspath(Path(log_dir).expanduser()))
        self._histories = HistoryFolder(self.log_dir, now=now)
        self._now = now
        self._active: ExperimentRecord | None = None

    @property
    def active(self) -> ExperimentRecord | None:
        """The experiment that is logged to, if there is one."""
        return self._active

    def start_experiment(
        self,
        config_name: str,
        hyperparameters: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        experiment_id: str | None = None,
    ) -> ExperimentRecord:
        """Begin the next version of an experiment; an active one is completed first.

        Without `experiment_id`, the id is `config_name` where that is fit to be a file name,
        else its readable part with a hash. Values of any type are converted to JSON's. Raises
        InputError for an unfit id or unconvertible values, HistoryError if the history of that
        id is damaged.
        """
        chosen = id_for(config_name)
        if experiment_id is not None:
            chosen = checked_id(experiment_id)
        parameters = to_json_object(hyperparameters, "hyperparameters")
        described = to_json_object(metadata, "metadata")
        for key in DESCRIBED:
            described.setdefault(key, "unknown")
        if self._active is not None:
            self.end_experiment()
        self._active = self._histories.start(chosen, config_name, parameters, described)
        return self._active

    def log_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Append values to metrics: a list (or an array) adds all of its items, a number itself.

        NaN and infinity become null. Raises InputError when no experiment is active.
        """
        record = self._active_for("log_metrics")
        added = to_json_object(metrics, "metrics")

        def append(entry: Entry) -> None:
            kept = entry.setdefault("metrics", {})
            for name, value in added.items():
                kept.setdefault(name, []).extend(value if isinstance(value, list) else [value])

        self._histories.change(record, append)

    def add_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Note that a checkpoint was saved, under the path as it is given.

        Raises InputError when no experiment is active.
        """
        record = self._active_for("add_checkpoint")
        noted = to_json(path, "path")
        if not isinstance(noted, str):
            raise InputError(f"path is {path!r}, but must be a path")

        def append(entry: Entry) -> None:
            entry.setdefault("checkpoints", []).append(noted)

        self._histories.change(record, append)

    def end_experiment(
        self, status: EndState = "completed", error: BaseException | None = None
    ) -> ExperimentRecord:
        """End the active experiment as `completed`, `failed` or `interrupted`; returns it.

        What `error` says is kept with its traceback, without secrets. Raises InputError for
        another status, or when no experiment is active.
        """
        record = self._active_for("end_experiment")
        if status not in END_STATES:
            raise InputError(
                f"status is {status!r}, but must be one of {', '.join(END_STATES)}",
                hint=did_you_mean(str(status), END_STATES),
            )
        end = {
            "status": status,
            "ended_at_utc": timestamp(self._now()),
            "error": None if error is None else provenance.described_error(error),
        }
        self._histories.change(record, lambda entry: entry.update(end))
        self._active = None
        return record

    def read_history(self, name: str) -> list[ExperimentRecord]:
        """Every version of an experiment, oldest first, by its id or else its `config_name`.

        An empty list for a name that was never used. A version that never ended has the status
        `dead` once its process is gone. Raises HistoryError if that history is damaged.
        """
        found = self._histories.find(name)
        for problem in found.problems:
            warnings.warn(problem, stacklevel=2)
        return found.records()

    def experiments(self) -> list[str]:
        """The ids of all experiments in the folder, sorted."""
        return self._histories.ids()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._active is None:
            return
        status = _end_state(error)
        try:
            self.end_experiment(status, error if status == "failed" else None)
        except AxiomRLError as failure:
            if error is None:
                raise
            error.add_note(f"(the end of the experiment could not be recorded: {failure})")

    def _active_for(self, call: str) -> ExperimentRecord:
        if self._active is None:
            raise InputError(
                f"{call}: no experiment is active", hint="begin one with start_experiment first"
            )
        return self._active


def _end_state(error: BaseException | None) -> EndState:
    """How a block ended that raised this."""
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return "completed"
    return "interrupted" if isinstance(error, KeyboardInterrupt | Interrupted) else "failed"
