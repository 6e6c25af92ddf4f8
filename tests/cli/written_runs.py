"""Run directories written by hand below ./runs, for commands that only read or move them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from axiomrl.runs.provenance import this_process


def write_run(name: str, folder: str = "runs", **changes: Any) -> Path:
    """A run of that name; `status="running"` makes it one that this process writes."""
    directory = Path(folder, name)
    (directory / "checkpoints").mkdir(parents=True)
    values = {
        "schema_version": 1,
        "run_id": f"seed0-{name}",
        "algo": "ppo",
        "env_id": "CartPole-v1",
        "seed": 0,
        "status": "completed",
        "created_at_utc": "2026-01-02T03:04:05.000006+00:00",
        "process": this_process(),
        **changes,
    }
    (directory / "metadata.json").write_text(json.dumps(values))
    return directory


def log(directory: Path, *rows: dict[str, float]) -> None:
    """Append rows to metrics.jsonl."""
    with (directory / "metrics.jsonl").open("a") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)


def change(directory: Path, **changes: Any) -> None:
    """Change keys of metadata.json."""
    path = directory / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
