"""What `kill -9` leaves behind: `python benchmarks/kill_test.py [--kills 100] [--algo ppo]`.

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
from pathlib import Path
from typing import Any

from axiomrl.errors import AxiomRLError
from axiomrl.runs.record import RunRecord
from axiomrl.training import checkpoints

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from training.resume_cases import NORMALIZED, SCHEDULES, simple_env
from training.resume_harness import (  # the comparison that the tests use
    IMPORTED,
    command,
    differences,
    metadata_of,
    only_run,
    train_arguments,
    variables,
)

FINAL_NAME = re.compile(r"step_\d+\.pt|best\.pt|replay_\d+\.rows")
TEMPORARY_NAME = re.compile(r"\..*\.tmp")
KILLED = -9
# Env steps of a few seconds of training, by algorithm.
TOTALS = {"ppo": 24_000, "dqn": 8_000, "sac": 2_000}


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill as often as asked and print what was found; the exit code."""
    options = parse(arguments)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="axiomrl-kill-") as name:
        test = KillTest(config_of(options.algo), Path(name), random.Random(options.seed))
        test.run(options.kills)
    print(f"{options.algo}: {test.summary()}, {time.monotonic() - started:.0f} s")
    for count, moment in sorted(((n, m) for m, n in test.moments.items()), reverse=True):
        print(f"  {count:4d}  {moment}")
    for problem in test.problems:
        print(f"problem: {problem}")
    return 1 if test.problems else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="how many processes to kill")
    parser.add_argument("--algo", choices=sorted(TOTALS), default="ppo", help="what is trained")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    return parser.parse_args(arguments)


def config_of(algo: str) -> dict[str, Any]:
    """Two environments, normalised, with schedules; dozens of checkpoints a second."""
    return {
        "algo": algo,
        "env_id": simple_env(algo),
        "total_timesteps": TOTALS[algo],
        "num_envs": 2,
        "device": "cpu",
        "hyperparameters": SCHEDULES[algo],
        "environment": NORMALIZED,
        "evaluation": {"every": TOTALS[algo] // 40, "episodes": 2},
        "checkpoint": {"every": TOTALS[algo] // 300, "keep": 2},
        "logging": {"every": TOTALS[algo] // 300},
    }


class KillTest:
    """Runs that are killed again and again; `problems` gathers what was wrong."""

    def __init__(self, config: dict[str, Any], folder: Path, generator: random.Random) -> None:
        self.config = config
        self.folder = folder
        self.generator = generator
        self.kills = 0
        self.finished = 0  # runs that came to their end
        self.loaded = 0  # checkpoints
        self.moments: Counter[str] = Counter()  # what the kills hit
        self.problems: list[str] = []
        self._whole = folder  # the run to compare with
        self._duration_s = 0.0  # of the process that trained it

    def run(self, kills: int) -> None:
        """Train without a kill once, then with as many as asked."""
        place = self.folder / "whole"
        place.mkdir()
        started = time.monotonic()
        if self._start(place).wait() != 0:
            raise SystemExit((place / "stderr").read_text(encoding="utf-8"))
        self._duration_s = time.monotonic() - started
        self._whole = only_run(place)
        while self.kills < kills and not self.problems:
            self._one_run(self.folder / f"run{self.finished}", kills)

    def summary(self) -> str:
        """The figures in a line."""
        verdict = f"{len(self.problems)} problems" if self.problems else "nothing wrong"
        return (
            f"{self.kills} kills, {self.finished} runs came to their end, "
            f"{self.loaded} checkpoints loaded: {verdict}"
        )

    def _one_run(self, place: Path, kills: int) -> None:
        """Train one run to its end, with kills on the way while there are any left."""
        place.mkdir()
        code = KILLED
        while code == KILLED and not self.problems:
            delay = self.generator.uniform(0.0, self._duration_s) if self.kills < kills else None
            code = killed_after(self._start(place), delay)
            self.kills += code == KILLED
            self._check(place, was_killed=code == KILLED)
        if code not in (KILLED, 0):
            errors = (place / "stderr").read_text(encoding="utf-8")
            self.problems.append(f"{place.name}: exit code {code}\n{errors}")
        if not self.problems:
            self.finished += 1
            found = differences(only_run(place), self._whole)
            self.problems += [f"{place.name} is not like the uninterrupted run: {x}" for x in found]

    def _start(self, place: Path) -> subprocess.Popen[bytes]:
        """A process that trains, or goes on with the run that is there."""
        run = run_in(place)
        words = ["resume", str(run), "--quiet"] if run else train_arguments(self.config, place)
        with (place / "stderr").open("wb") as errors:
            return subprocess.Popen(
                command(*words, *IMPORTED),
                cwd=place,
                env=variables(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )

    def _check(self, place: Path, *, was_killed: bool) -> None:
        """Look at what a process has left."""
        run = run_in(place)
        if run is None:
            half_made = list((place / "runs").glob("*"))
            made = "while its directory was made" if half_made else "before there was a directory"
            self.moments[made] += 1
            for folder in half_made:
                shutil.rmtree(folder)
            return
        try:
            metadata = metadata_of(run)
        except (OSError, ValueError) as error:
            self.problems.append(f"{place.name}: metadata.json: {error}")
            return
        self._check_checkpoints(run)
        self._check_rows(run)
        if was_killed:
            self.moments[moment(run, metadata)] += 1

    def _check_checkpoints(self, run: Path) -> None:
        """Load every checkpoint under its final name."""
        for path in sorted((run / "checkpoints").iterdir()):
            if TEMPORARY_NAME.fullmatch(path.name):
                continue
            if not FINAL_NAME.fullmatch(path.name):
                self.problems.append(f"{path}: neither a checkpoint's name nor a temporary one")
            elif path.suffix == ".pt":
                try:
                    checkpoints.load(path)
                except AxiomRLError as error:
                    self.problems.append(str(error))
                self.loaded += 1

    def _check_rows(self, run: Path) -> None:
        """Every line of metrics.jsonl but a last unfinished one must be whole."""
        for line in (run / "metrics.jsonl").read_bytes().split(b"\n")[:-1]:
            try:
                json.loads(line)
            except ValueError:
                self.problems.append(f"{run}/metrics.jsonl: {line!r}")


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


def moment(run: Path, metadata: dict[str, Any]) -> str:
    """What a kill has hit, as far as the files tell."""
    if metadata["status"] == "completed":
        return "after the end was recorded"
    if any(TEMPORARY_NAME.fullmatch(path.name) for path in run.rglob("*")):
        return "while a file was written"
    record = RunRecord.read(run)
    if not record.checkpoints():
        return "before the first checkpoint"
    return "otherwise in training" if record.status == "dead" else f"status {record.status}"


if __name__ == "__main__":
    raise SystemExit(main())
