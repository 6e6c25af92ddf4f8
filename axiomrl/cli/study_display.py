"""What is shown of a study: while it runs, and at its end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axiomrl.cli import terminal
from axiomrl.cli.progress import ProgressBars, ProgressLines, progress_display, until_it_fails
from axiomrl.cli.series import repeat_imports
from axiomrl.cli.terminal import Invocation, quoted, short_path
from axiomrl.errors import InputError, Interrupted, did_you_mean
from axiomrl.reports.renderers import render
from axiomrl.study.plan import SUMMARY, Plan, PlannedRun
from axiomrl.study.runner import Display, StudyOutcome, run_study
from axiomrl.study.summary import results_of
from axiomrl.study.tables import runs_table, summary_table

if TYPE_CHECKING:
    from axiomrl.config import TrainConfig
    from axiomrl.reports.table import Table
    from axiomrl.study.launchers.contract import JobProgress
    from axiomrl.study.summary import Result


class TerminalDisplay(Display):
    """Which run of how many, its progress, and in a line how it ended; all on stderr."""

    def __init__(self, invocation: Invocation, *, quiet: bool) -> None:
        self._invocation = invocation
        self._quiet = quiet
        self._are_several = False  # runs at once
        self._shown: dict[int, Callable[[JobProgress], None]] = {}  # by number of the run
        self._bars = ProgressBars()
        self._open = ExitStack()  # what shows one run at a time

    def begun(self, plan: Plan, n_workers: int) -> None:
        """One run at a time has a title and a bar of its own, several share a picture."""
        self._are_several = n_workers > 1

    def progressed(self, plan: Plan, run: PlannedRun, progress: JobProgress) -> None:
        """A bar, or lines under a title."""
        if self._quiet:
            return
        if run.run not in self._shown:
            self._shown[run.run] = self._shower(plan, run)
        self._shown[run.run](progress)

    def ended(self, plan: Plan, run: PlannedRun, error: Mapping[str, Any] | None) -> None:
        """How it ended; an error is told even when all else is quiet."""
        self._open.close()
        self._bars.remove(_name(plan, run))
        self._shown.pop(run.run, None)
        if error is not None:
            terminal.report_described_error(error, debug=self._invocation.debug)
        self._note(f"{_place(plan, run)}, seed {run.seed}: {run.state}")

    def skipped(self, plan: Plan, run: PlannedRun) -> None:
        """Why it is not run."""
        why = "already completed" if run.state == "completed" else "failed before"
        hint = "" if run.state == "completed" else "; repeat it with --retry-failed"
        self._note(f"{_place(plan, run)}, seed {run.seed}: {why}{hint}")

    def close(self) -> None:
        """Leave the last picture standing."""
        self._open.close()
        self._bars.close()

    def _shower(self, plan: Plan, run: PlannedRun) -> Callable[[JobProgress], None]:
        config = plan.config
        title = f"{_place(plan, run)}: {config['algo']} on {config['env_id']}, seed {run.seed}"
        if not self._are_several:
            return self._open.enter_context(progress_display(title)) or _show_nothing
        name = _name(plan, run)
        if sys.stderr.isatty():
            return until_it_fails(lambda progress: self._bars.show(name, progress))
        return until_it_fails(ProgressLines(title, sys.stderr, prefix=f"{name}: ").show)

    def _note(self, text: str) -> None:
        if not self._quiet:
            terminal.note(text)


def _show_nothing(progress: JobProgress) -> None:
    """Stands in for a display that shows nothing."""


def _name(plan: Plan, run: PlannedRun) -> str:
    return f"run {run.run + 1} of {len(plan.runs)}"


def _place(plan: Plan, run: PlannedRun) -> str:
    states = [each.state for each in plan.runs]
    told = [f"{states.count(s)} {s}" for s in ("completed", "failed") if s in states]
    return _name(plan, run) + (f" ({', '.join(told)})" if told else "")


def run_and_show(
    config: TrainConfig,
    *,
    source: str,
    invocation: Invocation,
    imports: Sequence[str] = (),
    quiet: bool = False,
    retry_failed: bool = False,
    allow_config_change: bool = False,
) -> int:
    """Run a study; its tables go to stderr, its folder to stdout. Returns the exit code."""
    try:
        outcome = run_study(
            config,
            source=source,
            retry_failed=retry_failed,
            allow_config_change=allow_config_change,
            command=invocation.command,
            imports=imports,
            display=TerminalDisplay(invocation, quiet=quiet),
        )
    except Interrupted as interruption:
        repeat_imports(interruption, imports)
        raise
    if not quiet:
        _show_end(outcome, config)
    terminal.data(short_path(outcome.folder))
    return 0 if outcome.is_completed else 1


def _show_end(outcome: StudyOutcome, config: TrainConfig) -> None:
    runner = config.experiments_runner
    results = results_of(outcome.folder, outcome.plan)
    metrics = known_metrics(results, runner.summary_metrics)
    terminal.note()
    show(runs_table(results, outcome.plan, metrics))
    if metrics:
        terminal.note()
        show(summary_table(results, metrics))
    terminal.note()
    if runner.save_summary:
        terminal.note(f"every metric: {short_path(outcome.folder / SUMMARY)}")
    terminal.note(f"next: {quoted('axiomrl', 'zoo', '--runs-dir', short_path(outcome.folder))}")


def show(table: Table) -> None:
    """A table for the person at the terminal, on stderr."""
    terminal.note(render(table, "text", colour=terminal.uses_colour(sys.stderr)).rstrip("\n"))
    for problem in table.problems:
        terminal.warn(problem)


def known_metrics(results: Sequence[Result], wanted: Sequence[str]) -> list[str]:
    """Those of the wanted metrics that a completed run has; the others are warned of."""
    names = sorted({name for result in results for name in result.metrics})
    for name in wanted:
        if names and name not in names:
            near = did_you_mean(name, names, count=3)
            terminal.warn(f"no run has the metric {name}" + (f"; {near}" if near else ""))
    return [name for name in wanted if name in names]


def required_metrics(results: Sequence[Result], wanted: Sequence[str], folder: Path) -> list[str]:
    """The wanted metrics; raises InputError for one that no completed run has."""
    names = sorted({name for result in results for name in result.metrics})
    for name in wanted:
        if name not in names:
            raise InputError(
                f"--metric {name}: no completed run in {folder} has it",
                hint=did_you_mean(name, names, count=3),
            )
    return list(wanted)
