"""The table of `speed.py` on a terminal, and the page of the docs. Computes nothing but text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cases import MEASURES, OURS, SIDE_NAMES, Case, Gate
from measure import Measured
from timing import LAST_EPISODES

PROTOCOL = """\
Every round runs each side once, in a process of its own, taking turns; the side that begins
changes. One BLAS and one torch thread, the CPU only. Both sides get the same hyperparameters,
network sizes, environments and seeds; each library logs as it does by default (axiomrl writes a
run directory with metrics, TensorBoard events, a first, periodic and a final checkpoint;
Stable-Baselines3 keeps episode statistics and writes nothing; CleanRL writes TensorBoard events);
evaluation is off on both sides. Training is measured in CPU seconds of the training call over all
threads, once the libraries (torch among them, on every side) are imported; commands are measured
in wall time. A ratio is the peer's cost divided by axiomrl's: of the medians
and, in brackets, the median, smallest and largest of the rounds' own ratios. A target counts as
met when both the ratio of the medians and the median of the paired ratios reach it."""


def verdict(measured: Measured) -> str:
    """The target and whether it is met."""
    case = measured.case
    met = measured.target_met()
    if met is None:
        return ""
    target = (
        f"at most {case.target_value:g} {case.unit}"
        if case.target_value is not None
        else f"at least {case.target_ratio:g}x"
    )
    return f"{target}: {'met' if met else 'missed'}"


def console_report(measured: Measured) -> str:
    """One case as plain text."""
    return "\n".join(case_lines(measured))


def case_lines(measured: Measured) -> Iterable[str]:
    """Title, one line per side and measure, verdict."""
    case = measured.case
    yield f"{case.name}  {case.title}  [{measured.rounds} rounds]"
    for measure in measured.measures:
        for side in measured.samples:
            cost = f"{measured.median(side, measure):10.3f} {case.unit}"
            against = "" if side == OURS else f"  {measured.ratio(side, measure)}"
            yield f"  {measure:8} {SIDE_NAMES[side]:20} {cost}{against}"
    for side in measured.samples:
        reached = measured.returns(side)
        if reached:
            values = " ".join(f"{value:.1f}" for value in reached)
            yield f"  return   {SIDE_NAMES[side]:20} {values}"
    if verdict(measured):
        yield f"  target {verdict(measured)}"


def markdown_page(cases: Sequence[Measured], gates: Sequence[str]) -> str:
    """The whole page, from measured values only."""
    parts = [
        "# Speed against Stable-Baselines3 and CleanRL",
        "This page is written by `benchmarks/speed.py --write-docs`; do not edit it.",
        "## Protocol",
        PROTOCOL,
        "## Summary",
        summary_table(cases),
    ]
    if gates:
        parts += ["## What the timed settings learn", "\n".join(f"- {line}" for line in gates)]
    parts += ["## Every case", *(section(measured) for measured in cases)]
    return "\n\n".join(parts) + "\n"


def summary_table(cases: Sequence[Measured]) -> str:
    """One row per case: ours, and the judged ratio against every peer."""
    lines = [
        "| | work | axiomrl | against | its cost | ratio | target |",
        "|---|---|---|---|---|---|---|",
    ]
    for measured in cases:
        case, measure = measured.case, measured.measures[0]
        ours = f"{measured.median(OURS, measure):.3g} {case.unit}"
        for index, peer in enumerate(side for side in measured.samples if side != OURS):
            first = index == 0
            lines.append(
                f"| {case.name if first else ''} | {case.title if first else ''} "
                f"| {ours if first else ''} | {SIDE_NAMES[peer]} "
                f"| {measured.median(peer, measure):.3g} {case.unit} "
                f"| {measured.ratio(peer, measure).of_medians:.1f}x "
                f"| {verdict(measured) if first else ''} |"
            )
    return "\n".join(lines)


def section(measured: Measured) -> str:
    """Everything measured of one case."""
    case = measured.case
    lines = [f"### {case.name}: {case.title}", ""]
    lines += ["| measure | side | median | ratio |", "|---|---|---|---|"]
    for measure in measured.measures:
        for side in measured.samples:
            against = "" if side == OURS else str(measured.ratio(side, measure))
            cost = f"{measured.median(side, measure):.3f} {case.unit}"
            lines.append(f"| {measure} | {SIDE_NAMES[side]} | {cost} | {against} |")
    lines += ["", *meanings(case), *returns(measured)]
    return "\n".join([*lines, conditions(measured)])


def meanings(case: Case) -> list[str]:
    """What the names of the measures stand for."""
    return [f"`{name}`: {meaning}.  " for name, meaning in MEASURES[case.kind].items()]


def returns(measured: Measured) -> list[str]:
    """The training returns that each side reached, per round."""
    lines = []
    for side in measured.samples:
        reached = measured.returns(side)
        if reached:
            values = ", ".join(f"{value:.1f}" for value in reached)
            lines.append(f"Mean of the last {LAST_EPISODES} training returns, per round,")
            lines.append(f"{SIDE_NAMES[side]}: {values}.  ")
    return lines


def conditions(measured: Measured) -> str:
    """Machine, date, rounds and versions."""
    where = measured.machine
    used = "; ".join(
        f"{SIDE_NAMES[side]}: {version_text(taken[0].get('versions') or {})}"
        for side, taken in measured.samples.items()
        if taken[0].get("versions")
    )
    text = (
        f"{measured.rounds} rounds, {where['date']}, {where['cpu']} ({where['cores']} cores, "
        f"{where['threads']} thread used, load {where['load_average_before']} before the start)."
    )
    return f"{text} {used}." if used else text


def version_text(versions: Mapping[str, str]) -> str:
    """`name version` pairs."""
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def gate_line(gate: Gate, stored: Mapping[str, Any]) -> str:
    """What a learning gate asks for and what each seed reached."""
    reached = [seed["return"] for seed in stored["seeds"]]
    passing = sum(value is not None and value >= gate.minimum for value in reached)
    values = ", ".join("none" if value is None else f"{value:.1f}" for value in reached)
    met = "met" if passing >= gate.passing else "missed"
    return (
        f"{gate.case}: mean of the last {gate.last_episodes} training episodes at "
        f"{gate.settings['total_timesteps']:,} steps at least {gate.minimum:g} on "
        f"{gate.passing} of {gate.seeds} seeds: {met}, {passing} of {len(reached)} ({values})."
    )
