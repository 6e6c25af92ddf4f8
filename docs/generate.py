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
- `test_…` is written once, when training is complete, if `test.episodes` asks for it. The policy
  is that of the last checkpoint, and no seed of its episodes is used in training or evaluation:
  they are those of `axiomrl eval RUN --checkpoint final`.
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
    "test": "Final test: whole episodes, once, after training",
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


NORMALIZATION_INTRODUCTION = """\
# Normalised scores

Scores of different environments are put on one scale before they are aggregated:

```text
normalised score = (score - random) / (reference - random)
```

A fraction, not a percentage: 0 is what uniformly random actions score, 1 what a human or a
reference policy scores; values below 0 and above 1 are kept. The two anchors are

1. those of the run itself: `benchmark.score_normalization` of its [configuration](config.md);
2. else those of its suite's [manifest](../how-to/suites.md);
3. else those of the registry below (version VERSION, `axiomrl/reports/data/normalization.json`).

Without anchors, or with two that are equal or not finite, there is no normalised score. The lowest
and the highest score of a table are never used as anchors, and normalised scores that a run has
stored are never read. Environments are found by their id alone: a run whose wrappers or
`environment.kwargs` change rewards needs anchors of its own. Ids that are not listed have no
anchors, older versions among them (`HalfCheetah-v4`, `LunarLander-v2`): their rewards differ, and
Gymnasium 1.4 no longer makes some of them.
"""

NORMALIZATION_REFERENCES = """\
The reference of an environment is the highest return there is, where that can be reached or is
what Gymnasium registers; else the threshold from which Gymnasium counts it as solved; else the
best score in one published benchmark that uses this version of it. That is a choice of a scale,
not a claim that no policy does better: SAC passes twice the threshold of `HalfCheetah-v5`.
"""

NORMALIZATION_ATARI = """\
Environment ids: PATTERNS. Both numbers from: SOURCE.

The numbers were compared with other copies of the table:

- **Agent57's appendix** (as in the notebook of rliable): equal, except the random score of Video
  Pinball, 0.0 there and 16256.9 here. Mnih et al. 2015 measured 16256.9. It matters: a score of
  100,000 is 59.4 with the one and 5.7 with the other.
- **Wang et al. 2016** (human, starts with no-ops; as collected in rldb): equal in all 57 games.
- **Mnih et al. 2015** (49 games; as collected in rldb): the random scores are equal after
  rounding; the human ones differ in 33 games: those episodes ended after 5 minutes.
"""


def normalization_page() -> str:
    """`docs/reference/normalization.md`, from the registry of anchors."""
    from axiomrl.reports.normalization import registry

    shipped = registry()
    sources = shipped.sources
    lines = ["| environment | random | reference | reference from |", "|---|---|---|---|"]
    for env_id, entry in shipped.environments.items():
        told = entry.human_source + (f": {entry.human_note}" if entry.human_note else "")
        scores = f"{entry.random_score:.10g} | {entry.human_score:.10g}"
        lines.append(f"| `{env_id}` | {scores} | {told} |")
    atari = shipped.atari
    games = ["| game | random | human |", "|---|---|---|"]
    games += [
        f"| {n} | {s.random_score:.10g} | {s.human_score:.10g} |" for n, s in atari.games.items()
    ]
    patterns = " and ".join(f"`{each.format(game='<game>')}`" for each in atari.env_ids)
    about_atari = NORMALIZATION_ATARI.replace("PATTERNS", patterns)
    used = ("measured", "maximum", "threshold", "slm-lab")
    return "\n".join(
        [
            NORMALIZATION_INTRODUCTION.replace("VERSION", str(shipped.version)),
            "## Classic control, Box2D and MuJoCo\n",
            NORMALIZATION_REFERENCES,
            *(f"- *{name}*: {sources[name]}" for name in used),
            "\n".join(["\nAll random scores are *measured*.\n", *lines, ""]),
            "## Atari\n",
            about_atari.replace("SOURCE", sources[atari.human_source]),
            "\n".join([*games, ""]),
        ]
    )


def pages() -> dict[str, str]:
    """The text of every generated page by its file name."""
    from axiomrl import config
    from axiomrl.cli import reference

    made = {
        "cli.md": reference.reference_page(),
        "config.md": config.reference_page(),
        "metrics.md": metrics_page(),
        "normalization.md": normalization_page(),
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
