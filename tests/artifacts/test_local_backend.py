"""What only the local backend has to withstand: kills, full disks, links, several processes."""

from __future__ import annotations

import errno
import json
import os
import signal
import tracemalloc
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axiomrl.artifacts import ArtifactRef, LocalBackend, check_key
from axiomrl.artifacts.keys import plain_segment
from axiomrl.errors import (
    ArtifactConflictError,
    ArtifactError,
    ArtifactNotFoundError,
    AxiomRLError,
    InputError,
)
from axiomrl.runs import files

from .conftest import StartPython

CONTENT = b"0123456789" * 100_000

# For n = 1, 2, ... a child kills itself at the n-th time that it opens, links, renames, removes or
# makes something below the root, just before that happens, until one comes through. Each has a
# root of its own; printed is how many were killed.
KILLED = """
import os, signal, sys
from pathlib import Path
from axiomrl.artifacts import LocalBackend
folder, source, mode, older = sys.argv[1:]
fatal, status = 0, signal.SIGKILL
while status == signal.SIGKILL:
    fatal += 1
    root = os.path.join(folder, str(fatal))
    if mode == "overwrite":
        os.makedirs(os.path.join(root, "a"))
        Path(root, "a", "b.pt").write_text(older)
    child = os.fork()
    if child == 0:
        count = 0
        def hook(event, arguments):
            global count
            if event in ("open", "os.link", "os.rename", "os.remove", "os.mkdir"):
                if any(str(each).startswith(root) for each in arguments[:2]):
                    count += 1
                    if count == fatal:
                        os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        LocalBackend(root).put("a/b.pt", Path(source), overwrite=mode == "overwrite")
        os._exit(0)
    _, status = os.waitpid(child, 0)
assert status == 0
print(fatal - 1)
"""

# The kernel kills a process whose file grows over the limit: in the middle of its content.
KILLED_WHILE_WRITING = """
import resource, signal, sys
from pathlib import Path
from axiomrl.artifacts import LocalBackend
root, source, limit = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
LocalBackend(root).put("a/b.pt", Path(source))
"""

FETCHES_WITH_LITTLE_ROOM = """
import json, resource, sys
from pathlib import Path
from axiomrl.artifacts import ArtifactRef, LocalBackend
from axiomrl.errors import AxiomRLError
root, values, copy, limit = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    LocalBackend(root).fetch(ArtifactRef.from_mapping(json.loads(values)), Path(copy))
except AxiomRLError as error:
    print(error)
"""

STORES = """
import sys
from pathlib import Path
from axiomrl.artifacts import LocalBackend
from axiomrl.errors import ArtifactConflictError
root, source = sys.argv[1:]
sys.stdin.readline()
try:
    print(LocalBackend(root).put("a/b.pt", Path(source)).sha256)
except ArtifactConflictError:
    print("conflict")
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize("mode", ["first", "overwrite"])
def test_a_put_that_is_killed_at_any_moment_leaves_all_or_nothing(
    root: Path, source: Path, start_python: StartPython, mode: str
) -> None:
    older = "an older one"
    output, errors = start_python(KILLED, root, source, mode, older).communicate(timeout=60)
    assert errors == ""
    kills = int(output)
    assert kills >= 4  # of folders, the temporary file, its name, the folder's flush
    for fatal in range(1, kills + 1):
        place = root / str(fatal) / "a" / "b.pt"
        found = place.read_bytes() if place.exists() else None
        assert found in (older.encode() if mode == "overwrite" else None, CONTENT)
        # whatever is left, the next one comes through
        LocalBackend(root / str(fatal)).put("a/b.pt", source, overwrite=mode == "overwrite")
        assert place.read_bytes() == CONTENT
    assert (root / str(kills + 1) / "a" / "b.pt").read_bytes() == CONTENT


def test_a_put_that_is_killed_while_it_writes_leaves_nothing_under_the_key(
    root: Path, source: Path, start_python: StartPython
) -> None:
    process = start_python(KILLED_WHILE_WRITING, root, source, len(CONTENT) // 2)
    process.communicate()
    assert process.returncode == -signal.SIGXFSZ
    (left,) = (root / "a").iterdir()
    assert left.name.startswith(".b.pt.")
    assert left.read_bytes() == CONTENT[: len(CONTENT) // 2]
    assert LocalBackend(root).put("a/b.pt", source).size == len(CONTENT)


def test_what_killed_processes_left_is_removed_after_a_day(root: Path, source: Path) -> None:
    backend = LocalBackend(root, now=lambda: 1_000_000.0)
    (root / "a").mkdir(parents=True)
    names = {".b.pt.1-0.tmp": 900_000, ".b.pt.2-0.tmp": 999_000, ".other.1-0.tmp": 900_000}
    for name, written_at in names.items():
        (root / "a" / name).write_bytes(b"half")
        os.utime(root / "a" / name, (written_at, written_at))
    backend.put("a/b.pt", source)
    left = sorted(path.name for path in (root / "a").iterdir())
    assert left == [".b.pt.2-0.tmp", ".other.1-0.tmp", "b.pt"]


def test_of_processes_that_put_different_content_exactly_one_succeeds(
    root: Path, tmp_path: Path, start_python: StartPython
) -> None:
    sources = [tmp_path / f"source-{number}" for number in range(4)]
    for number, path in enumerate(sources):
        path.write_bytes(bytes([number]) * 3_000_000)
    processes = [start_python(STORES, root, path) for path in sources]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert answers.count("conflict") == len(sources) - 1
    (sha256,) = set(answers) - {"conflict"}
    ref = ArtifactRef(url="x", key="a/b.pt", size=3_000_000, sha256=sha256)
    assert LocalBackend(root).fetch(ref, tmp_path / "copy").is_file()


def test_reference_tells_its_file_where_there_is_one(tmp_path: Path, source: Path) -> None:
    ref = LocalBackend(tmp_path / "a folder, 100 %").put("a/b.pt", source)
    assert ref.path == tmp_path / "a folder, 100 %" / "a" / "b.pt"
    assert replace(ref, url="s3://bucket").path is None


def test_a_full_disk_is_told_and_leaves_nothing(
    root: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(files, "_sync", full)  # where delayed allocation shows it
    with pytest.raises(AxiomRLError, match="No space left on device") as caught:
        LocalBackend(root).put("a/b.pt", source)
    assert caught.value.exit_code == 1
    assert "make room" in str(caught.value.hint)
    assert [path for path in root.rglob("*") if path.is_file()] == []


def test_a_disk_that_fills_up_while_fetching_leaves_the_older_file(
    root: Path, source: Path, tmp_path: Path, start_python: StartPython
) -> None:
    ref = LocalBackend(root).put("a/b.pt", source)
    copy = tmp_path / "copies" / "copy"
    copy.parent.mkdir()
    copy.write_bytes(b"mine")
    process = start_python(
        FETCHES_WITH_LITTLE_ROOM, root, json.dumps(ref.to_mapping()), copy, len(CONTENT) // 2
    )
    told, _ = process.communicate(timeout=60)
    assert f"{copy}: cannot be written: File too large" in told
    assert copy.read_bytes() == b"mine"
    assert list(copy.parent.iterdir()) == [copy]


def test_links_that_lead_out_of_the_root_are_refused(
    root: Path, source: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(CONTENT)
    backend = LocalBackend(root)
    ref = backend.put("inner/a", source)
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    (root / "dangling").symlink_to(outside / "new")
    for key in ("folder/secret", "folder/new", "file", "dangling"):
        there = replace(ref, key=key)
        for attempt, arguments in (
            (backend.put, (key, source)),
            (partial(backend.put, overwrite=True), (key, source)),
            (backend.fetch, (there, tmp_path / "copy")),
            (backend.exists, (there,)),
            (backend.delete, (there,)),
        ):
            with pytest.raises(InputError, match="through a link"):
                attempt(*arguments)  # type: ignore[operator]
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_links_inside_the_root_are_followed(root: Path, source: Path, tmp_path: Path) -> None:
    (root / "real").mkdir(parents=True)
    (root / "link").symlink_to(root / "real")
    linked_root = tmp_path / "linked root"
    linked_root.symlink_to(root)
    backend = LocalBackend(linked_root)
    ref = backend.put("link/a", source)
    assert (root / "real" / "a").read_bytes() == CONTENT
    assert backend.fetch(ref, tmp_path / "copy").read_bytes() == CONTENT


@settings(max_examples=50)
@given(key=st.text(st.sampled_from("ab./\\:~\0*-_ ä"), max_size=12) | st.text(max_size=20))
def test_whatever_the_key_nothing_is_written_outside_the_root(
    key: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    source = folder / "source"
    source.write_bytes(b"one")
    backend = LocalBackend(folder / "root")
    try:
        backend.put(key, source)
    except InputError:
        assert not (folder / "root").exists()
    else:
        assert (folder / "root").joinpath(*key.split("/")).read_bytes() == b"one"
    assert sorted(path.name for path in folder.iterdir() if path.name != "root") == ["source"]


@given(st.text(max_size=300))
def test_any_text_becomes_a_name_that_a_key_may_have(text: str) -> None:
    name = plain_segment(text)
    assert check_key(name) == name
    assert plain_segment(name) == name


def test_a_folder_under_the_key_is_a_conflict(root: Path, source: Path) -> None:
    backend = LocalBackend(root)
    ref = backend.put("a/b", source)
    for overwrite in (False, True):
        with pytest.raises(ArtifactConflictError, match="a folder"):
            backend.put("a", source, overwrite=overwrite)
    folder = replace(ref, key="a")
    assert not backend.exists(folder)
    with pytest.raises(ArtifactNotFoundError):
        backend.fetch(folder, root.parent / "copy")
    with pytest.raises(AxiomRLError):
        backend.put("a/b/c", source)  # b is a file
    with pytest.raises(InputError, match="is a file"):
        LocalBackend(root / "a" / "b")


def test_a_pipe_is_no_artifact(root: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="no regular file"):
        LocalBackend(root).put("a", tmp_path / "pipe")


def test_a_file_that_changes_while_it_is_stored_is_not_stored(
    root: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atomically = files.write_atomically

    def write_after_a_change(*arguments: object, **options: object) -> None:
        source.write_bytes(b"changed")
        write_atomically(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "write_atomically", write_after_a_change)
    with pytest.raises(ArtifactError, match="has changed"):
        LocalBackend(root).put("a", source)
    assert list(root.iterdir()) == []


def write_something(path: Path) -> None:
    path.write_bytes(b"something")


def test_without_hard_links_an_existing_file_still_stays(
    root: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    backend = LocalBackend(root)
    backend.put("a", source)
    assert (root / "a").read_bytes() == CONTENT
    with pytest.raises(FileExistsError):
        files.write_atomically(root / "a", write_something, replace=False)
    assert [path.name for path in root.iterdir()] == ["a"]
    assert (root / "a").read_bytes() == CONTENT


def test_large_files_are_never_whole_in_memory(root: Path, tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(64 << 20)
    backend = LocalBackend(root)
    tracemalloc.start()
    try:
        backend.fetch(backend.put("large", large), tmp_path / "copy")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
