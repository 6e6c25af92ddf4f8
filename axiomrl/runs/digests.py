"""Digests of the files of a run that reports are made from."""

from __future__ import annotations

import hashlib
import os

from axiomrl.errors import InputError
from axiomrl.runs import layout
from axiomrl.runs.files import read_regular_file

DIGESTED = (layout.METADATA, layout.METRICS)
_LIMIT = 1 << 30  # bytes, as for reading metrics


def digests_of(directory: str) -> dict[str, str | None]:
    """SHA-256 of the bytes of each of DIGESTED, as hex; None where a file cannot be read."""
    return {name: _digest(os.path.join(directory, name)) for name in DIGESTED}


def _digest(path: str) -> str | None:
    try:
        data, _ = read_regular_file(path, limit=_LIMIT)
    except (OSError, InputError):
        return None
    return hashlib.sha256(data).hexdigest()
