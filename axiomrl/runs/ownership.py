"""Who may write a run directory: one living process at a time.

The writer holds an advisory lock on the directory itself, so that nothing lies around after it;
metadata.json names its process and carries a heartbeat, for other machines and for readers.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from axiomrl.errors import RunAliveError
from axiomrl.runs import files, layout
from axiomrl.runs.provenance import is_alive

HEARTBEAT_PATIENCE = timedelta(minutes=15)
"""How old a heartbeat from another machine may be before its run counts as dead."""

_held: set[int] = set()


class DirectoryLock:
    """An exclusive lock that ends with the process, however it ends.

    Where the file system knows no locks (some network mounts, Windows), it locks nothing and the
    process named in metadata.json has to do.
    """

    def __init__(self, directory: Path) -> None:
        """Raises RunAliveError if another holds it."""
        self._handle = -1
        try:
            import fcntl
        except ImportError:
            return
        handle = os.open(directory, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise RunAliveError(f"{directory}: another process is writing this run") from error
        except OSError:
            os.close(handle)
            return
        self._handle = handle
        _held.add(handle)

    def release(self) -> None:
        """Let others have it; releasing twice is allowed."""
        if self._handle in _held:  # not so in a forked worker, which has given it up
            _held.discard(self._handle)
            os.close(self._handle)
        self._handle = -1


def refuse_if_alive(directory: Path, metadata: Mapping[str, Any], *, now: datetime) -> None:
    """Raises RunAliveError, naming process and machine, if the run is being written."""
    if metadata.get("status") != "running" or looks_dead(metadata, now=now):
        return
    raise alive_error(directory, metadata)


def alive_error(directory: Path, metadata: Mapping[str, Any]) -> RunAliveError:
    """The error that names who writes a run."""
    process = _mapping(metadata.get("process"))
    host = _mapping(metadata.get("system")).get("hostname") or "an unknown machine"
    hint = "stop that process first, or wait until it has ended"
    if host != socket.gethostname():
        minutes = int(HEARTBEAT_PATIENCE.total_seconds() // 60)
        hint += f" (on another machine: until its heartbeat is {minutes} minutes old)"
    return RunAliveError(
        f"{directory}: the run is being written by process {process.get('pid', '?')} on {host}",
        hint=hint,
    )


def looks_dead(metadata: Mapping[str, Any], *, now: datetime) -> bool:
    """Whether a run whose stored status is `running` is no longer being written.

    On this machine the process decides. For another machine, or a record without a process, the
    heartbeat does; without either the run gets the benefit of the doubt.
    """
    process = _mapping(metadata.get("process"))
    host = _mapping(metadata.get("system")).get("hostname")
    if process.get("pid") is not None and host in (None, socket.gethostname()):
        return not is_alive(process)
    heartbeat = _instant(metadata.get("heartbeat_utc"))
    return heartbeat is not None and now - heartbeat > HEARTBEAT_PATIENCE


def declare_dead(directory: Path, writer: Mapping[str, Any]) -> None:
    """Let a run go on although its heartbeat, on another machine, is young.

    For those who know that `writer` (`process` of metadata.json, and `hostname`) is gone; a run
    that another process writes, or none, is left as it is. Raises RunAliveError if the lock says
    that somebody writes it.
    """
    lock = DirectoryLock(directory) if directory.is_dir() else None
    try:
        path = directory / layout.METADATA
        metadata = files.read_json(path) if lock is not None and path.exists() else {}
        process = _mapping(metadata.get("process"))
        known = {**process, "hostname": _mapping(metadata.get("system")).get("hostname")}
        keys = ("pid", "start_time", "boot_id", "hostname")
        if metadata.get("status") == "running" and all(
            known.get(key) == writer.get(key) for key in keys
        ):
            files.write_json(path, {**metadata, "status": "interrupted"})
    finally:
        if lock is not None:
            lock.release()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _instant(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return instant


def _drop_inherited_locks() -> None:
    """A forked worker must not keep the lock of a trainer that was killed."""
    while _held:
        os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_inherited_locks)
