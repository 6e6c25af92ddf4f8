"""Runs into the trash, back out of it, and away for good.

A run is moved by one renaming, so that a process that is killed leaves it where it was or in the
trash, always whole. Deleting begins in the trash, with metadata.json: from then on what is left
is no run, and is never restored. Beside each entry `<name>.json` says where it came from.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path, PureWindowsPath

from axiomrl.errors import AxiomRLError, InputError, RunAliveError, RunNotFoundError, did_you_mean
from axiomrl.runs import files, layout
from axiomrl.runs.clock import Clock, timestamp, utc_now
from axiomrl.runs.disk_use import DiskUse, use_of_folder
from axiomrl.runs.locks import locked
from axiomrl.runs.ownership import DirectoryLock, alive_error, refuse_if_alive
from axiomrl.runs.record import RunRecord

TRASH = ".trash"
LOCKS = ".locks"
_LISTED = 10  # names that an error lists


@dataclass(frozen=True)
class Removed:
    """What has become of a run."""

    directory: Path  # where it was
    entry: Path  # where it lies in the trash, or lay until it was deleted
    use: DiskUse


@dataclass(frozen=True)
class TrashEntry:
    """A run in the trash, or what a deletion that was killed has left of one."""

    path: Path
    origin: Path  # where it came from, relative to the folder of runs
    trashed_at: datetime

    @property
    def is_run(self) -> bool:
        """Whether it is whole."""
        return (self.path / layout.METADATA).is_file()


def require_removable(
    records: Sequence[RunRecord], *, purge: bool = False, now: Clock = utc_now
) -> None:
    """Raises InputError unless every one of the runs can be removed now.

    A run that is being written, a link to a run, and a directory that is a mount point of its own
    are refused; so is one in the trash, unless it is to be deleted.
    """
    for record in records:
        directory = record.directory
        refuse_if_alive(directory, record.metadata, now=now())
        if directory.is_symlink():
            target = os.path.realpath(directory)
            raise InputError(
                f"{directory}: is a link to {target}",
                hint="name the directory it leads to, or remove the link with: rm",
            )
        if os.path.ismount(directory):
            raise InputError(f"{directory}: is a mount point, which cannot be moved")
        if _is_in_trash(directory) and not purge:
            raise InputError(
                f"{directory}: is in the trash already", hint="--purge deletes it for good"
            )


def remove_runs(
    records: Sequence[RunRecord], runs_dir: Path, *, purge: bool = False, now: Clock = utc_now
) -> Iterator[Removed]:
    """Move runs to the trash and, to `purge`, delete them there; each is yielded when it is done.

    Before any of them is moved, all are checked (see `require_removable`), and no other process
    can begin to write one. The trash is that of `runs_dir` for the runs below it, else of the
    folder that holds the run.
    """
    unique = {_real(record.directory): record for record in records}
    require_removable(list(unique.values()), purge=purge, now=now)
    with ExitStack() as locks:
        for directory, record in unique.items():
            _take_over(directory, record, locks, now)
        for directory in unique:
            use = use_of_folder(directory)
            if _is_in_trash(directory):
                entry = directory
            else:
                entry = _move_to_trash(directory, trash_root(directory, runs_dir), now())
            if purge:
                _delete(entry)
            yield Removed(directory, entry, use)


def trash_root(directory: Path, runs_dir: Path) -> Path:
    """The folder whose trash takes a run: `runs_dir`, or the one that holds the run.

    The latter where the run does not lie below `runs_dir`, or lies on another file system.
    """
    real, root = _real(directory), Path(os.path.realpath(runs_dir))
    if not real.is_relative_to(root) or os.stat(root).st_dev != os.stat(real).st_dev:
        return real.parent
    return root


def restore(name: str, runs_dir: Path) -> Path:
    """Move a run from the trash back to where it was; returns that place.

    `name` is that of its directory in the trash of `runs_dir`, a unique beginning of it, or a
    path to it. Raises RunNotFoundError, with the nearest names, and InputError if something else
    is there now.
    """
    entry = _entry_called(name, runs_dir)
    root = entry.path.parent.parent
    destination = root / entry.origin
    with _trash_lock(root):
        if not entry.is_run:
            raise InputError(f"{entry.path}: has been deleted in part, and cannot be restored")
        if os.path.lexists(destination):
            raise InputError(
                f"{destination}: exists, so that {entry.path.name} cannot be restored there",
                hint="move one of the two away first",
            )
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            os.rename(entry.path, destination)
        except OSError as error:
            raise _cannot_move(entry.path, destination, error) from error
        _sidecar(entry.path).unlink(missing_ok=True)
    return destination


def trash_entries(runs_dir: Path) -> list[TrashEntry]:
    """What lies in the trash of a folder of runs, by name."""
    folder = runs_dir / TRASH
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    return [_entry(folder / name) for name in names if (folder / name).is_dir()]


def empty_trash(
    runs_dir: Path,
    *,
    older_than: timedelta | None = None,
    dry_run: bool = False,
    now: Clock = utc_now,
) -> Iterator[tuple[TrashEntry, DiskUse]]:
    """Delete what has been in the trash for longer than that, or all of it.

    Yields each entry with what it took. With `dry_run` nothing is deleted.
    """
    for entry in trash_entries(runs_dir):
        if older_than is None or now() - entry.trashed_at > older_than:
            use = use_of_folder(entry.path)
            if not dry_run:
                _delete(entry.path)
            yield entry, use
    if not dry_run and (runs_dir / TRASH).is_dir():
        with _trash_lock(runs_dir):
            _remove_orphans(runs_dir / TRASH)


def children_of(directory: Path, records: Sequence[RunRecord]) -> list[RunRecord]:
    """The runs that continue one in this directory, or in one of its name that was moved here."""
    found = []
    for record in records:
        path = (record.metadata.get("parent") or {}).get("path")
        parts = PureWindowsPath(path).parts if isinstance(path, str) else ()
        # <run directory>/checkpoints/<file>
        if len(parts) >= 3 and parts[-3] == directory.name and parts[-2] == layout.CHECKPOINTS:
            found.append(record)
    return found


def _take_over(directory: Path, record: RunRecord, locks: ExitStack, now: Clock) -> None:
    """Keep others from writing a run; raises RunAliveError if one does."""
    try:
        lock = DirectoryLock(directory)
    except RunAliveError as error:
        raise alive_error(directory, record.metadata) from error
    locks.callback(lock.release)
    # Read again: another process may have begun to write since.
    refuse_if_alive(directory, RunRecord.read(directory).metadata, now=now())


def _move_to_trash(directory: Path, root: Path, at: datetime) -> Path:
    with _trash_lock(root):
        try:
            (root / TRASH).mkdir(exist_ok=True)
        except OSError as error:
            raise files.cannot_write(root / TRASH, error) from error
        entry = _free_place(root / TRASH, directory.name)
        origin = {"origin": str(directory.relative_to(root)), "trashed_at_utc": timestamp(at)}
        files.write_json(_sidecar(entry), origin)
        try:
            os.rename(directory, entry)
        except OSError as error:
            _sidecar(entry).unlink(missing_ok=True)
            raise _cannot_move(directory, entry, error) from error
    return entry


def _free_place(folder: Path, name: str) -> Path:
    """`<name>`, or `<name>~2` and so on if that is taken."""
    for number in count(1):
        place = folder / (name if number == 1 else f"{name}~{number}")
        if not os.path.lexists(place) and not os.path.lexists(_sidecar(place)):
            break
    return place


def _delete(entry: Path) -> None:
    """Delete an entry of the trash; from the first step on it is no run any more."""
    try:
        (entry / layout.METADATA).unlink(missing_ok=True)
        shutil.rmtree(entry)
        _sidecar(entry).unlink(missing_ok=True)
    except OSError as error:
        raise AxiomRLError(
            f"{entry}: cannot be deleted: {error.strerror or error}",
            hint="what is left of it lies in the trash: axiomrl runs gc --trash",
        ) from error


def _remove_orphans(folder: Path) -> None:
    """What processes that were killed left beside the entries."""
    files.remove_stale_temporaries(folder)
    for path in folder.glob("*.json"):
        if not os.path.lexists(path.with_name(path.name.removesuffix(".json"))):
            path.unlink(missing_ok=True)


def _entry_called(name: str, runs_dir: Path) -> TrashEntry:
    path = Path(name)
    for place in (path, runs_dir / path):
        if _is_in_trash(_real(place)) and place.is_dir():
            return _entry(_real(place))
    entries = trash_entries(runs_dir)
    named = [each for each in entries if each.path.name == name]
    named = named or [each for each in entries if name and each.path.name.startswith(name)]
    if len(named) == 1:
        return named[0]
    names = [each.path.name for each in entries]
    if named:
        candidates = [each.path.name for each in named]
        lines = [f"         {each}" for each in candidates[:_LISTED]]
        lines += [f"         and {len(named) - _LISTED} more"] if len(named) > _LISTED else []
        raise RunNotFoundError(
            f"{name!r} means {len(named)} runs in {runs_dir / TRASH}:\n" + "\n".join(lines)
        )
    raise RunNotFoundError(
        f"no run in {runs_dir / TRASH} is called {name!r}",
        hint=did_you_mean(name, names, count=3) or ("the trash is empty" if not names else None),
    )


def _entry(path: Path) -> TrashEntry:
    """An entry; where its note is missing or damaged, it goes by its name and time of change."""
    origin, trashed_at = Path(path.name), datetime.fromtimestamp(path.lstat().st_mtime, UTC)
    try:
        note = files.read_json(_sidecar(path))
        told, at = Path(note["origin"]), datetime.fromisoformat(note["trashed_at_utc"])
    except (OSError, ValueError, TypeError, KeyError):
        return TrashEntry(path, origin, trashed_at)
    if told.is_absolute() or ".." in told.parts or told == Path() or at.tzinfo is None:
        return TrashEntry(path, origin, trashed_at)
    return TrashEntry(path, told, at)


def _sidecar(entry: Path) -> Path:
    return entry.with_name(entry.name + ".json")


def _trash_lock(root: Path) -> AbstractContextManager[None]:
    return locked(root / LOCKS / "trash.lock")


def _is_in_trash(directory: Path) -> bool:
    return directory.absolute().parent.name == TRASH


def _real(directory: Path) -> Path:
    """Its absolute path, with links followed up to the folder that holds it."""
    absolute = Path(os.path.abspath(directory))
    return Path(os.path.realpath(absolute.parent)) / absolute.name


def _cannot_move(source: Path, destination: Path, error: OSError) -> AxiomRLError:
    return AxiomRLError(f"{source}: cannot be moved to {destination}: {error.strerror or error}")
