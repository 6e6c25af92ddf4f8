"""What learning looked like on the way: tables and pictures of evaluation curves, ablations.

A curve is [[env steps, mean return], …], one point per evaluation while training.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cases import OURS, SB3, SIDE_NAMES

Result = Mapping[str, Any]
SHOWN_POINTS = 10  # rows of a table; every point is in the picture
COLOURS = {OURS: "#1f6feb", SB3: "#d1542b"}

CURVES = """\
Mean return of the evaluations while training (deterministic, as many episodes as the preset says;
not the 100 episodes above), mean ± sample SD over seeds. Both sides on the same settings and
seeds."""
ABLATIONS = """\
Presets with settings changed, one row each. `final` is the score of the table above, `on the way`
the mean over all evaluations while training, which tells how fast something is learned; both are
mean ± sample SD over seeds."""


def curve_sections(runs: Sequence[Result], folder: Path) -> list[str]:
    """A table and a picture of every preset and budget that both sides have curves of."""
    sections = []
    for preset, budget in sorted({(run["preset"], run["total_timesteps"]) for run in runs}):
        sides = {
            side: [
                run
                for run in runs
                if (run["preset"], run["total_timesteps"], run["side"]) == (preset, budget, side)
                and run.get("curve")
            ]
            for side in (OURS, SB3)
        }
        if all(sides.values()):
            sections.append(_curve_section(preset, budget, sides, folder))
    return ["## Learning curves", CURVES, *sections] if sections else []


def _curve_section(
    preset: str, budget: int, sides: Mapping[str, Sequence[Result]], folder: Path
) -> str:
    points = {side: _by_step(runs) for side, runs in sides.items()}
    name = f"learning-{preset.replace('/', '-')}-{budget}.svg"
    _draw(points, f"{preset}, {budget:,} env steps", folder / name)
    steps = sorted(set(points[OURS]) & set(points[SB3])) or sorted(points[OURS])
    every = max(1, -(-len(steps) // SHOWN_POINTS))
    shown = steps[every - 1 :: every]
    counts = ", ".join(f"{SIDE_NAMES[side]} {len(runs)}" for side, runs in sides.items())
    lines = [
        f"### {preset}, {budget:,} env steps: seeds {counts}",
        "",
        f"![{preset}](../images/{name})",
        "",
        "| env steps | " + " | ".join(SIDE_NAMES[side] for side in sides) + " |",
        "|---|" + "---|" * len(sides),
    ]
    for step in shown:
        cells = [spread(points[side].get(step, [])) for side in sides]
        lines.append(f"| {step:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _by_step(runs: Iterable[Result]) -> dict[int, list[float]]:
    """Values of all seeds at the evaluations, by the multiple of 100 steps they were due at."""
    found: dict[int, list[float]] = {}
    for run in runs:
        for step, value in run["curve"]:
            found.setdefault(int(step) // 100 * 100, []).append(float(value))
    return found


def _draw(points: Mapping[str, Mapping[int, Sequence[float]]], title: str, path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "axiomrl"  # the same figures give the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 3.6), layout="constrained")
    for side, values in points.items():
        steps = sorted(values)
        means = [statistics.fmean(values[step]) for step in steps]
        axes.plot(
            steps, means, color=COLOURS[side], marker="o", markersize=3, label=SIDE_NAMES[side]
        )
        low, high = [min(values[s]) for s in steps], [max(values[s]) for s in steps]
        axes.fill_between(steps, low, high, color=COLOURS[side], alpha=0.15, linewidth=0)
    axes.set(title=f"{title} (line: mean, area: all seeds)", xlabel="env steps", ylabel="return")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.title.set_size(10)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def ablation_sections(runs: Sequence[Result]) -> list[str]:
    """One table per preset that was trained with changed settings."""
    changed = [run for run in runs if run.get("changes")]
    sections = []
    for preset, budget in sorted({(run["preset"], run["total_timesteps"]) for run in changed}):
        same = [
            run
            for run in runs
            if (run["preset"], run["total_timesteps"], run["side"]) == (preset, budget, OURS)
            and run.get("curve")
        ]
        rows: dict[tuple[str, ...], list[Result]] = {}
        for run in same:
            rows.setdefault(tuple(run.get("changes") or ()), []).append(run)
        lines = [
            f"### {preset}, {budget:,} env steps",
            "",
            "| changed | seeds | final | on the way |",
            "|---|---|---|---|",
        ]
        for changes, found in sorted(rows.items()):
            label = ", ".join(f"`{change}`" for change in changes) or "nothing"
            finals = [float(run["score"]) for run in found]
            means = [statistics.fmean(value for _, value in run["curve"]) for run in found]
            lines.append(f"| {label} | {len(found)} | {spread(finals)} | {spread(means)} |")
        sections.append("\n".join(lines))
    return ["## Ablations", ABLATIONS, *sections] if sections else []


def spread(values: Sequence[float]) -> str:
    """Mean ± sample standard deviation, as far as there are enough values."""
    if not values:
        return "-"
    mean = statistics.fmean(values)
    return f"{mean:.2f} ± {statistics.stdev(values):.2f}" if len(values) > 1 else f"{mean:.2f}"
