"""What presets learn: `python benchmarks/learning.py [--preset ppo/cartpole] [--seeds 0,1,2]`.

Protocol: every preset is trained from scratch on every seed as `axiomrl train` does it, and the
policy it ends with, not the best one, is scored on 100 fresh episodes with deterministic actions.
A seed's score is the mean undiscounted, unnormalised return of these episodes. Each run is a
process of its own; `--jobs` runs that many at once. Finished runs are merged into
`benchmarks/figures/learning.json`, and the table docs/reference/results.md is written from that
file only. `--set key=value` changes a preset; such runs fill the page's tables of ablations.
`--peer sb3` trains Stable-Baselines3 on the same settings and seeds (in `.venv-bench`)
and scores it in the same way.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cases import OURS, SB3
from children import FIGURES, RESULTS, ROOT, ChildError, Interpreters, run_side
from learning_cases import LEARNING_CASES
from learning_report import markdown_page
from measure import machine, read_json, write_text

RESULTS_FILE = FIGURES / "learning.json"
PAGE = ROOT / "docs" / "reference" / "results.md"
IMAGES = ROOT / "docs" / "images"
CONFIGS = ROOT / "configs"
DEFAULT_SEEDS = "0,1,2,3,4"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One preset with one seed, trained and scored by one side."""

    side: str
    preset: str
    seed: int
    total_timesteps: int
    episodes: int
    config_hash: str
    settings: dict[str, Any]  # the resolved configuration
    changes: list[str]  # `key=value` settings that differ from the preset

    def key(self) -> str:
        """What a result replaces when it is measured again."""
        return f"{self.side} {self.preset} {self.config_hash} seed{self.seed}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what the command line asks for and write the table; the exit code."""
    options = parse(arguments)
    failures = 0 if options.docs_only else run_all(planned(options), options)
    stored = read_json(RESULTS_FILE)
    if stored and not options.no_store:
        runs = list(stored["runs"].values())
        write_text(PAGE, markdown_page(runs, LEARNING_CASES, IMAGES))
        say(f"wrote {PAGE.relative_to(ROOT)}")
    return 1 if failures else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line, with presets and seeds as lists."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--preset",
        action="append",
        metavar="NAME",
        help="a file of configs/ without its ending, such as ppo/cartpole; may be given again "
        f"(default: {', '.join(LEARNING_CASES)})",
    )
    parser.add_argument("--seeds", default=DEFAULT_SEEDS, help=f"default {DEFAULT_SEEDS}")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once")
    parser.add_argument("--episodes", type=int, default=100, help="scored episodes of each run")
    parser.add_argument(
        "--total-timesteps", type=int, help="instead of the budget at which the bar is read"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change the preset"
    )
    parser.add_argument("--peer", choices=(SB3,), help="train this library instead of axiomrl")
    parser.add_argument("--no-store", action="store_true", help="only show the scores: a try-out")
    parser.add_argument("--docs-only", action="store_true", help="only write the table")
    options = parser.parse_args(arguments)
    options.preset = options.preset or list(LEARNING_CASES)
    for name in options.preset:
        if not preset_path(name).is_file():
            known = sorted(str(p.relative_to(CONFIGS).with_suffix("")) for p in all_presets())
            parser.error(f"no preset {name}; there are {', '.join(known)}")
    try:
        options.seeds = [int(seed) for seed in options.seeds.split(",")]
    except ValueError:
        parser.error(f"--seeds takes whole numbers separated by commas, not {options.seeds!r}")
    if options.jobs < 1 or options.episodes < 1:
        parser.error("--jobs and --episodes must be at least 1")
    return options


def preset_path(name: str) -> Path:
    """The configuration file of a preset."""
    return CONFIGS / f"{name}.yaml"


def all_presets() -> list[Path]:
    """Every preset there is."""
    others = ("suites", "search")
    return sorted(path for path in CONFIGS.glob("*/*.yaml") if path.parent.name not in others)


def planned(options: argparse.Namespace) -> list[Job]:
    """All jobs, seed by seed, so that an interrupted series has something of every preset."""
    return [
        plan(options.peer or OURS, name, seed, options)
        for seed in options.seeds
        for name in options.preset
    ]


def plan(side: str, preset: str, seed: int, options: argparse.Namespace) -> Job:
    """One job; its configuration is resolved here, so that a bad one fails before any training."""
    from axiomrl.config import config_to_mapping, load_config
    from axiomrl.fingerprint import config_hash

    case = LEARNING_CASES.get(preset)
    total = options.total_timesteps or (case.env_steps if case else None)
    config = load_config(
        preset_path(preset),
        overrides=options.set,
        flags={"seed": seed, "total_timesteps": total},
    )
    return Job(
        side=side,
        preset=preset,
        seed=seed,
        total_timesteps=config.total_timesteps,
        episodes=options.episodes,
        config_hash=config_hash(config),
        settings=config_to_mapping(config),
        changes=sorted(options.set),
    )


def run_all(jobs: Sequence[Job], options: argparse.Namespace) -> int:
    """Run the jobs, storing each result as it comes; how many failed."""
    with ThreadPoolExecutor(max_workers=options.jobs) as pool:
        waiting = {pool.submit(run, job, options.jobs): job for job in jobs}
        try:
            return collect(waiting, options)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def collect(waiting: Mapping[Future[dict[str, Any]], Job], options: argparse.Namespace) -> int:
    """Store and show the results in the order in which they come; how many jobs failed."""
    failures = 0
    for number, done in enumerate(as_completed(waiting), start=1):
        job = waiting[done]
        try:
            result = done.result()
        except ChildError as problem:
            failures += 1
            say(f"[{number}/{len(waiting)}] {job.key()} failed: {problem}")
            continue
        if not options.no_store:
            store(job.key(), result)
        say(f"[{number}/{len(waiting)}] {job.key()}: {result['score']:.2f}")
    return failures


def run(job: Job, at_once: int) -> dict[str, Any]:
    """Train and score in a process of its own; the result as it is stored."""
    folder = RESULTS / "learning" / job.side / job.preset.replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)
    started = time.time()
    figures = run_side(
        Interpreters(),
        job.side,
        {
            "kind": "learning",
            "preset_path": str(preset_path(job.preset)),
            "changes": job.changes,
            "settings": job.settings,
            "seed": job.seed,
            "total_timesteps": job.total_timesteps,
            "episodes": job.episodes,
            "output_dir": str(folder),
        },
        folder=folder,
    )
    returns = figures.pop("returns")
    return {
        **figures,
        "side": job.side,
        "preset": job.preset,
        "changes": job.changes,
        "seed": job.seed,
        "env_id": job.settings["env_id"],
        "config_hash": job.config_hash,
        "total_timesteps": job.total_timesteps,
        "episodes": len(returns),
        "score": statistics.fmean(returns),
        "score_std": statistics.pstdev(returns),
        "runs_at_once": at_once,
        "finished_at": started + figures["wall_s"],
        "machine": machine(),
    }


def store(key: str, result: dict[str, Any]) -> None:
    """Merge one result into the results file."""
    stored = read_json(RESULTS_FILE)
    stored.setdefault("runs", {})[key] = result
    write_text(RESULTS_FILE, json.dumps(stored, indent=1))


def say(text: str) -> None:
    """Progress goes to standard error."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
