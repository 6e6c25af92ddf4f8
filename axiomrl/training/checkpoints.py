"""Training states as files: tensors and plain containers only.

NumPy arrays become tensors on the way out and arrays again on the way in. A file is one that
`torch.load` reads, with a SHA-256 of it in the zip archive's comment: the archive's own checksums
cover its entries only, and one flipped bit in its directory makes torch return uninitialised
memory. Files are read after that digest has been verified, and nothing but plain containers and
tensors is (see `torch_format`), so a checkpoint from a stranger cannot run code and a damaged one
is never half read.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from axiomrl.errors import CheckpointError
from axiomrl.runs.sealing import is_sealed, sealed
from axiomrl.training import torch_format

FORMAT = 1
REQUIRED = ("format", "algo", "env_id", "counters", "algorithm", "environments", "positions")


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a training state."""
    path.write_bytes(sealed(torch_format.dumps(_plain({"format": FORMAT, **state}))))


def load(path: Path) -> dict[str, Any]:
    """Read a training state.

    Raises CheckpointError when the file is missing, damaged, of a newer format, no training
    state, or holds pickled classes (nothing of which is executed).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    if not is_sealed(data):
        raise _damaged(path)
    try:
        state = torch_format.loads(data)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: holds something other than tensors and plain containers; refused",
            hint="axiomrl never writes such files; nothing in it was executed",
        ) from error
    except Exception as error:  # a file made to look like a checkpoint can raise anything
        raise _damaged(path) from error
    if not isinstance(state, dict) or any(key not in state for key in REQUIRED):
        raise CheckpointError(f"{path}: is not a training state of axiomrl")
    if not isinstance(state["format"], int) or state["format"] > FORMAT:
        raise CheckpointError(
            f"{path}: has format {state['format']}, this axiomrl reads up to {FORMAT}",
            hint="upgrade axiomrl",
        )
    return state


def is_valid(path: Path) -> bool:
    """Whether the file reads as a training state."""
    try:
        load(path)
    except CheckpointError:
        return False
    return True


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path}: is no checkpoint, or is truncated or damaged",
        hint="`axiomrl resume RUN_DIRECTORY` picks the newest one that is whole",
    )


def _plain(value: Any) -> Any:
    """The state with torch's tensors as arrays and NumPy's scalars as Python's."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "detach"):
        return value.detach().cpu().numpy()
    return value
