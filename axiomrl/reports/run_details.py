"""Everything that is known of one run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from axiomrl.reports.cells import byte_count, clock
from axiomrl.reports.document import Document, Section
from axiomrl.reports.table import Cell, Column, Table
from axiomrl.runs.disk_use import use_of_folder
from axiomrl.runs.tags import tags_of

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord

Pairs = list[tuple[str, Cell]]


def run_details(record: RunRecord) -> Document:
    """Identity, status, results, code and versions, checkpoints, and what could not be read."""
    data = _data(record)
    pairs = {
        "run": _identity(data),
        "status": _status(data),
        "results": _results(data),
        "code": _code(data),
        "files": _files(data),
    }
    sections = [Section("", _table(title, each)) for title, each in pairs.items() if each]
    if data["problems"]:
        sections.append(Section("problems", None, tuple(data["problems"])))
    flat = [(f"{title}.{key}", value) for title, each in pairs.items() for key, value in each]
    return Document("run", tuple(sections), _table("what", flat), {"run": data})


def _data(record: RunRecord) -> dict[str, Any]:
    """The run for programs: known keys of metadata.json, and what only the directory says."""
    metadata = record.metadata
    problems: list[str] = []
    tags = tags_of(record.directory, metadata.get("tags"), problems=problems)
    use = use_of_folder(record.directory)
    copied = (
        *("run_id", "algo", "env_id", "seed", "config_hash", "parent"),
        *("created_at_utc", "ended_at_utc", "heartbeat_utc", "command", "process", "progress"),
        *("latest_metrics", "best_checkpoint", "non_finite_metrics", "benchmark"),
        *("git", "versions", "system", "error"),
    )
    return {
        "name": record.directory.name,
        "directory": str(record.directory.absolute()),
        "status": record.status,
        "tags": list(tags),
        **{key: metadata.get(key) for key in copied},
        "resumes": len(metadata.get("resumes") or []),
        "checkpoints": _checkpoints(record),
        "disk_use": {"files": use.files, "bytes": use.bytes},
        "problems": [*record.problems, *problems],
    }


def _checkpoints(record: RunRecord) -> list[dict[str, Any]]:
    best = record.best_checkpoint
    paths = [*record.checkpoints(), *([best] if best is not None else [])]
    return [{"name": path.name, "bytes": path.lstat().st_size} for path in paths]


def _identity(data: Mapping[str, Any]) -> Pairs:
    parent = data["parent"] or {}
    command = data["command"]
    return _known(
        ("directory", data["directory"]),
        ("run id", data["run_id"]),
        ("algo", data["algo"]),
        ("env", data["env_id"]),
        ("seed", data["seed"]),
        ("config hash", data["config_hash"]),
        ("tags", ", ".join(data["tags"])),
        ("parent", parent.get("path")),
        ("command", shlex.join(command) if command else None),
    )


def _status(data: Mapping[str, Any]) -> Pairs:
    progress, error = data["progress"] or {}, data["error"] or {}
    steps, total = progress.get("env_steps"), progress.get("total_timesteps")
    reached = None if steps is None else f"{steps:,}"
    if steps is not None and total:
        reached = f"{steps:,} of {total:,} ({100 * steps / total:.0f} %)"
    duration, speed = progress.get("duration_s"), progress.get("env_steps_per_s")
    return _known(
        ("status", data["status"]),
        ("env steps", reached),
        ("time", None if duration is None else clock(duration)),
        ("env steps per s", None if speed is None else f"{speed:,.0f}"),
        ("created", data["created_at_utc"]),
        ("ended", data["ended_at_utc"]),
        ("resumed", f"{data['resumes']} times" if data["resumes"] else None),
        ("error", f"{error.get('type')}: {error.get('message')}" if error else None),
    )


def _results(data: Mapping[str, Any]) -> Pairs:
    latest, best = data["latest_metrics"] or {}, data["best_checkpoint"] or {}
    pairs: Pairs = [
        (name, f"{value:.6g}" if isinstance(value, float) else value)
        for name, value in latest.items()
        if not name.startswith("time_")
    ]
    if best.get("step") is not None:
        pairs.append(("best step", f"{best['step']:,}"))
    return _known(*pairs)


def _code(data: Mapping[str, Any]) -> Pairs:
    git, system = data["git"] or {}, data["system"] or {}
    commit = git.get("commit")
    if commit is not None and git.get("is_dirty"):
        commit = f"{commit}, and changes that are not committed"
    machine = [system.get(key) for key in ("hostname", "cpu", "device", "engine")]
    versions = [f"{name} {value}" for name, value in (data["versions"] or {}).items()]
    return _known(
        ("commit", commit),
        ("python", system.get("python_version")),
        ("versions", ", ".join(versions)),
        ("machine", ", ".join(str(part) for part in machine if part)),
    )


def _files(data: Mapping[str, Any]) -> Pairs:
    use = data["disk_use"]
    whole = f"{byte_count(use['bytes'])} in {use['files']:,} files"
    pairs = [(each["name"], byte_count(each["bytes"])) for each in data["checkpoints"]]
    return _known(("all", whole), *pairs)


def _known(*pairs: tuple[str, Any]) -> Pairs:
    """The pairs that have a value, which is made a cell."""
    return [(key, _cell(value)) for key, value in pairs if value not in (None, "")]


def _cell(value: Any) -> Cell:
    is_cell = isinstance(value, str | int | float)
    return value if is_cell else json.dumps(value, ensure_ascii=False)


def _table(title: str, pairs: Iterable[tuple[str, Cell]]) -> Table:
    return Table((Column("key", title), Column("value", "")), tuple(pairs))
