"""Which files of a run are no longer needed, and their removal.

Files go one by one, checkpoints before the replay rows that only they need: a process that is
killed in between leaves whole files, and rows for every checkpoint that is still there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from axiomrl.errors import AxiomRLError, CheckpointError, InputError, RunAliveError
from axiomrl.runs import files, layout
from axiomrl.runs.clock import Clock, utc_now
from axiomrl.runs.disk_use import DiskUse, use_of
from axiomrl.runs.ownership import DirectoryLock, alive_error, refuse_if_alive
from axiomrl.runs.record import RunRecord
from axiomrl.runs.sealing import Outline, outline
from axiomrl.runs.tags import TAGS

KEEPABLE = ("best", "latest", "all")
_REPLAY_FILE = re.compile(r"replay_\d+\.rows")


@dataclass(frozen=True)
class Pruned:
    """What was removed from a run, or would be."""

    directory: Path
    removed: tuple[Path, ...]  # in the order of removal
    use: DiskUse
    kept: tuple[str, ...]  # names of the checkpoints that stay
    problems: tuple[str, ...]


def prune(
    record: RunRecord,
    keep: Iterable[str],
    *,
    needed: frozenset[Path] = frozenset(),
    dry_run: bool = False,
    now: Clock = utc_now,
) -> Pruned:
    """Remove the checkpoints of a run that are not kept, and what nothing needs any more.

    `keep` are names of KEEPABLE: `best` is best.pt, `latest` the newest checkpoint that is whole,
    with its replay rows. An unfinished run keeps both, and the checkpoint that best.pt is a copy
    of; no run loses its last whole checkpoint. `needed` are checkpoints that other runs need, see
    `needed_by_children`. Raises RunAliveError if the run is being written.
    """
    try:
        lock = DirectoryLock(record.directory)
    except RunAliveError as error:
        raise alive_error(record.directory, record.metadata) from error
    try:
        record = RunRecord.read(record.directory)  # as it is, now that nobody can change it
        refuse_if_alive(record.directory, record.metadata, now=now())
        choice = _Choice(record, frozenset(keep), needed)
        removed = choice.removed()
        use = use_of(removed)
        if not dry_run:
            _remove(removed)
    finally:
        lock.release()
    return Pruned(
        record.directory, tuple(removed), use, choice.kept_names(), tuple(choice.problems)
    )


@dataclass(frozen=True)
class PrunedAll:
    """What was removed from several runs, or would be, and what stood in the way."""

    pruned: list[Pruned]
    alive: list[Path]  # left alone: they are being written
    failed: list[str]  # messages on runs from which not everything could be removed


def prune_all(
    records: Sequence[RunRecord],
    keep: Iterable[str],
    *,
    needed: frozenset[Path] = frozenset(),
    older_than: timedelta | None = None,
    dry_run: bool = False,
    now: Clock = utc_now,
) -> PrunedAll:
    """`prune` for every run that was last written before that time span, or for all.

    Runs that are being written are left alone, and one that fails does not keep the others.
    """
    done = PrunedAll([], [], [])
    for record in records:
        if older_than is not None and now() - last_written(record) <= older_than:
            continue
        try:
            done.pruned.append(prune(record, keep, needed=needed, dry_run=dry_run, now=now))
        except RunAliveError:
            done.alive.append(record.directory)
        except AxiomRLError as error:
            done.failed.append(error.message)
    return done


def needed_by_children(records: Sequence[RunRecord]) -> frozenset[Path]:
    """Checkpoints that unfinished runs without one of their own were started from."""
    needed = set()
    for record in records:
        path = (record.metadata.get("parent") or {}).get("path")
        if isinstance(path, str) and record.status != "completed" and not record.checkpoints():
            needed.add(Path(path).resolve())
    return frozenset(needed)


def last_written(record: RunRecord) -> datetime:
    """When something was last written to a run, as far as it says; else when its file changed."""
    for key in ("ended_at_utc", "heartbeat_utc", "created_at_utc"):
        try:
            instant = datetime.fromisoformat(record.metadata.get(key) or "")
        except ValueError:
            continue
        return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
    changed = (record.directory / layout.METADATA).stat().st_mtime
    return datetime.fromtimestamp(changed, UTC)


def time_span(text: str) -> timedelta:
    """`7d`, `12h`, `30m` or `2w` as a time span; raises InputError for anything else."""
    units = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([mhdw])", text.strip())
    if found is None:
        raise InputError(
            f"{text!r} is no time span", hint="write a number and m, h, d or w: 12h, 7d"
        )
    return timedelta(**{units[found[2]]: float(found[1])})


class _Choice:
    """What of a run stays and what goes."""

    def __init__(self, record: RunRecord, keep: frozenset[str], needed: frozenset[Path]) -> None:
        self.problems: list[str] = []
        self._folder = record.directory / layout.CHECKPOINTS
        self._saved = layout.checkpoint_files(record.directory)
        self._outlines: dict[int, Outline | None] = {}  # None: it is damaged
        self._is_finished = record.status == "completed"
        self._keep = keep if self._is_finished else keep | {"best", "latest"}
        best = (record.metadata.get("best_checkpoint") or {}).get("step")
        self._best_step: int | None = best
        self._newest = self._newest_whole()
        self._steps = self._kept_steps(needed)
        self._keeps_best = self._decide_on_best()

    def removed(self) -> list[Path]:
        """Files that go, in the order in which they may go."""
        gone = [path for step, path in self._saved.items() if step not in self._steps]
        best = self._folder / layout.BEST
        if not self._keeps_best and best.is_file():
            gone.append(best)
        return gone + self._unneeded_rows() + self._temporaries()

    def kept_names(self) -> tuple[str, ...]:
        """Names of the checkpoints that stay."""
        best = [layout.BEST] if self._keeps_best and (self._folder / layout.BEST).is_file() else []
        return (*best, *(self._saved[step].name for step in self._saved if step in self._steps))

    def _outline(self, step: int) -> Outline | None:
        if step not in self._outlines:
            try:
                self._outlines[step] = outline(self._saved[step])
            except CheckpointError as error:
                self._outlines[step] = None
                self.problems.append(error.message)
        return self._outlines[step]

    def _newest_whole(self) -> int | None:
        return next((step for step in reversed(self._saved) if self._outline(step)), None)

    def _kept_steps(self, needed: frozenset[Path]) -> set[int]:
        newest = self._newest
        if newest is None or "all" in self._keep:
            return set(self._saved)  # where nothing is whole, nothing can be judged
        steps = {step for step, path in self._saved.items() if path.resolve() in needed}
        if "latest" in self._keep:
            steps |= {step for step in self._saved if step >= newest}  # damaged ones are shown
        if not self._is_finished:
            found = self._outline(newest)
            bests = {self._best_step, found.best_step if found else None}
            steps |= {step for step in self._saved if step in bests}
        if "best" in self._keep and not _is_whole(self._folder / layout.BEST):
            steps |= {step for step in self._saved if step == self._best_step}
        if not steps and not ("best" in self._keep and _is_whole(self._folder / layout.BEST)):
            steps = {newest}
        return steps

    def _decide_on_best(self) -> bool:
        return bool({"best", "all"} & self._keep) or self._newest is None

    def _unneeded_rows(self) -> list[Path]:
        outlines = [self._outline(step) for step in sorted(self._steps)]
        if None in outlines:
            return []  # what a damaged one needs is not known
        needed = {name for each in outlines if each is not None for name in each.replay_files}
        rows = [path for path in _files_in(self._folder) if _REPLAY_FILE.fullmatch(path.name)]
        return [path for path in rows if path.name not in needed]

    def _temporaries(self) -> list[Path]:
        """Of killed writers; those of tags.json may belong to somebody who tags the run now."""
        directory = self._folder.parent
        found = files.stale_temporaries(directory)
        found += files.stale_temporaries(self._folder) if self._folder.is_dir() else []
        return [path for path in found if not path.name.startswith(f".{TAGS}.")]


def _is_whole(path: Path) -> bool:
    try:
        outline(path)
    except CheckpointError:
        return False
    return True


def _files_in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise AxiomRLError(f"{path}: cannot be removed: {error.strerror or error}") from error
