"""Pairs on a launcher: what `Experiment` promises holds there as well."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from axiomrl import Experiment
from axiomrl.errors import InputError, Interrupted, RunAliveError
from axiomrl.records import load_records
from axiomrl.records.store import RecordStore
from axiomrl.study.launchers.contract import Job, JobOutcome, JobProgress
from axiomrl.study.launchers.inline import InlineLauncher
from axiomrl.study.pairs import run_pairs

from .standins import SMALL, small

SETTINGS = {name: value for name, value in SMALL.items() if name != "logging"}


@pytest.fixture
def store() -> RecordStore:
    return RecordStore(Path("results").absolute())


def trained(store: RecordStore, *seeds: int, **options: Any) -> list[tuple[int, str | None, bool]]:
    """Seed, status and whether it was there before, of pairs that are trained in this process."""
    return [
        (seeds[place], result.metadata.get("status"), is_earlier)
        for place, result, is_earlier in run_pairs(
            store, [configuration(store, seed) for seed in seeds], InlineLauncher(), **options
        )
    ]


def configuration(store: RecordStore, seed: int, **changes: Any) -> Any:
    config = small(seed, **changes)
    return small(seed, output_dir=str(store.place(config).runs), **changes)


def test_finished_pairs_are_not_trained_again(store: RecordStore) -> None:
    assert trained(store, 2) == [(2, "completed", False)]
    assert trained(store, 1, 2, 3) == [
        (1, "completed", False), (2, "completed", True), (3, "completed", False),
    ]  # fmt: skip
    assert trained(store, 2, if_exists="new-attempt") == [(2, "completed", False)]
    with pytest.raises(InputError, match="finished already"):
        trained(store, 2, if_exists="error")


def test_a_pair_that_somebody_works_on_is_refused(store: RecordStore) -> None:
    with store.claimed(small(1)), pytest.raises(RunAliveError):
        trained(store, 1)
    assert trained(store, 1) == [(1, "completed", False)]


def test_claims_are_held_while_jobs_run_and_not_longer(store: RecordStore) -> None:
    refused = []

    class Looking(InlineLauncher):
        def run(self, jobs: Iterable[Job], **options: Any) -> Generator[JobOutcome, None, None]:
            for job in jobs:
                with pytest.raises(RunAliveError), store.claimed(job.config):
                    pass
                refused.append(job.config.seed)
                yield from super().run([job], **options)

    configs = [configuration(store, seed) for seed in (1, 2)]
    assert len(list(run_pairs(store, configs, Looking()))) == 2
    assert refused == [1, 2]
    for config in configs:
        with store.claimed(config):
            pass


def test_bad_input_is_raised_and_leaves_no_trace(store: RecordStore) -> None:
    config = configuration(store, 1, env_id="CartPol-v1")
    with pytest.raises(InputError, match="CartPol-v1"):
        list(run_pairs(store, [config], InlineLauncher()))
    left = [path for path in Path("results").rglob("*") if ".locks" not in path.parts]
    assert left == []


def test_an_attempt_that_cannot_be_continued_makes_room_for_another(
    store: RecordStore, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt(job: Job, progress: JobProgress) -> bool:
        return True

    assert trained(store, 1, on_progress=interrupt) == [(1, "interrupted", False)]
    (directory,) = store.place(small(1)).runs.iterdir()
    for path in (directory / "checkpoints").iterdir():
        path.write_bytes(b"damaged")
    assert trained(store, 1) == [(1, "completed", False)]
    assert "a new attempt is made" in caplog.text
    assert (directory.parent / f"{directory.name}-attempt2").is_dir()


def test_a_failed_run_has_a_result_with_its_error(store: RecordStore) -> None:
    def fail(job: Job, tell: Any) -> JobOutcome:
        error = {"type": "ZeroDivisionError", "message": "an unlucky step", "traceback": ""}
        return JobOutcome(job=job, state="failed", error=error)

    ((_, result, _),) = run_pairs(store, [configuration(store, 1)], InlineLauncher(fail))
    assert result.is_failed
    assert result.metadata["error"]["message"] == "an unlucky step"


def test_an_experiment_on_worker_processes_gives_the_same_results(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    experiment = Experiment(**SETTINGS)
    seen: set[str] = set()

    def interrupt(progress: Any) -> None:
        seen.add(progress.run_directory.name)
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        experiment.run([3, 1, 2], launcher="process", n_workers=2, on_progress=interrupt)
    results = experiment.run([3, 1, 2], launcher="process", n_workers=2)
    assert [result.seed for result in results] == [3, 1, 2]
    assert sorted(load_records("results").results, key=lambda each: each.seed) == sorted(
        results, key=lambda each: each.seed
    )
    alone = Experiment(**SETTINGS, save_dir="alone").run([1])
    assert alone[0].history == results[1].history
    assert len(list(Path("results/runs/ppo/CartPole-v1").glob("*/*"))) == 3


@pytest.mark.parametrize("launcher", ["inline", "process"])
def test_a_run_that_is_ended_early_has_a_result_and_is_continued(launcher: str) -> None:
    experiment = Experiment(**SETTINGS)
    first, second = experiment.run(
        [1, 2],
        launcher=launcher,
        on_progress=lambda progress: "seed1" in progress.run_directory.name,
    )
    assert first.metadata["status"] == "interrupted"
    assert (first.seed, second.seed) == (1, 2)
    assert second.metadata["status"] == "completed"
    assert [result.seed for result in load_records("results").results] == [2]
    again = experiment.run([1, 2], launcher=launcher)
    assert [result.metadata["status"] for result in again] == ["completed"] * 2
    assert again[0].metadata["run_directory"] == first.metadata["run_directory"]


def test_an_unknown_launcher_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(InputError, match="launcher"):
        Experiment(**SETTINGS).run([1], launcher="cloud")
    assert not Path("results").exists()
