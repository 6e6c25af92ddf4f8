"""Processes that compete for a history, and processes that are killed while they write one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import axiomrl
from axiomrl import ExperimentManager

from . import writers
from .writers import OPERATIONS


def run_writers(*words: object) -> list[int]:
    """What `writers.py` reports."""
    done = subprocess.run(
        [sys.executable, writers.__file__, *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(axiomrl.__file__).parents[1])},
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    reported: list[int] = json.loads(done.stdout)
    return reported


def contents(manager: ExperimentManager) -> list[tuple[Any, ...]]:
    """What a history says that does not depend on when and where it was written."""
    return [
        (each.version, each.hyperparameters, each.metrics, each.checkpoints,
         each.status.replace("dead", "running"))
        for each in manager.read_history("mlp")
    ]  # fmt: skip


def test_fifty_processes_that_start_at_once_get_a_version_each(tmp_path: Path) -> None:
    assert run_writers("compete", tmp_path, 50) == [0] * 50
    history = ExperimentManager(tmp_path).read_history("mlp")
    assert [record.version for record in history] == list(range(1, 51))
    assert [record.metrics["number"] for record in history] == [[n] for n in range(1, 51)]
    assert len({record.hyperparameters["pid"] for record in history}) == 50
    assert sorted(os.listdir(tmp_path)) == [".locks", "mlp.json"]


def test_killed_at_any_write_point_nothing_is_lost_or_half_written(tmp_path: Path) -> None:
    undisturbed = ExperimentManager(tmp_path / "undisturbed")
    states: list[list[tuple[Any, ...]]] = [[]]
    for operation in OPERATIONS:
        operation(undisturbed)
        states.append(contents(undisturbed))

    completed = run_writers("kill", tmp_path)
    assert len(completed) > 5 * len(OPERATIONS)  # several points in every operation
    assert set(completed) == set(range(len(OPERATIONS) + 1))
    for point, count in enumerate(completed):
        manager = ExperimentManager(tmp_path / str(point))
        assert contents(manager) in states[count : count + 2], point
        versions = len(contents(manager))
        assert manager.start_experiment("mlp").version == versions + 1  # no lock is left
        assert sorted(os.listdir(manager.log_dir)) == [".locks", "mlp.json"]


def test_managers_of_one_experiment_do_not_overwrite_each_other(tmp_path: Path) -> None:
    one, other = ExperimentManager(tmp_path), ExperimentManager(tmp_path)
    one.start_experiment("mlp")
    other.start_experiment("mlp")
    for value in range(3):
        one.log_metrics({"loss": value})
        other.log_metrics({"loss": -value})
    one.end_experiment()
    other.end_experiment("interrupted")
    first, second = one.read_history("mlp")
    assert (first.metrics, first.status) == ({"loss": [0, 1, 2]}, "completed")
    assert (second.metrics, second.status) == ({"loss": [0, -1, -2]}, "interrupted")


def test_threads_that_share_a_manager_lose_no_value(tmp_path: Path) -> None:
    manager = ExperimentManager(tmp_path)
    record = manager.start_experiment("mlp")

    def log(start: int) -> None:
        for value in range(start, start + 5):
            manager.log_metrics({"value": value})

    threads = [threading.Thread(target=log, args=(start,)) for start in (0, 5, 10, 15)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (stored,) = manager.read_history("mlp")
    assert sorted(stored.metrics["value"]) == list(range(20))
    assert record.metrics == stored.metrics
