"""What `learning.py` trains: presets with the score each has to reach, and where peers ended.

A preset without an entry can be trained, too; it has no bar. The published figures are quoted
with their protocol, because protocols differ and figures of two protocols are never one ranking.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LearningCase:
    """One preset, and what its final policies are held against."""

    preset: str  # configs/<preset>.yaml
    env_steps: int  # the budget at which the bar is read
    bar: float | None = None  # mean over seeds of the mean over episodes, at least
    published: tuple[str, ...] = ()  # figures of peers, each with its protocol


ZOO = "rl-zoo3: one run, ± SD over episodes"
SLM = "SLM-Lab 5.3: 4 sessions, moving average of 100 checkpoints"

LEARNING_CASES = {
    case.preset: case
    for case in (
        LearningCase(
            preset="ppo/cartpole",
            env_steps=100_000,
            bar=495.0,
            published=(f"500 ± 0 at 100k ({ZOO})", f"498.94 at 200k ({SLM})"),
        ),
        LearningCase(
            preset="ppo/acrobot",
            env_steps=300_000,
            bar=-85.0,
            published=(f"-73.51 ± 18.20 at 1M ({ZOO})", f"-81.28 at 300k ({SLM})"),
        ),
        LearningCase(
            preset="ppo/pendulum",
            env_steps=100_000,
            bar=-190.0,
            published=(f"-172.23 ± 104.16 at 100k, with gSDE ({ZOO})", f"-174.87 at 300k ({SLM})"),
        ),
        LearningCase(
            preset="ppo/mountaincar-continuous",
            env_steps=50_000,
            bar=90.0,
            published=(f"88.34 ± 2.57 at 20k, with gSDE ({ZOO})",),
        ),
        LearningCase(
            preset="ppo/lunarlander",
            env_steps=1_000_000,
            bar=200.0,
            published=(
                f"242.12 ± 31.82 at 1M on LunarLander-v2 ({ZOO})",
                f"183.30 at 300k ({SLM})",
            ),
        ),
        LearningCase(
            preset="ppo/halfcheetah",
            env_steps=1_000_000,
            published=(
                f"5819 ± 664 at 1M on HalfCheetah-v3 ({ZOO})",
                f"6240.68 at 10M ({SLM})",
            ),
        ),
        LearningCase(
            preset="dqn/cartpole",
            env_steps=50_000,
            bar=475.0,
            published=(f"500 ± 0 at 50k ({ZOO})", f"239.94 at 200k ({SLM})"),
        ),
        LearningCase(
            preset="dqn/acrobot",
            env_steps=100_000,
            bar=-90.0,
            published=(f"-76.64 ± 11.75 at 100k ({ZOO})", f"-94.17 at 300k ({SLM})"),
        ),
        LearningCase(
            preset="dqn/mountaincar",
            env_steps=120_000,
            published=(f"-100.85 ± 9.93 at 120k ({ZOO})",),
        ),
        LearningCase(
            preset="dqn/lunarlander",
            env_steps=100_000,
            published=(
                f"154.38 ± 79.24 at 100k on LunarLander-v2 ({ZOO})",
                f"195.21 at 300k ({SLM})",
            ),
        ),
        LearningCase(
            preset="sac/pendulum",
            env_steps=20_000,
            bar=-170.0,
            published=(f"-157.00 ± 88.71 at 20k ({ZOO})", f"-150.97 at 300k ({SLM})"),
        ),
        LearningCase(
            preset="sac/mountaincar-continuous",
            env_steps=50_000,
            bar=90.0,
            published=(f"94.68 ± 1.13 at 50k, with gSDE ({ZOO})",),
        ),
        LearningCase(
            preset="sac/lunarlander-continuous",
            env_steps=500_000,
            published=(
                f"260.39 ± 65.47 at 500k on LunarLanderContinuous-v2 ({ZOO})",
                f"125.00 at 300k ({SLM})",
            ),
        ),
        LearningCase(
            preset="sac/halfcheetah",
            env_steps=1_000_000,
            published=(
                f"9535 ± 100 at 1M on HalfCheetah-v3 ({ZOO})",
                f"9815.16 at 4M ({SLM})",
            ),
        ),
    )
}
