"""Atomic JSON, JSONL, CSV and copies: the only module that writes these formats.

A reader, or a process that is killed, sees the old file or the new one, never half of one.
Temporary files lie in the same folder, begin with a dot and end in `.tmp`; a write that fails
removes its own, and `remove_stale_temporaries` those of killed processes.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import itertools
import json
import math
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from axiomrl.errors import AxiomRLError, InputError

_TEMPORARY_NAME = re.compile(r"\..+\.\d+-\d+\.tmp")
_PENDING_LIMIT = 1 << 16  # bytes held back before an append file is flushed by itself
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_READ_ATTEMPTS = 3  # of a file that changes its length while it is read

_counter = itertools.count()
_encode_row = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False).encode


def write_json(path: Path, value: Any, *, durable: bool = True) -> int:
    """Replace a JSON file; NaN and infinities become null, and their number is returned."""
    strict, replaced = _strict(value)
    write_text(path, json.dumps(strict, ensure_ascii=False, indent=2) + "\n", durable=durable)
    return replaced


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace a text file (UTF-8; what UTF-8 cannot hold is written as an escape)."""
    data = text.encode("utf-8", "backslashreplace")

    def write(temporary: Path) -> None:
        temporary.write_bytes(data)

    write_atomically(path, write, durable=durable)


def write_binary(path: Path, *parts: bytes, durable: bool = True) -> None:
    """Replace a file by bytes, given in any number of parts."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            stream.writelines(parts)

    write_atomically(path, write, durable=durable)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Replace a CSV file: a header and rows, lines ended by a newline alone."""

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)

    write_atomically(path, write)


def copy_atomically(source: Path, destination: Path) -> None:
    """Make `destination` a copy of `source`, replacing what was there."""

    def write(temporary: Path) -> None:
        shutil.copyfile(source, temporary)

    write_atomically(destination, write)


def write_atomically(
    path: Path,
    write: Callable[[Path], None],
    *,
    durable: bool = True,
    replace: bool = True,
) -> None:
    """Replace a file by what `write(temporary_path)` produces.

    `durable` also forces file and folder to the disk, so that a power cut cannot undo it.
    Without `replace`, a file that is there stays, and FileExistsError is raised.
    Raises AxiomRLError, naming the path, when the file system refuses; what `write` itself
    raises passes through. In all cases the old file is untouched and no other is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{next(_counter)}.tmp")
    try:
        write(temporary)
        if durable:
            _sync(temporary, os.O_RDWR)
        (os.replace if replace else _move_to_free_name)(temporary, path)
        if durable and os.name != "nt":
            _sync(path.parent, os.O_RDONLY)
    except BaseException as error:
        with contextlib.suppress(OSError):  # what went wrong first is the error to show
            temporary.unlink()
        if isinstance(error, OSError) and (replace or not isinstance(error, FileExistsError)):
            raise cannot_write(path, error) from error
        raise


def stale_temporaries(folder: Path, *, of: str | None = None) -> list[Path]:
    """What killed writers left in a folder, or left there of the one file `of`.

    While somebody writes there, it may be one that is being written.
    """
    kind = _TEMPORARY_NAME if of is None else re.compile(rf"\.{re.escape(of)}\.\d+-\d+\.tmp")
    return [folder / name for name in sorted(os.listdir(folder)) if kind.fullmatch(name)]


def remove_stale_temporaries(folder: Path, *, of: str | None = None) -> None:
    """Remove what killed writers left in a folder, or left there of the one file `of`.

    Only the owner of the folder, or of that file, may call this.
    """
    for path in stale_temporaries(folder, of=of):
        path.unlink(missing_ok=True)


def is_temporary(name: str) -> bool:
    """Whether a file of this name is one that was being written when its process was killed."""
    return _TEMPORARY_NAME.fullmatch(name) is not None


def open_lock_file(path: Path) -> int:
    """The handle of an empty file to take locks on; the file and its folder are made if missing.

    It is opened for writing because network file systems grant exclusive locks on nothing else.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> AxiomRLError:
    """The error that says which file could not be written, why, and what to do."""
    hint = "check that the folder exists and that you may write to it"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        hint = "make room on that disk or raise its limit; what was there before is intact"
    reason = error.strerror or type(error).__name__
    return AxiomRLError(f"{path}: cannot be written: {reason}", hint=hint)


def read_json(path: Path) -> Any:
    """The content of a JSON file; raises OSError or ValueError."""
    return json.loads(path.read_bytes())


def read_regular_file(path: str, *, limit: int) -> tuple[bytes, os.stat_result]:
    """The content of a file, and what the system said of that very file before it was read.

    Raises OSError, or InputError (the reason alone, without the path) for what is no regular
    file, such as a pipe that would be waited for, and for more than `limit` bytes.
    """
    handle = os.open(path, _READ_FLAGS)
    try:
        for _ in range(_READ_ATTEMPTS):
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise InputError("is no regular file")
            if status.st_size > limit:
                raise InputError(f"is too large: {status.st_size:,} bytes, at most {limit:,}")
            data = os.read(handle, status.st_size + 1)
            while len(data) < status.st_size and (more := os.read(handle, status.st_size)):
                data += more
            if len(data) == status.st_size:
                break
            os.lseek(handle, 0, os.SEEK_SET)
        return data, status
    finally:
        os.close(handle)


def plain_number(value: Any) -> Any:
    """A numpy or torch scalar as the Python number it holds; anything else as it is."""
    if type(value) is float or type(value) is int:
        return value
    item = getattr(value, "item", None)
    return item() if callable(item) else value


class AppendFile:
    """A file that grows by whole records, whose length at any moment can be returned to.

    Records are held back until `flush`, or until 64 KiB have gathered. After a write that fails
    halfway (a full disk) the file is cut back to the last whole flush.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pending = bytearray()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise cannot_write(path, error) from error
        self._written = os.fstat(self._file).st_size

    @property
    def length(self) -> int:
        """Bytes in the file once everything pending is flushed."""
        return self._written + len(self._pending)

    def append(self, data: bytes) -> None:
        """Add one record."""
        self._pending += data
        if len(self._pending) > _PENDING_LIMIT:
            self.flush()

    def flush(self, *, durable: bool = False) -> None:
        """Hand pending records to the operating system, and to the disk if `durable`."""
        try:
            if self._pending:
                self._write_pending()
            if durable:
                os.fsync(self._file)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def truncate(self, length: int) -> None:
        """Drop everything after `length` bytes, pending records too."""
        self._pending.clear()
        try:
            os.ftruncate(self._file, length)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._written = length

    def close(self) -> None:
        """Flush and close; closing twice is allowed."""
        if self._file < 0:
            return
        try:
            self.flush()
        finally:
            os.close(self._file)
            self._file = -1

    def _write_pending(self) -> None:
        try:
            rest = memoryview(bytes(self._pending))
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, self._written)
            raise
        self._written += len(self._pending)
        self._pending.clear()


class JsonLines(AppendFile):
    """One JSON object per line. Opening drops a last line that a killed writer left torn."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if self._written:
            self._drop_torn_line()

    def append_row(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Add one object; returns the keys whose number was not finite and became null."""
        try:
            self.append(_encode_row(row).encode() + b"\n")
        except (ValueError, TypeError):
            strict, _ = _strict(row)
            self.append(_encode_row(strict).encode("utf-8", "backslashreplace") + b"\n")
            return tuple(key for key, value in row.items() if _is_not_finite(value))
        return ()

    def _drop_torn_line(self) -> None:
        end = self._written
        while end:
            start = max(0, end - 4096)
            newline = os.pread(self._file, end - start, start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < self._written:
            self.truncate(end)


def _strict(value: Any) -> tuple[Any, int]:
    """The value in JSON's own types, and how many numbers in it were not finite."""
    if isinstance(value, Mapping):
        pairs = [(str(key), _strict(item)) for key, item in value.items()]
        return {key: item for key, (item, _) in pairs}, sum(count for _, (_, count) in pairs)
    if isinstance(value, list | tuple):
        items = [_strict(item) for item in value]
        return [item for item, _ in items], sum(count for _, count in items)
    if value is None or isinstance(value, str | bool):
        return value, 0
    if isinstance(value, os.PathLike):
        return os.fspath(value), 0
    number = plain_number(value)
    return (None, 1) if _is_not_finite(number) else (number, 0)


def _is_not_finite(value: Any) -> bool:
    number = plain_number(value)
    return isinstance(number, float) and not math.isfinite(number)


def _move_to_free_name(temporary: Path, path: Path) -> None:
    """Rename a file unless the new name is taken: then FileExistsError is raised."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError as error:  # no hard links here: between look and move another may come first
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        os.replace(temporary, path)
    else:
        os.unlink(temporary)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
