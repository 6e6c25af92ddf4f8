"""In what two runs differ: configuration, code, versions, machine, metrics."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from axiomrl.errors import InputError
from axiomrl.reports.document import Document, Section
from axiomrl.reports.table import Cell, Column, Table
from axiomrl.runs import layout

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord

Values = Mapping[str, Any]
_PATCHED_FILE = re.compile(r'^diff --git (?:a/.*? b/|"a/.*?" "b/)(.*?)"?$')


def difference(first: RunRecord, second: RunRecord) -> Document:
    """What differs between two runs, section by section; nothing that is the same.

    Wall-clock values (`time_…`, durations, dates) are not compared: they always differ.
    """
    problems: list[str] = []
    compared = {
        title: _compared(*(_read(values_of, record, problems) for record in (first, second)))
        for title, values_of in _SECTIONS.items()
    }
    compared = {title: changes for title, changes in compared.items() if changes}
    names = (first.directory.name, second.directory.name)
    sections = [Section("", None, (f"A: {names[0]}", f"B: {names[1]}"))]
    sections += [Section("", _table(title, changes)) for title, changes in compared.items()]
    if not compared:
        sections.append(Section("", None, ("They do not differ in anything that is compared.",)))
    if problems:
        sections.append(Section("problems", None, tuple(problems)))
    data = {
        "a": {"name": names[0], "directory": str(first.directory.absolute())},
        "b": {"name": names[1], "directory": str(second.directory.absolute())},
        "is_identical": not compared and not problems,
        "differences": compared,
        "problems": problems,
    }
    flat = [
        {**change, "key": f"{title}.{change['key']}"}
        for title, changes in compared.items()
        for change in changes
    ]
    return Document("difference", tuple(sections), _table("what", flat), data)


def _config(record: RunRecord) -> Values:
    return _flat(record.config())


def _code(record: RunRecord) -> Values:
    """Commit, whether there were changes to it, and of these which files they concern."""
    values = {f"git.{key}": value for key, value in (record.metadata.get("git") or {}).items()}
    path = record.directory / layout.DIFF
    try:
        patch = path.read_bytes()
    except FileNotFoundError:
        return values
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    values[layout.DIFF] = f"sha256 {hashlib.sha256(patch).hexdigest()[:16]}"
    for name, lines in _patched_files(patch.decode("utf-8", "replace")).items():
        values[f"{layout.DIFF} {name}"] = _described(lines)
    return values


def _versions(record: RunRecord) -> Values:
    return record.metadata.get("versions") or {}


def _system(record: RunRecord) -> Values:
    return _flat(record.metadata.get("system") or {})


def _metrics(record: RunRecord) -> Values:
    latest = record.metadata.get("latest_metrics") or {}
    progress = record.metadata.get("progress") or {}
    steps = {
        key: progress[key]
        for key in ("env_steps", "gradient_steps")
        if progress.get(key) is not None
    }
    best = record.metadata.get("best_checkpoint") or {}
    best_step = {"best_step": best["step"]} if best.get("step") is not None else {}
    timeless = {key: value for key, value in latest.items() if not key.startswith("time_")}
    return {"status": record.status, **steps, **best_step, **timeless}


_SECTIONS: dict[str, Callable[[RunRecord], Values]] = {
    "config": _config,
    "code": _code,
    "versions": _versions,
    "system": _system,
    "metrics": _metrics,
}


def _read(
    values_of: Callable[[RunRecord], Values], record: RunRecord, problems: list[str]
) -> Values | None:
    try:
        return values_of(record)
    except InputError as error:
        problems.append(error.message)
        return None


def _compared(first: Values | None, second: Values | None) -> list[dict[str, Any]]:
    """The keys whose values differ, each with `a` and `b` where a run has it."""
    if first is None or second is None:
        return []
    changes = []
    for key in dict.fromkeys([*first, *second]):
        sides = {name: each[key] for name, each in (("a", first), ("b", second)) if key in each}
        if len(sides) < 2 or not _is_same(sides["a"], sides["b"]):
            changes.append({"key": key, **sides})
    return changes


def _is_same(first: Any, second: Any) -> bool:
    """Equality as JSON has it: `true` is not 1, and 1 is 1.0."""
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    return bool(first == second)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted keys; lists stay whole."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _patched_files(patch: str) -> dict[str, list[str]]:
    """The lines of a diff by the file that they change."""
    files: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in patch.splitlines():
        found = _PATCHED_FILE.match(line)
        if found is not None:
            lines = files.setdefault(found[1], [])
        else:
            lines.append(line)
    return files


def _described(lines: Sequence[str]) -> str:
    """How many lines a diff adds and removes, and a digest that tells two of a size apart."""
    added = sum(line.startswith("+") and not line.startswith("+++ ") for line in lines)
    removed = sum(line.startswith("-") and not line.startswith("--- ") for line in lines)
    digest = hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:8]
    return f"+{added} -{removed} ({digest})"


def _table(title: str, changes: Sequence[Mapping[str, Any]]) -> Table:
    columns = (Column("key", title), Column("a", "A"), Column("b", "B"))
    rows = [(str(each["key"]), _cell(each, "a"), _cell(each, "b")) for each in changes]
    return Table(columns, tuple(rows))


def _cell(change: Mapping[str, Any], side: str) -> Cell:
    """A value as JSON would write it, texts as they are; None where a run does not have it."""
    if side not in change:
        return None
    value = change[side]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
