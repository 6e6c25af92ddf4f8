"""Plans and their execution: seeds, resuming, failures, changed configurations."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from axiomrl.config import TrainConfig
from axiomrl.errors import InputError, Interrupted
from axiomrl.runs.record import RunRecord
from axiomrl.study.plan import read_plan

from .conftest import state_in, states_in, summary_in
from .quick_training import QuickTraining, RunOutcome, run_study, study

RETURNS: dict[int, Any] = {seed: {"eval_return_mean": float(seed)} for seed in (1, 2, 3, 4)}


class Killed(BaseException):
    """Stands in for the end of the process."""


class Watching(QuickTraining):
    """Notes what stands in runner_state.json whenever a run begins; may end the process."""

    def __init__(self, folder: Path, metrics: Any = RETURNS, *, killed_at: int = -1) -> None:
        super().__init__(metrics)
        self.folder = folder
        self.killed_at = killed_at
        self.seen: list[dict[str, Any]] = []

    def __call__(self, config: TrainConfig, directory: Path, **options: Any) -> RunOutcome:
        self.seen.append(state_in(self.folder))
        self.metrics.setdefault(config.seed, {"eval_return_mean": 0.0})
        if len(self.seen) - 1 == self.killed_at:
            raise Killed
        return super().__call__(config, directory, **options)


def test_each_seed_becomes_a_complete_run_in_its_directory(folder: Path) -> None:
    outcome = run_study(study(folder, seeds=[3, 1]), train=QuickTraining(RETURNS), command=["x"])
    assert outcome.is_completed
    assert sorted(path.name for path in folder.iterdir()) == [
        "run_00_seed3", "run_01_seed1", "runner_state.json", "summary.csv",
    ]  # fmt: skip
    for name, seed in (("run_00_seed3", 3), ("run_01_seed1", 1)):
        record = RunRecord.read(folder / name)
        assert (record.status, record.metadata["seed"]) == ("completed", seed)
        assert record.config()["mode"] == "train"
        assert record.config()["experiments_runner"]["seeds"] == []
        assert record.metadata["config_hash"] == outcome.plan.config_hash


def test_drawn_seeds_are_distinct_and_saved_before_the_first_run(folder: Path) -> None:
    training = Watching(folder)
    run_study(study(folder, n_runs=20), train=training)
    first = training.seen[0]
    assert first["seeds"] == training.trained
    assert len(set(first["seeds"])) == 20
    assert all(0 <= seed < 2**31 for seed in first["seeds"])
    assert max(first["seeds"]) > 2**24  # not small numbers: 31 bits
    assert [run["state"] for run in first["runs"]] == ["running"] + ["pending"] * 19
    assert first["runner"]["pid"] == os.getpid()
    assert state_in(folder)["runner"] is None


def test_resuming_always_uses_the_seeds_that_were_drawn(folder: Path) -> None:
    killed = Watching(folder, killed_at=1)
    with pytest.raises(Killed):
        run_study(study(folder, n_runs=3), train=killed)
    again = Watching(folder)
    run_study(study(folder, n_runs=3, resume=True), train=again)
    seeds = killed.seen[0]["seeds"]
    assert state_in(folder)["seeds"] == seeds
    assert (killed.trained, again.trained) == (seeds[:1], seeds[1:])
    assert states_in(folder) == ["completed"] * 3


def test_a_study_is_never_overwritten(folder: Path) -> None:
    config = study(folder, seeds=[1, 2])
    run_study(config, train=QuickTraining(RETURNS))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="already holds a study") as caught:
        run_study(config, train=QuickTraining(RETURNS))
    assert "axiomrl study resume" in str(caught.value)
    assert "output_base_dir" in str(caught.value)
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_runs_without_their_plan_are_not_taken_over(folder: Path) -> None:
    config = study(folder, seeds=[1, 2])
    run_study(config, train=QuickTraining(RETURNS))
    (folder / "runner_state.json").unlink()
    with pytest.raises(InputError, match=r"runner_state\.json is missing"):
        run_study(config, train=QuickTraining(RETURNS))


def test_a_plan_that_cannot_be_read_is_left_alone(folder: Path) -> None:
    run_study(study(folder, seeds=[1]), train=QuickTraining(RETURNS))
    path = folder / "runner_state.json"
    for text in ("{", "[]", '{"runs": 3}', json.dumps({**state_in(folder), "schema_version": 99})):
        path.write_text(text)
        with pytest.raises(InputError, match=r"runner_state\.json"):
            run_study(study(folder, seeds=[1], resume=True), train=QuickTraining(RETURNS))
        assert path.read_text() == text


def test_a_failing_run_is_recorded_and_the_series_goes_on(folder: Path) -> None:
    metrics = {**RETURNS, 2: RuntimeError("no such luck, token=abcdef123")}
    training = QuickTraining(metrics)
    outcome = run_study(study(folder, seeds=[1, 2, 3]), train=training)
    assert not outcome.is_completed
    assert states_in(folder) == ["completed", "failed", "completed"]
    error = state_in(folder)["runs"][1]["error"]
    assert error["type"] == "RuntimeError"
    assert "no such luck" in error["message"]
    assert "quick_training.py" in error["traceback"]
    assert "abcdef123" not in json.dumps(error)
    assert RunRecord.read(folder / "run_01_seed2").status == "failed"


def test_the_series_stops_at_a_failure_if_asked_to(folder: Path) -> None:
    training = QuickTraining({**RETURNS, 2: RuntimeError("broken")})
    outcome = run_study(study(folder, seeds=[1, 2, 3], on_error="stop"), train=training)
    assert states_in(folder) == ["completed", "failed", "pending"]
    assert not outcome.is_completed


def test_failed_runs_are_repeated_on_request_only(folder: Path) -> None:
    broken = {**RETURNS, 2: RuntimeError("broken")}
    run_study(study(folder, seeds=[1, 2, 3]), train=QuickTraining(broken))
    config, training = study(folder, seeds=[1, 2, 3], resume=True), QuickTraining(RETURNS)
    assert not run_study(config, train=training).is_completed
    assert training.trained == []
    assert states_in(folder) == ["completed", "failed", "completed"]
    assert run_study(config, train=training, retry_failed=True).is_completed
    assert training.trained == [2]
    assert state_in(folder)["runs"][1]["error"] is None
    assert [row["eval_return_mean"] for row in summary_in(folder)] == [
        "1.000000", "2.000000", "3.000000", "2.000000", "1.000000",
    ]  # fmt: skip


def test_a_run_whose_directory_was_removed_is_made_again(folder: Path) -> None:
    run_study(study(folder, seeds=[1, 2]), train=QuickTraining(RETURNS))
    (folder / "run_01_seed2").rename(folder.parent / "elsewhere")
    training = QuickTraining(RETURNS)
    assert run_study(study(folder, seeds=[1, 2], resume=True), train=training).is_completed
    assert training.trained == [2]


def test_bad_input_at_the_first_run_leaves_nothing_behind(folder: Path) -> None:
    class BadInput(QuickTraining):
        def __call__(self, config: TrainConfig, directory: Path, **options: Any) -> RunOutcome:
            return RunOutcome("failed", InputError("env_id: there is no such thing"), directory)

    with pytest.raises(InputError, match="no such thing"):
        run_study(study(folder, seeds=[1, 2]), train=BadInput(RETURNS))
    assert not folder.parent.exists()


def test_settings_of_where_and_how_may_change_between_resumes(folder: Path) -> None:
    run_study(study(folder, seeds=[1]), train=QuickTraining(RETURNS))
    changes = {"threads": 2, "tags": ["x"], "checkpoint": {"keep": 1}, "output_dir": "y"}
    config = study(folder, seeds=[1], resume=True, changes=changes, save_summary=False)
    assert run_study(config, train=QuickTraining(RETURNS)).is_completed


@pytest.mark.parametrize(
    ("changes", "runner", "told"),
    [
        ({"hyperparameters": {"gamma": 0.5}}, {},
         ["- hyperparameters.gamma: 0.99", "+ hyperparameters.gamma: 0.5"]),
        ({"total_timesteps": 200}, {}, ["- total_timesteps: 100", "+ total_timesteps: 200"]),
        ({"test": {"episodes": 5}}, {}, ["- test.episodes: null", "+ test.episodes: 5"]),
        ({}, {"seeds": [1, 2, 3]}, ["- experiments_runner.seeds: [1, 2]",
                                    "+ experiments_runner.seeds: [1, 2, 3]"]),
        ({}, {"seeds": [], "n_runs": 3}, ["- experiments_runner.n_runs: 2",
                                          "+ experiments_runner.n_runs: 3"]),
        ({"environment": {"kwargs": {"api_key": "new"}}}, {},
         ["- environment.kwargs: {}", '+ environment.kwargs.api_key: "***"']),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_changed_configuration_is_refused_with_a_diff(
    folder: Path, changes: dict[str, Any], runner: dict[str, Any], told: list[str]
) -> None:
    run_study(study(folder, seeds=[1, 2]), train=QuickTraining(RETURNS))
    before = (folder / "runner_state.json").read_bytes()
    config = study(folder, changes=changes, **{"seeds": [1, 2], "resume": True, **runner})
    with pytest.raises(InputError, match="has changed") as caught:
        run_study(config, source="study.yaml", train=QuickTraining(RETURNS))
    lines = [line.strip() for line in str(caught.value).splitlines()]
    assert lines[1:3] == [f"--- {folder / 'runner_state.json'}", "+++ study.yaml"]
    assert lines[3:-1] == told
    assert "--allow-config-change" in lines[-1]
    assert "new" not in "".join(lines)  # the secret
    assert (folder / "runner_state.json").read_bytes() == before


def test_another_secret_is_another_configuration_but_is_not_shown(folder: Path) -> None:
    def with_key(key: str, **runner: Any) -> TrainConfig:
        changes = {"environment": {"kwargs": {"api_key": key}}}
        return study(folder, changes=changes, seeds=[1], **runner)

    run_study(with_key("first"), train=QuickTraining(RETURNS))
    assert "first" not in (folder / "runner_state.json").read_text()
    run_study(with_key("first", resume=True), train=QuickTraining(RETURNS))
    with pytest.raises(InputError, match="a secret") as caught:
        run_study(with_key("second", resume=True), train=QuickTraining(RETURNS))
    assert "second" not in str(caught.value)


def test_a_changed_configuration_may_be_gone_on_with(folder: Path) -> None:
    broken = {**RETURNS, 2: RuntimeError("broken")}
    run_study(study(folder, seeds=[1, 2]), train=QuickTraining(broken))
    config = study(
        folder, seeds=[1, 2, 3], resume=True, changes={"hyperparameters": {"gamma": 0.5}}
    )
    training = QuickTraining(RETURNS)
    outcome = run_study(config, train=training, retry_failed=True, allow_config_change=True)
    assert outcome.is_completed
    assert training.trained == [2, 3]
    hashes = [RunRecord.read(folder / run.directory).metadata["config_hash"]
              for run in outcome.plan.runs]  # fmt: skip
    assert hashes[1] == hashes[2] == outcome.plan.config_hash != hashes[0]
    assert [run.config_hash for run in outcome.plan.runs] == hashes
    # the failed attempt at the former configuration is kept
    assert RunRecord.read(folder / "run_01_seed2-attempt1").status == "failed"
    # from now on that is the configuration of the study
    run_study(config, train=training)


def test_a_study_may_be_extended_but_not_cut(folder: Path) -> None:
    run_study(study(folder, n_runs=2), train=Watching(folder))
    before = state_in(folder)["seeds"]
    longer = study(folder, n_runs=3, resume=True)
    run_study(longer, train=Watching(folder), allow_config_change=True)
    seeds = state_in(folder)["seeds"]
    assert seeds[:2] == before
    assert len(set(seeds)) == 3
    for runner in ({"n_runs": 1}, {"seeds": [seeds[0]]}):
        shorter = study(folder, resume=True, **runner)
        with pytest.raises(InputError, match="planned"):
            run_study(shorter, train=Watching(folder), allow_config_change=True)


def test_a_signal_ends_the_series_and_is_passed_on(folder: Path) -> None:
    class Stopped(QuickTraining):
        def __call__(self, config: TrainConfig, directory: Path, **options: Any) -> RunOutcome:
            if config.seed == 2:
                raise Interrupted("interrupted", signal_number=signal.SIGTERM)
            return super().__call__(config, directory, **options)

    with pytest.raises(Interrupted) as caught:
        run_study(study(folder, seeds=[1, 2, 3]), train=Stopped(RETURNS))
    assert caught.value.exit_code == 143
    assert caught.value.hint == f"axiomrl study resume {folder}"
    assert states_in(folder) == ["completed", "interrupted", "pending"]
    assert state_in(folder)["runner"] is None


def test_a_signal_between_two_runs_is_not_lost(folder: Path) -> None:
    class Signalled(QuickTraining):
        def __call__(self, config: TrainConfig, directory: Path, **options: Any) -> RunOutcome:
            outcome = super().__call__(config, directory, **options)
            signal.raise_signal(signal.SIGINT)
            return outcome

    with pytest.raises(Interrupted, match="after 1 of 2 runs") as caught:
        run_study(study(folder, seeds=[1, 2]), train=Signalled(RETURNS))
    assert caught.value.exit_code == 130
    assert states_in(folder) == ["completed", "pending"]


def test_no_summary_is_written_unless_wanted(folder: Path) -> None:
    run_study(study(folder, seeds=[1], save_summary=False), train=QuickTraining(RETURNS))
    assert not (folder / "summary.csv").exists()


def test_a_directory_in_the_plan_cannot_lead_elsewhere(folder: Path) -> None:
    run_study(study(folder, seeds=[1]), train=QuickTraining(RETURNS))
    state = state_in(folder)
    state["runs"][0]["directory"] = "../../elsewhere"
    (folder / "runner_state.json").write_text(json.dumps(state))
    with pytest.raises(InputError, match="leads out of"):
        read_plan(folder)


def test_a_runner_says_now_and_then_that_it_lives(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = datetime(2026, 1, 1, tzinfo=UTC)
    beats: list[str] = []

    def train(
        config: TrainConfig, directory: Path, *, command: Sequence[str] | None, on_progress: Any
    ) -> RunOutcome:
        nonlocal time
        for _ in range(6):
            time += timedelta(seconds=20)
            on_progress(None)
            beats.append(state_in(folder)["runner"]["heartbeat_utc"][14:19])
        return QuickTraining(RETURNS)(config, directory)

    run_study(study(folder, seeds=[1]), train=train, now=lambda: time)
    assert beats == ["00:00", "00:00", "01:00", "01:00", "01:00", "02:00"]
