"""Scanning with an index: the same result as without, whatever happened in between."""

from __future__ import annotations

import gc
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axiomrl.errors import InputError
from axiomrl.runs import scanning
from axiomrl.runs.index import RunIndex
from axiomrl.runs.provenance import this_process
from axiomrl.runs.scanning import ScanResult, scan_folders
from axiomrl.runs.store import RunStore, scan_all

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("AXIOMRL_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders of the files that were opened and read, in order of reading."""
    opened: list[str] = []
    original = scanning.read_regular_file

    def noting(path: str, *, limit: int) -> tuple[bytes, os.stat_result]:
        result = original(path, limit=limit)
        opened.append(os.path.basename(os.path.dirname(path)))
        return result

    monkeypatch.setattr(scanning, "read_regular_file", noting)
    return opened


def add_run(directory: Path, **metadata: Any) -> Path:
    directory.mkdir(parents=True)
    path = directory / "metadata.json"
    path.write_text(json.dumps({"status": "completed", "output_dir": "/elsewhere", **metadata}))
    return path


def in_an_hour() -> datetime:
    """A time at which files that have just been written are settled."""
    return datetime.now(UTC) + HOUR


def scan(*roots: Path, use_index: bool = True) -> ScanResult:
    return scan_folders([str(root) for root in roots], use_index=use_index, now=in_an_hour)


def shown(result: ScanResult) -> list[Any]:
    """Everything that a scan says."""
    runs = [
        (record.directory, record.status, record.metadata, record.problems, record.created_at_utc)
        for record in result.records
    ]
    return [runs, [str(problem) for problem in result.problems]]


def indexes(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.msgpack"))


def rewrite_in_place(path: Path) -> None:
    path.write_text(path.read_text().replace("completed", "cancelled"))  # as long as before


def replace_by_a_file_with_the_same_times(path: Path) -> None:
    status = path.stat()
    new = path.with_suffix(".new")
    new.write_text(path.read_text().replace("completed", "cancelled"))
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(new, path)


def rewrite_and_set_back_the_time(path: Path) -> None:
    status = path.stat()
    rewrite_in_place(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "rewritten": rewrite_in_place,
    "replaced by a file of the same size and time": replace_by_a_file_with_the_same_times,
    "rewritten and its time set back": rewrite_and_set_back_the_time,
    "damaged": lambda path: path.write_text("{"),
    "removed": lambda path: path.unlink(),
    "removed with its folder": lambda path: shutil.rmtree(path.parent),
    "moved": lambda path: path.parent.rename(path.parent.with_name("moved")),
    "a folder now": lambda path: (path.unlink(), path.mkdir()),
    "beside a new run": lambda path: add_run(path.parent.parent / "new", seed=9),
}


def test_second_scan_reads_no_file_and_says_the_same(
    tmp_path: Path, cache: Path, read: list[str]
) -> None:
    root = tmp_path / "runs"
    add_run(root / "a", seed=1, created_at_utc="2026-01-02", note={"x": [1, None]})
    add_run(root / "deep" / "b", seed="one")
    add_run(root / "newer", schema_version=7)
    add_run(root / "broken").write_text("[]")
    first = shown(scan(root))
    assert sorted(read) == ["a", "b", "broken", "newer"]
    assert len(indexes(cache)) == 1
    read.clear()
    assert shown(scan(root)) == first
    assert read == []
    assert shown(scan(root, use_index=False)) == first
    assert len(first[1]) == 3


@pytest.mark.parametrize("change", CHANGES)
def test_change_is_seen_whatever_it_was(tmp_path: Path, change: str, read: list[str]) -> None:
    root = tmp_path / "runs"
    paths = [add_run(root / name, seed=1) for name in ("a", "b", "c")]
    before = shown(scan(root))
    CHANGES[change](paths[1])
    after = shown(scan(root))
    assert after != before
    assert after == shown(scan(root, use_index=False))
    assert read[:3] != ["b"]
    read.clear()
    assert shown(scan(root)) == after
    assert read == []


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_history_of_changes_scans_as_without_an_index(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("history") / "runs"
    for _ in range(data.draw(st.integers(1, 5))):
        for _ in range(data.draw(st.integers(0, 3))):
            folder = root / data.draw(st.sampled_from(["a", "b", "s/a", "s/b"]))
            change = data.draw(st.sampled_from(["write", "write", "remove", "damage"]))
            if change == "remove":
                shutil.rmtree(folder, ignore_errors=True)
            else:
                folder.mkdir(parents=True, exist_ok=True)
                text = json.dumps({"seed": data.draw(st.integers(0, 9))})
                (folder / "metadata.json").write_text(text if change == "write" else text[:-1])
        assert shown(scan(root)) == shown(scan(root, use_index=False))


@pytest.mark.parametrize(
    "change", [None, {"st_mtime_ns": 1}, {"st_ctime_ns": 1}, {"st_size": 1}, {"st_ino": 1}]
)
def test_entry_counts_only_while_nothing_the_system_says_has_changed(
    cache: Path, change: dict[str, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass(frozen=True)
    class Status:
        st_mtime_ns: int = 10
        st_ctime_ns: int = 20
        st_size: int = 30
        st_ino: int = 40

    index = RunIndex("runs", cache, now=in_an_hour())
    index.remember("a", cast(os.stat_result, Status()), "a reason")
    index.save()
    again = RunIndex("runs", cache, now=in_an_hour())
    changed = Status(**change) if change else Status()
    monkeypatch.setattr(os, "stat", lambda path: changed)
    assert again.recall("a", "runs/a/metadata.json") == (None if change else "a reason")
    assert again.recall("b", "runs/b/metadata.json") is None


def test_file_that_could_still_change_unseen_is_not_indexed(
    tmp_path: Path, read: list[str]
) -> None:
    root = tmp_path / "runs"
    add_run(root / "a")
    for _ in range(2):
        RunStore(root).scan()  # now, at most a moment after it was written
    assert read == ["a", "a"]


def test_running_run_is_checked_at_every_scan(tmp_path: Path, read: list[str]) -> None:
    root = tmp_path / "runs"
    add_run(root / "a", status="running", process=this_process())
    add_run(root / "b", status="running", heartbeat_utc=datetime.now(UTC).isoformat())
    late = [record.status for record in scan(root).records]
    assert late == ["running", "dead"]  # an hour from now the heartbeat is too old
    read.clear()
    now = scan_folders([str(root)], use_index=True)
    assert [record.status for record in now.records] == ["running", "running"]
    assert read == []


def test_index_is_left_alone_when_nothing_changed(tmp_path: Path, cache: Path) -> None:
    root = tmp_path / "runs"
    add_run(root / "a")
    scan(root)
    (index,) = indexes(cache)
    inode = index.stat().st_ino
    scan(root)
    assert index.stat().st_ino == inode
    add_run(root / "b")
    scan(root)
    assert index.stat().st_ino != inode


def test_one_new_run_among_hundreds_is_not_worth_a_new_index(
    tmp_path: Path, cache: Path, read: list[str]
) -> None:
    root = tmp_path / "runs"
    for number in range(150):
        add_run(root / f"{number:03}")
    scan(root)
    (index,) = indexes(cache)
    inode = index.stat().st_ino
    read.clear()
    add_run(root / "new")
    assert len(scan(root).records) == 151
    assert len(scan(root).records) == 151
    assert read == ["new", "new"]
    assert index.stat().st_ino == inode
    shutil.rmtree(root / "001")
    assert len(scan(root).records) == 150
    assert index.stat().st_ino != inode


@pytest.mark.parametrize("content", [b"", b"\x00" * 50, b"cache of something else\n\x80", None])
def test_damaged_index_is_ignored_and_replaced(
    tmp_path: Path, cache: Path, content: bytes | None, read: list[str]
) -> None:
    root = tmp_path / "runs"
    add_run(root / "a", seed=1)
    first = shown(scan(root))
    (index,) = indexes(cache)
    index.write_bytes(index.read_bytes()[:-3] if content is None else content)
    assert shown(scan(root)) == first
    read.clear()
    assert shown(scan(root)) == first
    assert read == []


def test_index_of_other_runs_under_this_name_is_of_no_use(
    tmp_path: Path, cache: Path, read: list[str]
) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    add_run(mine / "a", seed=1)
    scan(mine)
    (index,) = indexes(cache)
    add_run(other / "a", seed=2)
    scan(other)
    (foreign,) = set(indexes(cache)) - {index}
    shutil.copy(foreign, index)
    assert scan(mine).records[0].metadata["seed"] == 1


def test_scan_works_where_no_index_can_be_kept(tmp_path: Path, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    add_run(tmp_path / "runs" / "a")
    assert len(scan(tmp_path / "runs").records) == 1
    assert len(scan(tmp_path / "runs").records) == 1
    assert cache.read_text() == "a file where the folder should be"


def test_scan_without_index_leaves_no_trace(tmp_path: Path, cache: Path) -> None:
    add_run(tmp_path / "runs" / "a")
    scan(tmp_path / "runs", use_index=False)
    assert not cache.exists()


def test_one_index_serves_all_paths_to_a_folder(
    tmp_path: Path, cache: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "runs"
    add_run(root / "a")
    (tmp_path / "link").symlink_to(root)
    scan(root)
    read.clear()
    monkeypatch.chdir(root)
    for path in (tmp_path / "link", Path("."), Path("../runs")):
        result = scan(path)
        assert [record.directory for record in result.records] == [path / "a"]
    assert read == []
    assert len(indexes(cache)) == 1


def test_number_of_indexes_is_bounded_and_other_files_are_left(tmp_path: Path, cache: Path) -> None:
    (cache / "index").mkdir(parents=True)
    for number in range(120):
        old = cache / "index" / f"{number:032x}.msgpack"
        old.write_text("")
        os.utime(old, (number, number))
    notes = cache / "index" / "notes.txt"
    notes.write_text("")
    os.utime(notes, (0, 0))
    add_run(tmp_path / "runs" / "a")
    scan(tmp_path / "runs")
    left = [path.name for path in indexes(cache)]
    assert len(left) == 100
    assert f"{20:032x}.msgpack" not in left
    assert f"{21:032x}.msgpack" in left
    assert notes.exists()


def test_name_that_is_no_text_is_scanned_and_spoils_no_index(
    tmp_path: Path, read: list[str]
) -> None:
    root = tmp_path / "runs"
    add_run(root / "a", **{"\ud800": "\ud800", "status": "\ud800", "seed": "\ud800"})
    add_run(Path(os.fsdecode(os.fsencode(root) + b"/\xff")))
    first = shown(scan(root))
    assert [status for _, status, *_ in first[0]] == ["?", "completed"]
    read.clear()
    assert shown(scan(root)) == first
    assert read == [os.fsdecode(b"\xff")]


# Several roots


def test_runs_of_overlapping_roots_come_once(tmp_path: Path, read: list[str]) -> None:
    root = tmp_path / "runs"
    add_run(root / "a", created_at_utc="2026-01-01")
    add_run(root / "study" / "b", created_at_utc="2026-01-02")
    add_run(root / "study" / "broken").write_text("")
    add_run(tmp_path / "more" / "c", created_at_utc="2025-01-01")
    (tmp_path / "link").symlink_to(root)
    roots = [root / "study", root, tmp_path / "link", tmp_path / "more", root]
    for _ in range(2):
        result = scan(*roots)
        assert [record.directory for record in result.records] == [
            tmp_path / "more" / "c", root / "a", root / "study" / "b",
        ]  # fmt: skip
        assert [problem.path.parent.name for problem in result.problems] == ["broken"]
        assert shown(scan(*roots, use_index=False)) == shown(result)
    read.clear()
    scan(root)  # the other roots have not taken its part out of this one's index
    assert read == []


def test_named_root_must_be_a_folder_and_the_default_need_not_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert scan_all() == scan_all([]) == ScanResult([], [])
    with pytest.raises(InputError, match="runs: no such folder"):
        scan_all(["runs"])
    (tmp_path / "runs").write_text("")
    with pytest.raises(InputError, match="runs: is no folder"):
        scan_all([Path("runs")])


def test_default_root_is_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    add_run(tmp_path / "runs" / "a")
    assert [str(record.directory) for record in scan_all().records] == ["runs/a"]
    assert [str(record.directory) for record in scan_all(["runs/"]).records] == ["runs/a"]


# What may lie in a runs folder


def test_everything_damaged_is_named_with_path_and_reason(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    add_run(root / "good")
    contents = {
        "empty": "",
        "cut": '{"seed": 1, ',
        "list": "[1]",
        "number": "5",
        "binary": "\0\1",
        "nan": '{"seed": NaN, "latest_metrics": {"x": "high"}}',
    }
    for name, text in contents.items():
        add_run(root / name).write_text(text)
    os.mkfifo(add_run(root / "pipe").with_name("pipe"))
    os.replace(root / "pipe" / "pipe", root / "pipe" / "metadata.json")
    (root / "folder" / "metadata.json").mkdir(parents=True)
    huge = add_run(root / "huge")
    with huge.open("wb") as stream:
        stream.truncate(5 << 30)  # takes no room on the disk
    result = scan(root)
    assert [record.directory.name for record in result.records] == ["good", "nan"]
    named = [(problem.path.relative_to(root), problem.message) for problem in result.problems]
    assert [(str(path), message.split(":")[0]) for path, message in named] == [
        ("binary/metadata.json", "is not JSON"),
        ("cut/metadata.json", "is not JSON"),
        ("empty/metadata.json", "is not JSON"),
        ("folder/metadata.json", "is no regular file"),
        ("huge/metadata.json", "is too large"),
        ("list/metadata.json", "holds no JSON object"),
        ("nan", "seed"),
        ("nan", "latest_metrics.x"),
        ("number/metadata.json", "holds no JSON object"),
        ("pipe/metadata.json", "is no regular file"),
    ]
    assert "5,368,709,120 bytes, at most 16,777,216" in named[4][1]
    assert shown(scan(root)) == shown(result)


def test_file_and_folder_that_may_not_be_read_are_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "runs"
    add_run(root / "good")
    locked = add_run(root / "locked")
    (root / "closed").mkdir()
    original_open, original_list = os.open, os.scandir

    def refusing_open(path: Any, *arguments: Any, **options: Any) -> int:
        if str(path) == str(locked):
            raise PermissionError(13, "Permission denied", str(path))
        return original_open(path, *arguments, **options)

    def refusing_list(path: Any) -> Any:
        if str(path) == str(root / "closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return original_list(path)

    monkeypatch.setattr(os, "open", refusing_open)  # a superuser may read everything
    monkeypatch.setattr(os, "scandir", refusing_list)
    result = scan(root)
    assert [record.directory.name for record in result.records] == ["good"]
    assert [str(problem) for problem in result.problems] == [
        f"{root / 'closed'}: Permission denied",
        f"{locked}: Permission denied",
    ]


def test_run_that_vanishes_during_the_scan_is_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "runs"
    for name in ("a", "b"):
        add_run(root / name)
    scan(root)
    original = os.stat

    def vanishing(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        if str(path).endswith("metadata.json"):
            shutil.rmtree(root / "a", ignore_errors=True)
        return original(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", vanishing)
    result = scan(root)
    assert [record.directory.name for record in result.records][-1] == "b"
    assert result.problems == []


def test_file_that_grows_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = add_run(tmp_path / "runs" / "a", seed=1)
    original = os.read
    texts = [json.dumps({"seed": 2, "note": "x" * 100})]

    def growing(handle: int, count: int) -> bytes:
        if texts:
            path.write_text(texts.pop())
        return original(handle, count)

    monkeypatch.setattr(os, "read", growing)
    result = scan(tmp_path / "runs", use_index=False)
    assert [record.metadata["seed"] for record in result.records] == [2]
    assert result.problems == []


def test_run_is_known_by_its_folder_and_not_by_what_it_states(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    add_run(root / "a", output_dir=str(root / "b"), run_id="same")
    shutil.copytree(root / "a", root / "b")
    assert [record.directory for record in scan(root).records] == [root / "a", root / "b"]


def test_scan_leaves_garbage_collection_as_it_was(tmp_path: Path) -> None:
    scan(tmp_path)
    assert gc.isenabled()
    gc.disable()
    try:
        scan(tmp_path)
        assert not gc.isenabled()
    finally:
        gc.enable()
