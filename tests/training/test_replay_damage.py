"""Replay files that are damaged, missing or cannot be written."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from axiomrl.errors import AxiomRLError, CheckpointError
from axiomrl.training.replay_files import ReplayFiles

from .replay_rows import (
    ROW_BYTES,
    add,
    contents,
    replay_of,
    require_newest,
    restored,
    small_segments,
)


@pytest.fixture
def saved(tmp_path: Path) -> dict[str, Any]:
    """Three segments of 30, 30 and 10 rows."""
    return ReplayFiles(tmp_path, replay_of(70), **small_segments(30)).save()


def refusal(folder: Path, manifest: dict[str, Any], *, in_place: bool = True) -> str:
    before = contents(folder)
    with pytest.raises(CheckpointError) as raised:
        ReplayFiles(folder, replay_of()).restore(manifest, folder, in_place=in_place)
    assert contents(folder) == before  # nothing is cut off or deleted for a refused checkpoint
    assert raised.value.exit_code == 2
    return str(raised.value)


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("name", ["replay_0.rows", "replay_30.rows", "replay_60.rows"])
def test_one_flipped_bit_is_refused_by_the_name_of_its_file(
    name: str, in_place: bool, tmp_path: Path, saved: dict[str, Any]
) -> None:
    data = bytearray((tmp_path / name).read_bytes())
    data[-1] ^= 1
    (tmp_path / name).write_bytes(data)
    message = refusal(tmp_path, saved, in_place=in_place)
    assert f"{tmp_path / name}: replay rows are damaged" in message


@pytest.mark.parametrize("lost", [1, ROW_BYTES, 10 * ROW_BYTES])
def test_a_file_that_is_too_short_is_refused(
    lost: int, tmp_path: Path, saved: dict[str, Any]
) -> None:
    path = tmp_path / "replay_60.rows"
    path.write_bytes(path.read_bytes()[:-lost])
    assert f"{path}: replay rows are damaged" in refusal(tmp_path, saved)


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path, saved: dict[str, Any]) -> None:
    (tmp_path / "replay_30.rows").unlink()
    message = refusal(tmp_path, saved)
    assert f"{tmp_path / 'replay_30.rows'}: " in message
    assert "resume from the newest one" in message


def test_a_manifest_without_one_of_its_segments_is_refused(
    tmp_path: Path, saved: dict[str, Any]
) -> None:
    del saved["segments"][1]
    assert f"{tmp_path}: holds 40 of 70 replay rows" in refusal(tmp_path, saved)


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path, saved: dict[str, Any]) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    saved["segments"][0]["file"] = "../replay_0.rows"
    message = refusal(inner, saved)
    assert f"{inner / 'replay_0.rows'}: " in message


# A full disk


@contextmanager
def largest_file(nbytes: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("segment_rows", [15, 40, 1000])
def test_a_full_disk_is_an_error_and_the_older_checkpoint_still_restores(
    segment_rows: int, tmp_path: Path
) -> None:
    replay = replay_of(20)
    files = ReplayFiles(tmp_path, replay, **small_segments(segment_rows))
    older = files.save()
    add(replay, 70)
    with (
        largest_file(30 * ROW_BYTES - 5 if segment_rows > 15 else 10 * ROW_BYTES),
        pytest.raises(AxiomRLError, match=r"replay_\d+\.rows: cannot be written") as raised,
    ):
        files.save()
    assert raised.value.exit_code == 1
    assert "make room on that disk" in str(raised.value)
    copy = replay_of()
    ReplayFiles(tmp_path, copy).restore(older, tmp_path, in_place=False)
    require_newest(copy, 20)
    # when there is room again, saving goes on as if nothing had happened
    require_newest(restored(tmp_path, files.save())[0], 90)


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    files = ReplayFiles(tmp_path / "gone", replay_of(3))
    with pytest.raises(AxiomRLError, match=r"replay_0\.rows: cannot be written"):
        files.save()
