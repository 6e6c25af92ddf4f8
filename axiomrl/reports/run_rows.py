"""Runs and groups as rows of a report, for programs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from axiomrl.reports.standings import ScoredGroup
    from axiomrl.runs.record import RunRecord
    from axiomrl.runs.store import ScanProblem


def run_row(record: RunRecord, **more: Any) -> dict[str, Any]:
    """What identifies a run and how it did; `more` is added."""
    path, stored = record.path, record.metadata.get
    progress = stored("progress") or {}
    best = stored("best_checkpoint") or {}
    latest = stored("latest_metrics") or {}
    return {
        "run": os.path.basename(path),
        "directory": path if path[:1] == "/" else os.path.abspath(path),
        "run_id": stored("run_id"),
        "algo": stored("algo"),
        "env_id": stored("env_id"),
        "seed": stored("seed"),
        "config_hash": stored("config_hash"),
        "status": record.status,
        "created_at_utc": stored("created_at_utc"),
        "env_steps": progress.get("env_steps"),
        "eval_return_mean": latest.get("eval_return_mean"),
        "best_eval_return_mean": record.best_eval_return_mean,
        "best_metric_name": best.get("metric_name"),
        "best_metric_value": best.get("metric_value"),
        "duration_s": progress.get("duration_s"),
        **more,
    }


def group_object(each: ScoredGroup) -> dict[str, Any]:
    """What identifies a group."""
    group = each.group
    return {
        "group": each.label,
        "algo": group.algo,
        "env_id": group.env_id,
        "config_hash": group.config_hash,
        "n_runs": group.n_runs,
        "n_seeds": group.n_seeds,
        "seeds": list(group.seeds),
        "n_superseded": len(group.superseded),
    }


def problem_objects(problems: Iterable[ScanProblem]) -> list[dict[str, str]]:
    """Problems for programs."""
    return [{"path": str(each.path), "reason": each.message} for each in problems]
