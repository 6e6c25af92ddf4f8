"""What is removed from runs: superfluous checkpoints, rows and leftovers, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from axiomrl.errors import CheckpointError, InputError, RunAliveError
from axiomrl.runs.pruning import Pruned, last_written, needed_by_children, prune, time_span
from axiomrl.runs.record import RunRecord
from axiomrl.runs.sealing import outline
from axiomrl.runs.store import RunStore

from .conftest import KillEach
from .run_folders import mark_best, names_in, save_state, snapshot, write_metadata, write_run

ROWS = ("replay_0.rows", "replay_4.rows", "replay_8.rows")


def prunable(folder: Path, name: str = "a-run", **changes: object) -> Path:
    """A run of five checkpoints, the third of which is the best; the last needs two row files."""
    run = write_run(folder, name, **changes)
    for row_file in ROWS:
        (run / "checkpoints" / row_file).write_bytes(b"rows")
    for step in (0, 100, 200, 300, 400):
        rows = ROWS[1:] if step == 400 else ROWS[:2] if step else ()
        save_state(run, step, best=200 if step >= 200 else 0, rows=rows)
    mark_best(run, 200)
    return run


def pruned(
    run: Path,
    keep: Iterable[str] = ("best", "latest"),
    *,
    needed: frozenset[Path] = frozenset(),
    dry_run: bool = False,
) -> Pruned:
    return prune(RunRecord.read(run), keep, needed=needed, dry_run=dry_run)


def checkpoint_names(run: Path) -> set[str]:
    return names_in(run / "checkpoints")


def test_best_and_latest_stay_with_the_rows_that_the_latest_needs(tmp_path: Path) -> None:
    run = prunable(tmp_path)
    before = snapshot(run)
    done = pruned(run)
    assert checkpoint_names(run) == {"best.pt", "step_400.pt", *ROWS[1:]}
    assert done.kept == ("best.pt", "step_400.pt")
    gone = before.keys() - snapshot(run).keys()
    assert {str(path.relative_to(run)) for path in done.removed} == gone
    assert done.use.files == len(gone) == 5
    assert done.use.bytes == sum(len(before[name]) for name in gone)
    assert done.problems == ()
    assert {name: before[name] for name in snapshot(run)} == snapshot(run)
    assert RunRecord.read(run).latest_checkpoint == run / "checkpoints" / "step_400.pt"
    assert RunRecord.read(run).best_checkpoint == run / "checkpoints" / "best.pt"


def test_dry_run_says_the_same_and_changes_nothing(tmp_path: Path) -> None:
    run = prunable(tmp_path)
    before = snapshot(run)
    told = pruned(run, dry_run=True)
    assert snapshot(run) == before
    assert pruned(run) == told
    again = pruned(run)
    assert (again.removed, again.use.bytes) == ((), 0)


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (["best"], {"best.pt"}),
        (["latest"], {"step_400.pt", *ROWS[1:]}),
        (
            ["all"],
            {"best.pt", *ROWS, *(f"step_{step}.pt" for step in (0, 100, 200, 300, 400))},
        ),
    ],
)
def test_finished_run_keeps_what_it_is_told_to(
    keep: list[str], left: set[str], tmp_path: Path
) -> None:
    run = prunable(tmp_path)
    pruned(run, keep)
    assert checkpoint_names(run) == left


@pytest.mark.parametrize("keep", ["best", "latest"])
@pytest.mark.parametrize("status", ["interrupted", "failed", "dead"])
def test_unfinished_run_keeps_what_resuming_needs(keep: str, status: str, tmp_path: Path) -> None:
    gone = {"pid": 2**22 + 1, "start_time": 1.0, "boot_id": None}
    stored = {"status": "running", "process": gone} if status == "dead" else {"status": status}
    run = prunable(tmp_path, **stored)
    pruned(run, [keep])
    # its best step needs the first two row files, its newest the last two
    assert checkpoint_names(run) == {"best.pt", "step_200.pt", "step_400.pt", *ROWS}


def test_best_that_metadata_does_not_know_yet_stays_in_an_unfinished_run(tmp_path: Path) -> None:
    run = prunable(tmp_path, status="interrupted")
    mark_best(run, 0)  # killed before the third checkpoint was marked as the best
    pruned(run)
    kept = {name for name in checkpoint_names(run) if name.startswith("step_")}
    assert kept == {"step_0.pt", "step_200.pt", "step_400.pt"}


def test_older_checkpoint_stays_while_the_newest_is_damaged(tmp_path: Path) -> None:
    run = prunable(tmp_path)
    (run / "checkpoints" / "step_400.pt").write_bytes(b"torn")
    done = pruned(run, ["latest"])
    assert checkpoint_names(run) == {"step_300.pt", "step_400.pt", *ROWS}
    assert [problem.partition(": ")[2][:13] for problem in done.problems] == ["is no checkpo"]


def test_run_without_a_whole_checkpoint_loses_none(tmp_path: Path) -> None:
    run = prunable(tmp_path)
    for path in (run / "checkpoints").glob("*.pt"):
        path.write_bytes(b"torn")
    before = snapshot(run)
    assert len(pruned(run, ["best"]).problems) == 5
    assert snapshot(run) == before


def test_last_checkpoint_stays_where_there_is_no_best(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    for step in (0, 100):
        save_state(run, step)
    pruned(run, ["best"])
    assert checkpoint_names(run) == {"step_100.pt"}


def test_source_of_a_damaged_best_checkpoint_stays(tmp_path: Path) -> None:
    run = prunable(tmp_path)
    (run / "checkpoints" / "best.pt").write_bytes(b"torn")
    pruned(run, ["best"])
    assert "step_200.pt" in checkpoint_names(run)


def test_leftovers_of_killed_writers_go_and_everything_else_stays(tmp_path: Path) -> None:
    run = prunable(tmp_path)
    leftovers = [".metadata.json.12-3.tmp", "checkpoints/.step_9.pt.12-3.tmp"]
    others = [".tags.json.12-3.tmp", "notes.txt", "checkpoints/mine.pt", "checkpoints/.hidden"]
    for name in leftovers + others:
        (run / name).write_text("x")
    done = pruned(run, ["all"])
    assert {str(path.relative_to(run)) for path in done.removed} == set(leftovers)
    assert all((run / name).exists() for name in others)


def test_run_that_is_alive_is_refused(tmp_path: Path) -> None:
    run = prunable(tmp_path, status="running")
    before = snapshot(run)
    with pytest.raises(RunAliveError, match="being written by process"):
        pruned(run)
    assert snapshot(run) == before


def test_checkpoint_that_a_run_without_any_starts_from_stays(tmp_path: Path) -> None:
    run = prunable(tmp_path)
    path = run / "checkpoints" / "step_100.pt"
    child = write_run(tmp_path, "child", status="interrupted", parent={"path": str(path)})
    needed = needed_by_children(RunStore(tmp_path).scan().records)
    assert needed == {path}
    pruned(run, needed=needed)
    assert checkpoint_names(run) == {"best.pt", "step_100.pt", "step_400.pt", *ROWS}
    save_state(child, 100)
    assert needed_by_children(RunStore(tmp_path).scan().records) == set()


def test_age_of_a_run_is_that_of_its_last_sign_of_life(tmp_path: Path) -> None:
    run = write_run(tmp_path, heartbeat_utc="2026-01-03T00:00:00")
    assert last_written(RunRecord.read(run)) == datetime(2026, 1, 3, tzinfo=UTC)
    write_metadata(run, {"status": "completed", "heartbeat_utc": "no time"})
    changed = (run / "metadata.json").stat().st_mtime
    assert last_written(RunRecord.read(run)).timestamp() == pytest.approx(changed)


def test_time_spans_have_a_number_and_a_unit() -> None:
    assert time_span("7d") == timedelta(days=7)
    assert time_span(" 1.5h ") == timedelta(minutes=90)
    assert time_span("2w") == timedelta(days=14)
    assert time_span("30m") == timedelta(minutes=30)
    for text in ("", "7", "d", "-1d", "7 days", "1e3d", "9999999d"):
        with pytest.raises(InputError, match="is no time span"):
            time_span(text)


PRUNE = """
from pathlib import Path
module.prune(module.RunRecord.read(Path("a-run")), ["{keep}"])
"""


@pytest.mark.parametrize("keep", ["latest", "best"])
def test_killed_pruning_leaves_whole_files_and_rows_for_every_checkpoint(
    keep: str, tmp_path: Path, kill_before_each_change: KillEach
) -> None:
    source = tmp_path / "source"
    whole = snapshot(prunable(source))
    before = rows_missing(source / "a-run")
    code = PRUNE.format(keep=keep)
    for place in kill_before_each_change(source, "axiomrl.runs.pruning", code):
        run = place / "a-run"
        left = snapshot(run)
        assert left == {name: whole[name] for name in left}
        assert rows_missing(run) <= before
        assert json.loads((run / "metadata.json").read_text())["status"] == "completed"
        pruned(run, [keep])
        done = {"latest": {"step_400.pt", *ROWS[1:]}, "best": {"best.pt"}}
        assert checkpoint_names(run) == done[keep]


def rows_missing(run: Path) -> set[str]:
    """Row files that a numbered checkpoint of a run needs and that are not there."""
    found = set()
    for path in (run / "checkpoints").glob("step_*.pt"):
        try:
            needed = outline(path).replay_files
        except CheckpointError:
            return {path.name}
        found |= {name for name in needed if not (run / "checkpoints" / name).exists()}
    return found
