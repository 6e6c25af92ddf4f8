"""A study on one worker and on several: `python benchmarks/scaling.py [--write-docs]`.

Protocol: every round runs the same study of independent runs once with each number of worker
processes, in a process of its own, in changing order; the seeds change from round to round. What
is timed is the whole study, from the call of `run_study` to its summary: the start of the workers
and their imports count. Throughput is env steps of all runs by that time. Medians of at least five
rounds are kept in `benchmarks/figures/scaling.json`, of which the page in docs/ is written.

Run it on a machine that does nothing else, with as many cores as workers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from children import BENCHMARKS, FIGURES, ROOT, ChildError, environment_variables
from measure import FEWEST_ROUNDS, interleave, machine, read_json, write_text
from scaling_report import console_table, markdown_page

RESULTS_FILE = FIGURES / "scaling.json"
PAGE = ROOT / "docs" / "reference" / "scaling.md"
PRESETS = {"ppo": "configs/ppo/cartpole.yaml", "sac": "configs/sac/pendulum.yaml"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for; the exit code."""
    options = parse(arguments)
    if options.docs_only:
        write_text(PAGE, markdown_page(read_json(RESULTS_FILE)))
        return 0
    measured: dict[str, Any] = {}
    for name in options.cases:
        try:
            measured[name] = measure(name, options)
        except ChildError as problem:
            say(f"error: {problem}")
            return 1
        print(console_table(name, measured[name]), end="\n\n", flush=True)
    if options.write_docs:
        stored = read_json(RESULTS_FILE) | measured
        write_text(RESULTS_FILE, json.dumps(stored, indent=1))
        write_text(PAGE, markdown_page(stored))
        say(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", default="ppo", help=f"with commas: {', '.join(PRESETS)}")
    parser.add_argument("--workers", default="1,2", help="how many, with commas; 1 is the baseline")
    parser.add_argument("--runs", type=int, default=8, help="runs of the study")
    parser.add_argument("--steps", type=int, default=100_000, help="env steps of each run")
    parser.add_argument("--rounds", type=int, default=FEWEST_ROUNDS, help="samples of every side")
    parser.add_argument("--write-docs", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--docs-only", action="store_true", help="write the page again")
    options = parser.parse_args(arguments)
    options.cases = options.cases.split(",")
    options.workers = [int(number) for number in options.workers.split(",")]
    if set(options.cases) - PRESETS.keys():
        parser.error(f"--cases: known are {', '.join(PRESETS)}")
    if 1 not in options.workers:
        parser.error("--workers: 1 is what the others are compared with")
    if options.write_docs and options.rounds < FEWEST_ROUNDS:
        parser.error(f"--write-docs needs at least {FEWEST_ROUNDS} rounds")
    return options


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """All rounds of one case, as they are stored."""
    where = machine()

    def take(side: str, number: int) -> dict[str, Any]:
        first = 1_000 * (number + 1)
        with tempfile.TemporaryDirectory(prefix="axiomrl-scaling-") as folder:
            job = {
                "preset": str(ROOT / PRESETS[name]),
                "folder": str(Path(folder) / "study"),
                "n_workers": int(side),
                "seeds": list(range(first, first + options.runs)),
                "total_timesteps": options.steps,
            }
            return sample(job)

    def on_sample(number: int, side: str, figures: dict[str, Any]) -> None:
        say(f"  round {number + 1}: {name}, {side} workers: {figures['env_steps_per_s']:,.0f}/s")

    sides = [str(number) for number in options.workers]
    samples = interleave(sides, options.rounds, take, on_sample=on_sample)
    return {"samples": samples, "machine": where, "runs": options.runs, "steps": options.steps,
            "preset": PRESETS[name]}  # fmt: skip


def sample(job: dict[str, Any]) -> dict[str, Any]:
    """One study in a process of its own."""
    finished = subprocess.run(
        [sys.executable, str(BENCHMARKS / "side_scaling.py"), json.dumps(job)],
        env=environment_variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        raise ChildError(f"side_scaling.py: {finished.stderr.strip()[-1000:]}")
    figures: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return figures


def say(text: str) -> None:
    """Progress goes to standard error."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
