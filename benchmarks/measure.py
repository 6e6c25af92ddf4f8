"""Interleaved rounds, and what follows from them: medians and ratios."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cases import MEASURES, OURS, Case

FEWEST_ROUNDS = 5  # below this a median is not published


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times a peer's cost is ours, over the rounds of one run."""

    of_medians: float  # median(peer) / median(ours)
    paired: float  # median over rounds of peer / ours
    low: float  # smallest and
    high: float  # largest of these

    def __str__(self) -> str:
        return (
            f"{self.of_medians:.2f}x (paired {self.paired:.2f}x, {self.low:.2f} to {self.high:.2f})"
        )

    def reaches(self, target: float) -> bool:
        """Whether both ways of taking the ratio reach the target."""
        return min(self.of_medians, self.paired) >= target


def ratio(ours: Sequence[float], peer: Sequence[float]) -> Ratio:
    """Both lists hold one cost per round, in the order of the rounds."""
    pairs = [theirs / mine for mine, theirs in zip(ours, peer, strict=True)]
    return Ratio(
        of_medians=statistics.median(peer) / statistics.median(ours),
        paired=statistics.median(pairs),
        low=min(pairs),
        high=max(pairs),
    )


def interleave(
    sides: Sequence[str],
    rounds: int,
    take: Callable[[str, int], dict[str, Any]],
    *,
    on_sample: Callable[[int, str, dict[str, Any]], None],
) -> dict[str, list[dict[str, Any]]]:
    """One sample of every side in each round; the side that begins changes from round to round.

    A round's number is the seed of its samples, so that all sides see the same seeds.
    """
    samples: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for number in range(rounds):
        for side in rotated(sides, number):
            figures = take(side, number)
            samples[side].append(figures)
            on_sample(number, side, figures)
    return samples


def rotated(sides: Sequence[str], by: int) -> Iterator[str]:
    """The sides in their order, beginning with another one each time."""
    return (sides[(by + index) % len(sides)] for index in range(len(sides)))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One case as measured: every sample, and where and when it was taken."""

    case: Case
    samples: Mapping[str, Sequence[Mapping[str, Any]]]  # side -> one per round
    machine: Mapping[str, Any]

    @property
    def rounds(self) -> int:
        """How many samples every side has."""
        return min(len(taken) for taken in self.samples.values())

    @property
    def measures(self) -> tuple[str, ...]:
        """The figures that a sample holds, the judged one first."""
        return tuple(MEASURES[self.case.kind])

    def values(self, side: str, measure: str) -> list[float]:
        """One figure of one side, per round."""
        return [float(taken[measure]) for taken in self.samples[side]]

    def median(self, side: str, measure: str) -> float:
        """The median over the rounds."""
        return statistics.median(self.values(side, measure))

    def ratio(self, peer: str, measure: str) -> Ratio:
        """A peer against ours."""
        return ratio(self.values(OURS, measure), self.values(peer, measure))

    def returns(self, side: str) -> list[float]:
        """The training return reached in each round, where the side reports one."""
        found = (taken.get("return") for taken in self.samples[side])
        return [float(value) for value in found if value is not None]

    def target_met(self) -> bool | None:
        """Whether the case's target is reached; None without one."""
        measure = self.measures[0]
        if self.case.target_value is not None:
            return self.median(OURS, measure) <= self.case.target_value
        if self.case.target_ratio is None:
            return None
        return self.ratio(self.case.sides[1], measure).reaches(self.case.target_ratio)


def machine() -> dict[str, Any]:
    """Where and when: processor, cores, load before the first sample, date."""
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "load_average_before": round(os.getloadavg()[0], 2),
        "threads": 1,
        "date": datetime.now(UTC).date().isoformat(),
    }


def processor() -> str:
    """The processor's own name, where the system tells it."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def read_json(path: Path) -> dict[str, Any]:
    """A results file, or an empty mapping where there is none yet."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
