"""Scoring saved policies: a checkpoint's, and the final test of a run that has been trained."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from axiomrl.config.schema import TrainConfig
from axiomrl.errors import Interrupted
from axiomrl.runs.run import Run
from axiomrl.training import checkpoints
from axiomrl.training.assembly import build, make_evaluator
from axiomrl.training.evaluation import Episodes
from axiomrl.training.interrupts import StopRequest
from axiomrl.training.seeding import Stream


def score_state(
    config: TrainConfig,
    state: dict[str, Any],
    *,
    episodes: int,
    deterministic: bool,
    before_episode: Callable[[], None] | None = None,
) -> Episodes:
    """Play episodes with the policy in a training state; their seeds are used for nothing else.

    `before_episode` is called before each of them. Raises ConfigError for settings of
    `environment.evaluation` that cannot be scored with.
    """
    evaluator = make_evaluator(
        config,
        episodes=episodes,
        deterministic=deterministic,
        stream=Stream.SCORING,
        before_episode=before_episode,
    )
    parts = build(replace(config, evaluation=replace(config.evaluation, every=0)), scoring=True)
    try:
        parts.algorithm.load_state_dict(state["algorithm"])
        normalizer = parts.environments.normalizer
        if normalizer is not None:
            normalizer.load_state_dict(state["environments"]["normalizer"])
        return evaluator.score(parts.algorithm, normalizer, index=0)
    finally:
        parts.close()
        evaluator.close()


def lacks_final_test(config: TrainConfig, latest_metrics: dict[str, Any] | None) -> bool:
    """Whether a configuration asks for a final test that has not been played."""
    return bool(config.test.episodes) and "test_return_mean" not in (latest_metrics or {})


def play_final_test(config: TrainConfig, run: Run, checkpoint: Path, *, stop: StopRequest) -> None:
    """Score the policy in a run's last checkpoint and log what it scored, if that is asked for.

    Raises Interrupted after a signal; what was played until then does not count.
    """
    if not config.test.episodes:
        return

    def leave_if_asked() -> None:
        if stop.signal_number is not None:
            raise Interrupted(
                "interrupted in the final test; the trained run is saved",
                signal_number=stop.signal_number,
                hint=shlex.join(["axiomrl", "resume", str(run.directory)]),
            )

    state = checkpoints.load(checkpoint)
    scored = score_state(
        config,
        state,
        episodes=config.test.episodes,
        deterministic=config.evaluation.deterministic,
        before_episode=leave_if_asked,
    )
    run.log(
        {
            "test_return_mean": scored.return_mean,
            "test_return_std": scored.return_std,
            "test_length_mean": scored.length_mean,
            "test_episodes": float(len(scored.returns)),
        },
        step=state["counters"]["env_steps"],
        duration_s=state["counters"]["duration_s"],
    )
