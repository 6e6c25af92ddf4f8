"""The table of `scan.py` on a terminal, and the page of the docs. Computes medians, and text."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

NAMES = {
    "plain": "`json.loads` of the same files",
    "cold": "scan, no index",
    "cold_built": "scan, no index, every mapping built",
    "indexed": "scan, indexed",
    "indexed_built": "scan, indexed, every mapping built",
    "command_cold": "whole command, no index",
    "command_indexed": "whole command, indexed",
    "help": "`axiomrl --help`",
    "mlflow": "MLflow's file store, `search_runs`",
}
RATIO_BARS = {"cold": 1.5, "indexed": 0.3}  # of the plain read; at every size
WALL_BARS = {  # seconds, by number of runs
    ("command_cold", 1000): 0.35,
    ("command_cold", 10000): 2.5,
    ("command_indexed", 10000): 0.6,
    ("help", 1000): 0.25,
    ("help", 10000): 0.25,
}
PEAK_BARS = {("command_cold", 10000): 300, ("command_indexed", 10000): 300}  # megabytes

PROTOCOL = """\
Every round takes each side once, in a process of its own, in changing order. The files are in the
system's page cache; "no index" means that axiomrl's own index is not there. Readings are timed
inside the process, so that its start is not counted; commands are timed from outside, with theirs.
A scan finds the runs, reads and checks every `metadata.json`, and returns records; the mapping of
all its values is built when it is first asked for, which "every mapping built" includes. Finding
the files is not counted for `json.loads`. A ratio is the median of the rounds' own ratios to it.
Peak memory is that of the whole process. Each run has a `metadata.json` of about 1.35 KB and a
score of its own; ten seeds make a group."""


def rows(count: int, measured: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """Side, median wall time, ratio to the plain read, peak memory and verdict, in words."""
    samples: Mapping[str, Sequence[Mapping[str, Any]]] = measured["samples"]
    for side, name in NAMES.items():
        if side not in samples:
            continue
        wall = statistics.median(taken["wall"] for taken in samples[side])
        pairs = zip(samples[side], samples["plain"], strict=True)
        ratio = statistics.median(taken["wall"] / plain["wall"] for taken, plain in pairs)
        peaks = [taken["peak_mb"] for taken in samples[side] if "peak_mb" in taken]
        peak = statistics.median(peaks) if peaks else None
        compared = side not in ("plain", "help", "command_cold", "command_indexed")
        yield (
            name,
            f"{wall * 1000:,.0f} ms" if wall >= 0.1 else f"{wall * 1000:.1f} ms",
            f"{ratio:.2f}x" if compared else "",
            f"{peak:.0f} MB" if peak is not None else "",
            ", ".join(verdicts(side, count, wall, ratio, peak)),
        )


def verdicts(side: str, count: int, wall: float, ratio: float, peak: float | None) -> Iterator[str]:
    """Each bar of a side, and whether it is met."""
    bars = (
        (RATIO_BARS.get(side), ratio, "{:g}x"),
        (WALL_BARS.get((side, count)), wall, "{:g} s"),
        (PEAK_BARS.get((side, count)), peak, "{:g} MB"),
    )
    for bar, value, form in bars:
        if bar is not None and value is not None:
            yield f"at most {form.format(bar)}: {'met' if value <= bar else 'missed'}"


def console_table(count: int, measured: Mapping[str, Any]) -> str:
    """One size as plain text."""
    lines = [title(count, measured)]
    for name, wall, ratio, peak, verdict in rows(count, measured):
        lines.append(f"  {name:38}{wall:>11}{ratio:>9}{peak:>9}  {verdict}".rstrip())
    lines.append(f"  {conditions(measured)}")
    return "\n".join(lines)


def title(count: int, measured: Mapping[str, Any]) -> str:
    """The size, and the command that was timed."""
    return f"{count:,} runs; command: axiomrl {measured['command']}"


def markdown_page(stored: Mapping[str, Any]) -> str:
    """The whole page, from measured values only."""
    parts = [
        "# Reading many runs",
        "This page is written by `benchmarks/scan.py --write-docs`; do not edit it.",
        "## Protocol",
        PROTOCOL,
    ]
    for size in sorted(stored, key=int):
        lines = [
            "| what | median | to `json.loads` | peak memory | bar |",
            "|---|--:|--:|--:|---|",
            *(f"| {' | '.join(row)} |" for row in rows(int(size), stored[size])),
        ]
        command = f"The whole command is `axiomrl {stored[size]['command']}`."
        parts += [f"## {int(size):,} runs", "\n".join(lines), command, conditions(stored[size])]
    return "\n\n".join(parts) + "\n"


def conditions(measured: Mapping[str, Any]) -> str:
    """Machine, date, rounds and versions."""
    where, samples = measured["machine"], measured["samples"]
    versions = samples["plain"][0]["versions"]
    if "mlflow" in samples:
        peer = samples["mlflow"][0]["versions"]
        versions = versions | {name: peer[name] for name in peer if name.startswith("mlflow")}
    named = [
        f"{name} {version}"
        for name, version in versions.items()
        if name in ("python", "msgspec") or name.startswith("mlflow")
    ]
    return (
        f"{len(samples['plain'])} rounds, {where['date']}, {where['cpu']} ({where['cores']} cores, "
        f"load {where['load_average_before']} before the start); {', '.join(named)}."
    )
