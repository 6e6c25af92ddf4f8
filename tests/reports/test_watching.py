"""Runs read again and again: rows once, rewritten files from the beginning."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.reports.watching import MOST_POINTS, SETTLE_S, Curve, MetricsTail, Watcher
from axiomrl.runs.provenance import this_process
from axiomrl.runs.record import RunRecord


def write(directory: Path, *rows: dict[str, Any]) -> None:
    """Replace metrics.jsonl."""
    (directory / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_run(directory: Path, status: str = "running", **changes: Any) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    progress = {"env_steps": 50, "total_timesteps": 200, "env_steps_per_s": 10.0}
    values = {"status": status, "process": this_process(), "progress": progress, **changes}
    (directory / "metadata.json").write_text(json.dumps(values))
    return directory


def row(step: int, **metrics: float) -> dict[str, float]:
    return {"step": step, "time_s": 0.25 * step, **metrics}


def steps_of(tail: MetricsTail) -> list[float | None]:
    return [each.step for each in tail.read()[0]]


@given(st.data())
def test_every_row_is_read_once_however_the_file_grows(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "growing.jsonl"
    count = data.draw(st.integers(1, 6))
    content = "".join(json.dumps(row(step)) + "\n" for step in range(count)).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4)))
    tail = MetricsTail(path)
    path.unlink(missing_ok=True)
    found = steps_of(tail)
    for cut in [*cuts, len(content)]:
        path.write_bytes(content[:cut])
        found += steps_of(tail)
    assert found == list(range(count))


def test_only_new_bytes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, *(row(step) for step in range(2000)))
    tail = MetricsTail(tmp_path / "metrics.jsonl")
    assert len(steps_of(tail)) == 2000
    asked: list[int] = []
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda h, n, at: asked.append(n) or real(h, n, at))
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write(json.dumps(row(2000)) + "\n")
    assert steps_of(tail) == [2000]
    assert max(asked) <= 128


def test_file_that_was_cut_off_and_written_on_is_read_again(tmp_path: Path) -> None:
    tail = MetricsTail(tmp_path / "metrics.jsonl")
    write(tmp_path, row(1), row(2), row(3))
    assert steps_of(tail) == [1, 2, 3]
    write(tmp_path, row(1))
    rows, is_again = tail.read()
    assert (len(rows), is_again) == (1, True)
    # longer than before, but not what was read before
    write(tmp_path, row(9), row(20))
    rows, is_again = tail.read()
    assert ([each.step for each in rows], is_again) == ([9, 20], True)
    (tmp_path / "metrics.jsonl").unlink()
    assert tail.read() == ([], True)
    assert tail.read() == ([], False)


def test_what_is_no_row_is_left_out(tmp_path: Path) -> None:
    lines = [b'{"step": 1}', b"{", b"[1]", b'{"step": "x"}', b"\xff", b"", b'{"step": NaN}']
    (tmp_path / "metrics.jsonl").write_bytes(b"\n".join([*lines, b'{"step": 2, "x": {"y": []}}\n']))
    assert steps_of(MetricsTail(tmp_path / "metrics.jsonl")) == [1, 2]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.integers(1, 20))
def test_resampled_curve_stays_within_its_values(values: list[float], count: int) -> None:
    curve = Curve()
    for step, value in enumerate(values):
        curve.add(step, value)
    points = curve.resampled(count)
    assert len(points) == min(len(values), count)
    low, high = min(values) - 1e-6, max(values) + 1e-6
    assert all(point is None or low <= point <= high for point in points)
    assert points[-1] is not None


def test_resampled_curve_averages_equal_parts_of_the_steps() -> None:
    curve = Curve()
    for step, value in [(0, 1.0), (10, 3.0), (20, 5.0), (90, 7.0), (100, 9.0)]:
        curve.add(step, value)
    assert curve.resampled(4) == [3.0, None, None, 8.0]


def test_very_long_curve_is_thinned_out() -> None:
    curve = Curve()
    for step in range(3 * MOST_POINTS):
        curve.add(step, 1.0)
    assert len(curve.values) == len(curve.steps) <= MOST_POINTS
    assert curve.steps[0] == 0
    assert curve.steps[-1] > 2.9 * MOST_POINTS


def test_view_joins_metadata_and_rows(tmp_path: Path) -> None:
    best = {"metric_name": "eval_return_mean", "metric_value": 30.0}
    run = write_run(tmp_path / "run", best_checkpoint=best)
    write(
        run,
        row(0, eval_return_mean=10.0),
        row(80, rollout_return_mean=5.0, time_env_steps_per_s=40.0),
        row(100, eval_return_mean=20.0),
    )
    (view,) = Watcher(RunRecord.read(run)).refresh()
    assert (view.env_steps, view.total_timesteps) == (100, 200)
    assert (view.env_steps_per_s, view.remaining_s) == (40.0, 10.0)
    assert (view.metric, view.last, view.best) == ("eval", 20.0, 30.0)
    assert view.curve.values == [10.0, 20.0]


def test_run_that_is_never_evaluated_shows_its_training_returns(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    write(run, row(10, rollout_return_mean=5.0), row(20, rollout_return_mean=6.0))
    (view,) = Watcher(RunRecord.read(run)).refresh()
    assert (view.metric, view.last, view.best) == ("rollout", 6.0, None)


def test_resumed_run_forgets_the_rows_that_were_cut_off(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    watcher = Watcher(RunRecord.read(run))
    write(run, row(0, eval_return_mean=1.0), row(100, eval_return_mean=99.0))
    assert watcher.refresh()[0].curve.values == [1.0, 99.0]
    write(run, row(0, eval_return_mean=1.0))
    (view,) = watcher.refresh()
    assert (view.curve.values, view.env_steps) == ([1.0], 50)


def test_run_is_watched_until_it_has_ended_or_is_gone(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    watcher = Watcher(RunRecord.read(run))
    assert watcher.refresh()[0].status == "running"
    assert not watcher.is_over
    write_run(run, "failed")
    assert watcher.refresh()[0].status == "failed"
    assert watcher.is_over
    (run / "metadata.json").unlink()
    (view,) = watcher.refresh()
    assert (view.status, view.remaining_s) == ("removed", None)


def test_folder_shows_what_runs_what_begins_and_what_has_ended_meanwhile(tmp_path: Path) -> None:
    now = 100.0
    watcher = Watcher(tmp_path, clock=lambda: now)
    assert watcher.refresh() == []
    assert watcher.is_over
    write_run(tmp_path / "ended-before", "completed")
    first = write_run(tmp_path / "first", created_at_utc="2026-01-01")
    assert [view.name for view in watcher.refresh()] == ["first"]
    write_run(first, "completed")
    write_run(tmp_path / "second", created_at_utc="2026-01-02")
    assert [(v.name, v.status) for v in watcher.refresh()] == [
        ("first", "completed"),
        ("second", "running"),
    ]
    assert not watcher.is_over
    write_run(tmp_path / "second", "interrupted")
    now += 0.5 * SETTLE_S
    watcher.refresh()
    assert not watcher.is_over  # the next seed may be about to begin
    now += SETTLE_S
    watcher.refresh()
    assert watcher.is_over
