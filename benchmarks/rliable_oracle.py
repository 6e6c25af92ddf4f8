"""Writes tests/golden/rliable.json: what rliable makes of given scores.

For each case the file holds the scores (runs x tasks), rliable's point estimates with all their
digits, and the ends of its 95 % intervals: those of REPEATS bootstraps of REPS resamples each,
one after the other, so that their spread shows how much of an end is chance. Nothing of axiomrl
runs here; tests/stats/test_rliable.py compares. rliable ignores the random state that it is
given, so NumPy's global one is seeded instead. rliable 1.2.0 breaks with pandas 3. Run it in an
environment of its own; it takes a quarter of an hour:

    python3 -m venv .venv-rliable
    .venv-rliable/bin/python -m pip install 'rliable==1.2.0' 'pandas<3'
    .venv-rliable/bin/python benchmarks/rliable_oracle.py
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rliable import library, metrics

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "rliable.json"
REPEATS, REPS = 5, 20_000
STATISTICS = {
    "mean": metrics.aggregate_mean,
    "median": metrics.aggregate_median,
    "iqm": metrics.aggregate_iqm,
    "optimality_gap": metrics.aggregate_optimality_gap,
}
TAUS = [-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 3.0]
Function = Callable[..., np.ndarray]


def cases() -> dict[str, np.ndarray]:
    """Scores [runs, tasks], rounded to five decimals."""
    generator = np.random.default_rng(20_240)
    suite = generator.lognormal(-0.5, 0.8, size=(5, 6))
    rival = generator.lognormal(-0.3, 0.8, size=(7, 6))
    with_constant = generator.normal(0.7, 0.4, size=(5, 4))
    with_constant[:, 2] = 0.1
    scores = {
        "suite": suite,
        "rival": rival,
        "one_task": generator.normal(0.6, 0.5, size=(10, 1)),
        "one_task_rival": generator.normal(0.9, 0.5, size=(8, 1)),
        "three_runs": generator.normal(1.0, 0.3, size=(3, 8)),
        "three_scores": generator.normal(0.5, 0.2, size=(3, 1)),
        "one_run": generator.normal(0.8, 0.4, size=(1, 7)),
        "ties": generator.integers(0, 4, size=(4, 5)) / 2.0,
        "ties_rival": generator.integers(0, 4, size=(6, 5)) / 2.0,
        "with_constant": with_constant,
        "constant": np.full((4, 3), 0.1),
        "negative": -generator.gamma(2.0, 150.0, size=(6, 4)),
    }
    return {name: np.round(values, 5) for name, values in scores.items()}


def repeated(scores: Any, function: Function) -> tuple[np.ndarray, np.ndarray]:
    """The point estimates [K], and the intervals [REPEATS, 2, K]."""
    ends = []
    for _ in range(REPEATS):
        points, intervals = library.get_interval_estimates({"x": scores}, function, reps=REPS)
        ends.append(intervals["x"])
    return points["x"], np.array(ends)


def written(points: np.ndarray, ends: np.ndarray, place: int = 0) -> dict[str, Any]:
    return {
        "value": float(points[place]),
        "low": ends[:, 0, place].tolist(),
        "high": ends[:, 1, place].tolist(),
    }


def estimates(scores: np.ndarray) -> dict[str, Any]:
    def all_statistics(values: np.ndarray) -> np.ndarray:
        return np.array([function(values) for function in STATISTICS.values()])

    points, ends = repeated(scores, all_statistics)
    return {name: written(points, ends, place) for place, name in enumerate(STATISTICS)}


def improvement(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    def probability(*both: np.ndarray) -> np.ndarray:
        return np.array([metrics.probability_of_improvement(*both)])

    return written(*repeated([x, y], probability))


def profile(scores: np.ndarray) -> dict[str, Any]:
    points, ends = repeated(scores, lambda values: library.score_distributions(values, TAUS))
    return {"taus": TAUS, "at_tau": [written(points, ends, place) for place in range(len(TAUS))]}


def main() -> None:
    started = time.monotonic()
    np.random.seed(0)
    scores = cases()
    pairs = [("suite", "rival"), ("one_task", "one_task_rival"), ("ties", "ties_rival")]
    content = {
        "versions": {name: version(name) for name in ("rliable", "arch", "scipy", "numpy")},
        "reps": REPS,
        "cases": {
            name: {"scores": values.tolist(), "estimates": estimates(values)}
            for name, values in scores.items()
        },
        "improvements": [{"x": x, "y": y, **improvement(scores[x], scores[y])} for x, y in pairs],
        "profiles": {name: profile(scores[name]) for name in ("suite", "ties")},
    }
    GOLDEN.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{GOLDEN}: written in {time.monotonic() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
