"""All the runs below one folder: make one, find one by name, read them all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axiomrl.errors import InputError, RunNotFoundError, did_you_mean
from axiomrl.runs import layout
from axiomrl.runs.record import RunRecord

if TYPE_CHECKING:
    from axiomrl.config.schema import TrainConfig
    from axiomrl.runs.run import Run

_LISTED = 10  # candidates that an error names


@dataclass(frozen=True)
class ScanProblem:
    """A file or folder that could not be read, or could be only in part."""

    path: Path
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True)
class ScanResult:
    """The runs that were found, oldest first, and what could not be read."""

    records: list[RunRecord]
    problems: list[ScanProblem]


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

    def scan(self) -> ScanResult:
        """Read every run below the folder; damaged ones become problems, never exceptions.

        Links to folders are followed once; a folder that has metadata.json is a run, and holds
        no others.
        """
        records: list[RunRecord] = []
        problems: list[ScanProblem] = []
        for found in _walk(str(self.root)):
            if isinstance(found, RunRecord):
                records.append(found)
                problems += [ScanProblem(found.directory, text) for text in found.problems]
            else:
                problems.append(found)
        records.sort(key=lambda record: (_created(record), str(record.directory)))
        return ScanResult(records, problems)

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


def _walk(root: str) -> Iterator[RunRecord | ScanProblem]:
    """Runs and problems below a folder. Links are visited last, where they lead elsewhere."""
    seen: set[str] = set()
    links = [root]
    while links:
        link = links.pop()
        folders = [(link, os.path.realpath(link))]
        while folders:
            folder, real = folders.pop()
            if real in seen:
                continue
            seen.add(real)
            found = _read(folder)
            if found is not None:
                yield found
                continue
            try:
                inner, inner_links = _folders_in(folder)
            except OSError as error:
                if not isinstance(error, FileNotFoundError):  # not there, or removed meanwhile
                    yield ScanProblem(Path(folder), error.strerror or str(error))
                continue
            folders += [(path, os.path.join(real, os.path.basename(path))) for path in inner]
            links += [path for path in inner_links if not _leads_up(path, real)]


def _folders_in(folder: str) -> tuple[list[str], list[str]]:
    """Folders and links to folders; hidden ones are left out."""
    folders, links = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not entry.is_symlink():
                folders += [entry.path] if entry.is_dir() else []
            elif os.path.isdir(entry.path):
                links.append(entry.path)
    return folders, links


def _leads_up(link: str, folder: str) -> bool:
    """Whether a link leads to the folder that holds it or to one above: a loop."""
    target = os.path.realpath(link)
    return os.path.commonpath([target, folder]) == target


def _read(folder: str) -> RunRecord | ScanProblem | None:
    """The run in a folder, why it cannot be read, or None if the folder is no run."""
    path = Path(folder, layout.METADATA)
    try:
        return RunRecord.read(Path(folder))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return ScanProblem(path, error.strerror or str(error))
    except InputError as error:
        return ScanProblem(path, error.message.removeprefix(f"{path}: "))


def _created(record: RunRecord) -> str:
    return record.metadata.get("created_at_utc") or ""


def _listing(records: Sequence[RunRecord]) -> str:
    newest_first = sorted(records, key=_created, reverse=True)
    lines = [f"         {record.directory} ({record.status})" for record in newest_first[:_LISTED]]
    more = len(records) - _LISTED
    return "\n".join(lines + ([f"         and {more} more"] if more > 0 else []))
