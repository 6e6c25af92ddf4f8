"""Files in the user's cache folder: quick to read, and free to be deleted at any time.

A cache never stands in anybody's way. A file that is damaged, was written by another version, or
cannot be read counts as absent, and one that cannot be written is left unwritten, all without a
word: the only cost is time.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

import axiomrl
from axiomrl.errors import AxiomRLError, InputError
from axiomrl.runs import files

_FORMAT = 1  # raise it when what is stored changes its meaning within one version of axiomrl
_LARGEST = 1 << 32  # bytes; an index of a million runs has a third of it
_MOST_INTERVALS = 20_000  # some 3 MB, which take 10 ms to read


def cache_folder() -> Path | None:
    """Where caches lie: `$AXIOMRL_CACHE_DIR`, else `axiomrl` in the platform's folder for them.

    None where no home is known. The folder need not exist.
    """
    chosen = os.environ.get("AXIOMRL_CACHE_DIR")
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or ""
        if not os.path.isabs(base):  # as the XDG base directory specification asks
            base = os.path.join(home, ".cache")
    return Path(base, "axiomrl") if os.path.isabs(base) else None


class IntervalCache:
    """Results that took long to compute: a few numbers each, under a digest of what they rest on.

    `folder` is a cache folder; None keeps nothing. Beyond 20,000 results those that were put in
    first are dropped.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / "intervals.msgpack" if folder is not None else None
        self._known: dict[str, tuple[float, ...]] = self._stored()
        self._added: dict[str, tuple[float, ...]] = {}

    def get(self, digest: str) -> tuple[float, ...] | None:
        """The numbers that were put under a digest, to the last bit; None if they are not there."""
        return self._known.get(digest)

    def put(self, digest: str, values: Sequence[float]) -> None:
        """Keep numbers under a digest, from the next `save` on for other processes too."""
        numbers = tuple(float(value) for value in values)
        self._known[digest] = self._added[digest] = numbers

    def save(self) -> None:
        """Write what was put, beside what others have written meanwhile; nothing if none was."""
        if not self._added or self._path is None:
            return
        merged = list({**self._stored(), **self._added}.items())[-_MOST_INTERVALS:]
        store(self._path, dict(merged))
        self._added.clear()

    def _stored(self) -> dict[str, tuple[float, ...]]:
        return (self._path and load(self._path, dict[str, tuple[float, ...]])) or {}


def load(path: Path, kind: Any) -> Any:
    """What `store` put into a file, as a type of msgspec; None if it is not all there."""
    try:
        data, _ = files.read_regular_file(str(path), limit=_LARGEST)
    except (OSError, InputError):
        return None
    start = data.find(b"\n") + 1
    body = memoryview(data)[start:]
    if data[:start] != _seal(body):
        return None
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def store(path: Path, value: Any) -> None:
    """Replace a cache file, or leave it, if the value or the disk does not allow it."""
    try:
        body = msgspec.msgpack.encode(value)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write_binary(path, _seal(body), body, durable=False)
    except (OSError, AxiomRLError, UnicodeEncodeError, OverflowError):
        return


def _seal(body: bytes | memoryview) -> bytes:
    """The first line of a file: nothing written elsewhere or damaged since begins with it."""
    versions = f"axiomrl={axiomrl.__version__} msgspec={msgspec.__version__} format={_FORMAT}"
    return f"cache {versions} length={len(body)} crc32={zlib.crc32(body):08x}\n".encode()
