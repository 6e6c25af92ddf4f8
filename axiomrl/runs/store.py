"""All the runs below one folder: make one, find one by name, read them all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axiomrl.errors import InputError, RunNotFoundError, did_you_mean
from axiomrl.runs import layout
from axiomrl.runs.record import RunRecord
from axiomrl.runs.scanning import ScanProblem, ScanResult, scan_folders

if TYPE_CHECKING:
    from axiomrl.config.schema import TrainConfig
    from axiomrl.runs.run import Run

__all__ = ["DEFAULT_ROOT", "RunStore", "ScanProblem", "ScanResult", "scan_all"]

DEFAULT_ROOT = "runs"
_LISTED = 10  # candidates that an error names


def scan_all(roots: Sequence[Path | str] | None = None, *, use_index: bool = True) -> ScanResult:
    """Read every run below several folders, each once even where they overlap.

    Without folders it is `runs`, which need not be there. Raises InputError for a named folder
    that is missing.
    """
    for root in roots or ():
        if not os.path.isdir(root):
            state = "is no folder" if os.path.exists(root) else "no such folder"
            raise InputError(f"--runs-dir {root}: {state}")
    return scan_folders([str(Path(root)) for root in roots or (DEFAULT_ROOT,)], use_index=use_index)


class RunStore:
    """The run directories below a folder, at any depth."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def create(self, config: TrainConfig, **options: Any) -> Run:
        """A new run in this folder, whatever `config.output_dir` says; options of `Run.create`."""
        from axiomrl.runs.run import Run

        return Run.create(replace(config, output_dir=str(self.root)), **options)

    def find(self, name: str | Path) -> RunRecord:
        """The one run that a name means.

        A name is a run directory (as a path, or below this folder), a file in it or in its
        checkpoints, a prefix of its directory's name, or a run id. Raises RunNotFoundError, with
        candidates or the nearest names, if that is not exactly one run.
        """
        path = Path(name)
        for place in (path, self.root / path):
            is_file = os.path.isfile(place)
            for folder in [place.parent, place.parent.parent] if is_file else [place]:
                if os.path.isfile(folder / layout.METADATA):
                    return RunRecord.read(folder)
        if os.path.exists(path):
            raise RunNotFoundError(f"{path}: is not a run: it has no {layout.METADATA}")
        return self._find_by_name(str(name))

    def scan(self, *, use_index: bool = True) -> ScanResult:
        """Read every run below the folder; damaged ones become problems, never exceptions.

        Links to folders are followed once; a folder that has metadata.json is a run, and holds
        no others. The index only makes it quicker.
        """
        return scan_folders([str(self.root)], use_index=use_index)

    def _find_by_name(self, name: str) -> RunRecord:
        scanned = self.scan()
        records = scanned.records
        for matches in (
            [record for record in records if record.directory.name == name],
            [record for record in records if record.metadata.get("run_id") == name],
            [record for record in records if name and record.directory.name.startswith(name)],
        ):
            if len(matches) == 1:
                return matches[0]
            if matches:
                raise RunNotFoundError(
                    f"{name!r} means {len(matches)} runs in {self.root}:\n{_listing(matches)}",
                    hint="give the directory of one of them",
                )
        for problem in scanned.problems:
            if name and problem.path.parent.name.startswith(name):
                raise RunNotFoundError(f"{name!r} cannot be read: {problem}")
        known = {record.directory.name for record in records}
        ids = {str(record.metadata.get("run_id")) for record in records}
        hint = did_you_mean(name, known | ids, count=3)
        raise RunNotFoundError(
            f"no run in {self.root} is called {name!r}",
            hint=hint or "list what there is with: axiomrl zoo --format report",
        )


def _listing(records: Sequence[RunRecord]) -> str:
    newest_first = sorted(records, key=lambda record: record.created_at_utc, reverse=True)
    lines = [f"         {record.directory} ({record.status})" for record in newest_first[:_LISTED]]
    more = len(records) - _LISTED
    return "\n".join(lines + ([f"         and {more} more"] if more > 0 else []))
