"""What the runs of a study came to: one row per run, mean and standard deviation below them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from axiomrl.runs import files
from axiomrl.statistics import mean, std
from axiomrl.study.plan import SUMMARY, Plan, state_of

NO_SEED = "-"


@dataclass(frozen=True, kw_only=True)
class Result:
    """One run of a study as its directory tells it; only a completed one has values."""

    run: int
    seed: int
    directory: str
    state: str
    config_hash: str | None
    duration_s: float | None  # of training, resumed parts added up
    env_steps: int | None
    metrics: Mapping[str, float | None]  # the last value of each; None: not finite


def results_of(folder: Path, plan: Plan) -> list[Result]:
    """The results of all the runs of a plan, in their order."""
    results = []
    for run in plan.runs:
        state, record = state_of(folder, run)
        metadata = record.metadata if record is not None else {}
        progress = metadata.get("progress") or {}
        is_completed = state == "completed"
        latest = metadata.get("latest_metrics") or {} if is_completed else {}
        results.append(
            Result(
                run=run.run,
                seed=run.seed,
                directory=run.directory,
                state=state,
                config_hash=metadata.get("config_hash"),
                duration_s=progress.get("duration_s") if is_completed else None,
                env_steps=progress.get("env_steps"),
                # wall-clock values differ in every repetition: duration_s is the one shown
                metrics={k: v for k, v in latest.items() if not k.startswith("time_")},
            )
        )
    return results


def write_summary(folder: Path, results: Sequence[Result]) -> None:
    """Replace summary.csv; see `summary_rows`."""
    header, rows = summary_rows(results)
    files.write_csv(folder / SUMMARY, header, rows)


def summary_rows(results: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of summary.csv: a row per run that has ended, then `mean` and `std`.

    Durations have 2 decimals, metrics 6. Cells are blank where a run has no finite value (a
    failed one has none at all); such cells count neither for the mean nor for the sample
    standard deviation (ddof = 1), which is blank for a single value.
    """
    ended = [result for result in results if result.state in ("completed", "failed")]
    names = sorted({name for result in ended for name in result.metrics})
    columns = [("duration_s", 2), *((name, 6) for name in names)]
    rows = [
        [str(r.run), str(r.seed), *(_cell(_value(r, name), digits) for name, digits in columns)]
        for r in ended
    ]
    means, stds = [], []
    for name, digits in columns:
        values = finite_values(ended, name)
        means.append(_cell(mean([values]) if values else None, digits))
        stds.append(_cell(std(values) if values else None, digits))
    rows += [["mean", NO_SEED, *means], ["std", NO_SEED, *stds]]
    return ["run", "seed", *(name for name, _ in columns)], rows


def finite_values(results: Sequence[Result], name: str) -> list[float]:
    """A metric's values, those that are missing or not finite left out."""
    values = [_value(result, name) for result in results]
    return [value for value in values if value is not None and math.isfinite(value)]


def _value(result: Result, name: str) -> float | None:
    return result.duration_s if name == "duration_s" else result.metrics.get(name)


def _cell(value: float | None, digits: int) -> str:
    if value is None or not math.isfinite(value):
        return ""
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text
