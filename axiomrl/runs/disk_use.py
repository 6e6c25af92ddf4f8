"""How much room files and folders take."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DiskUse:
    """A number of files and the bytes in them."""

    files: int = 0
    bytes: int = 0

    def __add__(self, other: DiskUse) -> DiskUse:
        return DiskUse(self.files + other.files, self.bytes + other.bytes)


def use_of(paths: Iterable[Path]) -> DiskUse:
    """What some files take; links count as themselves, and what is gone counts nothing."""
    files, size = 0, 0
    for path in paths:
        try:
            size += os.lstat(path).st_size
        except OSError:
            continue
        files += 1
    return DiskUse(files, size)


def use_of_folder(folder: Path) -> DiskUse:
    """What all files below a folder take; links are not followed."""
    found = [
        Path(parent, name) for parent, _, names in os.walk(folder, followlinks=False)
        for name in names
    ]  # fmt: skip
    return use_of(found)
