"""Replay rows on disk, beside the checkpoints that need them.

Every row is appended once, to segment files `replay_<number of its first row>.rows`. A checkpoint
holds, for each segment it needs, how many rows of it count and the SHA-256 of these; so a
checkpoint costs the rows added since the last one, however large the buffer is, and an older
checkpoint can be restored from the same files. Rows that were written after the checkpoint that
is restored are cut off.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from axiomrl.errors import CheckpointError
from axiomrl.runs.files import cannot_write
from axiomrl.training.replay import Replay

SEGMENT_BYTES = 64 * 2**20  # a segment that has reached this size is not appended to
_NAME = re.compile(r"replay_(\d+)\.rows")


@dataclass
class _Segment:
    """One file: rows number `start` to `start + rows` - 1, and the digest of all of them."""

    start: int
    rows: int
    digest: Any

    @property
    def name(self) -> str:
        return f"replay_{self.start}.rows"

    @property
    def stop(self) -> int:
        """The number after its last row."""
        return self.start + self.rows


class ReplayFiles:
    """The segments of one run's replay, in its checkpoint folder."""

    def __init__(self, folder: Path, replay: Replay, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = folder
        self._replay = replay
        self._row_bytes = replay.rows.dtype.itemsize
        self._segment_rows = max(segment_bytes // self._row_bytes, 1)
        self._segments: list[_Segment] = []

    def save(self) -> dict[str, Any]:
        """Append the rows added since the last call, durably; what a checkpoint has to remember.

        Raises AxiomRLError when they cannot be written.
        """
        replay = self._replay
        oldest = replay.count - replay.size
        start = max(self._segments[-1].stop if self._segments else 0, oldest)
        while start < replay.count:
            start = self._append(start)
        self._segments = [segment for segment in self._segments if segment.stop > oldest]
        return {
            "count": replay.count,
            "segments": [
                {"file": s.name, "start": s.start, "rows": s.rows, "sha256": s.digest.hexdigest()}
                for s in self._segments
            ],
        }

    def _append(self, start: int) -> int:
        """Write the rows from number `start` on that one segment takes; the number after them."""
        last = self._segments[-1] if self._segments else None
        segment = last
        if segment is None or segment.stop != start or segment.rows >= self._segment_rows:
            segment = _Segment(start, 0, hashlib.sha256())
        stop = min(segment.start + self._segment_rows, self._replay.count)
        data = self._replay.between(start, stop).tobytes()
        path = self._folder / segment.name
        try:
            if segment is not last:
                for later in _segment_files(self._folder, at_least=start).values():
                    later.unlink()
            with path.open("ab") as file:
                file.truncate(segment.rows * self._row_bytes)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(path, error) from error
        segment.digest.update(data)
        segment.rows = stop - segment.start
        if segment is not last:
            self._segments.append(segment)
        return stop

    def restore(self, manifest: dict[str, Any], source: Path, *, in_place: bool) -> None:
        """Read back the rows that a checkpoint in `source` needs, and verify them.

        `in_place`: go on with these files; else the rows are written anew by the next `save`.
        Raises CheckpointError when rows are missing or damaged.
        """
        replay = self._replay
        replay.count = int(manifest["count"])
        oldest = replay.count - replay.size
        segments = [self._read(entry, source, oldest) for entry in manifest["segments"]]
        covered = sum(s.stop - max(s.start, oldest) for s in segments)
        if covered != replay.size:
            raise CheckpointError(f"{source}: holds {covered} of {replay.size} replay rows")
        if not in_place:
            return
        self._segments = segments
        for segment in segments:
            os.truncate(self._folder / segment.name, segment.rows * self._row_bytes)
        for later in _segment_files(self._folder, at_least=replay.count).values():
            later.unlink()

    def _read(self, entry: dict[str, Any], source: Path, oldest: int) -> _Segment:
        path = source / Path(str(entry["file"])).name
        start, count = int(entry["start"]), int(entry["rows"])
        try:
            with path.open("rb") as file:
                data = file.read(count * self._row_bytes)
        except OSError as error:
            raise CheckpointError(
                f"{path}: replay rows that this checkpoint needs are not there",
                hint="only the newest checkpoints keep theirs; resume from the newest one",
            ) from error
        digest = hashlib.sha256(data)
        if digest.hexdigest() != entry["sha256"]:
            raise CheckpointError(
                f"{path}: replay rows are damaged", hint="resume from another checkpoint"
            )
        rows = np.frombuffer(data, dtype=self._replay.rows.dtype)
        skipped = max(oldest - start, 0)
        self._replay.restore(start + skipped, rows[skipped:])
        return _Segment(start, count, digest)

    def prune(self, counts: Sequence[int]) -> None:
        """Delete the segments that none of the checkpoints taken at these row counts needs."""
        capacity = self._replay.capacity
        files = _segment_files(self._folder, at_least=0)
        for start, following in pairwise(list(files)):
            if not any(start < count and following > count - capacity for count in counts):
                files[start].unlink()


def _segment_files(folder: Path, *, at_least: int) -> dict[int, Path]:
    """Segment files by the number of their first row, lowest first."""
    found = {
        int(match[1]): path for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))
    }
    return {start: found[start] for start in sorted(found) if start >= at_least}
