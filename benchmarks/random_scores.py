"""Measures what a uniformly random policy scores: the anchors at 0 of normalised scores.

    .venv/bin/python benchmarks/random_scores.py [ENV_ID ...]

One thread. Episode k of an environment is reset with seed k, and its actions are drawn from
the environment's action space, seeded with 0 once, by `action_space.sample()`: uniform, because
all of these spaces are bounded. Returns are undiscounted sums of the environment's own rewards
over whole episodes. The figures are printed and kept in `figures/random_scores.json`, where they
replace earlier ones of the same environments; the shipped registry repeats them and says so.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from pathlib import Path
from typing import Any

import gymnasium
from timing import cpu_seconds, versions

FIGURES = Path(__file__).resolve().parent / "figures" / "random_scores.json"
INVOLVED = ("python", "numpy", "gymnasium", "box2d", "mujoco")
EPISODES = {
    "CartPole-v1": 1000,
    "Acrobot-v1": 1000,
    "MountainCar-v0": 1000,
    "MountainCarContinuous-v0": 1000,
    "Pendulum-v1": 1000,
    "LunarLander-v3": 1000,
    "LunarLanderContinuous-v3": 1000,
    "BipedalWalker-v3": 1000,
    "BipedalWalkerHardcore-v3": 1000,
    "HalfCheetah-v5": 1000,
    "Hopper-v5": 1000,
    "Walker2d-v5": 1000,
    "Ant-v5": 1000,
    "Humanoid-v5": 1000,
    "HumanoidStandup-v5": 100,  # 1,000 steps an episode of the costliest model
    "Swimmer-v5": 1000,
    "InvertedPendulum-v5": 1000,
    "InvertedDoublePendulum-v5": 1000,
    "Reacher-v5": 1000,
    "Pusher-v5": 1000,
}


def random_returns(env_id: str, episodes: int) -> list[float]:
    """The return of each episode under uniformly random actions."""
    environment = gymnasium.make(env_id)
    environment.action_space.seed(0)
    returns = []
    for episode in range(episodes):
        environment.reset(seed=episode)
        total, ended = 0.0, False
        while not ended:
            action = environment.action_space.sample()
            _, reward, terminated, truncated, _ = environment.step(action)
            total += float(reward)
            ended = terminated or truncated
        returns.append(total)
    environment.close()
    return returns


def figures_of(env_id: str, episodes: int) -> dict[str, Any]:
    """Mean, SD over episodes (ddof = 1), standard error of the mean, and versions."""
    returns: list[float] = []
    cpu_s = cpu_seconds(lambda: returns.extend(random_returns(env_id, episodes)))
    deviation = statistics.stdev(returns)
    return {
        "mean": round(statistics.fmean(returns), 4),
        "sd": round(deviation, 4),
        "standard_error": round(deviation / math.sqrt(episodes), 4),
        "episodes": episodes,
        "cpu_s": round(cpu_s, 1),
        "versions": {name: version for name, version in versions().items() if name in INVOLVED},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the scores of random policies.")
    parser.add_argument("env_ids", nargs="*", metavar="ENV_ID", help="default: all")
    known = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.is_file() else {}
    for env_id in parser.parse_args().env_ids or EPISODES:
        told = known[env_id] = figures_of(env_id, EPISODES[env_id])
        print(
            f"{env_id:27} {told['mean']:13.4f} ± {told['standard_error']:.4f} (SD {told['sd']:.4f},"
            f" {told['episodes']} episodes, {told['cpu_s']} s of CPU)",
            flush=True,
        )
        ordered = {name: known[name] for name in EPISODES if name in known}
        FIGURES.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")
    print(", ".join(f"{name} {version}" for name, version in versions().items()))


if __name__ == "__main__":
    main()
