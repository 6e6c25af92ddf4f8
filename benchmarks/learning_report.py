"""The page of learned scores, written from stored results only."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cases import OURS, SIDE_NAMES
from learning_cases import LearningCase
from learning_curves import ablation_sections, curve_sections, spread
from speed_report import version_text

Result = Mapping[str, Any]

PROTOCOL = """\
Every preset is trained from scratch on every seed as `axiomrl train` does it. The policy that
training **ends** with (not the best checkpoint) is scored on fresh episodes, in environments whose
seeds are never met in training, with deterministic actions. A seed's score is the mean
undiscounted, unnormalised return of its episodes; the table gives the mean over seeds and the
sample standard deviation (ddof = 1) over seeds. A bar counts as met when the mean over seeds
reaches it. CPU time is that of the training call, evaluations and axiomrl's checkpoints included,
each run on one thread; wall times, below, depend on what else the machine did."""

PUBLISHED = """\
Published figures of other libraries follow other protocols, named beside each; they are for
orientation and never one ranking with the table above."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """The runs of one side with one configuration, one per seed."""

    side: str
    preset: str
    runs: tuple[Result, ...]  # by seed

    @property
    def scores(self) -> list[float]:
        """One per seed."""
        return [float(run["score"]) for run in self.runs]

    def score_text(self) -> str:
        """Mean and sample standard deviation over seeds."""
        return spread(self.scores)


def groups(runs: Sequence[Result]) -> list[Group]:
    """Of every side, preset and budget, the runs of the configuration that was trained last."""
    newest: dict[tuple[str, int, str], str] = {}
    for run in sorted(runs, key=lambda run: run["finished_at"]):
        newest[row(run)] = run["config_hash"]
    found = []
    for (preset, budget, side), latest in sorted(newest.items()):
        same = [
            run
            for run in runs
            if row(run) == (preset, budget, side) and run["config_hash"] == latest
        ]
        ordered = tuple(sorted(same, key=lambda run: int(run["seed"])))
        found.append(Group(side=side, preset=preset, runs=ordered))
    return found


def row(run: Result) -> tuple[str, int, str]:
    """The row of the table that a run belongs to."""
    return run["preset"], int(run["total_timesteps"]), run["side"]


def markdown_page(runs: Sequence[Result], cases: Mapping[str, LearningCase], images: Path) -> str:
    """The whole page; its pictures are written into the folder `images`."""
    presets = [run for run in runs if not run.get("changes")]
    found = groups(presets)
    newest = [run for group in found for run in group.runs]
    parts = [
        "# What the presets learn",
        "This page is written by `benchmarks/learning.py`; do not edit it.",
        "## Protocol",
        PROTOCOL,
        "## Scores",
        score_table(found, cases),
        *curve_sections(newest, images),
        *ablation_sections([*newest, *(run for run in runs if run.get("changes"))]),
        "## Scores of every seed",
        *(seed_section(group) for group in found),
        "## Published figures",
        PUBLISHED,
        published_list(found, cases),
    ]
    return "\n\n".join(parts) + "\n"


def score_table(found: Sequence[Group], cases: Mapping[str, LearningCase]) -> str:
    """One row per preset and side."""
    lines = [
        "| environment | preset | trained by | env steps | seeds | score | bar | met | CPU time |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for group in found:
        bar, met = bar_texts(group, cases.get(group.preset))
        run = group.runs[0]
        cpu = statistics.fmean(float(run["cpu_s"]) for run in group.runs)
        lines.append(
            f"| {run['env_id']} | {group.preset} | {SIDE_NAMES[group.side]} "
            f"| {run['env_steps']:,} | {len(group.runs)} | {group.score_text()} "
            f"| {bar} | {met} | {cpu:,.0f} s |"
        )
    return "\n".join(lines)


def bar_texts(group: Group, case: LearningCase | None) -> tuple[str, str]:
    """The bar, and whether axiomrl's runs reach it; a bar is only read at its own budget."""
    if case is None or case.bar is None:
        return "none", ""
    bar = f"{case.bar:g} at {case.env_steps:,}"
    if group.side != OURS:
        return bar, ""
    budgets = {int(run["total_timesteps"]) for run in group.runs}
    if budgets != {case.env_steps}:
        return bar, "not trained for this budget"
    reached = statistics.fmean(group.scores) >= case.bar
    seeds = sum(score >= case.bar for score in group.scores)
    return bar, f"{'yes' if reached else 'no'} ({seeds} of {len(group.scores)} seeds)"


def seed_section(group: Group) -> str:
    """Each seed's score, and where and with what it was trained."""
    run = group.runs[0]
    lines = [
        f"### {run['env_id']}: {group.preset}, {SIDE_NAMES[group.side]}, "
        f"{run['total_timesteps']:,} steps",
        "",
        "| seed | score | SD over episodes | episodes | env steps | wall time | CPU time |",
        "|---|---|---|---|---|---|---|",
        *(seed_row(each) for each in group.runs),
        "",
        f"Configuration hash `{run['config_hash']}`. {conditions(group)}",
    ]
    return "\n".join(lines)


def seed_row(run: Result) -> str:
    """One seed."""
    return (
        f"| {run['seed']} | {run['score']:.2f} | {run['score_std']:.2f} | {run['episodes']} "
        f"| {run['env_steps']:,} | {run['wall_s']:,.1f} s | {run['cpu_s']:,.1f} s |"
    )


def conditions(group: Group) -> str:
    """Machine, dates, runs at once and versions, each stated as often as it differs."""
    cpus = distinct(run["machine"]["cpu"] for run in group.runs)
    dates = distinct(run["machine"]["date"] for run in group.runs)
    at_once = distinct(str(run["runs_at_once"]) for run in group.runs)
    versions = distinct(version_text(run["versions"]) for run in group.runs)
    return f"{dates}, {cpus}, {at_once} runs at once. {versions}."


def distinct(values: Iterable[str]) -> str:
    """The values without repetition, in sorted order."""
    return "; ".join(sorted(set(values)))


def published_list(found: Sequence[Group], cases: Mapping[str, LearningCase]) -> str:
    """The figures that peers have published for the presets in the table."""
    lines = []
    for preset in dict.fromkeys(group.preset for group in found):
        case = cases.get(preset)
        if case is not None and case.published:
            lines.append(f"- {preset}: {'; '.join(case.published)}")
    return "\n".join(lines) or "None for these presets."
