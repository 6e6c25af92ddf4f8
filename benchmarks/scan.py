"""Reading many runs: `python benchmarks/scan.py [--runs 1000,10000] [--write-docs]`.

Protocol: every round takes each side once, in a process of its own, in changing order. Files are
in the system's page cache; "cold" means that axiomrl's own index is not there. What is read is
timed inside the process, so that its start is not counted; commands are timed from outside, with
theirs. Ratios are against a plain `json.loads` of the same files in the same rounds. Medians of at
least five rounds are kept in `benchmarks/figures/scan.json`, of which the page in docs/ is written.

Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from children import BENCHMARKS, FIGURES, RESULTS, ROOT, ChildError, environment_variables
from measure import FEWEST_ROUNDS, interleave, machine, read_json, write_text
from scan_report import console_table, markdown_page
from scan_trees import make_tree

RESULTS_FILE = FIGURES / "scan.json"
PAGE = ROOT / "docs" / "reference" / "scan.md"
READINGS = ("plain", "cold", "cold_built", "indexed", "indexed_built")  # of side_scan.py
COMMANDS = ("command_cold", "command_indexed", "help")
MLFLOW = "mlflow"
MLFLOW_RUNS = 1000  # making its store takes minutes for more
SETTLING_S = 3.0  # files younger than two seconds are not indexed


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for; the exit code."""
    options = parse(arguments)
    trees = options.folder.absolute()
    measured: dict[str, Any] = {}
    for count in options.runs:
        say(f"{count:,} runs: making them below {trees}")
        make_tree(trees / f"runs-{count}", count)
        if options.mlflow_python is not None and count == MLFLOW_RUNS:
            mlflow_sample(options.mlflow_python, trees)  # makes the store
        time.sleep(SETTLING_S)
        try:
            measured[str(count)] = measure(count, trees, options)
        except ChildError as problem:
            say(f"error: {problem}")
            return 1
        print(console_table(count, measured[str(count)]), end="\n\n", flush=True)
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
    parser.add_argument("--runs", default="1000,10000", help="sizes of the trees, with commas")
    parser.add_argument("--rounds", type=int, default=FEWEST_ROUNDS, help="samples of every side")
    parser.add_argument(
        "--folder", type=Path, default=RESULTS / "scan", help="where the trees are, or are made"
    )
    parser.add_argument(
        "--command",
        default="zoo --format leaderboard --output-format json",
        help="the axiomrl command that is timed as a whole; --runs-dir is added to it",
    )
    parser.add_argument(
        "--mlflow-python",
        type=Path,
        default=os.environ.get("MLFLOW_PYTHON") or None,
        metavar="FILE",
        help=f"an interpreter with MLflow, which is measured with {MLFLOW_RUNS:,} runs",
    )
    parser.add_argument("--write-docs", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    options = parser.parse_args(arguments)
    options.runs = [int(number) for number in options.runs.split(",")]
    if options.write_docs and options.rounds < FEWEST_ROUNDS:
        parser.error(f"--write-docs needs at least {FEWEST_ROUNDS} rounds")
    if options.mlflow_python is not None:
        options.mlflow_python = Path(options.mlflow_python).absolute()
    return options


def measure(count: int, trees: Path, options: argparse.Namespace) -> dict[str, Any]:
    """All rounds over one tree, as they are stored."""
    root = trees / f"runs-{count}"
    command = [*shlex.split(options.command), "--runs-dir", str(root)]
    where = machine()
    sides = [*READINGS, *COMMANDS]
    if options.mlflow_python is not None and count == MLFLOW_RUNS:
        sides.append(MLFLOW)
    with tempfile.TemporaryDirectory(prefix="axiomrl-scan-") as name:
        indexed = Path(name) / "indexed"
        reading_sample(root, "indexed", indexed)  # leaves the index
        command_sample(command, indexed)  # and whatever else the command keeps

        def take(side: str, number: int) -> dict[str, Any]:
            cache = indexed if "indexed" in side else Path(name) / f"{side}-{number}"
            if side == MLFLOW:
                return mlflow_sample(options.mlflow_python, trees)
            if side in READINGS:
                return reading_sample(root, side, cache)
            return command_sample(["--help"] if side == "help" else command, cache)

        def on_sample(number: int, side: str, figures: dict[str, Any]) -> None:
            say(f"  round {number + 1}: {side} {figures['wall'] * 1000:.1f} ms")

        samples = interleave(sides, options.rounds, take, on_sample=on_sample)
    for side in READINGS:
        if any(figures["runs"] != count for figures in samples[side]):
            raise ChildError(f"{side}: did not read {count} runs")
    return {"samples": samples, "machine": where, "command": options.command}


def reading_sample(root: Path, side: str, cache: Path) -> dict[str, Any]:
    """One reading of a tree; `cache` holds the index, or will."""
    job = {"root": str(root), "side": side}
    return last_line([sys.executable, str(BENCHMARKS / "side_scan.py"), json.dumps(job)], cache)


def mlflow_sample(python: Path, trees: Path) -> dict[str, Any]:
    """One search over MLflow's store, which is made if it is not there."""
    job = {"root": str(trees / "mlflow"), "count": MLFLOW_RUNS}
    return last_line([str(python), str(BENCHMARKS / "side_mlflow.py"), json.dumps(job)], trees)


def command_sample(words: Sequence[str], cache: Path) -> dict[str, Any]:
    """Wall time and peak memory of a whole axiomrl process."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "axiomrl", *words],
            env=with_cache(cache),
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        errors = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise ChildError(f"axiomrl {shlex.join(words)}: {errors.strip()}")
        written = output.tell()
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "wall": wall,
        "cpu": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss * unit / 1e6,
        "written_bytes": written,
    }


def last_line(command: Sequence[str], cache: Path) -> dict[str, Any]:
    """The figures that a measured process prints last."""
    finished = subprocess.run(
        command, env=with_cache(cache), capture_output=True, text=True, check=False
    )
    if finished.returncode != 0:
        raise ChildError(f"{command[1]}: {finished.stderr.strip()[-1000:]}")
    figures: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return figures


def with_cache(folder: Path) -> Mapping[str, str]:
    """The variables of a measured process, with a cache folder of its own."""
    return {**environment_variables(), "AXIOMRL_CACHE_DIR": str(folder)}


def say(text: str) -> None:
    """Progress goes to standard error."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
