"""axiomrl's side of the measurements, one process each: `python side_ours.py JOB`.

Jobs: `training` (CPU seconds of the training call), `gate` (what it learned), `logging` (cost of
`Run.log`), `learning` (train, then score the final policy).
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from timing import cpu_seconds, mean, read_job, report, training_figures, versions


def configuration(job: dict[str, Any], **changes: Any) -> Any:
    """The job's settings as a TrainConfig: scoring off, everything else as it is by default."""
    from axiomrl.config import config_from_mapping

    values = {
        **job["settings"],
        "seed": job["seed"],
        "output_dir": job["output_dir"],
        "device": "cpu",
        "threads": 1,
        "evaluation": {"every": 0},
        **changes,
    }
    return config_from_mapping(values, source="benchmarks")


def training(job: dict[str, Any]) -> dict[str, Any]:
    """CPU seconds of `session.start`, run directory and checkpoints included."""
    import torch  # noqa: F401 - the peers import it before their clock starts, too

    from axiomrl.algorithms import algorithm_class
    from axiomrl.training import session

    algorithm_class(job["settings"]["algo"])
    config = configuration(job)
    import_s = time.process_time()
    finished: list[Any] = []
    training_s = cpu_seconds(lambda: finished.append(session.start(config)))
    run = finished[0]
    figures = training_figures(
        import_s=import_s, one_off_s=0.0, training_s=training_s, env_steps=run.env_steps
    )
    return {
        **figures,
        "import_s": import_s,
        "training_s": training_s,
        "env_steps": run.env_steps,
        "return": last_logged_return(run.directory),
        "versions": versions("axiomrl"),
    }


def last_logged_return(directory: Path) -> float | None:
    """Mean return of the last 100 training episodes, as the run last logged it."""
    metadata = json.loads((directory / "metadata.json").read_text(encoding="utf-8"))
    value = metadata.get("latest_metrics", {}).get("rollout_return_mean")
    return None if value is None else float(value)


def gate(job: dict[str, Any]) -> dict[str, Any]:
    """The returns of the last training episodes, seen by a wrapper; nothing is timed."""
    from episode_log import EpisodeLog

    from axiomrl.training import session

    wrapper = {"path": "episode_log:EpisodeLog"}
    finished = session.start(configuration(job, environment={"wrappers": [wrapper]}))
    last = EpisodeLog.returns[-job["last_episodes"] :]
    return {
        "return": mean(last),
        "episodes": len(last),
        "env_steps": finished.env_steps,
        "versions": versions("axiomrl"),
    }


def logging(job: dict[str, Any]) -> dict[str, Any]:
    """CPU seconds of `Run.log` with k scalars, TensorBoard and JSONL, up to the flushed files."""
    from axiomrl.runs.run import Run

    flushes, scalars = job["settings"]["flushes"], job["settings"]["scalars"]
    names = [f"train_scalar_{index:02d}" for index in range(scalars)]
    settings = {"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": flushes}
    config = configuration({**job, "settings": settings})

    def log(run: Run) -> None:
        for flush in range(flushes):
            metrics = {name: flush + index / 7 for index, name in enumerate(names)}
            run.log(metrics, step=flush, duration_s=flush * 0.01)
        run.flush()

    with Run.create(config) as run:
        seconds = cpu_seconds(lambda: log(run))
    return {"cpu": 1e6 * seconds / (flushes * scalars), "versions": versions("axiomrl")}


def learning(job: dict[str, Any]) -> dict[str, Any]:
    """Train a preset as `axiomrl train` would, then score the final policy."""
    from axiomrl.config import load_config
    from axiomrl.fingerprint import config_hash
    from axiomrl.runs.record import RunRecord
    from axiomrl.training import session

    flags = {key: job[key] for key in ("seed", "total_timesteps", "output_dir")}
    config = load_config(
        job["preset_path"], overrides=job["changes"], flags={**flags, "device": "cpu"}
    )
    started = time.perf_counter()
    cpu_s = time.process_time()
    finished = session.start(config)
    wall_s = time.perf_counter() - started
    cpu_s = time.process_time() - cpu_s
    record = RunRecord.read(finished.directory)
    scores = session.score(record, checkpoint="final", episodes=job["episodes"], deterministic=True)
    return {
        "returns": [float(value) for value in scores.returns],
        "curve": curve(record),
        "env_steps": finished.env_steps,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "config_hash": config_hash(config),
        "directory": finished.directory.name,
        "versions": versions("axiomrl"),
    }


def curve(record: Any) -> list[list[float]]:
    """[env steps, mean return] of every evaluation on the way."""
    name = "eval_return_mean"
    return [[row["step"], row[name]] for row in record.metrics() if row.get(name) is not None]


JOBS = {"training": training, "gate": gate, "logging": logging, "learning": learning}

if __name__ == "__main__":
    task = read_job()
    report(JOBS[task["kind"]](task))
