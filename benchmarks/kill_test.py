"""What `kill -9` leaves behind: `python benchmarks/kill_test.py [--kills 100] [--seed 0]`.

Protocol: a training that checkpoints and evaluates all the time is killed after a random part of
the time that it takes uninterrupted, start-up and end included. What is on the disk is checked:
metadata.json is whole, every checkpoint under its final name loads, nothing but temporary files
has another name. Then the run is resumed in a new process, which is killed in the same way, and
so on, until a process comes to the end; the run must then equal, bit for bit and wall-clock
values aside, one that was never killed. After that another run begins, until there have been
enough kills. Exit code 1 if anything was found wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axiomrl.errors import AxiomRLError
from axiomrl.runs.record import RunRecord
from axiomrl.training import checkpoints

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from training.resume_harness import (  # the comparison that the tests use
    IMPORTED,
    command,
    differences,
    metadata_of,
    only_run,
    train_arguments,
    variables,
)

FINAL_NAME = re.compile(r"step_\d+\.pt|best\.pt")
TEMPORARY_NAME = re.compile(r"\..*\.tmp")
KILLED = -9

CONFIG: dict[str, Any] = {
    "algo": "ppo",
    "env_id": "CartPole-v1",
    "total_timesteps": 24_000,
    "num_envs": 2,
    "device": "cpu",
    "hyperparameters": {
        "n_steps": 32,
        "n_epochs": 2,
        "batch_size": 32,
        "learning_rate": {"schedule": "linear", "start": 1e-3, "end": 0.0},
    },
    "environment": {"normalize_observation": True, "normalize_reward": True},
    "evaluation": {"every": 512, "episodes": 2},
    "checkpoint": {"every": 64, "keep": 2},
    "logging": {"every": 64},
}


@dataclass
class Tally:
    """What has been seen so far."""

    kills: int = 0
    finished: int = 0  # runs that came to their end
    moments: Counter[str] = field(default_factory=Counter)  # what the kills hit
    checkpoints: int = 0  # files loaded
    problems: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill as often as asked and print what was found; the exit code."""
    options = parse(arguments)
    generator, tally = random.Random(options.seed), Tally()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="axiomrl-kill-") as name:
        folder = Path(name)
        whole, duration_s = train_uninterrupted(folder)
        while tally.kills < options.kills and not tally.problems:
            one_run(
                folder / f"run{tally.finished}", whole, duration_s, generator, tally, options.kills
            )
    print(summary(tally, time.monotonic() - started))
    for problem in tally.problems:
        print(f"problem: {problem}")
    return 1 if tally.problems else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=100, help="how many processes to kill")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    return parser.parse_args(arguments)


def train_uninterrupted(folder: Path) -> tuple[Path, float]:
    """The run to compare with, and how long a process takes for it."""
    place = folder / "whole"
    place.mkdir()
    started = time.monotonic()
    ended = start(place).wait()
    if ended != 0:
        raise SystemExit(f"training without any kill ended with exit code {ended}")
    return only_run(place), time.monotonic() - started


def one_run(
    place: Path,
    whole: Path,
    duration_s: float,
    generator: random.Random,
    tally: Tally,
    kills: int,
) -> None:
    """Train one run to its end, with kills on the way while there are any left."""
    place.mkdir()
    code = KILLED
    while code == KILLED and not tally.problems:
        delay = generator.uniform(0.0, duration_s) if tally.kills < kills else None
        code = killed_after(start(place), delay)
        tally.kills += code == KILLED
        check(place, was_killed=code == KILLED, tally=tally)
    if code not in (KILLED, 0):
        errors = (place / "stderr").read_text(encoding="utf-8")
        tally.problems.append(f"{place.name}: exit code {code}\n{errors}")
    if not tally.problems:
        tally.finished += 1
        found = differences(only_run(place), whole)
        tally.problems += [f"{place.name} differs from the uninterrupted run: {x}" for x in found]


def start(place: Path) -> subprocess.Popen[bytes]:
    """A process that trains, or goes on with the run that is there."""
    run = run_in(place)
    words = train_arguments(CONFIG, place) if run is None else ["resume", str(run), "--quiet"]
    with (place / "stderr").open("wb") as errors:
        return subprocess.Popen(
            command(*words, *IMPORTED),
            cwd=place,
            env=variables(),
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )


def killed_after(child: subprocess.Popen[bytes], delay: float | None) -> int:
    """Its exit code; it is killed if it has not ended after so many seconds."""
    try:
        return child.wait(delay)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def run_in(place: Path) -> Path | None:
    """The run directory, if there is one yet: a folder becomes a run by its metadata.json."""
    found = list((place / "runs").glob("*/metadata.json"))
    return found[0].parent if found else None


def check(place: Path, *, was_killed: bool, tally: Tally) -> None:
    """Look at what a process has left; what is wrong goes to the tally."""
    run = run_in(place)
    if run is None:
        half_made = list((place / "runs").glob("*"))
        made = "while its directory was made" if half_made else "before there was a directory"
        tally.moments[made] += 1
        for folder in half_made:
            shutil.rmtree(folder)
        return
    try:
        metadata = metadata_of(run)
    except (OSError, ValueError) as error:
        tally.problems.append(f"{place.name}: metadata.json: {error}")
        return
    temporary = check_checkpoints(run, tally)
    check_rows(run, tally)
    if was_killed:
        tally.moments[moment(run, metadata, temporary)] += 1


def check_checkpoints(run: Path, tally: Tally) -> bool:
    """Load every checkpoint; whether a temporary file lies in the run."""
    for path in sorted((run / "checkpoints").iterdir()):
        if TEMPORARY_NAME.fullmatch(path.name):
            continue
        if not FINAL_NAME.fullmatch(path.name):
            tally.problems.append(f"{path}: has no name that a checkpoint or temporary file has")
            continue
        try:
            checkpoints.load(path)
        except AxiomRLError as error:
            tally.problems.append(str(error))
        tally.checkpoints += 1
    return any(TEMPORARY_NAME.fullmatch(path.name) for path in run.rglob("*"))


def check_rows(run: Path, tally: Tally) -> None:
    """Every line of metrics.jsonl but a last unfinished one must be whole."""
    for line in (run / "metrics.jsonl").read_bytes().split(b"\n")[:-1]:
        try:
            json.loads(line)
        except ValueError:
            tally.problems.append(f"{run}/metrics.jsonl: {line!r}")


def moment(run: Path, metadata: dict[str, Any], temporary: bool) -> str:
    """What a kill has hit, as far as the files tell."""
    record = RunRecord.read(run)
    if metadata["status"] == "completed":
        return "after the end was recorded"
    if temporary:
        return "while a file was written"
    if not record.checkpoints():
        return "before the first checkpoint"
    return "otherwise in training" if record.status == "dead" else f"status {record.status}"


def summary(tally: Tally, wall_s: float) -> str:
    """The figures in a few lines."""
    verdict = f"{len(tally.problems)} problems" if tally.problems else "nothing wrong"
    lines = [
        f"{tally.kills} kills, {tally.finished} runs came to their end, "
        f"{tally.checkpoints} checkpoints loaded, {wall_s:.0f} s: {verdict}"
    ]
    lines += [f"  {count:4d}  {name}" for name, count in tally.moments.most_common() if count]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
