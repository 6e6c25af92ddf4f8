"""One version of an experiment."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

EndState = Literal["completed", "failed", "interrupted"]
END_STATES: tuple[str, ...] = get_args(EndState)


@dataclass
class ExperimentRecord:
    """What is known of one start of an experiment; everything in it is of JSON's own types.

    The record that `start_experiment` returns follows what is logged. Changes that are made to
    it directly are not saved.
    """

    experiment_id: str
    version: int  # 1 for the first start of this id
    timestamp: str  # when it was started, ISO 8601 in UTC
    config_name: str
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, list[Any]] = field(default_factory=dict)  # null where it was not finite
    checkpoints: list[str] = field(default_factory=list)  # oldest first
    status: str = "running"  # running, completed, failed, interrupted; when read also dead
    ended_at_utc: str | None = None
    error: dict[str, Any] | None = None  # type, message, traceback of a failed one
    process: dict[str, Any] = field(default_factory=dict)  # which started it, on which host

    def take_over(self, other: ExperimentRecord) -> None:
        """Become equal to another record."""
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))
