"""A run directory as it is read: metadata, status, checkpoints, metrics, configuration.

Files of older, newer or foreign writers are accepted: what is missing stays missing, what has
the wrong type is left out and listed under `problems`, what is unknown is kept.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

import msgspec

from axiomrl.errors import CheckpointError, InputError
from axiomrl.runs import layout
from axiomrl.runs.clock import Clock, utc_now
from axiomrl.runs.files import read_regular_file
from axiomrl.runs.metadata import LIMIT, Decoded, decode, mapping_of

_decode_row = msgspec.json.Decoder(dict[str, Any]).decode
_NOTHING = memoryview(b"")
_METRICS_LIMIT = 1 << 30  # bytes; far above what any run writes, and what memory can take


class RunRecord:
    """One run directory as it was when it was read.

    `metadata` is metadata.json as a mapping in which every known key that is there has the type
    that `Metadata` declares; it is built when it is first asked for. `problems` says what had to
    be left out, and grows when other files of the directory turn out to be damaged.
    """

    __slots__ = (
        "_content",
        "created_at_utc",
        "directory",
        "metadata",
        "path",
        "problems",
        "status",
    )

    directory: Path  # what a run is known by, whatever `output_dir` says
    metadata: dict[str, Any]

    def __init__(self, directory: Path, metadata: dict[str, Any], problems: list[str]) -> None:
        self.path = os.fspath(directory)  # the directory as text
        self.directory = directory
        self.metadata = metadata
        self.problems = problems
        self.status = "unknown"  # running, completed, failed, interrupted, dead or unknown
        self.created_at_utc: str = metadata.get("created_at_utc") or ""  # orders runs by age
        self._content = _NOTHING  # the JSON that `metadata` is built from

    if not TYPE_CHECKING:  # a checker would take it for a promise of any attribute

        def __getattr__(self, name: str) -> Any:
            """Fill an attribute that was left empty.

            Reports ask for `metadata` dozens of times per run: once filled, it costs no call.
            """
            if name == "metadata":
                self.metadata = mapping_of(self._content)
                self._content = _NOTHING
                return self.metadata
            if name == "directory":
                self.directory = Path(self.path)
                return self.directory
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @classmethod
    def read(cls, directory: Path, *, now: Clock = utc_now) -> RunRecord:
        """Read a run; raises OSError without metadata.json, InputError if it is no JSON object."""
        path = os.path.join(directory, layout.METADATA)
        try:
            data, _ = read_regular_file(path, limit=LIMIT)
            return cls.from_decoded(os.fspath(directory), decode(data), now=now())
        except InputError as error:
            raise InputError(f"{path}: {error.message}") from error

    @classmethod
    def read_if_any(cls, directory: Path) -> RunRecord | None:
        """The run in a directory; None if there is none that can be read."""
        try:
            return cls.read(directory)
        except (OSError, InputError):
            return None

    @classmethod
    def from_decoded(cls, path: str, decoded: Decoded, *, now: datetime) -> RunRecord:
        """The record of a directory whose metadata.json has been decoded."""
        record = cls.__new__(cls)
        record.path = path
        record.problems = [*decoded.problems]
        record.status = decoded.status
        record.created_at_utc = decoded.created_at_utc
        record._content = decoded.content
        if record.status == "running" and _looks_dead(record.metadata, now):
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
            return _read_config(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
        except InputError as error:
            raise InputError(f"{path}: {error.message}") from error

    def config_if_readable(self) -> Mapping[str, Any] | None:
        """The resolved configuration, for those who go on without it: None where there is none.

        A damaged file becomes a problem; a run without one has nothing wrong with it.
        """
        try:
            return _read_config(self.directory / layout.CONFIG)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._add_problem(f"{layout.CONFIG}: cannot be read: {error.strerror or error}")
        except InputError as error:
            self._add_problem(f"{layout.CONFIG}: {error.message}")
        return None

    def metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl, flat: `{"eval": {"x": 1}}` becomes `eval_x`.

        A last line that is still being written is left out, damaged lines become problems.
        Without the file there are no rows.
        """
        path = self.directory / layout.METRICS
        try:
            data, _ = read_regular_file(str(path), limit=_METRICS_LIMIT)
        except FileNotFoundError:
            return []
        except OSError as error:
            self._add_problem(f"{layout.METRICS}: cannot be read: {error.strerror or error}")
            return []
        except InputError as error:
            self._add_problem(f"{layout.METRICS}: {error.message}")
            return []
        lines = data.split(b"\n")
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


def _looks_dead(metadata: dict[str, Any], now: datetime) -> bool:
    # Most runs have ended; to ask about processes loads modules that reading does not need.
    from axiomrl.runs.ownership import looks_dead

    return looks_dead(metadata, now=now)


def _read_config(path: Path) -> Mapping[str, Any]:
    data, _ = read_regular_file(str(path), limit=LIMIT)
    try:
        values = _from_json_or_yaml(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise InputError("holds no mapping")
    return values


def _from_json_or_yaml(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        import yaml

        try:
            return yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise InputError(f"is neither JSON nor YAML: {error}") from error


def _row(line: bytes) -> dict[str, Any] | None:
    """The object on a line, with None for numbers that are not finite; None if it holds none."""
    row: dict[str, Any] | None
    try:
        row = _decode_row(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            value = json.loads(line, parse_constant=lambda name: None)
            row = _finite(value) if isinstance(value, dict) else None
        except (ValueError, RecursionError):
            return None
    if row is not None and any(isinstance(value, dict) for value in row.values()):
        return _flat(row)
    return row


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            prefix = "" if name == "metrics" else f"{name}_"
            flat.update({prefix + inner: item for inner, item in _flat(value).items()})
        else:
            flat[name] = value
    return flat
