"""Artifacts in whatever fsspec reaches: `s3://`, `gs://`, `sftp://`, `memory://` and others."""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from axiomrl.artifacts import content
from axiomrl.artifacts.keys import check_key
from axiomrl.artifacts.reference import ArtifactRef
from axiomrl.config.secrets import mask_text
from axiomrl.errors import (
    ArtifactConflictError,
    ArtifactNotFoundError,
    InputError,
    did_you_mean,
)

PART_BYTES = 16 << 20  # of large uploads and downloads
_PARTS_AT_ONCE = 4

# An object appears when its upload is complete, and can be asked not to replace another.
_OBJECT_STORES = {"s3", "s3a", "gs", "gcs"}

# Everywhere else, and among the threads of this process, one move at a time.
_moving = threading.Lock()


class FsspecBackend:
    """An `ArtifactBackend` below a URL; `options` go to the file system (see fsspec).

    S3 and Google Cloud Storage make an object visible when its upload is complete, and refuse to
    replace one that came first. On other file systems a file is uploaded under a temporary name
    and moved; there, of two *processes* that put different content under one key at the same
    time, the later one wins, and fetching what the other one stored raises ArtifactDamagedError.
    """

    def __init__(self, url: str, **options: Any) -> None:
        """Raises InputError for an unknown scheme, a missing package or a URL without a place."""
        self._scheme = urlsplit(url).scheme
        self.url = _without_password(url)
        self._file_system, root = _open_file_system(url, self.url, self._scheme, options)
        self._root = root.rstrip("/")
        if not self._root and self._scheme in _OBJECT_STORES:
            raise InputError(f"{url}: names no bucket", hint=f"write {self._scheme}://BUCKET/PATH")

    def put(self, key: str, source: Path, *, overwrite: bool = False) -> ArtifactRef:
        """Upload a file; see `ArtifactBackend.put`."""
        path = self._path(key)
        before = _state(source)
        ref = content.describe(self.url, key, source)
        with content.named_failures(ref.uri, "stored"):
            if self._has_same(ref, path, or_else_conflict=not overwrite):
                return ref
            if self._scheme in _OBJECT_STORES:
                self._upload_object(path, source, ref, overwrite=overwrite)
            else:
                self._upload_and_move(path, source, ref, overwrite=overwrite)
            if _state(source) != before:
                self._file_system.rm_file(path)
                raise content.changed(source)
        return ref

    def fetch(self, ref: ArtifactRef, destination: Path) -> Path:
        """Download a file; see `ArtifactBackend.fetch`."""
        path = self._path(ref.key)
        with content.named_failures(ref.uri, "fetched"):
            if self._size(path) is None:
                raise ArtifactNotFoundError(f"{ref.uri}: there is no such artifact")
        return content.receive(ref, destination, self._read(path, ref))

    def exists(self, ref: ArtifactRef) -> bool:
        """See `ArtifactBackend.exists`."""
        path = self._path(ref.key)
        with content.named_failures(ref.uri, "looked up"):
            return self._size(path) == ref.size

    def delete(self, ref: ArtifactRef) -> None:
        """Remove an object; see `ArtifactBackend.delete`."""
        path = self._path(ref.key)
        with content.named_failures(ref.uri, "deleted"), contextlib.suppress(FileNotFoundError):
            if self._size(path) is not None:
                self._file_system.rm_file(path)

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    def _size(self, path: str) -> int | None:
        """How large the object is; None if there is none, or a folder."""
        self._file_system.invalidate_cache()  # others may have written since it was filled
        try:
            found = self._file_system.info(path)
        except FileNotFoundError:
            return None
        return int(found["size"]) if found["type"] == "file" else None

    def _has_same(self, ref: ArtifactRef, path: str, *, or_else_conflict: bool) -> bool:
        """Whether the content is there already; raises ArtifactConflictError for other content."""
        size = self._size(path)
        if size is None:
            return False
        if size == ref.size and content.matches(ref, self._read(path, ref)):
            return True
        if or_else_conflict:
            raise ArtifactConflictError(
                f"{ref.uri}: there is something else already, which was left as it is"
            )
        return False

    def _upload_object(self, path: str, source: Path, ref: ArtifactRef, *, overwrite: bool) -> None:
        limits = {"chunksize": PART_BYTES}
        if self._scheme in ("s3", "s3a"):
            limits["max_concurrency"] = _PARTS_AT_ONCE
        mode = "overwrite" if overwrite else "create"
        try:
            self._file_system.put_file(str(source), path, mode=mode, **limits)
        except OSError as error:
            if overwrite or not _says_taken(error):
                raise
            if not self._has_same(ref, path, or_else_conflict=True):
                raise  # it was not there first after all

    def _upload_and_move(
        self, path: str, source: Path, ref: ArtifactRef, *, overwrite: bool
    ) -> None:
        system = self._file_system
        folder, name = posixpath.split(path)
        temporary = f"{folder}/.{name}.{uuid.uuid4().hex}.tmp"
        if folder.strip("/"):
            system.makedirs(folder, exist_ok=True)
        try:
            system.put_file(str(source), temporary)
            with _moving:
                if not self._has_same(ref, path, or_else_conflict=not overwrite):
                    system.mv(temporary, path)
                    return
            system.rm_file(temporary)
        except BaseException:
            with contextlib.suppress(Exception):  # what went wrong first is the error to show
                system.rm_file(temporary)
            raise

    def _read(self, path: str, ref: ArtifactRef) -> Iterator[bytes]:
        """An object in pieces."""
        with content.named_failures(ref.uri, "read"):
            if self._scheme == "memory":
                # all who open one of its files share one position in it
                yield self._file_system.store[path].getvalue()
                return
            with self._file_system.open(path=path, mode="rb", block_size=PART_BYTES) as stream:
                while piece := stream.read(content.PIECE_BYTES):
                    yield piece


def _open_file_system(
    url: str, shown: str, scheme: str, options: dict[str, Any]
) -> tuple[Any, str]:
    """The file system that fsspec has for a URL, and the path in it."""
    try:
        import fsspec
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise _missing(shown, "fsspec") from error
    if "::" in url:
        raise InputError(f"{shown}: chained URLs cannot hold artifacts")
    known = fsspec.available_protocols()
    if scheme not in known:
        hint = did_you_mean(scheme, known)
        raise InputError(f"{shown}: nothing is known of {scheme}://", hint=hint)
    configured = fsspec.config.conf.get(scheme, {})  # from FSSPEC_… variables and fsspec's files
    if scheme in ("s3", "s3a") and "config_kwargs" not in configured:
        # botocore's own attempts would multiply with ours
        options = {"config_kwargs": {"retries": {"total_max_attempts": 1}}, **options}
    try:
        file_system, path = url_to_fs(url, **options)
    except ImportError as error:
        raise _missing(shown, content.reason(error)) from error
    except Exception as error:
        raise InputError(f"{shown}: cannot be opened: {content.reason(error)}") from error
    return file_system, path


def _missing(shown: str, what: str) -> InputError:
    return InputError(
        f"{shown}: a package is missing: {what}",
        hint="s3:// needs: pip install 'axiomrl[cloud]'",
    )


def _without_password(url: str) -> str:
    """The URL as it may be written down: it keeps a user's name, and no other credentials."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    kept = f"{name}@{host}" if name else host
    return mask_text(urlunsplit(parts._replace(netloc=kept)).rstrip("/")) if host else url


def _state(source: Path) -> tuple[int, int, int]:
    """What changes when somebody writes or replaces a file."""
    try:
        found = os.stat(source)
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {content.reason(error)}") from error
    return found.st_ino, found.st_size, found.st_mtime_ns


def _says_taken(error: OSError) -> bool:
    """Whether a store refused to replace an object (some say only that a condition failed)."""
    return isinstance(error, FileExistsError) or error.errno in (errno.EEXIST, errno.EINVAL)
