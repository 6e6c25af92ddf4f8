"""Runs training in fresh processes, interrupts it, and compares what two runs have left behind.

Two runs are the same if nothing differs but wall-clock values: the rows of metrics.jsonl, the
TensorBoard events, the whole training state in every checkpoint (weights, optimizer moments,
generators, normalisation, environments, counters), replay rows, and what metadata says of the
results.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import random
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import gymnasium
import numpy as np
from tensorboard.backend.event_processing.event_file_loader import (  # type: ignore[import-untyped]
    EventFileLoader,
)

from axiomrl.cli.app import main
from axiomrl.config import config_from_mapping
from axiomrl.training import checkpoints, session

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
IMPORTED = ("--import", "interruptions")  # what every child is told
TIMEOUT_S = 600  # a child that takes longer hangs

_heaps = itertools.count(1)  # every child finds its memory in another state

# Keys of a training state that say when or where, not what.
_UNCOMPARED = re.compile(r"positions\b|counters\.duration_s$|latest_metrics\.time_")


@dataclass(frozen=True)
class Ended:
    """A child process that is over."""

    code: int
    stdout: str
    stderr: str

    @property
    def resume_command(self) -> list[str]:
        """The arguments of the one `axiomrl resume …` that was printed."""
        (line,) = re.findall(r"^ *axiomrl (resume .*)$", self.stderr, re.MULTILINE)
        return shlex.split(line)


def variables(**what: Any) -> dict[str, str]:
    """The environment of a child; `what` are variables of interruptions.py, in lower case."""
    paths = [str(ROOT), str(HERE), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "CUDA_VISIBLE_DEVICES": "",
        "HEAP": str(next(_heaps)),
        **{name.upper(): str(value) for name, value in what.items()},
    }


def command(*arguments: object) -> list[str]:
    """The command line of a child."""
    return [sys.executable, "-W", "error", "-m", "axiomrl", *map(str, arguments)]


def axiomrl(*arguments: object, folder: Path, **what: Any) -> Ended:
    """Run one command in a fresh process, in that folder."""
    ended = subprocess.run(
        command(*arguments),
        cwd=folder,
        env=variables(**what),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def within_this_process(*arguments: object, folder: Path) -> Ended:
    """Run one command without a process of its own, which takes seconds where it loads torch.

    `--import interruptions` is left out: that is for processes to which something is to happen.
    """
    printed, told = io.StringIO(), io.StringIO()
    words = [str(each) for each in arguments if each not in IMPORTED]
    with chdir(folder), redirect_stdout(printed), redirect_stderr(told):
        code = main(words)
    return Ended(code, printed.getvalue(), told.getvalue())


def train_arguments(config: Mapping[str, Any], folder: Path) -> list[str]:
    """Arguments of a quiet training whose run directory lies in `folder`/runs."""
    path = folder / "config.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    return ["train", "--config", str(path), "--output-dir", str(folder / "runs"), "--quiet"]


def train(config: Mapping[str, Any], folder: Path, **what: Any) -> Ended:
    """Train in a fresh process."""
    arguments = (*train_arguments(config, folder), *IMPORTED)
    return axiomrl(*arguments, folder=folder, **what)


def resume_here(directory: Path) -> Ended:
    """Resume a run within this process."""
    return within_this_process("resume", directory, "--quiet", folder=directory.parent)


def resume(directory: Path, *arguments: object, **what: Any) -> Ended:
    """Resume a run in a fresh process."""
    words = ("resume", directory, *arguments, "--quiet", *IMPORTED)
    return axiomrl(*words, folder=directory.parent, **what)


def only_run(folder: Path) -> Path:
    """The one run directory in `folder`/runs."""
    (directory,) = (folder / "runs").iterdir()
    return directory


@dataclass(frozen=True)
class WholeRun:
    """An uninterrupted run, and how many environment steps it took, evaluation included."""

    directory: Path
    config: Mapping[str, Any]
    env_steps: int

    def some_step(self, purpose: str) -> int:
        """A step of it, always the same one for the same purpose."""
        seed = f"{json.dumps(self.config)} {purpose}"
        return random.Random(seed).randint(1, self.env_steps)


def train_whole(config: Mapping[str, Any], folder: Path) -> WholeRun:
    """Train without any interruption, within this process."""
    resolved = config_from_mapping({**config, "output_dir": str(folder / "runs")})
    with steps_counted() as taken:
        directory = session.start(resolved).directory
    return WholeRun(directory, config, next(taken))


@contextmanager
def steps_counted() -> Iterator[Iterator[int]]:
    """Counts the steps of the environments that are made meanwhile; `next` gives the number."""
    make, taken = gymnasium.make, itertools.count()

    def counting_make(*arguments: Any, **options: Any) -> Any:
        env = make(*arguments, **options)
        step = env.unwrapped.step

        def counted(action: Any) -> Any:
            next(taken)
            return step(action)

        env.unwrapped.step = counted  # type: ignore[method-assign]
        return env

    with mock.patch.object(gymnasium, "make", counting_make):
        yield taken


def metadata_of(directory: Path) -> dict[str, Any]:
    """What metadata.json holds."""
    metadata: dict[str, Any] = json.loads((directory / "metadata.json").read_text())
    return metadata


def rows_of(directory: Path) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl without wall-clock values."""
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [without_times(json.loads(line)) for line in lines]


def without_times(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics without wall-clock values."""
    return {name: value for name, value in metrics.items() if not name.startswith("time_")}


def events_of(directory: Path) -> list[tuple[int, str, float]]:
    """Step, tag and value of every scalar as TensorBoard reads them, without wall-clock ones."""
    (path,) = (directory / "tensorboard").iterdir()
    return [
        (event.step, value.tag, value.tensor.float_val[0])
        for event in EventFileLoader(str(path)).Load()
        for value in event.summary.value
        if not value.tag.startswith("time/")
    ]


def checkpoint_names(directory: Path) -> set[str]:
    """The files in a run's checkpoint folder."""
    return {path.name for path in (directory / "checkpoints").iterdir()}


def content_of(path: Path) -> dict[str, Any]:
    """A file of the checkpoint folder as a flat mapping; arrays as (type, shape, bytes)."""
    if path.suffix != ".pt":  # replay rows
        return {"bytes": path.read_bytes()}
    flat: dict[str, Any] = {}
    _flatten("", checkpoints.load(path), flat)
    return {key: value for key, value in flat.items() if not _UNCOMPARED.match(key)}


def _flatten(prefix: str, value: Any, flat: dict[str, Any]) -> None:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        flat[prefix] = f"{type(value).__name__} of {len(value)}"
        for key, item in items:
            _flatten(f"{prefix}.{key}" if prefix else str(key), item, flat)
    elif isinstance(value, np.ndarray):
        flat[prefix] = (str(value.dtype), value.shape, value.tobytes())
    else:
        flat[prefix] = (type(value).__name__, repr(value))


def results_of(directory: Path) -> dict[str, Any]:
    """What metadata.json says of a run's results; paths and times left out."""
    metadata = metadata_of(directory)
    best = metadata.get("best_checkpoint")
    progress = metadata["progress"]
    return {
        "status": metadata["status"],
        "run_id": metadata["run_id"],
        "config_hash": metadata["config_hash"],
        "latest_metrics": without_times(metadata["latest_metrics"]),
        "non_finite_metrics": metadata["non_finite_metrics"],
        "latest_checkpoint": Path(metadata["latest_checkpoint_path"]).name,
        "best_checkpoint": best and {**best, "path": Path(best["path"]).name},
        "progress": {
            key: progress[key] for key in ("env_steps", "total_timesteps", "gradient_steps")
        },
        "error": metadata.get("error"),
    }


def differences(run: Path, whole: Path, *, optional: Sequence[str] = ()) -> list[str]:
    """In what a run differs from another; an empty list if in nothing.

    `optional` are checkpoints that only one of them needs to have.
    """
    found = [
        name
        for name, content in (("metrics", rows_of), ("events", events_of), ("results", results_of))
        if content(run) != content(whole)
    ]
    mine, others = checkpoint_names(run), checkpoint_names(whole)
    found += [f"only one has {name}" for name in sorted(mine ^ others) if name not in optional]
    for name in sorted(mine & others):
        left, right = (content_of(run_ / "checkpoints" / name) for run_ in (run, whole))
        keys = [key for key in {**left, **right} if left.get(key) != right.get(key)]
        found += [f"{name}: {key}" for key in keys]
    return found
