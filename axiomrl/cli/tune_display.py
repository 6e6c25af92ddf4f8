"""What is shown of a search while it runs, and at its end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from axiomrl.cli import terminal
from axiomrl.cli.progress import ProgressBars
from axiomrl.cli.series import repeat_imports
from axiomrl.cli.terminal import quoted, short_path
from axiomrl.errors import Interrupted
from axiomrl.reports.renderers import render_document
from axiomrl.runs.clock import utc_now
from axiomrl.search.confirm import ConfirmPlan, run_confirmation
from axiomrl.search.description import Search
from axiomrl.search.engine import Display, OpenTrial
from axiomrl.search.folder import read_description
from axiomrl.search.journal import Trial
from axiomrl.search.outcome import best_of
from axiomrl.search.report import report_document, shown_params
from axiomrl.search.running import run_search
from axiomrl.study.launchers.contract import Job, JobOutcome, JobProgress, Launcher


class Bars:
    """A bar for every run that is on its way, on a terminal; elsewhere nothing."""

    def __init__(self, *, is_shown: bool) -> None:
        self._bars = ProgressBars() if is_shown and sys.stderr.isatty() else None

    def show(self, job: Job, progress: JobProgress) -> None:
        """Draw how far a run is."""
        if self._bars is not None:
            self._bars.show(job.name, progress)

    def end(self, name: str) -> None:
        """Take a run's bar away."""
        if self._bars is not None:
            self._bars.remove(name)

    def close(self) -> None:
        """No more is drawn."""
        if self._bars is not None:
            self._bars.close()


class TerminalDisplay(Display):
    """A line when a trial is begun and one when it has ended, with the best so far; on stderr."""

    def __init__(self, search: Search, bars: Bars, *, quiet: bool) -> None:
        self._search = search
        self._bars = bars
        self._quiet = quiet

    def begun(self, trial: OpenTrial) -> None:
        """Which point it is."""
        limit = self._search.config.n_trials
        of_all = f" of {limit}" if limit is not None else ""
        base = " (the base)" if trial.is_base else ""
        params = shown_params(self._search, trial.params)
        self._note(f"trial {trial.number}{of_all}{base}: {params}")

    def progressed(self, trial: OpenTrial, job: Job, progress: JobProgress) -> None:
        """Its runs' bars."""
        self._bars.show(job, progress)

    def run_ended(self, trial: OpenTrial, outcome: JobOutcome) -> None:
        """Its bar goes away."""
        self._bars.end(outcome.job.name)

    def ended(self, trial: Trial, trials: Sequence[Trial]) -> None:
        """What it came to, and what is best now; failures are told even when all else is quiet."""
        if trial.state == "failed":
            terminal.warn(f"trial {trial.number}: failed: {trial.error}")
            return
        told = f"trial {trial.number}: {trial.state}"
        if trial.score is not None:
            told += f", score {trial.score:.4g}"
        ranked = best_of(self._search, trials)
        if ranked:
            best = ranked[0]
            told += (
                " (the best so far)"
                if best.number == trial.number
                else f" (best so far: trial {best.number}, {best.score:.4g})"
            )
        self._note(told)

    def exhausted(self, trials: Sequence[Trial]) -> None:
        """Why there are no more trials."""
        if self._search.config.sampler != "grid":
            self._note(f"all points of the space have been tried: {len(trials)} trials")

    def _note(self, text: str) -> None:
        if not self._quiet:
            terminal.note(text)


def run_and_show(
    folder: Path,
    launcher: Launcher,
    *,
    command: Sequence[str],
    imports: Sequence[str],
    quiet: bool,
) -> int:
    """Bring a search to its end; its report goes to stderr, its folder to stdout.

    Returns the exit code: 1 if all trials failed.
    """
    bars = Bars(is_shown=not quiet)
    search = read_description(folder)
    display = TerminalDisplay(search, bars, quiet=quiet)
    try:
        _, trials = _closing(
            bars,
            lambda: run_search(folder, launcher, command=command, imports=imports, display=display),
        )
    except Interrupted as interruption:
        repeat_imports(interruption, imports)
        raise
    if not quiet:
        _show_end(folder, search, trials)
    terminal.data(short_path(folder))
    if trials and all(trial.state == "failed" for trial in trials):
        terminal.warn("all trials failed")
        return 1
    return 0


def confirm_and_show(
    folder: Path,
    search: Search,
    trials: Sequence[Trial],
    plan: ConfirmPlan,
    launcher: Launcher,
    *,
    command: Sequence[str],
    imports: Sequence[str],
    quiet: bool,
) -> None:
    """Train what a confirmation lacks, with its progress on stderr."""
    bars = Bars(is_shown=not quiet)

    def run() -> None:
        news = run_confirmation(
            folder,
            search,
            trials,
            plan,
            launcher,
            command=command,
            imports=imports,
            on_progress=bars.show,
        )
        for each in news:
            bars.end(each.partition(":")[0])
            if not quiet:
                terminal.note(each)

    try:
        _closing(bars, run)
    except Interrupted as interruption:
        repeat_imports(interruption, imports)
        raise


def _closing(bars: Bars, work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        bars.close()


def _show_end(folder: Path, search: Search, trials: Sequence[Trial]) -> None:
    document = report_document(search, trials, now=utc_now())
    terminal.note()
    colour = terminal.uses_colour(sys.stderr)
    terminal.note(render_document(document, "text", colour=colour).rstrip("\n"))
    terminal.note()
    place = short_path(folder)
    if best_of(search, trials):
        terminal.note(f"next: {quoted('axiomrl', 'tune', 'confirm', place)}")
        terminal.note(f"      {quoted('axiomrl', 'tune', 'best', place)}")
