from __future__ import annotations

import math

import pytest

from axiomrl.config.schema import Schedule
from axiomrl.training.schedules import value_at


@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_a_plain_number_never_changes(fraction: float) -> None:
    assert value_at(3e-4, fraction) == 3e-4
    assert isinstance(value_at(1, fraction), float)


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.0, 1e-3), (0.25, 7.5e-4), (0.5, 5e-4), (1.0, 0.0)]
)
def test_linear_goes_straight_from_start_to_end(fraction: float, expected: float) -> None:
    schedule = Schedule(schedule="linear", start=1e-3, end=0.0)
    assert value_at(schedule, fraction) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_cosine_follows_half_a_wave(fraction: float) -> None:
    # Loshchilov & Hutter 2017, eq. 5: end + (start - end) * (1 + cos(pi * t)) / 2
    schedule = Schedule(schedule="cosine", start=2.0, end=1.0)
    expected = 1.0 + 0.5 * (1.0 + math.cos(math.pi * fraction))
    assert value_at(schedule, fraction) == pytest.approx(expected)


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_constant_ignores_the_end(fraction: float) -> None:
    assert value_at(Schedule(schedule="constant", start=0.2, end=0.1), fraction) == 0.2


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_without_an_end_it_stays_at_the_start(name: str) -> None:
    for fraction in (0.0, 0.5, 1.0):
        assert value_at(Schedule(schedule=name, start=0.2), fraction) == 0.2


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_a_schedule_may_rise(name: str) -> None:
    schedule = Schedule(schedule=name, start=0.0, end=1.0)
    values = [value_at(schedule, step / 10) for step in range(11)]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (0.0, 1.0)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_fractions_beyond_the_ends_give_the_ends(name: str) -> None:
    schedule = Schedule(schedule=name, start=1.0, end=0.5)
    assert value_at(schedule, -0.1) == 1.0
    assert value_at(schedule, 1.1) == pytest.approx(0.5)
