"""Runs studies: every run of a plan, as if nothing had ever stopped it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from axiomrl.config.schema import TrainConfig
from axiomrl.errors import AxiomRLError, InputError, Interrupted, error_named
from axiomrl.runs import files
from axiomrl.runs.clock import Clock, timestamp, utc_now
from axiomrl.runs.provenance import masked_command
from axiomrl.runs.record import RunRecord
from axiomrl.study.changes import continued
from axiomrl.study.launchers.contract import Job, JobOutcome, JobProgress, Launcher
from axiomrl.study.launchers.opening import open_launcher
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

HEARTBEAT_EVERY = timedelta(minutes=1)
"""How often a runner says that it lives; runners on other machines wait for 15 minutes."""


class Display:
    """Who is told of a study's progress; this one shows nothing."""

    def begun(self, plan: Plan, n_workers: int) -> None:
        """The study begins, with so many runs at once."""

    def progressed(self, plan: Plan, run: PlannedRun, progress: JobProgress) -> None:
        """How far a run is, about once a second."""

    def ended(self, plan: Plan, run: PlannedRun, error: Mapping[str, Any] | None) -> None:
        """A run is completed or failed; `error` is as in metadata.json."""

    def skipped(self, plan: Plan, run: PlannedRun) -> None:
        """A run was completed before, or is left failed."""

    def close(self) -> None:
        """The study has come to its end, or was interrupted."""


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
    imports: Sequence[str] = (),
    display: Display | None = None,
    launcher: Launcher | None = None,
    now: Clock = utc_now,
) -> StudyOutcome:
    """Run a configuration once per seed, in `experiments_runner.output_base_dir`.

    The plan is written before the first run, and after each of them plan and summary. With
    `experiments_runner.resume`, what is completed there is skipped and the rest is brought to
    its end; failed runs only with `retry_failed`. `source` names the configuration in messages;
    `imports` are modules that workers import first. The launcher is that of
    `experiments_runner`, unless it is given.

    Raises RunAliveError while another process runs the study; InputError for a folder that holds
    a study already, or that of another configuration, and for a configuration that nothing can
    be run with (nothing is left of that); Interrupted after a signal.
    """
    runner = config.experiments_runner
    folder = Path(runner.output_base_dir).expanduser()
    launcher = launcher or open_launcher(
        runner.launcher, n_workers=runner.n_workers, options=runner.launcher_options
    )
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
        series = _Series(config, folder, plan, display or Display(), now)
        series.run(
            launcher,
            command=None if command is None else tuple(command),
            imports=tuple(imports),
            is_new=found is None,
            retry_failed=retry_failed,
        )
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
        self, config: TrainConfig, folder: Path, plan: Plan, display: Display, now: Clock
    ) -> None:
        self._config = config
        self._folder = folder
        self._plan = plan
        self._display = display
        self._now = now
        self._written_at = now()
        self._under_way: dict[str, PlannedRun] = {}  # by the names of their jobs
        self._is_halted = False  # no further run is to begin

    def run(
        self,
        launcher: Launcher,
        *,
        command: tuple[str, ...] | None,
        imports: tuple[str, ...],
        is_new: bool,
        retry_failed: bool,
    ) -> None:
        """Bring every run to its end."""
        files.remove_stale_temporaries(self._folder)
        self._take_stock()
        self._display.begun(self._plan, launcher.n_workers)
        bad_input: AxiomRLError | None = None
        jobs = self._jobs(command, imports, retry_failed)
        try:
            with closing(launcher.run(jobs, on_progress=self._told)) as outcomes:
                for outcome in outcomes:
                    bad_input = self._bad_input(outcome) if is_new else None
                    if bad_input is not None:
                        break
                    self._note(outcome)
        except (Interrupted, KeyboardInterrupt) as interruption:
            self._note_interruption(interruption)
            raise
        finally:
            self._display.close()
            self._plan.runner = None
            if (self._folder / STATE).exists():
                write_plan(self._folder, self._plan)
        if bad_input is not None:
            if self._is_untouched():
                (self._folder / STATE).unlink()
            raise bad_input

    def _jobs(
        self, command: tuple[str, ...] | None, imports: tuple[str, ...], retry_failed: bool
    ) -> Iterator[Job]:
        """A job for each run that is to be brought to its end."""
        for run in self._plan.runs:
            if self._is_halted:
                return
            if run.state == "completed" or (run.state == "failed" and not retry_failed):
                self._display.skipped(self._plan, run)
                continue
            directory = self._folder / run.directory
            if run.state == "failed":
                self._set_aside_if_of_another_configuration(directory)
            run.state, run.error = "running", None
            run.config_hash = _hash_in(directory) or self._plan.config_hash
            self._under_way[run.directory] = run
            self._write_plan()
            yield Job(
                name=run.directory,
                config=config_of_run(self._config, run, self._folder),
                directory=directory,
                command=command,
                imports=imports,
            )

    def _note(self, outcome: JobOutcome) -> None:
        """Write down how a run has ended."""
        run = self._under_way.pop(outcome.job.name)
        run.state, run.error = outcome.state, outcome.error
        if outcome.state == "interrupted":
            self._write_plan()
            return
        self._take_stock()
        self._display.ended(self._plan, run, outcome.error)
        if outcome.state == "failed" and self._config.experiments_runner.on_error == "stop":
            self._is_halted = True

    def _bad_input(self, outcome: JobOutcome) -> AxiomRLError | None:
        """What nothing can be run with, if that is how a study begins."""
        if outcome.error is None or not self._is_untouched():
            return None
        error = error_named(outcome.error["type"], outcome.error["message"])
        return error if isinstance(error, InputError) else None

    def _note_interruption(self, interruption: BaseException) -> None:
        for run in self._under_way.values():
            run.state = "interrupted"
        if isinstance(interruption, Interrupted):
            done = sum(run.state == "completed" for run in self._plan.runs)
            if interruption.message == "interrupted":
                interruption.message += f" after {done} of {len(self._plan.runs)} runs"
            interruption.hint = shlex.join(["axiomrl", "study", "resume", str(self._folder)])

    def _take_stock(self) -> None:
        """Write down how the runs stand, in the plan and in the summary."""
        for run in self._plan.runs:
            if run.directory in self._under_way:  # a worker has it, even if it has died over it
                continue
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

    def _told(self, job: Job, progress: JobProgress) -> None:
        if abs(self._now() - self._written_at) >= HEARTBEAT_EVERY:
            self._write_plan()
        self._display.progressed(self._plan, self._under_way[job.name], progress)

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
    record = RunRecord.read_if_any(directory)
    stored: Any = record.metadata.get("config_hash") if record is not None else None
    return stored if isinstance(stored, str) else None
