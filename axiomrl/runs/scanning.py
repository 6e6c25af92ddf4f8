"""Finds and reads all the runs below folders, with an index or without; the result is the same."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from axiomrl.errors import InputError
from axiomrl.runs import layout
from axiomrl.runs.cache import cache_folder
from axiomrl.runs.clock import Clock, utc_now
from axiomrl.runs.files import read_regular_file
from axiomrl.runs.index import RunIndex
from axiomrl.runs.metadata import LIMIT, Decoded, decode
from axiomrl.runs.record import RunRecord

MANY_OBJECTS = 10_000  # a collection of fewer takes no millisecond

_METADATA = os.sep + layout.METADATA


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


def scan_folders(roots: Sequence[str], *, use_index: bool, now: Clock = utc_now) -> ScanResult:
    """The runs below some folders, each once however often it is reached.

    A folder that is not there holds none.
    """
    cache = cache_folder() if use_index else None
    with without_garbage_collection():
        trees = [tree for root in roots for tree in _Scan(root, cache, now()).trees()]
        records = [record for tree in trees for record in tree.records]
        problems = [problem for tree in trees for problem in tree.problems]
        if len(roots) > 1:
            records, problems = _without_repeats(trees)
        for record in records:
            if record.problems:
                problems += [ScanProblem(record.directory, text) for text in record.problems]
        records.sort(key=_age)
    return ScanResult(records, sorted(problems, key=lambda problem: str(problem.path)))


def _without_repeats(trees: Sequence[_Tree]) -> tuple[list[RunRecord], list[ScanProblem]]:
    """Records and problems of trees that may overlap, each as it was reached first."""
    records: dict[str, RunRecord] = {}
    problems: dict[str, ScanProblem] = {}
    for tree in trees:
        for record in tree.records:
            records.setdefault(tree.real_path(record.path), record)
        for problem in tree.problems:
            problems.setdefault(os.path.realpath(problem.path), problem)
    return list(records.values()), list(problems.values())


@contextlib.contextmanager
def without_garbage_collection() -> Iterator[None]:
    """For work that keeps what it makes: collections would search thousands of records in vain.

    Also a decorator.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    before = gc.get_count()[0]
    try:
        yield
    finally:
        if was_enabled:
            # counting what is frozen takes as long as there is much of it: not for a few records
            is_worth_it = gc.get_count()[0] - before > MANY_OBJECTS
            if is_worth_it and not gc.get_freeze_count():  # else somebody wants it to stay frozen
                gc.freeze()  # counts everything as old, so that the first collection after
                gc.unfreeze()  # this one need not look at all of it either
            gc.enable()


def _age(record: RunRecord) -> str:
    return f"{record.created_at_utc}\0{record.path}"  # one text: quicker to compare than a pair


@dataclass
class _Tree:
    """A folder and what lies below it without following links."""

    link: str  # how it was reached
    real: str  # where it is
    folders: list[str] = field(default_factory=list)  # that were looked into
    records: list[RunRecord] = field(default_factory=list)
    problems: list[ScanProblem] = field(default_factory=list)

    def real_path(self, folder: str) -> str:
        """Where a folder below it is: there are no links on the way."""
        return self.real + folder[len(self.link) :]


class _Scan:
    """One walk through one root and the trees that its links lead to."""

    def __init__(self, root: str, cache: Path | None, now: datetime) -> None:
        self._root = root
        self._prefix = len(os.path.join(root, ""))  # what comes before a path within the root
        self._now = now
        self._index = RunIndex(root, cache, now=now) if cache is not None else None
        self._links = [root]  # that are still to be followed
        self._seen: set[str] = set()  # real paths of the folders in trees that are done

    def trees(self) -> list[_Tree]:
        """The root's tree, then those of links that lead elsewhere."""
        trees: list[_Tree] = []
        while self._links:
            tree = self._walk(self._links.pop())
            trees.append(tree)
            if self._links:  # rarely so: most roots hold no links
                self._seen.update(tree.real_path(folder) for folder in tree.folders)
        if self._index is not None:
            self._index.save()
        return trees

    def _walk(self, link: str) -> _Tree:
        tree = _Tree(link, os.path.realpath(link))
        waiting = [link]
        while waiting:
            folder = waiting.pop()
            if self._seen and tree.real_path(folder) in self._seen:
                continue
            tree.folders.append(folder)
            found = self._read(folder)
            if isinstance(found, RunRecord):
                tree.records.append(found)
                continue
            problem = found or self._enter(folder, tree, waiting)
            if problem is not None:
                tree.problems.append(problem)
        return tree

    def _enter(self, folder: str, tree: _Tree, waiting: list[str]) -> ScanProblem | None:
        """Add the folders within one to those waiting, and links to others to those for later.

        Hidden ones are left out.
        """
        real = tree.real_path(folder)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.is_symlink() and _leads_elsewhere(entry.path, real):
                        self._links.append(entry.path)
        except FileNotFoundError:  # not there, or removed meanwhile
            return None
        except OSError as error:
            return _problem(folder, error)
        return None

    def _read(self, folder: str) -> RunRecord | ScanProblem | None:
        """The run in a folder, why it cannot be read, or None if the folder is no run."""
        path = folder + _METADATA
        name = folder[self._prefix :]
        try:
            outcome = self._index.recall(name, path) if self._index is not None else None
            if outcome is None:
                outcome = self._decoded(name, path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return _problem(path, error)
        except InputError as error:
            return ScanProblem(Path(path), error.message)
        if isinstance(outcome, str):
            return ScanProblem(Path(path), outcome)
        return RunRecord.from_decoded(folder, outcome, now=self._now)

    def _decoded(self, name: str, path: str) -> Decoded | str:
        """What is in a file, or why it cannot be decoded."""
        data, status = read_regular_file(path, limit=LIMIT)
        outcome: Decoded | str
        try:
            outcome = decode(data)
        except InputError as error:
            outcome = error.message
        if self._index is not None:
            self._index.remember(name, status, outcome)
        return outcome


def _problem(path: str, error: OSError) -> ScanProblem:
    return ScanProblem(Path(path), error.strerror or str(error))


def _leads_elsewhere(link: str, folder: str) -> bool:
    """Whether a link leads to a folder, but not to the one that holds it or one above: a loop."""
    target = os.path.realpath(link)
    return os.path.isdir(link) and os.path.commonpath([target, folder]) != target
