"""What a checkpoint file says of itself, found without torch.

The file is a zip archive whose comment holds a SHA-256 of the rest of it. Inside, `data.pkl` is
a pickle of plain containers; the bytes of tensors lie beside it.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axiomrl.errors import CheckpointError

_MARK = b"axiomrl sha256 "
_MARK_SIZE = len(_MARK) + 2 * hashlib.sha256().digest_size  # the digest in hexadecimal


def sealed(archive: bytes) -> bytes:
    """A zip archive without comment, with its SHA-256 as comment."""
    # an archive ends with the length of its comment, two bytes, and the comment
    whole = archive[:-2] + _MARK_SIZE.to_bytes(2, "little")
    return whole + _mark(whole)


def is_sealed(data: bytes) -> bool:
    """Whether the bytes are an archive that is as it was when it was sealed."""
    return data[-_MARK_SIZE:] == _mark(data[:-_MARK_SIZE])


@dataclass(frozen=True)
class Outline:
    """What of a checkpoint concerns other files."""

    best_step: int | None  # of which it says that it was the best so far
    replay_files: frozenset[str]  # names of the files, beside it, that hold its replay rows


def outline(path: Path) -> Outline:
    """What a checkpoint says of other files; nothing in it is executed.

    Raises CheckpointError if it cannot be read, is damaged or is no training state.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    if not is_sealed(data):
        raise CheckpointError(f"{path}: is no checkpoint, or is truncated or damaged")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            name = next(each for each in archive.namelist() if each.endswith("/data.pkl"))
            state = _Skeleton(io.BytesIO(archive.read(name))).load()
        best_step = _integer(state["counters"].get("best_step"))
        entries = (state.get("replay") or {}).get("segments") or []
        return Outline(best_step, frozenset(str(entry["file"]) for entry in entries))
    except Exception as error:  # a file made to look like a checkpoint can raise anything
        raise CheckpointError(f"{path}: is not a training state of axiomrl") from error


def _mark(archive: bytes) -> bytes:
    return _MARK + hashlib.sha256(archive).hexdigest().encode("ascii")


def _integer(value: Any) -> int | None:
    return value if type(value) is int else None


class _Skeleton(pickle.Unpickler):
    """Reads plain containers, numbers and texts; every tensor becomes None."""

    def find_class(self, module: str, name: str) -> Any:
        """Stand-ins for what tensors are made of; raises UnpicklingError for anything else."""
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _no_tensor
        if module == "torch" and name.endswith("Storage"):
            return None
        raise pickle.UnpicklingError(f"{module}.{name} is refused")

    def persistent_load(self, identity: Any) -> None:
        """The bytes of a tensor, which are not read."""


def _no_tensor(*arguments: Any) -> None:
    """What `_rebuild_tensor_v2` makes here."""
