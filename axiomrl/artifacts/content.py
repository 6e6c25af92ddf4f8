"""The bytes of artifacts: read in pieces, counted, hashed, and checked before they count."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from axiomrl.artifacts.reference import ArtifactRef
from axiomrl.config.secrets import mask_text
from axiomrl.errors import ArtifactDamagedError, ArtifactError, AxiomRLError, InputError
from axiomrl.runs import files

PIECE_BYTES = 1 << 20  # how much of a file is in memory at a time


def describe(url: str, key: str, source: Path) -> ArtifactRef:
    """The reference that a file will have once it is stored.

    Raises InputError if it is missing, a folder, or no regular file.
    """
    size, sha256 = _measure(read_source(source))
    return ArtifactRef(url=url, key=key, size=size, sha256=sha256)


def matches(ref: ArtifactRef, pieces: Iterable[bytes]) -> bool:
    """Whether pieces of content add up to what a reference promises."""
    return _measure(pieces) == (ref.size, ref.sha256)


def file_matches(ref: ArtifactRef, path: Path) -> bool:
    """Whether a file is what a reference promises; a missing one is not."""
    if not path.is_file() or path.stat().st_size != ref.size:
        return False
    return matches(ref, read_source(path))


def read_source(source: Path) -> Iterator[bytes]:
    """A local file in pieces; raises InputError if it cannot be read or is no regular file."""
    try:
        # a pipe that nobody writes to would block
        handle = os.open(source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {reason(error)}") from error
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise InputError(f"{source}: is {kind}; artifacts are files")
    with os.fdopen(handle, "rb", buffering=0) as stream, named_failures(str(source), "read"):
        while piece := stream.read(PIECE_BYTES):
            yield piece


def write_copy(source: Path, ref: ArtifactRef) -> Callable[[Path], None]:
    """A `write(path)` that copies a file, and refuses if it is no longer what `ref` says."""

    def write(path: Path) -> None:
        if _write(path, read_source(source)) != (ref.size, ref.sha256):
            raise changed(source)

    return write


def receive(ref: ArtifactRef, destination: Path, pieces: Iterable[bytes]) -> Path:
    """Make a file of what was fetched, if it is what the reference promises.

    Raises ArtifactDamagedError if not, AxiomRLError if the file cannot be written; both leave a
    file that was there before as it was.
    """
    if destination.is_dir():
        raise InputError(f"{destination}: is a folder; name the file to write")

    def write(path: Path) -> None:
        size, sha256 = _write(path, _at_most(ref.size, pieces))
        if size != ref.size:
            more = "more than " if size > ref.size else ""
            raise _damaged(ref, f"it has {more}{min(size, ref.size)} bytes instead of {ref.size}")
        if sha256 != ref.sha256:
            raise _damaged(ref, f"its SHA-256 is {sha256[:12]}… instead of {ref.sha256[:12]}…")

    make_folder(destination.parent)
    files.write_atomically(destination, write)
    return destination


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; raises AxiomRLError if that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.cannot_write(folder, error) from error


def changed(source: Path) -> ArtifactError:
    """The error for a file that is being written while it is stored."""
    return ArtifactError(
        f"{source}: has changed while it was being stored; nothing was stored",
        hint="try again once nothing writes to it",
    )


@contextmanager
def named_failures(what: str, done: str) -> Iterator[None]:
    """Within the block, whatever fails is an ArtifactError: `<what>: cannot be <done>: …`.

    Libraries of remote stores raise errors of many kinds; the original stays as its cause.
    """
    try:
        yield
    except AxiomRLError:
        raise
    except Exception as error:
        raise ArtifactError(f"{what}: cannot be {done}: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """Why something failed, in one line and without secrets."""
    text = (getattr(error, "strerror", None) or str(error)).strip()
    first = text.splitlines()[0] if text else ""
    return mask_text(first) or type(error).__name__


def _measure(pieces: Iterable[bytes]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


def _write(path: Path, pieces: Iterable[bytes]) -> tuple[int, str]:
    """Write pieces to a file; returns their size and SHA-256."""
    with path.open("wb") as stream:
        return _measure(_passed_on(pieces, stream.write))


def _passed_on(pieces: Iterable[bytes], write: Callable[[bytes], object]) -> Iterator[bytes]:
    for piece in pieces:
        write(piece)
        yield piece


def _at_most(size: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces up to the first that makes them too many: nothing is gained by more."""
    left = size
    for piece in pieces:
        yield piece
        left -= len(piece)
        if left < 0:
            return


def _damaged(ref: ArtifactRef, fault: str) -> ArtifactDamagedError:
    return ArtifactDamagedError(
        f"{ref.uri}: is not what was stored: {fault}",
        hint="it was replaced or damaged since; nothing was written",
    )
