"""CleanRL's side: runs an unchanged script of a checkout in its own virtual environment.

CleanRL is no dependency and none of it is kept here: `speed.py --cleanrl DIR` names a checkout
and `--cleanrl-python FILE` an interpreter that has what its script imports. The script writes its
TensorBoard files into the current folder, which is a temporary one.
"""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import sys
import time
from pathlib import Path
from typing import Any

from timing import LAST_EPISODES, cpu_seconds, mean, read_job, report, training_figures, versions

RETURN_LINE = re.compile(r"global_step=(\d+), episodic_return=\[?([-+.\deE]+)")


def training(job: dict[str, Any]) -> dict[str, Any]:
    """CPU seconds of the script, whose imports are all loaded beforehand."""
    import gymnasium
    import torch
    import torch.distributions.categorical
    import tyro  # noqa: F401 - imported by the script
    from torch.utils.tensorboard import SummaryWriter  # noqa: F401 - imported by the script

    sys.path.insert(0, job["checkout"])  # its scripts import each other's utilities
    import cleanrl_utils.buffers  # noqa: F401 - imported by the off-policy scripts

    torch.set_num_threads(1)
    gymnasium.make(job["settings"]["env_id"]).close()
    import_s = time.process_time()
    one_off_s = cpu_seconds(lambda: torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))]))
    script = Path(job["checkout"]) / job["script"]
    sys.argv = [str(script), *job["arguments"], f"--seed={job['seed']}", "--no-cuda"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        training_s = cpu_seconds(lambda: runpy.run_path(str(script), run_name="__main__"))
    returns = [float(value) for _, value in RETURN_LINE.findall(printed.getvalue())]
    env_steps = job["settings"]["total_timesteps"]
    figures = training_figures(
        import_s=import_s, one_off_s=one_off_s, training_s=training_s, env_steps=env_steps
    )
    return {
        **figures,
        "import_s": import_s,
        "one_off_s": one_off_s,
        "training_s": training_s,
        "env_steps": env_steps,
        "return": mean(returns[-LAST_EPISODES:]),
        "versions": {**versions(), "cleanrl": job["revision"]},
    }


if __name__ == "__main__":
    report(training(read_job()))
