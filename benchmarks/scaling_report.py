"""The table of `scaling.py` on a terminal, and the page of the docs. Computes medians, and text."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

BARS = {"2": 1.8}  # throughput of so many workers, on as many cores, to that of one

PROTOCOL = """\
Every round runs the same study of independent runs once with each number of worker processes
(`--launcher process --n-workers N`), in a process of its own, in changing order. The seeds change
from round to round. The whole study is timed, to its summary: the start of the workers and their
imports count. Throughput is the env steps of all runs by that time; a ratio is the median of the
rounds' own ratios to one worker, with the smallest and the largest of them."""


def rows(measured: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """Workers, median wall time and throughput, ratio to one worker, and verdict, in words."""
    samples: Mapping[str, Sequence[Mapping[str, Any]]] = measured["samples"]
    for side in sorted(samples, key=int):
        wall = statistics.median(taken["wall"] for taken in samples[side])
        speed = statistics.median(taken["env_steps_per_s"] for taken in samples[side])
        pairs = zip(samples[side], samples["1"], strict=True)
        ratios = [taken["env_steps_per_s"] / one["env_steps_per_s"] for taken, one in pairs]
        ratio = statistics.median(ratios)
        bar = BARS.get(side)
        verdict = "" if bar is None else f"at least {bar:g}x: {'met' if ratio >= bar else 'missed'}"
        compared = f"{ratio:.2f}x ({min(ratios):.2f} to {max(ratios):.2f})" if side != "1" else ""
        yield side, f"{wall:.1f} s", f"{speed:,.0f}/s", compared, verdict


def console_table(name: str, measured: Mapping[str, Any]) -> str:
    """One case as plain text."""
    lines = [title(name, measured)]
    for workers, wall, speed, ratio, verdict in rows(measured):
        lines.append(f"  {workers:>3}{wall:>11}{speed:>12}  {ratio:24}{verdict}".rstrip())
    lines.append(f"  {conditions(measured)}")
    return "\n".join(lines)


def title(name: str, measured: Mapping[str, Any]) -> str:
    """What is run."""
    return (
        f"{name}: {measured['runs']} runs of {measured['steps']:,} env steps of "
        f"{measured['preset']}"
    )


def markdown_page(stored: Mapping[str, Any]) -> str:
    """The whole page, from measured values only."""
    parts = [
        "# Several runs at once",
        "This page is written by `benchmarks/scaling.py --write-docs`; do not edit it. How to\n"
        "compute several runs at once: [launchers](../how-to/launchers.md).",
        "## Protocol",
        PROTOCOL,
    ]
    for name, measured in stored.items():
        lines = [
            "| workers | wall time | env steps | to one worker | bar |",
            "|--:|--:|--:|--:|---|",
            *(f"| {' | '.join(row)} |" for row in rows(measured)),
        ]
        parts += [f"## {title(name, measured)}", "\n".join(lines), conditions(measured)]
    return "\n\n".join(parts) + "\n"


def conditions(measured: Mapping[str, Any]) -> str:
    """Machine, date, rounds and versions."""
    where, samples = measured["machine"], measured["samples"]
    versions = ", ".join(f"{name} {text}" for name, text in samples["1"][0]["versions"].items())
    return (
        f"{len(samples['1'])} rounds, {where['date']}, {where['cpu']} ({where['cores']} cores, "
        f"load {where['load_average_before']} before the start); {versions}."
    )
