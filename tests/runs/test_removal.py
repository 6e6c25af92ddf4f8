"""Runs in the trash: moved whole, restored where they were, deleted beyond return."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from axiomrl.errors import AxiomRLError, InputError, RunAliveError, RunNotFoundError
from axiomrl.runs import removal
from axiomrl.runs.record import RunRecord
from axiomrl.runs.removal import Removed
from axiomrl.runs.store import RunStore

from .conftest import KillEach, StartPython
from .run_folders import names_in, save_state, snapshot, write_metadata, write_run


def remove(runs_dir: Path, *directories: Path, purge: bool = False) -> list[Removed]:
    records = [RunRecord.read(directory) for directory in directories]
    return list(removal.remove_runs(records, runs_dir, purge=purge))


def names_of_runs(runs_dir: Path) -> list[str]:
    return [record.directory.name for record in RunStore(runs_dir).scan().records]


def folders_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir()}


def test_removed_run_lies_whole_in_the_trash_and_is_no_longer_found(tmp_path: Path) -> None:
    run, other = write_run(tmp_path, "one"), write_run(tmp_path, "two")
    before = snapshot(run)
    (removed,) = remove(tmp_path, run)
    assert removed.directory == run
    assert removed.entry == tmp_path / ".trash" / "one"
    assert (removed.use.files, removed.use.bytes) == (3, sum(map(len, before.values())))
    assert not run.exists()
    assert snapshot(removed.entry) == before
    assert names_of_runs(tmp_path) == [other.name]


@pytest.mark.parametrize("inner", ["", "deep/within"])
def test_restored_run_is_where_it_was_and_as_it_was(inner: str, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    run = write_run(runs / inner, "one")
    before = snapshot(run)
    remove(runs, run)
    if inner:
        shutil.rmtree(runs / "deep")  # is made again
    moved = runs.rename(tmp_path / "moved")
    assert removal.restore("one", moved) == moved / inner / "one"
    assert snapshot(moved / inner / "one") == before
    assert names_in(moved / ".trash") == set()


def test_runs_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    for number in range(3):
        remove(tmp_path, write_run(tmp_path, "one", seed=number))
    assert folders_in(tmp_path / ".trash") == {"one", "one~2", "one~3"}
    restored = removal.restore("one~3", tmp_path)
    assert restored == tmp_path / "one"
    assert RunRecord.read(restored).metadata["seed"] == 2
    with pytest.raises(InputError, match="one: exists"):
        removal.restore("one~2", tmp_path)
    assert folders_in(tmp_path / ".trash") == {"one", "one~2"}


def test_purged_run_is_gone(tmp_path: Path) -> None:
    run = write_run(tmp_path, "one")
    outside = tmp_path / "data"
    outside.mkdir()
    (outside / "precious").write_text("not a part of the run")
    (run / "link").symlink_to(outside)
    (removed,) = remove(tmp_path, run, purge=True)
    assert not run.exists()
    assert not removed.entry.exists()
    assert names_in(tmp_path / ".trash") == set()
    assert names_in(outside) == {"precious"}


def test_run_in_the_trash_can_be_purged_but_not_removed_again(tmp_path: Path) -> None:
    (removed,) = remove(tmp_path, write_run(tmp_path, "one"))
    with pytest.raises(InputError, match="in the trash already"):
        remove(tmp_path, removed.entry)
    remove(tmp_path, removed.entry, purge=True)
    assert names_in(tmp_path / ".trash") == set()


def test_nothing_is_moved_when_one_of_the_runs_is_alive(tmp_path: Path) -> None:
    one, two = write_run(tmp_path, "one"), write_run(tmp_path, "two", status="running")
    for purge in (False, True):
        with pytest.raises(RunAliveError, match=r"two: .* being written by process"):
            remove(tmp_path, one, two, purge=purge)
    assert one.exists()
    assert two.exists()


def test_dead_run_can_be_removed(tmp_path: Path) -> None:
    gone = {"pid": 2**22 + 1, "start_time": 1.0, "boot_id": None}
    run = write_run(tmp_path, "one", status="running", process=gone)
    remove(tmp_path, run)
    assert not run.exists()


HOLD = """
from axiomrl.runs.ownership import DirectoryLock
lock = DirectoryLock(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


def test_run_that_is_just_being_resumed_is_refused(
    tmp_path: Path, start_python: StartPython
) -> None:
    run = write_run(tmp_path, status="interrupted")
    other = start_python(HOLD, run, stdin=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == "locked\n"
    with pytest.raises(RunAliveError):
        remove(tmp_path, run)
    other.communicate("")
    remove(tmp_path, run)


def test_run_that_came_to_life_since_it_was_read_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path, status="interrupted")
    record = RunRecord.read(run)
    write_metadata(run, {**record.metadata, "status": "running"})
    with pytest.raises(RunAliveError):
        list(removal.remove_runs([record], tmp_path))
    assert run.exists()


def test_link_to_a_run_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "elsewhere", "one")
    link = tmp_path / "link"
    link.symlink_to(run)
    with pytest.raises(InputError, match=f"is a link to {run}"):
        remove(tmp_path, link)
    assert link.is_symlink()


def test_folder_of_runs_may_be_a_link(tmp_path: Path) -> None:
    run = write_run(tmp_path / "real", "one")
    (tmp_path / "runs").symlink_to(tmp_path / "real")
    (removed,) = remove(tmp_path / "runs", tmp_path / "runs" / "one", run)
    assert removed.entry == tmp_path / "real" / ".trash" / "one"
    assert removal.restore("one", tmp_path / "runs").resolve() == run


def test_run_elsewhere_goes_to_the_trash_beside_it(tmp_path: Path) -> None:
    run = write_run(tmp_path / "elsewhere", "one")
    (tmp_path / "runs").mkdir()
    (removed,) = remove(tmp_path / "runs", run)
    assert removed.entry == tmp_path / "elsewhere" / ".trash" / "one"
    assert removal.restore(str(removed.entry), tmp_path / "runs") == run


def test_run_on_another_file_system_goes_to_a_trash_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "mounted", "one")
    real_stat = os.stat

    class Elsewhere:
        st_dev = -1

    monkeypatch.setattr(os, "stat", lambda p, **o: Elsewhere if p == run else real_stat(p, **o))
    assert removal.trash_root(run, tmp_path) == tmp_path / "mounted"
    assert removal.trash_root(run.parent, tmp_path) == tmp_path


def test_run_that_the_system_does_not_move_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path, "one")

    def refuse(*arguments: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(AxiomRLError, match=r"cannot be moved to .*: Invalid cross-device link"):
        remove(tmp_path, run)
    assert run.exists()
    assert names_in(tmp_path / ".trash") == set()


def test_what_is_to_be_restored_is_named_by_a_unique_beginning(tmp_path: Path) -> None:
    remove(tmp_path, *(write_run(tmp_path, name) for name in ("ppo-a", "ppo-b", "dqn-a")))
    with pytest.raises(RunNotFoundError, match="'ppo' means 2 runs") as ambiguous:
        removal.restore("ppo", tmp_path)
    assert [line.strip() for line in str(ambiguous.value).splitlines()[1:]] == ["ppo-a", "ppo-b"]
    with pytest.raises(RunNotFoundError, match="did you mean: dqn-a"):
        removal.restore("dqm-a", tmp_path)
    assert removal.restore("dqn", tmp_path) == tmp_path / "dqn-a"
    with pytest.raises(RunNotFoundError, match="the trash is empty"):
        removal.restore("x", tmp_path / "nowhere")


@pytest.mark.parametrize("origin", ["../escaped", "/escaped", "a/../../escaped", "", 7])
def test_note_that_leads_out_of_the_folder_is_not_followed(origin: object, tmp_path: Path) -> None:
    remove(tmp_path, write_run(tmp_path, "one"))
    note = {"origin": origin, "trashed_at_utc": "2026-01-01T00:00:00+00:00"}
    (tmp_path / ".trash" / "one.json").write_text(json.dumps(note))
    assert removal.restore("one", tmp_path) == tmp_path / "one"


def emptied(entries: Iterable[tuple[removal.TrashEntry, object]]) -> list[str]:
    return [entry.path.name for entry, _ in entries]


def test_trash_is_emptied_of_what_has_been_there_for_long_enough(tmp_path: Path) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for days, name in enumerate(["one", "two", "three"]):
        record = RunRecord.read(write_run(tmp_path, name))
        now = start + timedelta(days=days)
        list(removal.remove_runs([record], tmp_path, now=lambda now=now: now))

    def empty(*, dry_run: bool) -> list[str]:
        return emptied(
            removal.empty_trash(
                tmp_path,
                older_than=timedelta(days=1),
                dry_run=dry_run,
                now=lambda: start + timedelta(days=2, hours=1),
            )
        )

    assert empty(dry_run=True) == ["one", "two"]
    assert folders_in(tmp_path / ".trash") == {"one", "two", "three"}
    assert empty(dry_run=False) == ["one", "two"]
    assert names_in(tmp_path / ".trash") == {"three", "three.json"}
    assert emptied(removal.empty_trash(tmp_path)) == ["three"]
    assert names_in(tmp_path / ".trash") == set()
    assert emptied(removal.empty_trash(tmp_path / "nowhere")) == []


def test_children_of_a_run_are_found_by_the_checkpoint_that_they_continue(tmp_path: Path) -> None:
    parent, other = write_run(tmp_path, "parent"), write_run(tmp_path, "other")
    path = "/former/place/parent/checkpoints/step_8.pt"
    child = write_run(tmp_path, "child", parent={"path": path, "step": 8})
    records = RunStore(tmp_path).scan().records
    assert [each.directory for each in removal.children_of(parent, records)] == [child]
    assert removal.children_of(other, records) == []


def prepared(tmp_path: Path) -> Path:
    """A folder with the run `one`, of several files."""
    source = tmp_path / "source"
    run = write_run(source, "one")
    for step in (1, 2):
        save_state(run, step)
    (source / ".trash").mkdir()
    return source


REMOVE = """
from pathlib import Path
records = [module.RunRecord.read(Path("one"))]
list(module.remove_runs(records, Path("."), purge={purge}))
"""


def test_killed_removal_leaves_the_whole_run_in_one_of_two_places(
    tmp_path: Path, kill_before_each_change: KillEach
) -> None:
    source = prepared(tmp_path)
    code = REMOVE.format(purge=False)
    for place in kill_before_each_change(source, "axiomrl.runs.removal", code):
        found = [each for each in (place / "one", place / ".trash" / "one") if each.exists()]
        assert [snapshot(each) for each in found] == [snapshot(source / "one")]


def test_killed_purge_leaves_the_whole_run_or_something_in_the_trash(
    tmp_path: Path, kill_before_each_change: KillEach
) -> None:
    source = prepared(tmp_path)
    whole = snapshot(source / "one")
    in_part = 0
    code = REMOVE.format(purge=True)
    for place in kill_before_each_change(source, "axiomrl.runs.removal", code):
        if (place / "one").exists():
            assert snapshot(place / "one") == whole
            continue
        if (place / ".trash" / "one" / "metadata.json").exists():
            assert snapshot(removal.restore("one", place)) == whole
            continue
        in_part += 1
        assert names_of_runs(place) == []
        if (place / ".trash" / "one").exists():
            with pytest.raises(InputError, match="deleted in part"):
                removal.restore("one", place)
        list(removal.empty_trash(place))
        assert names_in(place / ".trash") == set()
    assert in_part >= 3


RESTORE = "from pathlib import Path\nmodule.restore('one', Path('.'))"


def test_killed_restoring_leaves_the_whole_run_in_one_of_two_places(
    tmp_path: Path, kill_before_each_change: KillEach
) -> None:
    source = prepared(tmp_path)
    whole = snapshot(source / "one")
    remove(source, source / "one")
    for place in kill_before_each_change(source, "axiomrl.runs.removal", RESTORE):
        found = [each for each in (place / "one", place / ".trash" / "one") if each.exists()]
        assert [snapshot(each) for each in found] == [whole]
