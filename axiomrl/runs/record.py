"""A run directory as it is read: metadata, status, checkpoints, metrics, configuration.

Files of older, newer or foreign writers are accepted: what is missing stays missing, what has
the wrong type is left out and listed under `problems`, what is unknown is kept.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path, PureWindowsPath
from typing import Any

from axiomrl.errors import CheckpointError, InputError
from axiomrl.runs import layout
from axiomrl.runs.creation import utc_now
from axiomrl.runs.metadata import decode
from axiomrl.runs.ownership import looks_dead


class RunRecord:
    """One run directory as it was when it was read.

    `metadata` is metadata.json as a mapping in which every known key that is there has the type
    that `Metadata` declares. `problems` says what had to be left out, and grows when other files
    of the directory turn out to be damaged.
    """

    def __init__(self, directory: Path, metadata: dict[str, Any], problems: list[str]) -> None:
        self.directory = directory
        self.metadata = metadata
        self.problems = problems
        self.status = "unknown"  # running, completed, failed, interrupted, dead or unknown

    @classmethod
    def read(cls, directory: Path, *, now: Callable[[], datetime] = utc_now) -> RunRecord:
        """Read a run; raises OSError without metadata.json, InputError if it is no JSON object."""
        path = os.path.join(directory, layout.METADATA)
        metadata, problems = decode(_read_regular_file(path), path)
        record = cls(Path(directory), metadata, problems)
        record.status = metadata.get("status") or "unknown"
        if record.status == "running" and looks_dead(metadata, now=now()):
            record.status = "dead"
        return record

    @property
    def best_eval_return_mean(self) -> float | None:
        """The highest mean evaluation return, if the run says what it was."""
        latest = self.metadata.get("latest_metrics") or {}
        value: float | None = latest.get("best_eval_return_mean")
        best = self.metadata.get("best_checkpoint") or {}
        if value is None and best.get("metric_name") == "eval_return_mean":
            value = best.get("metric_value")
        return value

    def checkpoints(self) -> list[Path]:
        """The checkpoints by step, the newest last; `best.pt` is not among them."""
        return list(layout.checkpoint_files(self.directory).values())

    @property
    def best_checkpoint(self) -> Path | None:
        """`best.pt`, or wherever metadata says the best checkpoint is; None if it is not there."""
        best = self.metadata.get("best_checkpoint") or {}
        return self._located(best.get("path") or layout.BEST)

    @property
    def latest_checkpoint(self) -> Path | None:
        """The newest checkpoint, else the one that metadata names, if it is there."""
        saved = self.checkpoints()
        stored = self.metadata.get("latest_checkpoint_path")
        return saved[-1] if saved else self._located(stored) if stored else None

    def checkpoint(self, name: str) -> Path:
        """The checkpoint called `best`, `final` (the newest) or `step_<n>`.

        Raises CheckpointError, listing those that are there.
        """
        saved = {path.stem: path for path in self.checkpoints()}
        found = saved.get(name)
        if name in ("best", "final"):
            found = self.best_checkpoint if name == "best" else self.latest_checkpoint
        if found is None:
            known = [*(["best"] if self.best_checkpoint else []), *saved]
            raise CheckpointError(
                f"{self.directory}: has no checkpoint {name!r}",
                hint=f"there are: {', '.join(known)}" if known else "it has none at all",
            )
        return found

    def config(self) -> Mapping[str, Any]:
        """The resolved configuration; raises InputError if config.yaml cannot be read."""
        path = self.directory / layout.CONFIG
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read: {error}") from error
        try:
            values = json.loads(text)
        except ValueError:
            values = _from_yaml(text, path)
        if not isinstance(values, dict):
            raise InputError(f"{path}: holds no mapping")
        return values

    def metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl, flat: `{"eval": {"x": 1}}` becomes `eval_x`.

        A last line that is still being written is left out, damaged lines become problems.
        Without the file there are no rows.
        """
        path = self.directory / layout.METRICS
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            self._add_problem(f"{layout.METRICS}: cannot be read: {error}")
            return []
        torn = lines.pop()
        rows = []
        for number, line in enumerate(lines, 1):
            row = _row(line)
            if row is not None:
                rows.append(row)
            elif line.strip():
                self._add_problem(f"{layout.METRICS}: line {number} is no JSON object")
        last = _row(torn)  # whole, if a foreign writer ends the file without a newline
        return rows if last is None else [*rows, last]

    def _located(self, stored: str) -> Path | None:
        """A file that metadata names: in this directory by its base name, else where it says.

        This directory comes first, so that a copied run does not use the original's files.
        """
        name = PureWindowsPath(stored).name  # understands both kinds of separators
        for path in (self.directory / layout.CHECKPOINTS / name, self.directory / name, stored):
            if os.path.isfile(path):
                return Path(path)
        return None

    def _add_problem(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def _read_regular_file(path: str) -> bytes:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb", buffering=0) as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise InputError(f"{path}: is no regular file")
        return stream.readall()


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line, parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    return _flat(row) if any(isinstance(value, dict) for value in row.values()) else row


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            prefix = "" if name == "metrics" else f"{name}_"
            flat.update({prefix + inner: item for inner, item in _flat(value).items()})
        else:
            flat[name] = value
    return flat


def _from_yaml(text: str, path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: is neither JSON nor YAML: {error}") from error
