"""How often a 95 % interval of axiomrl.statistics holds the true value, by simulation.

Draws many groups of n seeds from populations whose mean and IQM are known, and counts the
intervals that hold them: the figures of docs/explanation/statistics.md. Takes about two minutes:

    .venv/bin/python benchmarks/coverage.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from axiomrl.statistics import ResampledGroup, Statistic, iqm, mean

EXPERIMENTS, RESAMPLES = 4_000, 2_000
SEEDS = (3, 4, 5, 10, 20)
Draw = Callable[[np.random.Generator, int], np.ndarray]


def normal(generator: np.random.Generator, count: int) -> np.ndarray:
    return generator.normal(size=count)


def at_a_ceiling(generator: np.random.Generator, count: int) -> np.ndarray:
    return np.minimum(500.0, generator.normal(480.0, 40.0, size=count))


def some_fail(generator: np.random.Generator, count: int) -> np.ndarray:
    return np.where(generator.random(count) < 0.2, 20.0, generator.normal(200.0, 20.0, size=count))


def skewed(generator: np.random.Generator, count: int) -> np.ndarray:
    return generator.lognormal(0.0, 1.0, size=count)


def coverage(draw: Draw, statistic: Statistic, seeds: int, truth: float) -> float:
    generator = np.random.default_rng(seeds)
    held = 0
    for experiment in range(EXPERIMENTS):
        scores = draw(generator, seeds)
        group = ResampledGroup.of(
            [scores], statistic, name=str(experiment), seed=0, resamples=RESAMPLES
        )
        low, high = group.estimate.low, group.estimate.high
        held += low is not None and high is not None and low <= truth <= high
    return held / EXPERIMENTS


def main() -> None:
    print(f"| scores | statistic | {' | '.join(f'{n} seeds' for n in SEEDS)} |")
    print("|---|---|" + "---:|" * len(SEEDS))
    for draw in (normal, at_a_ceiling, some_fail, skewed):
        population = draw(np.random.default_rng(0), 2_000_000)
        for statistic in (mean, iqm):
            truth = statistic([population])
            shares = [coverage(draw, statistic, seeds, truth) for seeds in SEEDS]
            cells = " | ".join(f"{100 * share:.0f} %" for share in shares)
            print(f"| {draw.__name__.replace('_', ' ')} | {statistic.name} | {cells} |")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
