"""Waiting for one's turn: a lock file that one process, or one thread, holds at a time."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axiomrl.errors import AxiomRLError
from axiomrl.runs.files import open_lock_file

PATIENCE_S = 60.0  # what the lock protects takes milliseconds
_SHORTEST_PAUSE_S = 0.001
_LONGEST_PAUSE_S = 0.02


@contextmanager
def locked(path: Path, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the lock file `path` (made if missing) for a block, once everybody else is done.

    The lock ends with the process, however it ends. The file stays: removing it would let two
    processes lock two files of one name. Raises AxiomRLError if the lock is not free within
    `patience_s`, or if the file system has no locks.
    """
    handle = open_lock_file(path)
    try:
        _wait_for(handle, path, patience_s)
        try:
            yield
        finally:
            _unlock(handle)  # explicitly: a forked child may hold a copy of the handle
    finally:
        os.close(handle)


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock file `path` for a block unless somebody else has it; says whether it is held.

    Raises AxiomRLError if the file system has no locks.
    """
    handle = open_lock_file(path)
    try:
        is_held = _is_locked_by_us(handle, path)
        try:
            yield is_held
        finally:
            if is_held:
                _unlock(handle)
    finally:
        os.close(handle)


def _wait_for(handle: int, path: Path, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    pause = _SHORTEST_PAUSE_S
    while not _is_locked_by_us(handle, path):
        if time.monotonic() > deadline:
            raise AxiomRLError(
                f"{path}: has been locked by another process for {patience_s:g} seconds",
                hint="a process that uses this folder hangs or is stopped; end it, then try again",
            )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _is_locked_by_us(handle: int, path: Path) -> bool:
    """Whether an attempt to lock succeeded; False while another has the lock."""
    try:
        _try_to_lock(handle)
    except (BlockingIOError, PermissionError):  # the latter is what Windows says
        return False
    except OSError as error:
        raise AxiomRLError(
            f"{path}: cannot be locked: {error.strerror or error}",
            hint="choose a folder on a file system that has locks, such as a local disk",
        ) from error
    return True


if sys.platform == "win32":
    import msvcrt

    def _try_to_lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

    def _unlock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_to_lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)
