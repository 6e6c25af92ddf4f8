from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import axiomrl
from axiomrl.runs import cache
from axiomrl.runs.cache import IntervalCache, cache_folder

STORED = {"one": (1.0, 2.5), "two": (-0.0,)}
KIND = dict[str, tuple[float, ...]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A cache file that holds STORED."""
    file = tmp_path / "cache" / "file.msgpack"
    cache.store(file, STORED)
    return file


def refuse_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be replaced, as on a read-only disk; permissions do not bind every user."""

    def refuse(source: object, destination: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)


def test_what_was_stored_is_loaded(path: Path) -> None:
    assert cache.load(path, KIND) == STORED
    assert [file.name for file in path.parent.iterdir()] == ["file.msgpack"]


def test_absent_file_and_pipe_hold_nothing(tmp_path: Path) -> None:
    assert cache.load(tmp_path / "none", KIND) is None
    os.mkfifo(tmp_path / "pipe")
    assert cache.load(tmp_path / "pipe", KIND) is None
    assert cache.load(tmp_path, KIND) is None


def test_file_of_another_kind_holds_nothing(path: Path) -> None:
    assert cache.load(path, dict[str, int]) is None


def test_file_of_another_version_holds_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axiomrl, "__version__", "0.0.1")
    assert cache.load(path, KIND) is None


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
@settings(max_examples=60)
def test_any_changed_bit_is_noticed(
    place: int, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("cache") / "file"
    cache.store(file, STORED)
    data = bytearray(file.read_bytes())
    data[place % len(data)] ^= 1 << bit
    file.write_bytes(data)
    assert cache.load(file, KIND) is None


@pytest.mark.parametrize("content", [b"", b"\n", b"{}", b"\x00" * 100, b"cache axiomrl=1\n\x80"])
def test_foreign_content_holds_nothing(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert cache.load(path, KIND) is None


def test_file_cut_anywhere_holds_nothing(path: Path) -> None:
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        assert cache.load(path, KIND) is None


def test_failed_write_is_silent_and_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_writing(monkeypatch)
    cache.store(path, {"three": (3.0,)})
    assert cache.load(path, KIND) == STORED
    assert [file.name for file in path.parent.iterdir()] == ["file.msgpack"]


def test_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache.store(tmp_path / "file" / "within" / "a.msgpack", STORED)
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {"AXIOMRL_CACHE_DIR": "/mine", "XDG_CACHE_HOME": "/xdg"}, "/mine"),
        ("linux", {"AXIOMRL_CACHE_DIR": "~/mine"}, "/home/me/mine"),
        ("linux", {"AXIOMRL_CACHE_DIR": "", "XDG_CACHE_HOME": "/xdg"}, "/xdg/axiomrl"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/axiomrl"),
        ("linux", {}, "/home/me/.cache/axiomrl"),
        ("darwin", {"XDG_CACHE_HOME": "/xdg"}, "/home/me/Library/Caches/axiomrl"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/axiomrl"),
        ("win32", {}, "/home/me/AppData/Local/axiomrl"),
    ],
)
def test_cache_folder_is_where_the_platform_keeps_them(
    platform: str, variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AXIOMRL_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == Path(folder)


def test_without_a_home_there_is_no_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AXIOMRL_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert cache_folder() is None


@given(
    results=st.dictionaries(
        st.text("0123456789abcdef", min_size=1), st.lists(st.floats(), max_size=4), max_size=5
    )
)
@settings(max_examples=30)
def test_intervals_come_back_to_the_last_bit(
    results: dict[str, list[float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    intervals = IntervalCache(folder)
    for digest, values in results.items():
        intervals.put(digest, values)
    intervals.save()
    again = IntervalCache(folder)
    for digest, values in results.items():
        for known in (intervals.get(digest), again.get(digest)):
            assert known is not None
            assert [value.hex() for value in known] == [value.hex() for value in values]
    assert again.get("none") is None


def test_intervals_are_written_only_by_save_and_only_if_there_are_new_ones(tmp_path: Path) -> None:
    intervals = IntervalCache(tmp_path)
    intervals.save()
    intervals.put("a", [1, math.nan])
    assert list(tmp_path.iterdir()) == []
    intervals.save()
    (file,) = tmp_path.iterdir()
    file.unlink()
    intervals.save()
    assert list(tmp_path.iterdir()) == []
    assert intervals.get("a") is not None


def test_two_writers_keep_each_others_intervals(tmp_path: Path) -> None:
    first, second = IntervalCache(tmp_path), IntervalCache(tmp_path)
    first.put("a", [1.0])
    second.put("b", [2.0])
    first.save()
    second.save()
    again = IntervalCache(tmp_path)
    assert (again.get("a"), again.get("b")) == ((1.0,), (2.0,))


def test_number_of_intervals_is_bounded_and_the_oldest_go(tmp_path: Path) -> None:
    intervals = IntervalCache(tmp_path)
    for number in range(20_001):
        intervals.put(str(number), [float(number)])
    intervals.save()
    again = IntervalCache(tmp_path)
    assert (again.get("0"), again.get("1")) == (None, (1.0,))
    assert again.get("20000") == (20000.0,)


def test_intervals_without_a_folder_last_as_long_as_the_object() -> None:
    intervals = IntervalCache(None)
    intervals.put("a", [1.0])
    intervals.save()
    assert intervals.get("a") == (1.0,)
    assert IntervalCache(None).get("a") is None


def test_damaged_intervals_are_forgotten_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    intervals = IntervalCache(tmp_path)
    intervals.put("a", [1.0])
    intervals.save()
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    fresh = IntervalCache(tmp_path)
    assert fresh.get("a") is None
    fresh.put("b", [2.0])
    fresh.save()
    assert IntervalCache(tmp_path).get("b") == (2.0,)
    refuse_writing(monkeypatch)
    fresh.put("c", [3.0])
    fresh.save()
    assert IntervalCache(tmp_path).get("b") == (2.0,)


def test_writers_and_readers_at_once_see_whole_files(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom axiomrl.runs import cache\n"
        "path, number = Path(sys.argv[1]), int(sys.argv[2])\n"
        "for _ in range(60):\n"
        "    cache.store(path, [number] * 20_000)\n"
        "    assert len(set(cache.load(path, list[int]))) == 1\n"
    )
    path = tmp_path / "file"
    environment = {**os.environ, "PYTHONPATH": str(Path(axiomrl.__file__).parents[1])}
    writers = [
        subprocess.Popen([sys.executable, "-c", code, path, str(number)], env=environment)
        for number in (1, 2)
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    assert cache.load(path, list[int]) in ([1] * 20_000, [2] * 20_000)
