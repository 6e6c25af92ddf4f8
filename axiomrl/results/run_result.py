"""What one run gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import msgspec

from axiomrl.artifacts.reference import ArtifactRef
from axiomrl.errors import InputError
from axiomrl.runs.json_values import to_json_object
from axiomrl.runs.record import RunRecord


class Series(TypedDict):
    """One metric over training; `value` is None where it was not finite."""

    step: list[int]  # env steps
    value: list[float | None]


@dataclass
class RunResult:
    """What one run gave; `score`, `params` and `metadata` are enough for one made by hand.

    Containers are copied when the result is made.
    """

    score: float | None = None  # None or NaN: there is none
    params: dict[str, Any] = field(default_factory=dict)  # the algorithm's hyperparameters
    metadata: dict[str, Any] = field(default_factory=dict)  # `status`, algo, env_id, …
    metrics: dict[str, float | None] = field(default_factory=dict)  # at the end
    history: dict[str, Series] = field(default_factory=dict)  # every metric over training
    hparams: dict[str, Any] = field(default_factory=dict)  # every setting, as in config.yaml
    run_config: dict[str, Any] = field(default_factory=dict)  # what config_hash is made of
    config_hash: str | None = None
    run_id: str | None = None  # seed<N>-<config_hash>
    artifacts: dict[str, ArtifactRef] = field(default_factory=dict)
    seed: int | None = None
    duration_s: float | None = None
    env_steps: int | None = None

    def __post_init__(self) -> None:
        for name in ("params", "metadata", "metrics", "history", "hparams", "run_config",
                     "artifacts"):  # fmt: skip
            given = getattr(self, name)
            if given is not None and not isinstance(given, Mapping):
                raise InputError(f"{name} is {given!r:.60}, but must be a mapping")
            setattr(self, name, dict(given or {}))
        if self.score is not None:
            try:
                self.score = float(self.score)  # of NumPy and PyTorch as well
            except (TypeError, ValueError) as error:
                raise InputError(f"score is {self.score!r}, but must be a number") from error

    @property
    def is_failed(self) -> bool:
        """Whether `metadata` says that the run failed."""
        return self.metadata.get("status") == "failed"

    @classmethod
    def from_run(cls, run: RunRecord | Path | str) -> RunResult:
        """The result of a run directory.

        `metrics` are those of the final test (`test_*`) if there was one, else of the last
        evaluation; `score` is the first of `test_return_mean`, `benchmark.best_metric` and
        `eval_return_mean` that is among them, and None if the run failed. What an older or
        foreign run does not say is empty. Raises InputError if there is no run.
        """
        from axiomrl.results.reading import fields_of, read_run

        return cls(**fields_of(run if isinstance(run, RunRecord) else read_run(Path(run))))

    def to_mapping(self) -> dict[str, Any]:
        """The result in JSON's types: NaN becomes null, NumPy, paths and dates what they hold.

        Raises InputError for what JSON cannot hold, such as a container that holds itself.
        """
        return to_json_object(self, "result")

    @classmethod
    def from_mapping(cls, values: Any) -> RunResult:
        """The result that `to_mapping` described; unknown keys are left out.

        Raises InputError, with the reason alone, if it is none.
        """
        try:
            return msgspec.convert(values, cls)
        except msgspec.ValidationError as error:
            raise InputError(str(error)) from error
