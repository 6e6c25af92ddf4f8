"""MLflow's file store: makes a store of runs once, then times `search_runs` over it.

Runs in MLflow's own interpreter: `side_mlflow.py JOB`.
"""

from __future__ import annotations

import os
import time

from timing import read_job, report, versions

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"  # 3.x wants to be asked for it
EXPERIMENT = "scan"
PAGE = 1000


def main() -> None:
    from mlflow.entities import ViewType
    from mlflow.store.tracking.file_store import FileStore

    job = read_job()
    store = FileStore(str(job["root"]))
    experiment = store.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        fill(store, job["count"])
        experiment = store.get_experiment_by_name(EXPERIMENT)
    wall, cpu = time.perf_counter(), time.process_time()
    found, token = [], None
    while not found or token:
        page = store.search_runs(
            [experiment.experiment_id],
            "",
            ViewType.ACTIVE_ONLY,
            max_results=PAGE,
            page_token=token,
        )
        found += page
        token = page.token
    report(
        {
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "runs": len(found),
            "versions": versions("mlflow-skinny", "mlflow"),
        }
    )


def fill(store, count: int) -> None:
    """Runs with what our metadata holds: two metrics, a score's parameters, a few tags."""
    from mlflow.entities import Metric, Param, RunTag

    identifier = store.create_experiment(EXPERIMENT)
    for number in range(count):
        tags = [RunTag("algo", "ppo"), RunTag("env_id", "CartPole-v1")]
        run = store.create_run(identifier, "me", number, tags, f"run{number}").info.run_id
        for name in ("eval_return_mean", "best_eval_return_mean"):
            store.log_metric(run, Metric(name, float(number), number, 51200))
        for name, value in {"seed": number % 10, "config_hash": f"{number // 10:016x}"}.items():
            store.log_param(run, Param(name, str(value)))


if __name__ == "__main__":
    main()
