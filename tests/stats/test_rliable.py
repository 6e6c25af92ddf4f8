"""The same scores as rliable 1.2.0 was given, the same values and intervals.

The numbers come from `benchmarks/rliable_oracle.py`. Values must agree to 1e-12, the ends of
intervals to 2 % of their width. At 20,000 resamples chance moves an end by 0.5 % of the width. A
golden end is the median of five such bootstraps: where scores tie, an end is one of few values, and
chance may make it another one (in one case it does so in one of rliable's five).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axiomrl.statistics import (
    STATISTICS,
    ResampledGroup,
    interval,
    mean,
    performance_profile,
    probability_of_improvement,
    resample,
)

FILE = Path(__file__).resolve().parent.parent / "golden" / "rliable.json"
GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))
CASES = GOLDEN["cases"]
RESAMPLES = 20_000
SHARE_OF_WIDTH = 0.02


def tasks_of(case: str) -> list[list[float]]:
    return [list(runs) for runs in zip(*CASES[case]["scores"], strict=True)]


def group(case: str) -> ResampledGroup:
    return ResampledGroup.of(tasks_of(case), mean, name=case, seed=0, resamples=RESAMPLES)


def has_ends(expected: dict[str, Any], low: float | None, high: float | None) -> bool:
    """Whether the ends are near to rliable's."""
    ends = [float(np.median(expected[name])) for name in ("low", "high")]
    tolerance = SHARE_OF_WIDTH * (ends[1] - ends[0]) + 1e-12
    return [low, high] == pytest.approx(ends, abs=tolerance)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", STATISTICS)
def test_values_are_those_of_rliable(case: str, name: str) -> None:
    tasks = tasks_of(case)
    if name == "median" and len(tasks) == 1:
        expected = np.median(tasks[0])  # rliable takes the mean of the runs also of a single task
    else:
        expected = CASES[case]["estimates"][name]["value"]
    assert STATISTICS[name](tasks) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", STATISTICS)
def test_intervals_are_those_of_rliable(case: str, name: str) -> None:
    tasks = tasks_of(case)
    expected = CASES[case]["estimates"][name]
    if name == "median" and len(tasks) == 1:
        name = "mean"
    drawn = resample(tasks, STATISTICS[name], seed=0, name=case, resamples=RESAMPLES)
    assert has_ends(expected, *interval(drawn))


@pytest.mark.parametrize("expected", GOLDEN["improvements"], ids=lambda each: each["x"])
def test_probabilities_of_improvement_are_those_of_rliable(expected: dict[str, Any]) -> None:
    estimate = probability_of_improvement(group(expected["x"]), group(expected["y"]))
    assert estimate.value == pytest.approx(expected["value"], abs=1e-12)
    assert has_ends(expected, estimate.low, estimate.high)


@pytest.mark.parametrize("case", GOLDEN["profiles"])
def test_performance_profiles_are_those_of_rliable(case: str) -> None:
    expected = GOLDEN["profiles"][case]
    profile = performance_profile(group(case), expected["taus"])
    assert profile.low is not None
    assert profile.high is not None
    rows = zip(expected["at_tau"], profile.fraction, profile.low, profile.high, strict=True)
    for at_tau, fraction, low, high in rows:
        assert fraction == pytest.approx(at_tau["value"], abs=1e-12)
        assert has_ends(at_tau, low, high)
