"""Replay rows on disk: appended once, verified, cut back, and deleted when nobody needs them.

Damaged files and full disks are in test_replay_damage.py.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axiomrl.training import checkpoints
from axiomrl.training.replay_files import ReplayFiles

from .replay_rows import (
    CAPACITY,
    ROW_BYTES,
    add,
    contents,
    replay_of,
    require_newest,
    restored,
    sizes,
    small_segments,
)

# Saving


def test_every_row_is_written_once(tmp_path: Path) -> None:
    replay = replay_of(capacity=1000)
    files = ReplayFiles(tmp_path, replay)
    for rows in (0, 7, 0, 30, 1, 200, 62):
        add(replay, rows)
        files.save()
        assert sum(sizes(tmp_path).values()) == replay.count
    assert sizes(tmp_path) == {"replay_0.rows": 300}


def test_nothing_is_written_before_the_first_row(tmp_path: Path) -> None:
    manifest = ReplayFiles(tmp_path, replay_of()).save()
    assert manifest == {"count": 0, "segments": []}
    assert sizes(tmp_path) == {}
    replay, _ = restored(tmp_path, manifest)
    require_newest(replay, 0)


def test_a_manifest_holds_range_and_checksum_of_every_segment(tmp_path: Path) -> None:
    replay = replay_of(12)
    manifest = ReplayFiles(tmp_path, replay, **small_segments(5)).save()
    assert manifest["count"] == 12
    ranges = [(entry["start"], entry["rows"]) for entry in manifest["segments"]]
    assert ranges == [(0, 5), (5, 5), (10, 2)]
    for entry in manifest["segments"]:
        assert entry["file"] == f"replay_{entry['start']}.rows"
        data = (tmp_path / entry["file"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_manifest_fits_into_a_checkpoint(tmp_path: Path) -> None:
    manifest = ReplayFiles(tmp_path, replay_of(12), **small_segments(5)).save()
    state = dict.fromkeys(checkpoints.REQUIRED[1:])
    checkpoints.save(tmp_path / "state.pt", {**state, "replay": manifest})
    assert checkpoints.load(tmp_path / "state.pt")["replay"] == manifest


def test_no_segment_is_larger_than_asked_for(tmp_path: Path) -> None:
    replay = replay_of()
    files = ReplayFiles(tmp_path, replay, **small_segments(10))
    for rows in (4, 9, 35):
        add(replay, rows)
        files.save()
    expected = {f"replay_{start}.rows": 10 for start in (0, 10, 20, 30)} | {"replay_40.rows": 8}
    assert sizes(tmp_path) == expected


def test_an_older_manifest_keeps_its_checksums_while_files_grow(tmp_path: Path) -> None:
    replay = replay_of(10)
    files = ReplayFiles(tmp_path, replay)
    older = files.save()
    add(replay, 10)
    newer = files.save()
    assert older["segments"][0]["sha256"] != newer["segments"][0]["sha256"]
    data = (tmp_path / "replay_0.rows").read_bytes()[: 10 * ROW_BYTES]
    assert older["segments"][0]["sha256"] == hashlib.sha256(data).hexdigest()


# Restoring


@pytest.mark.parametrize("total", [3, 100, 130, 275])
def test_rows_come_back_bit_for_bit(total: int, tmp_path: Path) -> None:
    replay = replay_of()
    files = ReplayFiles(tmp_path, replay, **small_segments(30))
    manifest: dict[str, Any] = {}
    while replay.count < total:
        add(replay, min(17, total - replay.count))
        manifest = files.save()
    copy, _ = restored(tmp_path, manifest, **small_segments(30))
    require_newest(copy, total)


def test_a_run_continued_in_place_leaves_the_files_of_one_never_interrupted(
    tmp_path: Path,
) -> None:
    plain, broken = tmp_path / "plain", tmp_path / "broken"
    plain.mkdir()
    broken.mkdir()
    replay = replay_of()
    files = ReplayFiles(plain, replay, **small_segments(30))
    for _ in range(15):
        add(replay, 17)
        final = files.save()
    replay = replay_of()
    files = ReplayFiles(broken, replay, **small_segments(30))
    manifest = files.save()
    while replay.count < 15 * 17:
        add(replay, 17)
        manifest = files.save()
        add(replay, 40)
        files.save()  # of a checkpoint that never was: the process is killed before
        replay, files = restored(broken, manifest, **small_segments(30))
    assert files.save() == final
    assert contents(broken) == contents(plain)


def test_continuing_from_an_older_checkpoint_drops_what_came_later(tmp_path: Path) -> None:
    replay = replay_of()
    files = ReplayFiles(tmp_path, replay, **small_segments(10))
    manifests = []
    for _ in range(5):
        add(replay, 14)
        manifests.append(files.save())
    replay, files = restored(tmp_path, manifests[1], **small_segments(10))
    require_newest(replay, 28)
    assert sizes(tmp_path) == {"replay_0.rows": 10, "replay_10.rows": 10, "replay_20.rows": 8}
    add(replay, 14)
    assert files.save() == manifests[2]


def test_half_a_row_of_a_killed_process_is_cut_off(tmp_path: Path) -> None:
    replay = replay_of(10)
    manifest = ReplayFiles(tmp_path, replay).save()
    with (tmp_path / "replay_0.rows").open("ab") as file:
        file.write(b"half")
    replay, files = restored(tmp_path, manifest)
    assert sizes(tmp_path) == {"replay_0.rows": 10}
    add(replay, 5)
    replay, _ = restored(tmp_path, files.save())
    require_newest(replay, 15)


def test_a_child_run_writes_its_rows_anew_and_leaves_its_parents_alone(tmp_path: Path) -> None:
    parent, child = tmp_path / "parent", tmp_path / "child"
    parent.mkdir()
    child.mkdir()
    replay = replay_of()
    files = ReplayFiles(parent, replay, **small_segments(30))
    add(replay, 140)
    older = files.save()
    add(replay, 60)
    files.save()
    before = contents(parent)
    replay = replay_of()
    files = ReplayFiles(child, replay, **small_segments(30))
    files.restore(older, parent, in_place=False)
    require_newest(replay, 140)
    assert contents(child) == {}
    manifest = files.save()
    assert sum(sizes(child).values()) == CAPACITY  # what the buffer holds, and no more
    require_newest(restored(child, manifest)[0], 140)
    add(replay, 60)
    require_newest(restored(child, files.save())[0], 200)
    assert contents(parent) == before


def test_files_of_a_run_that_starts_again_are_replaced(tmp_path: Path) -> None:
    ReplayFiles(tmp_path, replay_of(95), **small_segments(10)).save()
    replay = replay_of(15)
    files = ReplayFiles(tmp_path, replay, **small_segments(10))
    manifest = files.save()
    assert sizes(tmp_path) == {"replay_0.rows": 10, "replay_10.rows": 5}
    require_newest(restored(tmp_path, manifest)[0], 15)


# Beyond the buffer's capacity


def test_segments_that_only_hold_overwritten_rows_are_not_asked_for(tmp_path: Path) -> None:
    replay = replay_of()
    files = ReplayFiles(tmp_path, replay, **small_segments(30))
    manifest: dict[str, Any] = {}
    for _ in range(10):
        add(replay, 25)
        manifest = files.save()
    # rows 150 to 249 are held
    assert [entry["start"] for entry in manifest["segments"]] == [150, 180, 210, 240]
    for name in ("replay_0.rows", "replay_120.rows"):
        (tmp_path / name).unlink()
    require_newest(restored(tmp_path, manifest)[0], 250)


def test_rows_overwritten_between_two_saves_are_never_written(tmp_path: Path) -> None:
    replay = replay_of(10)
    files = ReplayFiles(tmp_path, replay)
    files.save()
    add(replay, 340)  # rows 250 to 349 are left
    manifest = files.save()
    assert sizes(tmp_path) == {"replay_0.rows": 10, "replay_250.rows": 100}
    assert [entry["start"] for entry in manifest["segments"]] == [250]
    require_newest(restored(tmp_path, manifest)[0], 350)


def test_a_buffer_overwritten_between_all_saves_can_always_be_restored(tmp_path: Path) -> None:
    # the first checkpoint is taken before the first step, and files are deleted in between
    replay = replay_of()
    files = ReplayFiles(tmp_path, replay)
    counts, manifest = [0], files.save()
    for _ in range(5):
        add(replay, 250)
        manifest = files.save()
        counts.append(replay.count)
        files.prune(counts[-2:])
        require_newest(restored(tmp_path, manifest)[0], replay.count)


# Deleting


def test_segments_go_when_no_checkpoint_needs_them(tmp_path: Path) -> None:
    replay = replay_of()
    files = ReplayFiles(tmp_path, replay, **small_segments(30))
    manifests = {}
    for _ in range(12):
        add(replay, 25)
        manifests[replay.count] = files.save()
    files.prune([275, 300])  # which hold rows 175 to 299
    assert set(sizes(tmp_path)) == {f"replay_{start}.rows" for start in (150, 180, 210, 240, 270)}
    require_newest(restored(tmp_path, manifests[300])[0], 300)
    require_newest(restored(tmp_path, manifests[275])[0], 275)


def test_no_segment_goes_that_the_oldest_checkpoint_needs(tmp_path: Path) -> None:
    replay = replay_of(130)
    files = ReplayFiles(tmp_path, replay, **small_segments(30))
    manifest = files.save()
    names = set(sizes(tmp_path))
    add(replay, 30)
    files.save()
    files.prune([130, 160])  # rows 30 to 159, the first file holds 30 to 59
    assert set(sizes(tmp_path)) == {*names, "replay_150.rows"}
    require_newest(restored(tmp_path, manifest)[0], 130)


def test_rows_between_two_far_apart_checkpoints_are_deleted(tmp_path: Path) -> None:
    # the first checkpoint of a run, taken at 0 rows, needs none and keeps none
    replay = replay_of()
    files = ReplayFiles(tmp_path, replay, **small_segments(50))
    manifests = {0: files.save()}
    for _ in range(10):
        add(replay, 50)
        manifests[replay.count] = files.save()
    files.prune([0, 100, 500])
    assert set(sizes(tmp_path)) == {f"replay_{start}.rows" for start in (0, 50, 400, 450)}
    for count in (500, 100, 0):
        require_newest(restored(tmp_path, manifests[count])[0], count)


def test_without_checkpoints_only_the_segment_in_progress_stays(tmp_path: Path) -> None:
    files = ReplayFiles(tmp_path, replay_of(70), **small_segments(30))
    files.save()
    (tmp_path / "step_5.pt").touch()
    (tmp_path / "replay_x.rows").touch()
    files.prune([])
    assert set(contents(tmp_path)) == {"replay_60.rows", "step_5.pt", "replay_x.rows"}


@given(
    blocks=st.lists(st.integers(0, 90), min_size=1, max_size=12),
    capacity=st.integers(1, 60),
    segment=st.integers(1, 40),
    keep=st.integers(1, 3),
    restarts=st.integers(0, 2**12 - 1),
)
@settings(deadline=None, max_examples=25)
def test_every_kept_checkpoint_restores_whatever_came_before(
    tmp_path_factory: pytest.TempPathFactory,
    blocks: list[int],
    capacity: int,
    segment: int,
    keep: int,
    restarts: int,
) -> None:
    folder = tmp_path_factory.mktemp("run")
    replay = replay_of(capacity=capacity)
    files = ReplayFiles(folder, replay, **small_segments(segment))
    kept = {0: files.save()}
    for index, rows in enumerate(blocks):
        add(replay, rows)
        kept[replay.count] = files.save()
        kept = dict(list(kept.items())[-keep:])
        files.prune(list(kept))
        for count, manifest in kept.items():
            child = replay_of(capacity=capacity)
            ReplayFiles(folder, child).restore(manifest, folder, in_place=False)
            require_newest(child, count)
        if restarts >> index & 1:
            replay, files = restored(
                folder, kept[replay.count], capacity=capacity, **small_segments(segment)
            )
    # each checkpoint needs its rows, and what else lies in the first and the last segment of them
    assert sum(sizes(folder).values()) <= keep * (capacity + 2 * segment)
