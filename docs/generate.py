"""Writes the pages of `docs/reference` that are made from the code.

Run it with `--check` to exit with 1, naming the pages that are out of date, and write nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

REFERENCE = Path(__file__).resolve().parent / "reference"

NOTICE = "*This page is generated from the code by `python docs/generate.py`; do not edit it.*"

METRICS_INTRODUCTION = """\
# Metrics

Every row of [`metrics.jsonl`](run-directory.md#metricsjsonl) holds `step` (env steps so far, over
all environments), `time_s` and some of the metrics below. `latest_metrics` in `metadata.json`
holds the last value of each. In TensorBoard the first underscore becomes a slash:
`eval_return_mean` is shown as `eval/return_mean`.

- `rollout_…` and `train_…` are written every `logging.every` env steps, `eval_…` every
  `evaluation.every` env steps, at the first update after a multiple has been crossed, and
  both after the last update. The first row, before any training, is an evaluation, unless
  evaluation is switched off.
- Returns are sums of the environment's own rewards, never of normalised ones.
- Keys that begin with `time_` are wall-clock values. All others are equal in two runs of one
  configuration and seed on the same machine and versions.
- A value that is NaN or infinite is written as `null` and counted under `non_finite_metrics` in
  `metadata.json`.
- *Better* says which way a metric improves. `benchmark.best_metric` accepts a metric without a
  known direction only together with `benchmark.best_metric_mode`.
"""

GROUPS = {
    "eval": "Evaluation: whole episodes in environments of their own",
    "best": "Best so far",
    "rollout": "Training episodes",
    "train": "Updates",
    "time": "Wall clock",
}
BETTER = {"max": "more", "min": "less", None: ""}


def metrics_page() -> str:
    """`docs/reference/metrics.md`, from `axiomrl.metrics.METRICS`."""
    from axiomrl.metrics import METRICS

    sections = [METRICS_INTRODUCTION]
    for group, title in GROUPS.items():
        sections.append(f"## {title}\n")
        lines = ["| metric | meaning | unit | better |", "|---|---|---|---|"]
        for name, info in METRICS.items():
            if name.partition("_")[0] == group:
                cells = (f"`{name}`", info.meaning, info.unit, BETTER[info.direction])
                lines.append("| " + " | ".join(cells) + " |")
        sections.append("\n".join(lines) + "\n")
    return "\n".join(sections)


def pages() -> dict[str, str]:
    """The text of every generated page by its file name."""
    from axiomrl import config
    from axiomrl.cli import reference

    made = {
        "cli.md": reference.reference_page(),
        "config.md": config.reference_page(),
        "metrics.md": metrics_page(),
    }
    return {name: _marked(text) for name, text in made.items()}


def _marked(page: str) -> str:
    """The page with the notice below its title."""
    title, _, rest = page.partition("\n")
    return f"{title}\n\n{NOTICE}\n{rest.rstrip()}\n"


def out_of_date(folder: Path = REFERENCE) -> list[str]:
    """File names of the pages that differ from what the code says, or are missing."""
    return [
        name
        for name, text in pages().items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the pages; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write the generated pages of docs/reference.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if out of date")
    if parser.parse_args(arguments).check:
        stale = out_of_date()
        for name in stale:
            print(f"out of date: docs/reference/{name}; run `make docs`", file=sys.stderr)
        return 1 if stale else 0
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
        print(f"docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
