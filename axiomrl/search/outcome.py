"""What a search came to, as an `ExperimentResult`: `result.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from axiomrl.results import ExperimentResult, RunResult
from axiomrl.search.description import Search
from axiomrl.search.folder import RESULT, space_of
from axiomrl.search.journal import Trial


def result_of(search: Search, trials: Sequence[Trial]) -> ExperimentResult:
    """One result per trial, in the order of their numbers; only completed ones have a score."""
    return ExperimentResult(
        hp_search_space=space_of(search),
        run_results=[_trial_result(search, trial) for trial in trials],
        name=search.config.name,
        higher_is_better=search.higher_is_better,
    )


def save_result(folder: Path, search: Search, trials: Sequence[Trial]) -> None:
    """Replace result.json."""
    result_of(search, trials).save(folder / RESULT)


def best_of(search: Search, trials: Sequence[Trial]) -> list[Trial]:
    """The completed trials, the best first; of equal ones the earlier."""
    sign = -1 if search.higher_is_better else 1
    scored = [
        (sign * trial.score, trial.number, trial) for trial in trials if trial.score is not None
    ]
    return [trial for _, _, trial in sorted(scored, key=lambda each: each[:2])]


def _trial_result(search: Search, trial: Trial) -> RunResult:
    described: dict[str, Any] = {
        "status": trial.state,
        "state": trial.state,
        "number": trial.number,
        "is_base": trial.is_base,
        "seeds": list(search.config.seeds),
        "scores": {str(seed): score for seed, score in trial.scores.items()},
        "algo": search.base.algo,
        "env_id": search.base.env_id,
    }
    if trial.error is not None:
        described["error"] = trial.error
    if trial.state == "pruned":
        described["last_intermediate"] = trial.last_intermediate
    return RunResult(
        score=trial.score,
        params=dict(trial.params),
        metadata=described,
        config_hash=trial.config_hash,
    )
