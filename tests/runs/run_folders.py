"""Run directories written by hand, with checkpoints that are whole but nearly empty."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from axiomrl.runs.provenance import this_process
from axiomrl.training import checkpoints


def write_run(folder: Path, name: str = "a-run", **changes: Any) -> Path:
    """A finished run of that name in a folder, with a row of metrics; keyword None: key left out.

    `status="running"` makes it one that this process writes.
    """
    directory = folder / name
    (directory / "checkpoints").mkdir(parents=True)
    values: dict[str, Any] = {
        "schema_version": 1,
        "run_id": f"seed0-{name}",
        "algo": "ppo",
        "env_id": "CartPole-v1",
        "seed": 0,
        "status": "completed",
        "output_dir": str(directory),
        "created_at_utc": "2026-01-02T03:04:05.000006+00:00",
        "tags": [],
        "parent": None,
        "process": this_process(),
        **changes,
    }
    write_metadata(directory, values)
    (directory / "metrics.jsonl").write_text('{"step": 0, "time_s": 0.5, "eval_return_mean": 9}\n')
    (directory / "config.yaml").write_text(json.dumps({"algo": "ppo", "total_timesteps": 400}))
    return directory


def write_metadata(directory: Path, values: Mapping[str, Any]) -> None:
    """Replace what metadata.json says."""
    known = {key: value for key, value in values.items() if value is not None or key == "parent"}
    (directory / "metadata.json").write_text(json.dumps(known))


def save_state(
    directory: Path, step: int, *, best: int | None = None, rows: Sequence[str] = ()
) -> Path:
    """A whole checkpoint; `best` is the best step that it knows, `rows` the files it needs."""
    segments = [{"file": name, "start": 0, "rows": 1, "sha256": ""} for name in rows]
    state = {
        "algo": "ppo",
        "env_id": "CartPole-v1",
        "counters": {"env_steps": step, "best_step": best},
        "algorithm": {},
        "environments": {},
        "positions": {},
        "replay": {"count": 1, "segments": segments} if rows else None,
    }
    path = directory / "checkpoints" / f"step_{step}.pt"
    checkpoints.save(path, state)
    return path


def mark_best(directory: Path, step: int, **changes: Any) -> None:
    """Make best.pt a copy of a checkpoint, and let metadata say so."""
    folder = directory / "checkpoints"
    (folder / "best.pt").write_bytes((folder / f"step_{step}.pt").read_bytes())
    values = json.loads((directory / "metadata.json").read_text())
    best = {"path": str(folder / "best.pt"), "step": step, "metric_name": "eval_return_mean"}
    write_metadata(directory, {**values, "best_checkpoint": best, **changes})


def names_in(folder: Path) -> set[str]:
    """Names of the files in a folder."""
    return set(os.listdir(folder))


def snapshot(directory: Path) -> dict[str, bytes]:
    """Content of every file below a directory."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }
