"""What tidying up has freed, or would free."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from axiomrl.reports.cells import byte_count
from axiomrl.reports.document import Document, Section
from axiomrl.reports.table import Column, Table
from axiomrl.runs.disk_use import DiskUse

COLUMNS = (
    Column("run", "run"),
    Column("directory", "directory", in_data_only=True),
    Column("files", "files", "integer"),
    Column("bytes", "bytes", "integer", in_data_only=True),
    Column("freed", "freed"),
    Column("kept", "kept"),
)


@dataclass(frozen=True)
class Freed:
    """What was removed from one run, or of it."""

    directory: Path
    removed: tuple[Path, ...]
    use: DiskUse
    kept: tuple[str, ...] = ()


def freed_report(
    freed: Sequence[Freed],
    *,
    dry_run: bool,
    notes: Sequence[str] = (),
    problems: Sequence[str] = (),
) -> Document:
    """One row per run that something was removed from, and how much it is in all."""
    changed = [each for each in freed if each.removed]
    rows = [
        (
            each.directory.name,
            str(each.directory),
            each.use.files,
            each.use.bytes,
            byte_count(each.use.bytes),
            ", ".join(each.kept) or None,
        )
        for each in changed
    ]
    table = Table(COLUMNS, tuple(rows), tuple(problems))
    use = sum((each.use for each in changed), DiskUse())
    amount = f"{byte_count(use.bytes)} in {use.files:,} files of {len(changed):,} runs"
    verb = "would free" if dry_run else "freed"
    sections = [Section("", table)] if rows else []
    sections.append(Section("", None, (f"{verb} {amount}", *notes)))
    data = {
        "dry_run": dry_run,
        "files": use.files,
        "bytes": use.bytes,
        "runs": [
            {
                "name": each.directory.name,
                "directory": str(each.directory),
                "files": each.use.files,
                "bytes": each.use.bytes,
                "removed": [os.path.relpath(path, each.directory) for path in each.removed],
                "kept": list(each.kept),
            }
            for each in changed
        ],
        "notes": list(notes),
        "problems": list(problems),
    }
    return Document("freed", tuple(sections), table, data)
