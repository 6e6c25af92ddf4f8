"""Started by `scaling.py`: one study on worker processes, timed from its beginning to its end."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from axiomrl import __version__
from axiomrl.config import load_config
from axiomrl.config.schema import ExperimentsRunnerConfig
from axiomrl.study.runner import run_study
from axiomrl.study.summary import results_of


def main(job: dict[str, Any]) -> dict[str, Any]:
    """The figures of one study."""
    config = load_config(Path(job["preset"]))
    runner = ExperimentsRunnerConfig(
        seeds=tuple(job["seeds"]),
        output_base_dir=job["folder"],
        launcher="process",
        n_workers=job["n_workers"],
    )
    config = replace(
        config,
        total_timesteps=job["total_timesteps"],
        mode="run-experiments",
        experiments_runner=runner,
    )
    started = time.perf_counter()
    outcome = run_study(config, command=["benchmark"])
    wall = time.perf_counter() - started
    if not outcome.is_completed:
        raise SystemExit(f"runs ended as {[run.state for run in outcome.plan.runs]}")
    steps = sum(result.env_steps or 0 for result in results_of(outcome.folder, outcome.plan))
    versions = {"axiomrl": __version__, "python": sys.version.split()[0]}
    return {"wall": wall, "env_steps": steps, "env_steps_per_s": steps / wall, "versions": versions}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
