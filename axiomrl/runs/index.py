"""An index of the metadata below one folder, so that runs which did not change are not read again.

It lies in the user's cache folder. An entry counts only while the system says of its file what it
said when that was read; deleting the index changes nothing but the time that the next scan takes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from axiomrl.runs import cache
from axiomrl.runs.metadata import Decoded

_SETTLED_AFTER = timedelta(seconds=2)  # the coarsest time stamps in use (FAT) have steps of 2 s
_WORTH_WRITING = 100  # writing one entry costs a hundredth of reading one file again
_MOST_FILES = 100  # indexes that are kept: one for every folder of runs that was looked at
_NAME = re.compile(r"\.?[0-9a-f]{32}\.msgpack(\.\d+-\d+\.tmp)?")  # ours, and those being written


class Entry(msgspec.Struct, array_like=True, gc=False):
    """A metadata.json as it was read: what the system said of the file, and what was in it."""

    modified_ns: int
    changed_ns: int
    size: int
    inode: int
    outcome: Decoded | str  # what was in it, or why it could not be decoded


class RunIndex:
    """What is remembered of the files below one folder, by their folder's path within it."""

    def __init__(self, root: str, folder: Path, *, now: datetime) -> None:
        """The index of `root` in a cache folder."""
        digest = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:32]
        self._path = folder / "index" / f"{digest}.msgpack"
        self._before: dict[str, Entry] = cache.load(self._path, dict[str, Entry]) or {}
        self._recalled: list[str] = []  # names whose entry was right
        self._read: dict[str, Entry] = {}  # files that had to be read
        self._settled_ns = int((now - _SETTLED_AFTER).timestamp() * 1e9)

    def recall(self, name: str, path: str) -> Decoded | str | None:
        """What came of a file, if it is still as it was; None if it has to be read.

        Raises OSError where the system says nothing of the file.
        """
        entry = self._before.get(name)
        if entry is None:
            return None
        status = os.stat(path)
        if (
            status.st_mtime_ns != entry.modified_ns
            or status.st_ctime_ns != entry.changed_ns
            or status.st_size != entry.size
            or status.st_ino != entry.inode
        ):
            return None
        self._recalled.append(name)
        return entry.outcome

    def remember(self, name: str, status: os.stat_result, outcome: Decoded | str) -> None:
        """Keep what came of a file that had this status before it was read.

        A file changed so recently that it could change again under the same time stamp is not
        kept, nor is one whose name is no text.
        """
        if max(status.st_mtime_ns, status.st_ctime_ns) > self._settled_ns or not _is_text(name):
            return
        stamps = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
        self._read[name] = Entry(*stamps, outcome)

    def save(self) -> None:
        """Write the entries that were recalled or remembered, if enough of them are new.

        Under one in a hundred it is quicker to read those files again next time, as it is while
        a few of very many runs are being trained.
        """
        gone = len(self._before) - len(self._recalled)
        count = len(self._recalled) + len(self._read)
        if (len(self._read) + gone) * _WORTH_WRITING < max(count, 1):
            return
        entries = {name: self._before[name] for name in self._recalled}
        cache.store(self._path, {**entries, **self._read})
        with contextlib.suppress(OSError):  # another process may be doing the same
            _remove_oldest(self._path.parent)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes in a file name that are not in its encoding
        return False
    return True


def _remove_oldest(folder: Path) -> None:
    """Remove the oldest indexes beyond the number that is kept."""
    with os.scandir(folder) as entries:
        ours = [(each.stat().st_mtime, each.path) for each in entries if _NAME.fullmatch(each.name)]
    for _, path in sorted(ours)[:-_MOST_FILES]:
        os.unlink(path)
