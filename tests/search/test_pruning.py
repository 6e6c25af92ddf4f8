"""Trials that are ended early: when, by what, and what is left of them."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from axiomrl.config import TrainConfig
from axiomrl.errors import Interrupted
from axiomrl.runs.record import RunRecord
from axiomrl.search.journal import Journal, Trial
from axiomrl.search.running import begin, run_search

from .quick_launcher import QuickLauncher, base, described

GAMMAS = (0.99, 0.98, 0.97, 0.5, 0.6)  # the base first; the last two are much worse


def searched(folder: Path, launcher: QuickLauncher | None = None, **block: Any) -> list[Trial]:
    space = {"hyperparameters.gamma": {"type": "grid", "values": list(GAMMAS)}}
    block = {"sampler": "grid", "n_trials": None, "space": space, **block}
    search = described(folder, **block)
    return run_search(begin(search, command=[]), launcher or QuickLauncher(good_or_bad))[1]


def good_or_bad(config: TrainConfig) -> list[float]:
    gamma = config.hyperparameters.gamma
    return [gamma, gamma + 1, gamma + 2] if gamma > 0.9 else [-1.0, -2.0, -3.0]


def test_the_median_ends_what_is_worse_at_the_same_step(tmp_path: Path) -> None:
    launcher = QuickLauncher(good_or_bad)
    pruner = {"type": "median", "n_startup_trials": 1, "warmup_steps": 20}
    trials = searched(tmp_path, launcher, pruner=pruner)
    assert [trial.state for trial in trials] == [
        "completed", "pruned", "pruned", "pruned", "pruned"
    ]  # fmt: skip
    assert all(trial.score is None for trial in trials[1:])
    assert dict(trials[3].intermediate) == {10: -1.0, 20: -2.0}  # not before the warm-up is over
    assert trials[3].last_intermediate == -2.0
    assert "trial_0003_seed2" not in launcher.trained
    run = RunRecord.read(tmp_path / "search" / "trials" / "0003" / "seed1")
    assert run.status == "interrupted"  # it can be resumed as a run


def test_a_pruned_trial_has_no_score_in_the_result(tmp_path: Path) -> None:
    searched(tmp_path, pruner={"type": "median", "n_startup_trials": 1})
    from axiomrl import ExperimentResult

    result = ExperimentResult.load(tmp_path / "search" / "result.json")
    pruned = [each for each in result if each.metadata["state"] == "pruned"]
    assert pruned
    assert all(each.score is None for each in pruned)
    assert all(each.metadata["last_intermediate"] is not None for each in pruned)


def test_asha_lets_the_best_go_on_at_each_rung(tmp_path: Path) -> None:
    pruner = {"type": "asha", "warmup_steps": 10, "reduction_factor": 2}
    trials = searched(tmp_path, pruner=pruner)
    assert [trial.state for trial in trials] == [
        "completed", "pruned", "pruned", "pruned", "pruned"
    ]  # fmt: skip
    assert dict(trials[3].intermediate) == {10: -1.0}  # ended at the first rung


def test_without_a_pruner_every_trial_comes_to_its_end(tmp_path: Path) -> None:
    trials = searched(tmp_path)
    assert {trial.state for trial in trials} == {"completed"}
    assert all(not trial.intermediate for trial in trials)


@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_values_are_reported_in_the_order_of_seeds_whoever_is_first(
    n_workers: int, tmp_path: Path
) -> None:
    def curve(config: TrainConfig) -> list[float]:
        return [1.0 * config.seed, 2.0 * config.seed, 3.0 * config.seed]

    trials = searched(
        tmp_path,
        QuickLauncher(curve, n_workers=n_workers),
        n_trials=1,
        seeds=[1, 2, 4],
        pruner={"type": "median"},
        space={"hyperparameters.gamma": {"type": "grid", "values": [0.5]}},
    )
    assert dict(trials[0].intermediate) == pytest.approx(
        {
            10: 1, 20: 2, 30: 3,  # of the first seed alone
            40: (3 + 2) / 2, 50: (3 + 4) / 2, 60: (3 + 6) / 2,  # with the final score before
            70: (3 + 6 + 4) / 3, 80: (3 + 6 + 8) / 3, 90: (3 + 6 + 12) / 3,
        }
    )  # fmt: skip
    assert trials[0].score == (3 + 6 + 12) / 3


def test_trials_with_other_numbers_of_environments_have_the_same_steps(tmp_path: Path) -> None:
    """Runs evaluate at the end of a block, which `num_envs` shifts."""
    trials = searched(
        tmp_path,
        pruner={"type": "median"},
        space={"num_envs": {"type": "grid", "values": [1, 2, 4]}},
    )
    assert [sorted(trial.intermediate) for trial in trials] == [[10, 20, 30, 40, 50, 60]] * 3


def test_the_base_is_never_ended_early(tmp_path: Path) -> None:
    worst = base(hyperparameters={"gamma": 0.5})
    space = {"hyperparameters.gamma": {"type": "grid", "values": [0.99, 0.5, 0.98]}}
    pruner = {"type": "asha", "reduction_factor": 2}
    block = {"on": worst, "space": space, "pruner": pruner, "sampler": "grid", "n_trials": None}
    search = described(tmp_path, **block)
    launcher = QuickLauncher(good_or_bad, n_workers=3)
    trials = run_search(begin(search, command=[]), launcher)[1]
    assert trials[0].is_base
    assert trials[0].state == "completed"


def test_a_pruner_that_was_cut_off_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the report of a value and the end that it should lead to."""

    def stop(*_: object) -> None:
        raise Interrupted("interrupted", signal_number=signal.SIGINT)

    block: dict[str, Any] = {"pruner": {"type": "median", "n_startup_trials": 1}}
    whole = searched(tmp_path, name="whole", **block)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "prune", stop)
        with pytest.raises(Interrupted):
            searched(tmp_path, name="cut", **block)
    trials = run_search(tmp_path / "cut", QuickLauncher(good_or_bad))[1]
    assert [(t.state, dict(t.intermediate)) for t in trials] == [
        (t.state, dict(t.intermediate)) for t in whole
    ]
    assert "pruned" in [trial.state for trial in trials]


def test_less_may_be_better_for_a_pruner_too(tmp_path: Path) -> None:
    objective = {"metric": "eval_return_mean", "direction": "minimize"}
    pruner = {"type": "median", "n_startup_trials": 1}
    trials = searched(tmp_path, objective=objective, pruner=pruner)
    assert [trial.state for trial in trials][3:] == ["completed", "completed"]
