"""From a run directory to the values of a result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from axiomrl import fingerprint
from axiomrl.artifacts.reference import ArtifactRef
from axiomrl.artifacts.sidecar import ArtifactRecords
from axiomrl.artifacts.transfer import stored_references
from axiomrl.config.resolve import config_from_mapping
from axiomrl.errors import InputError
from axiomrl.results.run_result import Series
from axiomrl.runs import layout
from axiomrl.runs.record import RunRecord


def fields_of(record: RunRecord) -> dict[str, Any]:
    """The fields of a run's result by name."""
    metadata = record.metadata
    hparams = dict(record.config_if_readable() or {})
    history = _history(record)
    metrics = _final_metrics(record, history)
    name = _score_metric(metrics, hparams)
    progress = metadata.get("progress") or {}
    is_failed = record.status == "failed"
    return {
        "score": None if name is None or is_failed else metrics[name],
        "params": _mapping(hparams.get("hyperparameters")),
        "metadata": _description(record, name),
        "metrics": metrics,
        "history": history,
        "hparams": hparams,
        "run_config": _run_config(hparams),
        "config_hash": metadata.get("config_hash"),
        "run_id": metadata.get("run_id"),
        "artifacts": _artifacts(record),
        "seed": metadata.get("seed"),
        "duration_s": progress.get("duration_s"),
        "env_steps": progress.get("env_steps"),
    }


def read_run(directory: Path) -> RunRecord:
    """The run in a directory; raises InputError if there is none."""
    try:
        return RunRecord.read(directory.expanduser())
    except OSError as error:
        raise InputError(f"{directory}: is not a run: {error.strerror or error}") from error


def _history(record: RunRecord) -> dict[str, Series]:
    """Every metric of metrics.jsonl by name; what the clock says is left out."""
    history: dict[str, Series] = {}
    for row in record.metrics():
        step = row.get("step")
        if not _is_number(step):
            continue
        for name, value in row.items():
            is_clock = name == "step" or name.startswith("time_")
            if not is_clock and (value is None or _is_number(value)):
                series = history.setdefault(name, {"step": [], "value": []})
                series["step"].append(int(step))
                series["value"].append(value)
    return history


def _is_number(value: Any) -> TypeGuard[float]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _final_metrics(record: RunRecord, history: Mapping[str, Series]) -> dict[str, float | None]:
    """The metrics of the final test, else those of the last evaluation."""
    last = {name: series["value"][-1] for name, series in history.items()}
    last.update(record.metadata.get("latest_metrics") or {})
    for kind in ("test_", "eval_"):
        found = {name: value for name, value in last.items() if name.startswith(kind)}
        if found:
            return found
    return {}


def _score_metric(metrics: Mapping[str, Any], hparams: Mapping[str, Any]) -> str | None:
    best = str(_mapping(hparams.get("benchmark")).get("best_metric"))
    names = ("test_return_mean", best, "eval_return_mean")
    return next((name for name in names if name in metrics), None)


def _mapping(value: Any) -> Mapping[str, Any]:
    """The value, if it is what it should be: a foreign file may hold anything."""
    return value if isinstance(value, Mapping) else {}


def _run_config(hparams: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that count; none where this version cannot resolve the configuration."""
    try:
        return fingerprint.run_config(config_from_mapping(hparams))
    except (InputError, ValueError):
        return {}


def _description(record: RunRecord, score_metric: str | None) -> dict[str, Any]:
    metadata = record.metadata
    described = {
        "status": record.status,
        "algo": metadata.get("algo"),
        "env_id": metadata.get("env_id"),
        "seed": metadata.get("seed"),
        "created_at_utc": metadata.get("created_at_utc"),
        "ended_at_utc": metadata.get("ended_at_utc"),
        "score_metric": score_metric,
        "run_directory": str(record.directory),
    }
    error = metadata.get("error")
    return {**described, "error": error} if error else described


def _artifacts(record: RunRecord) -> dict[str, ArtifactRef]:
    """What artifacts.json says was stored; checkpoints go by the names of their files."""
    try:
        stored = stored_references(ArtifactRecords(record.directory).read())
    except InputError:  # reading artifacts says so; without them the result is still whole
        return {}
    return {name.removeprefix(f"{layout.CHECKPOINTS}/"): ref for name, ref in stored.items()}
