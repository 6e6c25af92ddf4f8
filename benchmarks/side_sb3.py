"""Stable-Baselines3's side of the measurements: `.venv-bench/bin/python side_sb3.py JOB`.

Jobs: `training` (CPU seconds of `learn`), `logging` (cost of torch's SummaryWriter), `learning`
(train, then score the final policy by axiomrl's protocol).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from timing import LAST_EPISODES, cpu_seconds, mean, read_job, report, training_figures, versions

FIRST_SCORING_SEED = 1_000_000  # far from every training seed


def training(job: dict[str, Any]) -> dict[str, Any]:
    """CPU seconds of building the model and of `learn`, with the library's own logging."""
    import torch
    from sb3_models import make_model

    torch.set_num_threads(1)
    import_s = time.process_time()
    one_off_s = cpu_seconds(lambda: torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))]))
    models: list[Any] = []

    def train() -> None:
        model = make_model(job["settings"], seed=job["seed"])
        model.learn(job["settings"]["total_timesteps"])
        models.append(model)

    training_s = cpu_seconds(train)
    model = models[0]
    figures = training_figures(
        import_s=import_s,
        one_off_s=one_off_s,
        training_s=training_s,
        env_steps=model.num_timesteps,
    )
    return {
        **figures,
        "import_s": import_s,
        "one_off_s": one_off_s,
        "training_s": training_s,
        "env_steps": model.num_timesteps,
        "return": last_return(model),
        "versions": versions("stable-baselines3"),
    }


def last_return(model: Any) -> float | None:
    """Mean return of the last training episodes that the model remembers."""
    return mean([float(episode["r"]) for episode in model.ep_info_buffer][-LAST_EPISODES:])


def logging(job: dict[str, Any]) -> dict[str, Any]:
    """CPU seconds of as many `add_scalar` calls as the other side logs scalars, and of closing."""
    from torch.utils.tensorboard import SummaryWriter

    flushes, scalars = job["settings"]["flushes"], job["settings"]["scalars"]
    names = [f"train/scalar_{index:02d}" for index in range(scalars)]
    writer = SummaryWriter(job["output_dir"])

    def log() -> None:
        for flush in range(flushes):
            for index, name in enumerate(names):
                writer.add_scalar(name, flush + index / 7, flush)
        writer.close()

    seconds = cpu_seconds(log)
    return {"cpu": 1e6 * seconds / (flushes * scalars), "versions": versions()}


def learning(job: dict[str, Any]) -> dict[str, Any]:
    """Train on the same settings and seed, then score as axiomrl's final policy is scored."""
    import torch
    from sb3_models import make_model

    torch.set_num_threads(1)
    started = time.perf_counter()
    cpu_s = time.process_time()
    model = make_model(job["settings"], seed=job["seed"])
    curve: list[list[float]] = []
    model.learn(
        job["settings"]["total_timesteps"],
        callback=evaluation(curve, job["settings"], seed=job["seed"]),
    )
    cpu_s = time.process_time() - cpu_s
    wall_s = time.perf_counter() - started
    model.save(Path(job["output_dir"]) / f"seed{job['seed']}")
    return {
        "returns": score(model, job["settings"], seed=job["seed"], episodes=job["episodes"]),
        "curve": curve,
        "env_steps": model.num_timesteps,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "versions": versions("stable-baselines3"),
    }


def evaluation(curve: list[list[float]], settings: dict[str, Any], *, seed: int) -> Any:
    """A callback that scores the policy as often as axiomrl does, and notes it in `curve`."""
    from stable_baselines3.common.callbacks import BaseCallback

    every, episodes = settings["evaluation"]["every"], settings["evaluation"]["episodes"]

    class Evaluation(BaseCallback):  # type: ignore[misc]  # the peer is not typed here
        def _on_step(self) -> bool:
            after = self.num_timesteps
            if every and after // every > (after - self.training_env.num_envs) // every:
                returns = score(self.model, settings, seed=seed, episodes=episodes)
                curve.append([after, sum(returns) / len(returns)])
            return True

    return Evaluation()


def score(model: Any, settings: dict[str, Any], *, seed: int, episodes: int) -> list[float]:
    """Undiscounted, unnormalised returns of fresh episodes under the deterministic policy."""
    from sb3_models import make_environments

    training_environments = model.get_vec_normalize_env()
    first_seed = FIRST_SCORING_SEED * (seed + 1)
    environments = make_environments(settings, seed=first_seed, num_envs=1)
    returns: list[float] = []
    total = 0.0
    observation = environments.reset()
    while len(returns) < episodes:
        if training_environments is not None:
            observation = training_environments.normalize_obs(observation)
        action, _ = model.predict(observation, deterministic=True)
        observation, reward, ended, _ = environments.step(action)
        total += float(reward[0])
        if ended[0]:
            returns.append(total)
            total = 0.0
    return returns


JOBS = {"training": training, "logging": logging, "learning": learning}

if __name__ == "__main__":
    task = read_job()
    report(JOBS[task["kind"]](task))
