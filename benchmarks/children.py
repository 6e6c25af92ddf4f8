"""Starts the measured processes, each side with its own interpreter and one thread."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cases import BARE_PYTHON, CLEANRL, OURS, SB3, SUMMARY_WRITER, Case
from timing import MARKER_VARIABLE

BENCHMARKS = Path(__file__).resolve().parent
ROOT = BENCHMARKS.parent
FIGURES = BENCHMARKS / "figures"  # what the pages of docs/reference are written from
RESULTS = BENCHMARKS / "results"  # runs and models that can be thrown away
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

SCRIPTS = {
    OURS: "side_ours.py",
    SB3: "side_sb3.py",
    SUMMARY_WRITER: "side_sb3.py",
    CLEANRL: "side_cleanrl.py",
}


class ChildError(Exception):
    """A measured process failed; says which, and what it printed last."""


@dataclass(frozen=True, kw_only=True)
class Interpreters:
    """Which Python runs which side, and where CleanRL's checkout is (None: left out)."""

    ours: Path = Path(sys.executable)
    peers: Path = ROOT / ".venv-bench" / "bin" / "python"
    cleanrl: Path | None = None
    cleanrl_checkout: Path | None = None

    def of(self, side: str) -> Path:
        """The interpreter of a side."""
        if side == CLEANRL:
            return self.cleanrl or self.peers
        return self.ours if side in (OURS, BARE_PYTHON) else self.peers

    def has(self, side: str) -> bool:
        """Whether a side can be measured."""
        if side == CLEANRL and self.cleanrl_checkout is None:
            return False
        return self.of(side).exists()


def run_side(
    interpreters: Interpreters, side: str, job: Mapping[str, Any], *, folder: Path
) -> dict[str, Any]:
    """Run one job of a side in a process of its own; the figures it reports.

    Raises ChildError if it exits with an error or reports nothing.
    """
    script = BENCHMARKS / SCRIPTS[side]
    if side == CLEANRL:
        job = {**job, "checkout": str(interpreters.cleanrl_checkout)}
    command = [str(interpreters.of(side)), str(script), json.dumps(job)]
    printed = run_command(command, side=side, folder=folder).strip()
    try:
        figures: dict[str, Any] = json.loads(printed.splitlines()[-1])
    except (IndexError, json.JSONDecodeError) as problem:
        raise ChildError(f"{side}: reported no figures; last output: {printed[-400:]}") from problem
    return figures


def run_command(
    command: Sequence[str], *, side: str, folder: Path, variables: Mapping[str, str] | None = None
) -> str:
    """Standard output of a command; ours runs in the repository, a peer in a scratch folder."""
    finished = subprocess.run(
        command,
        cwd=ROOT if side == OURS else folder,
        env={**environment_variables(), **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        tail = "\n".join(finished.stderr.strip().splitlines()[-15:])
        raise ChildError(f"{side}: exit code {finished.returncode}\n{tail}")
    return finished.stdout


def environment_variables() -> dict[str, str]:
    """The caller's, with one thread, no GPU, and both axiomrl and this folder importable.

    Modules are compiled once, as they are in an installed package, whatever the caller's say.
    """
    paths = [str(ROOT), str(BENCHMARKS)]
    callers = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {
        **callers,
        **dict.fromkeys(THREAD_VARIABLES, "1"),
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": os.pathsep.join(paths),
    }


def sample(interpreters: Interpreters, case: Case, side: str, seed: int) -> dict[str, Any]:
    """One measurement of one side of a case, in a fresh process and a fresh folder."""
    with tempfile.TemporaryDirectory(prefix="axiomrl-bench-") as name:
        folder = Path(name)
        if case.kind == "process":
            return process_sample(interpreters, case, side, seed, folder)
        job = {
            "kind": case.kind,
            "settings": case.settings,
            "seed": seed,
            "output_dir": str(folder),
            "script": case.cleanrl_script,
            "arguments": case.cleanrl_arguments,
            "revision": revision(interpreters.cleanrl_checkout) if side == CLEANRL else "",
        }
        return run_side(interpreters, side, job, folder=folder)


def process_sample(
    interpreters: Interpreters, case: Case, side: str, seed: int, folder: Path
) -> dict[str, Any]:
    """Wall time of a whole command, or up to the moment that its first env step noted."""
    command = process_command(interpreters, case, side, seed, folder)
    marker = folder / "first_step"
    started = time.monotonic()
    printed = run_command(
        command, side=side, folder=folder, variables={MARKER_VARIABLE: str(marker)}
    )
    ended = time.monotonic()
    if "first_step_env" in str(case.settings.get("env_id", "")):
        if not marker.exists():
            raise ChildError(f"{side}: ended without an env step")
        ended = float(marker.read_text(encoding="utf-8"))
        return {"wall": ended - started}
    trains = bool(case.settings)
    return {
        "wall": ended - started,
        "return": return_reached(side, printed, folder) if trains else None,
    }


def process_command(
    interpreters: Interpreters, case: Case, side: str, seed: int, folder: Path
) -> list[str]:
    """What a user types: ours a config file and `train`, the peer's a script of a few lines."""
    python = str(interpreters.of(side))
    if side == BARE_PYTHON:
        return [python, "-c", "pass"]
    if not case.settings:
        return [python, "-m", "axiomrl", "--help"]
    if side == SB3:
        settings = case.settings
        arguments = [settings["env_id"], settings["total_timesteps"], seed, folder / "model"]
        return [python, str(BENCHMARKS / "sb3_script.py"), *map(str, arguments)]
    config = folder / "config.yaml"
    values = {**case.settings, "device": "cpu", "evaluation": {"every": 0}}
    config.write_text(json.dumps(values), encoding="utf-8")
    train = [python, "-m", "axiomrl", "train", "--config", str(config)]
    return [*train, "--seed", str(seed), "--output-dir", str(folder / "runs")]


def return_reached(side: str, printed: str, folder: Path) -> float | None:
    """Mean training return at the end: the script's last line, or the run's last logged value."""
    if side == SB3:
        return float(printed.split()[-1])
    for path in (folder / "runs").glob("*/metadata.json"):
        metrics = json.loads(path.read_text(encoding="utf-8")).get("latest_metrics", {})
        value = metrics.get("rollout_return_mean")
        return None if value is None else float(value)
    return None


def revision(checkout: Path | None) -> str:
    """The commit of a checkout, or `unknown` where it is no git repository."""
    asked = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or "unknown"
