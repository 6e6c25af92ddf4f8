"""Run as a program: a launcher with slow jobs, which tells on stdout what happens.

Its arguments: the launcher's name, its options as JSON, how many workers, the jobs' folder,
seconds per step, and the seeds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from axiomrl.errors import Interrupted
from axiomrl.study.launchers.contract import Job, JobProgress
from axiomrl.study.launchers.opening import open_launcher
from tests.study.launchers.jobs import job


def tell(job: Job, progress: JobProgress) -> None:
    print("progress", job.name, progress.env_steps, flush=True)


def main(name: str, options: str, n_workers: str, folder: str, step_s: str, *seeds: str) -> int:
    launcher = open_launcher(name, n_workers=int(n_workers), options=json.loads(options))
    jobs = (job(Path(folder), int(seed), step_s=float(step_s)) for seed in seeds)
    try:
        for outcome in launcher.run(jobs, on_progress=tell):
            print("ended", outcome.job.name, outcome.state, flush=True)
    except Interrupted as error:
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
