"""Run directories as other tools could have written them: metadata.json, metrics, configuration."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write_run(
    folder: Path,
    *,
    algo: str = "ppo",
    env_id: str = "CartPole-v1",
    seed: int | None = 0,
    score: float | None = 1.0,
    config_hash: str | None = "0123456789abcdef",
    curve: Sequence[tuple[float, float]] = (),
    config: dict[str, Any] | None = None,
    **more: Any,
) -> Path:
    """A run that ended well with a score; None leaves a key out, `more` replaces or adds keys."""
    metadata: dict[str, Any] = {
        "schema_version": 1,
        "run_id": f"seed{seed}-{config_hash}",
        "algo": algo,
        "env_id": env_id,
        "seed": seed,
        "status": "completed",
        "created_at_utc": "2026-01-02T03:04:05.000000+00:00",
        "config_hash": config_hash,
        "progress": {"env_steps": 1000, "duration_s": 1.5},
        "latest_metrics": {} if score is None else {"eval_return_mean": score},
        **more,
    }
    folder.mkdir(parents=True)
    kept = {key: value for key, value in metadata.items() if value is not None}
    (folder / "metadata.json").write_text(json.dumps(kept))
    if curve:
        rows = [
            {"step": step, "time_s": step / 10, "eval_return_mean": value} for step, value in curve
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "metrics.jsonl").write_text(text)
    if config is not None:
        (folder / "config.yaml").write_text(json.dumps(config))
    return folder


def write_group(root: Path, name: str, scores: Sequence[float], **more: Any) -> None:
    """One run per score, with seeds from 0; the name is part of the directories' names."""
    for seed, score in enumerate(scores):
        write_run(root / f"{name}-{seed}", seed=seed, score=score, **more)
