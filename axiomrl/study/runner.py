"""Runs studies: every run of a plan, one after another, as if nothing had ever stopped it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from axiomrl.config.schema import TrainConfig
from axiomrl.errors import InputError, Interrupted, RunAliveError
from axiomrl.runs import files, layout
from axiomrl.runs.clock import Clock, timestamp, utc_now
from axiomrl.runs.creation import remove_torn_directory
from axiomrl.runs.provenance import described_error, masked_command
from axiomrl.runs.record import RunRecord
from axiomrl.study.changes import continued
from axiomrl.study.lease import lease, this_runner
from axiomrl.study.plan import (
    STATE,
    Plan,
    PlannedRun,
    config_of_run,
    new_plan,
    state_of,
    stray_run,
    write_plan,
)
from axiomrl.study.summary import results_of, write_summary

if TYPE_CHECKING:
    from axiomrl.training.interrupts import StopRequest
    from axiomrl.training.loop import OnProgress, TrainingProgress

HEARTBEAT_EVERY = timedelta(minutes=1)
"""How often a runner says that it lives; runners on other machines wait for 15 minutes."""


@dataclass(frozen=True)
class RunOutcome:
    """How one run ended: `completed`, or `failed` with what went wrong."""

    state: str
    error: Exception | None
    directory: Path


class RunOne(Protocol):
    """Completes one run in its directory."""

    def __call__(
        self,
        config: TrainConfig,
        directory: Path,
        *,
        command: Sequence[str] | None,
        on_progress: OnProgress | None,
    ) -> RunOutcome:
        """Everything but an interrupt and a run that another process writes is an outcome."""


def run_one(
    config: TrainConfig,
    directory: Path,
    *,
    command: Sequence[str] | None = None,
    on_progress: OnProgress | None = None,
) -> RunOutcome:
    """Bring the run in a directory to its end, whatever is there of it.

    A completed one is left alone; one that was begun continues from its newest checkpoint, as
    the configuration in its directory says; else a new one is trained. What goes wrong is the
    outcome's error; only Interrupted and RunAliveError are raised.
    """
    from axiomrl.training import session

    try:
        if (directory / layout.METADATA).exists():
            record = RunRecord.read(directory)
            if record.status != "completed":
                session.resume(record, command=command, on_progress=on_progress)
        else:
            remove_torn_directory(directory)
            session.start(config, directory=directory, command=command, on_progress=on_progress)
    except (Interrupted, RunAliveError):
        raise
    except Exception as error:
        return RunOutcome("failed", error, directory)
    return RunOutcome("completed", None, directory)


class Display:
    """Who is told of a study's progress; this one shows nothing."""

    def watch(self, plan: Plan, run: PlannedRun) -> AbstractContextManager[OnProgress | None]:
        """What to call with the states of a run while it is trained."""
        return nullcontext()

    def ended(self, plan: Plan, run: PlannedRun, error: Exception | None) -> None:
        """A run is completed or failed."""

    def skipped(self, plan: Plan, run: PlannedRun) -> None:
        """A run was completed before, or is left failed."""


@dataclass(frozen=True)
class StudyOutcome:
    """A study whose runner has come to its end."""

    folder: Path
    plan: Plan

    @property
    def is_completed(self) -> bool:
        """Whether every run is."""
        return all(run.state == "completed" for run in self.plan.runs)


def run_study(
    config: TrainConfig,
    *,
    source: str = "the configuration",
    retry_failed: bool = False,
    allow_config_change: bool = False,
    command: Sequence[str] | None = None,
    display: Display | None = None,
    train: RunOne = run_one,
    now: Clock = utc_now,
) -> StudyOutcome:
    """Run a configuration once per seed, in `experiments_runner.output_base_dir`.

    The plan is written before the first run, and after each of them plan and summary. With
    `experiments_runner.resume`, what is completed there is skipped and the rest is brought to
    its end; failed runs only with `retry_failed`. `source` names the configuration in messages.

    Raises RunAliveError while another process runs the study; InputError for a folder that holds
    a study already, or that of another configuration, and for a configuration that nothing can
    be run with (nothing is left of that); Interrupted after a signal.
    """
    runner = config.experiments_runner
    folder = Path(runner.output_base_dir).expanduser()
    with lease(folder, now=now) as found:
        if found is None:
            _refuse_stray_runs(folder)
            plan = new_plan(
                config, command=masked_command(command), created_at_utc=timestamp(now())
            )
        elif not runner.resume:
            raise _already_there(folder)
        else:
            plan = continued(
                found, config, folder, allow_config_change=allow_config_change, source=source
            )
        series = _Series(config, folder, plan, command, display or Display(), train, now)
        series.run(is_new=found is None, retry_failed=retry_failed)
    return StudyOutcome(folder, plan)


def _refuse_stray_runs(folder: Path) -> None:
    stray = stray_run(folder)
    if stray is not None:
        raise InputError(
            f"{stray}: is a run of a study, but {folder / STATE} is missing",
            hint="restore that file, or choose another experiments_runner.output_base_dir",
        )


def _already_there(folder: Path) -> InputError:
    return InputError(
        f"{folder}: already holds a study",
        hint=f"go on with it: axiomrl study resume {folder} (or experiments_runner.resume: true)\n"
        "or begin another one in another experiments_runner.output_base_dir",
    )


class _Series:
    """The runs of one plan, from the first to the last, by the process that holds the lease."""

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        plan: Plan,
        command: Sequence[str] | None,
        display: Display,
        train: RunOne,
        now: Clock,
    ) -> None:
        self._config = config
        self._folder = folder
        self._plan = plan
        self._command = command
        self._display = display
        self._train = train
        self._now = now
        self._written_at = now()

    def run(self, *, is_new: bool, retry_failed: bool) -> None:
        """Bring every run to its end."""
        from axiomrl.training.interrupts import stop_on_signals

        files.remove_stale_temporaries(self._folder)
        self._take_stock()
        try:
            with stop_on_signals() as stop:
                for run in self._plan.runs:
                    self._leave_if_asked(stop)
                    if run.state == "completed" or (run.state == "failed" and not retry_failed):
                        self._display.skipped(self._plan, run)
                    elif not self._advance(run, is_new=is_new):
                        break
        except Interrupted as interruption:
            interruption.hint = shlex.join(["axiomrl", "study", "resume", str(self._folder)])
            raise
        finally:
            self._plan.runner = None
            if (self._folder / STATE).exists():
                write_plan(self._folder, self._plan)

    def _advance(self, run: PlannedRun, *, is_new: bool) -> bool:
        """Bring one run to its end; returns whether the next one may begin."""
        error = self._run(run)
        if is_new and isinstance(error, InputError) and self._is_untouched():
            (self._folder / STATE).unlink()
            raise error
        self._take_stock()
        self._display.ended(self._plan, run, error)
        return error is None or self._config.experiments_runner.on_error == "continue"

    def _run(self, run: PlannedRun) -> Exception | None:
        """Train one run; returns what made it fail."""
        directory = self._folder / run.directory
        if run.state == "failed":
            self._set_aside_if_of_another_configuration(directory)
        run.state, run.error = "running", None
        run.config_hash = _hash_in(directory) or self._plan.config_hash
        self._write_plan()
        try:
            with self._display.watch(self._plan, run) as on_progress:
                outcome = self._train(
                    config_of_run(self._config, run, self._folder),
                    directory,
                    command=self._command,
                    on_progress=self._with_heartbeat(on_progress),
                )
        except (Interrupted, KeyboardInterrupt):
            run.state = "interrupted"
            raise
        run.state = outcome.state
        run.error = described_error(outcome.error) if outcome.error is not None else None
        return outcome.error

    def _take_stock(self) -> None:
        """Write down how the runs stand, in the plan and in the summary."""
        for run in self._plan.runs:
            state, record = state_of(self._folder, run)
            run.state = "interrupted" if state == "dead" else state
            if run.state == "completed":
                run.error = None
            elif run.state == "failed" and run.error is None and record is not None:
                run.error = record.metadata.get("error")  # a kill kept it out of the plan
        self._write_plan()
        if self._config.experiments_runner.save_summary:
            results = results_of(self._folder, self._plan)
            if any(result.state in ("completed", "failed") for result in results):
                write_summary(self._folder, results)

    def _write_plan(self) -> None:
        self._written_at = self._now()
        self._plan.runner = this_runner(self._written_at)
        write_plan(self._folder, self._plan)

    def _with_heartbeat(self, on_progress: OnProgress | None) -> OnProgress:
        def told(progress: TrainingProgress) -> None:
            if abs(self._now() - self._written_at) >= HEARTBEAT_EVERY:
                self._write_plan()
            if on_progress is not None:
                on_progress(progress)

        return told

    def _leave_if_asked(self, stop: StopRequest) -> None:
        if stop.signal_number is not None:
            done = sum(run.state == "completed" for run in self._plan.runs)
            raise Interrupted(
                f"interrupted after {done} of {len(self._plan.runs)} runs",
                signal_number=stop.signal_number,
            )

    def _is_untouched(self) -> bool:
        """Whether nothing of the study exists but its plan."""
        return not any((self._folder / run.directory).exists() for run in self._plan.runs)

    def _set_aside_if_of_another_configuration(self, directory: Path) -> None:
        """Give a failed run another name where a changed configuration is to be tried instead."""
        if _hash_in(directory) in (None, self._plan.config_hash):
            return
        attempt = 1
        while (place := directory.with_name(f"{directory.name}-attempt{attempt}")).exists():
            attempt += 1
        directory.rename(place)


def _hash_in(directory: Path) -> str | None:
    """The `config_hash` of the run in a directory, if there is one."""
    try:
        stored: Any = RunRecord.read(directory).metadata.get("config_hash")
    except (OSError, InputError):
        return None
    return stored if isinstance(stored, str) else None
