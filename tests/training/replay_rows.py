"""Replay buffers whose rows hold their number, and what lies in a folder of segments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from axiomrl.training.replay import Replay
from axiomrl.training.replay_files import ReplayFiles

CAPACITY = 100
ROW_BYTES = 28


def replay_of(rows: int = 0, *, capacity: int = CAPACITY) -> Replay:
    replay = Replay(capacity, observation_size=2, action_shape=(), action_dtype=np.int32)
    add(replay, rows)
    return replay


def add(replay: Replay, rows: int) -> None:
    """Append rows that hold their number, counted from the first ever added."""
    number = np.arange(replay.count, replay.count + rows)
    seen = np.stack([number, number * 0.5], axis=1)
    replay.add(seen, seen + 1.0, number, number * 2.0, np.full(rows, 0.99))


def require_newest(replay: Replay, count: int) -> None:
    """The buffer holds what it would after `count` rows, bit for bit."""
    expected = replay_of(count, capacity=replay.capacity)
    assert replay.count == count
    oldest = count - expected.size
    assert replay.between(oldest, count).tobytes() == expected.between(oldest, count).tobytes()


def sizes(folder: Path) -> dict[str, int]:
    """Rows in each segment file."""
    found = {path.name: path.stat().st_size for path in folder.glob("*.rows")}
    assert all(size % ROW_BYTES == 0 for size in found.values())
    return {name: size // ROW_BYTES for name, size in sorted(found.items())}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def restored(
    folder: Path, manifest: dict[str, Any], *, capacity: int = CAPACITY, **options: Any
) -> tuple[Replay, ReplayFiles]:
    """A new process's buffer and files, brought to a checkpoint of the same directory."""
    replay = replay_of(capacity=capacity)
    files = ReplayFiles(folder, replay, **options)
    files.restore(manifest, folder, in_place=True)
    return replay, files


def small_segments(rows: int) -> dict[str, int]:
    return {"segment_bytes": rows * ROW_BYTES + ROW_BYTES // 2}
