"""Confirming: fresh seeds, the same for all, and what is said of the outcome."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from axiomrl.config import TrainConfig
from axiomrl.errors import InputError
from axiomrl.runs.record import RunRecord
from axiomrl.search.confirm import (
    Confirmed,
    ConfirmPlan,
    confirmed,
    newly_best,
    plan_confirmation,
    run_confirmation,
)
from axiomrl.search.confirm_report import confirm_document, verdict
from axiomrl.search.description import Search
from axiomrl.search.journal import Trial
from axiomrl.search.outcome import best_of
from axiomrl.search.running import begin, extend, run_search

from .quick_launcher import QuickLauncher, base, described

Worth = Callable[[TrainConfig], float]


def lucky(config: TrainConfig) -> float:
    """Gammas below the base's are better with the seeds of the search, worse with any other."""
    is_fresh = config.seed not in (1, 2)
    gamma = config.hyperparameters.gamma
    return (gamma if is_fresh else 1 - gamma) + 1e-3 * (config.seed % 7)


def honest(config: TrainConfig) -> float:
    return 1 - config.hyperparameters.gamma + 1e-3 * (config.seed % 7)


def launcher(worth: Worth) -> QuickLauncher:
    return QuickLauncher(lambda config: [worth(config)] * 3)


def searched(folder: Path, worth: Worth, **block: object) -> tuple[Path, Search, list[Trial]]:
    search = described(folder, n_trials=6, **block)
    place = begin(search, command=[])
    return place, search, run_search(place, launcher(worth))[1]


def rows_of(
    folder: Path, worth: Worth, *, top: int = 2, n_seeds: int = 5
) -> tuple[Search, ConfirmPlan, list[Confirmed]]:
    place, search, trials = searched(folder, worth)
    plan = plan_confirmation(place, search, trials, top=top, n_seeds=n_seeds)
    list(run_confirmation(place, search, trials, plan, launcher(worth)))
    return search, plan, confirmed(place, search, plan)


def test_seeds_are_fresh_drawn_once_and_the_same_for_all(tmp_path: Path) -> None:
    place, search, trials = searched(tmp_path, honest)
    plan = plan_confirmation(place, search, trials, top=2, n_seeds=5)
    assert not (place / "confirm" / "base").exists()  # written down before the first run
    assert json.loads((place / "confirm" / "confirm.json").read_text())["seeds"] == plan.seeds
    assert len(set(plan.seeds)) == 5
    assert not set(plan.seeds) & {1, 2}
    assert plan_confirmation(place, search, trials) == plan
    list(run_confirmation(place, search, trials, plan, launcher(honest)))
    for each in plan.candidates:
        for seed in plan.seeds:
            run = RunRecord.read(place / "confirm" / each.name / f"seed{seed}")
            assert run.metadata["seed"] == seed
            assert run.metadata["config_hash"] == each.config_hash
            assert run.status == "completed"


def test_what_an_extended_search_finds_is_no_part_of_an_old_plan(tmp_path: Path) -> None:
    place, search, trials = searched(tmp_path, honest)
    plan = plan_confirmation(place, search, trials, top=2, n_seeds=5)
    assert newly_best(search, trials, plan) == []
    extend(place, 12)
    search, more = run_search(place, launcher(honest))
    assert plan_confirmation(place, search, more) == plan
    best = [trial.number for trial in best_of(search, more) if not trial.is_base][:2]
    newer = [trial.number for trial in newly_best(search, more, plan)]
    assert newer == [number for number in best if number >= 6] != []


def test_the_base_and_the_best_trials_are_confirmed(tmp_path: Path) -> None:
    place, search, trials = searched(tmp_path, honest)
    plan = plan_confirmation(place, search, trials, top=2)
    by_score = sorted(trials[1:], key=lambda trial: -(trial.score or 0))
    assert [each.name for each in plan.candidates] == [
        "base", *(f"trial_{trial.number:04}" for trial in by_score[:2])
    ]  # fmt: skip
    assert len(plan.seeds) == 10


def test_what_was_stopped_goes_on_without_repeating_a_run(tmp_path: Path) -> None:
    place, search, trials = searched(tmp_path, honest)
    plan = plan_confirmation(place, search, trials, top=1, n_seeds=3)
    news = run_confirmation(place, search, trials, plan, launcher(honest))
    assert next(news).endswith("completed (1 of 6 completed)")
    news.close()
    again = launcher(honest)
    list(run_confirmation(place, search, trials, plan, again))
    assert len(again.trained) == 5
    assert all(len(row.scores) == 3 for row in confirmed(place, search, plan))


def test_a_best_trial_that_was_only_lucky_is_said_to_be_no_better(tmp_path: Path) -> None:
    search, plan, rows = rows_of(tmp_path, lucky)
    best = rows[1]
    assert best.candidate.search_score is not None
    assert best.difference is not None
    assert best.difference.value < 0
    assert best.p_better is not None
    assert best.p_better.value == 0
    told = verdict(search, rows)
    assert "did not beat the base on fresh seeds" in told
    assert told in confirm_document(search, plan, rows).sections[0].notes


def test_a_best_trial_that_is_better_is_said_to_be(tmp_path: Path) -> None:
    search, plan, rows = rows_of(tmp_path, honest)
    assert rows[1].difference is not None
    assert rows[1].difference.low is not None
    assert rows[1].difference.low > 0
    assert rows[1].p_better is not None
    assert rows[1].p_better.value == 1
    assert "beats the base on fresh seeds" in verdict(search, rows)
    record = confirm_document(search, plan, rows).data["candidates"][1]
    assert record["n"] == 5
    assert record["estimate"] == pytest.approx(sum(rows[1].scores) / 5)
    assert record["difference"] == pytest.approx(record["estimate"] - sum(rows[0].scores) / 5)


def test_too_few_seeds_allow_no_verdict(tmp_path: Path) -> None:
    search, _, rows = rows_of(tmp_path, honest, top=1, n_seeds=2)
    assert "it takes 3 seeds" in verdict(search, rows)


def test_failed_runs_are_counted_and_give_no_score(tmp_path: Path) -> None:
    place, search, trials = searched(tmp_path, honest)
    plan = plan_confirmation(place, search, trials, top=1, n_seeds=3)
    broken = QuickLauncher(
        lambda config: RuntimeError("broken") if config.seed == plan.seeds[0] else [1.0]
    )
    news = list(run_confirmation(place, search, trials, plan, broken))
    assert "failed: broken" in news[0]
    rows = confirmed(place, search, plan)
    assert [(row.n_failed, row.scores) for row in rows] == [(1, (1.0, 1.0))] * 2


def test_a_plan_with_other_numbers_is_kept(tmp_path: Path) -> None:
    place, search, trials = searched(tmp_path, honest)
    plan = plan_confirmation(place, search, trials, top=2, n_seeds=3)
    for numbers in ({"top": 3}, {"n_seeds": 4}):
        with pytest.raises(InputError, match="was planned with"):
            plan_confirmation(place, search, trials, **numbers)
    assert plan_confirmation(place, search, trials, top=2, n_seeds=3) == plan


def test_without_a_completed_trial_there_is_nothing_to_confirm(tmp_path: Path) -> None:
    search = described(tmp_path, n_trials=1)
    place = begin(search, command=[])
    trials = run_search(place, QuickLauncher())[1]
    with pytest.raises(InputError, match="no trial besides the base is completed"):
        plan_confirmation(place, search, trials)


def test_a_base_that_was_no_trial_is_confirmed_too(tmp_path: Path) -> None:
    search = described(tmp_path, on=base(num_envs=2), n_trials=2, include_base=False)
    place = begin(search, command=[])
    trials = run_search(place, launcher(honest))[1]
    plan = plan_confirmation(place, search, trials, top=1, n_seeds=3)
    assert plan.candidates[0].search_score is None
    list(run_confirmation(place, search, trials, plan, launcher(honest)))
    assert [len(row.scores) for row in confirmed(place, search, plan)] == [3, 3]
