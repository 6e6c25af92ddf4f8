"""Artifacts as files below a folder of this machine, or of a disk that it has mounted."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from axiomrl.artifacts import content
from axiomrl.artifacts.keys import check_key
from axiomrl.artifacts.reference import ArtifactRef
from axiomrl.errors import ArtifactConflictError, ArtifactNotFoundError, InputError
from axiomrl.runs import files

ABANDONED_AFTER_S = 24 * 3600.0
"""A temporary file that nobody has written to for so long belongs to a killed process."""


class LocalBackend:
    """An `ArtifactBackend` in a folder, which the first `put` makes.

    A file is written under a temporary name beside its own and renamed. Of processes that put
    different content under one key at once, exactly one succeeds (on file systems that know hard
    links). Links inside the folder are followed as long as they lead to places inside it.
    """

    def __init__(self, root: Path | str, *, now: Callable[[], float] = time.time) -> None:
        """Raises InputError if the root is there and is no folder."""
        self.root = Path(os.path.abspath(Path(root).expanduser()))
        self._now = now
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f"{self.root}: is a file; artifacts are kept in a folder")

    @property
    def url(self) -> str:
        """`file://` and the folder."""
        return self.root.as_uri()

    def put(self, key: str, source: Path, *, overwrite: bool = False) -> ArtifactRef:
        """Copy a file to its place; see `ArtifactBackend.put`."""
        path = self._path(key)
        ref = content.describe(self.url, key, source)
        if content.file_matches(ref, path):
            return ref
        if path.exists() and (not overwrite or path.is_dir()):
            raise _conflict(ref, path)
        content.make_folder(path.parent)
        self._path(key)  # once more: a link may have been made meanwhile
        self._remove_abandoned(path)
        write = content.write_copy(source, ref)
        try:
            files.write_atomically(path, write, replace=overwrite)
        except FileExistsError as error:  # somebody else was quicker
            if not content.file_matches(ref, path):
                raise _conflict(ref, path) from error
        return ref

    def fetch(self, ref: ArtifactRef, destination: Path) -> Path:
        """Copy a file from its place; see `ArtifactBackend.fetch`."""
        path = self._path(ref.key)
        if not path.is_file():
            raise ArtifactNotFoundError(f"{ref.uri}: there is no such artifact")
        return content.receive(ref, destination, content.read_source(path))

    def exists(self, ref: ArtifactRef) -> bool:
        """See `ArtifactBackend.exists`."""
        path = self._path(ref.key)
        with content.named_failures(ref.uri, "looked up"):
            return path.is_file() and path.stat().st_size == ref.size

    def delete(self, ref: ArtifactRef) -> None:
        """Remove the file; folders stay. See `ArtifactBackend.delete`."""
        path = self._path(ref.key)
        with content.named_failures(ref.uri, "deleted"):
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        """Where a key's file lies; raises InputError if links lead out of the root."""
        path = self.root / check_key(key)
        root = os.path.realpath(self.root)
        if os.path.commonpath([root, os.path.realpath(path)]) != root:
            raise InputError(
                f"{path}: leads out of {self.root} through a link",
                hint="artifacts are kept inside their folder; remove the link",
            )
        return path

    def _remove_abandoned(self, path: Path) -> None:
        """Remove what killed processes have left of this file."""
        with content.named_failures(str(path), "stored"):
            for left in path.parent.glob(f".{path.name}.*.tmp"):
                with contextlib.suppress(FileNotFoundError):  # another put has finished
                    if self._now() - left.stat().st_mtime > ABANDONED_AFTER_S:
                        left.unlink()


def _conflict(ref: ArtifactRef, path: Path) -> ArtifactConflictError:
    what = "a folder" if path.is_dir() else "something else"
    return ArtifactConflictError(f"{ref.uri}: there is {what} already, which was left as it is")
