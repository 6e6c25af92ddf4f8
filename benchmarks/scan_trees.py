"""Trees of run directories to scan: real enough, quick to make, every score another."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SEEDS = 10  # runs of one group
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def make_tree(root: Path, count: int) -> None:
    """`count` runs in groups of ten seeds, each with a metadata.json of about 1.35 KB.

    A tree that is there already is kept.
    """
    if root.exists() and sum(1 for _ in root.iterdir()) == count:
        return
    generator = random.Random(0)
    for number in range(count):
        created = FIRST + timedelta(seconds=number)
        name = f"ppo__CartPole-v1__seed{number % SEEDS}__{created:%Y%m%d-%H%M%S-%f}"
        directory = root / name
        directory.mkdir(parents=True, exist_ok=True)
        text = json.dumps(metadata(directory, number, created, generator), indent=2) + "\n"
        (directory / "metadata.json").write_text(text, encoding="utf-8")


def metadata(
    directory: Path, number: int, created: datetime, generator: random.Random
) -> dict[str, Any]:
    """What a run of axiomrl says of itself, with few metrics."""
    group, seed = divmod(number, SEEDS)
    config_hash = f"{group * 2654435761 % 2**64:016x}"
    score = generator.uniform(0, 500)
    ended = (created + timedelta(seconds=90)).isoformat(timespec="microseconds")
    return {
        "schema_version": 1,
        "run_id": f"seed{seed}-{config_hash}",
        "algo": "ppo",
        "env_id": "CartPole-v1",
        "seed": seed,
        "status": "completed",
        "output_dir": str(directory),
        "created_at_utc": created.isoformat(timespec="microseconds"),
        "command": ["axiomrl", "train", "--config", "configs/ppo/cartpole.yaml"],
        "config_hash": config_hash,
        "config_hash_scheme": 1,
        "tags": [],
        "parent": None,
        "benchmark": {"best_metric": "eval_return_mean"},
        "system": {"python_version": "3.11.7", "platform": "Linux-6.1-x86_64", "hostname": "node"},
        "versions": {"axiomrl": "0.1.0", "torch": "2.13.0"},
        "git": {"commit": None, "is_dirty": None},
        "process": {"pid": 6015, "start_time": 1767225600.31, "boot_id": "40b32ee1"},
        "progress": {
            "env_steps": 51200,
            "total_timesteps": 51200,
            "duration_s": generator.uniform(1, 100),
        },
        "latest_metrics": {
            "eval_return_mean": score,
            "best_eval_return_mean": score + generator.uniform(0, 10),
        },
        "heartbeat_utc": ended,
        "best_checkpoint": {
            "path": str(directory / "checkpoints" / "best.pt"),
            "step": 51200,
            "metric_name": "eval_return_mean",
            "metric_value": score,
        },
        "ended_at_utc": ended,
    }
