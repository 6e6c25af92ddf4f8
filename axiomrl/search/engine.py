"""Runs a search: asks for trials, hands their runs to a launcher, tells what came of them.

A job is one run of a trial, with one of the seeds. A trial is made when a worker is free and all
runs of the trials before have been handed out; it has a score when all of its runs are completed.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from axiomrl.config.schema import TrainConfig
from axiomrl.errors import AxiomRLError, Interrupted
from axiomrl.reports.scores import score_of
from axiomrl.runs.clock import Clock, utc_now
from axiomrl.runs.record import RunRecord
from axiomrl.search.description import Search
from axiomrl.search.folder import run_directory
from axiomrl.search.journal import Journal, Trial
from axiomrl.search.outcome import save_result
from axiomrl.search.proposals import Proposal, next_proposal
from axiomrl.search.pruning import intermediate_values, pruner_of
from axiomrl.statistics import STATISTICS
from axiomrl.study.launchers.contract import Job, JobOutcome, JobProgress, Launcher
from axiomrl.study.lease import this_runner

HEARTBEAT_EVERY = timedelta(minutes=1)
"""How often the owner of a trial says that it lives; others wait for 15 minutes."""


class Display:
    """Who is told of a search's progress; this one shows nothing."""

    def begun(self, trial: OpenTrial) -> None:
        """A trial was made, or adopted from a process that has ended."""

    def progressed(self, trial: OpenTrial, job: Job, progress: JobProgress) -> None:
        """A run is on its way."""

    def run_ended(self, trial: OpenTrial, outcome: JobOutcome) -> None:
        """A run is completed, failed or interrupted."""

    def ended(self, trial: Trial, trials: Sequence[Trial]) -> None:
        """A trial is completed, pruned or failed; `trials` are all there are."""

    def exhausted(self, trials: Sequence[Trial]) -> None:
        """Every point of the space has been tried."""


@dataclass
class OpenTrial:
    """A trial that this process runs."""

    number: int
    config: TrainConfig  # a plain run's; the seed is that of each job
    params: Mapping[str, Any]
    is_base: bool
    directories: Mapping[int, Path]  # by seed
    scores: dict[int, float] = field(default_factory=dict)  # by seed, of completed runs
    reported: set[int] = field(default_factory=set)  # steps that the pruner knows of
    is_decided: bool = False  # completed, pruned or failed


class Engine:
    """The trials of one process; others may be at work on the same search."""

    def __init__(
        self,
        folder: Path,
        search: Search,
        launcher: Launcher,
        *,
        command: Sequence[str] | None = None,
        imports: Sequence[str] = (),
        display: Display | None = None,
        now: Clock = utc_now,
    ) -> None:
        self._folder = folder
        self._search = search
        self._launcher = launcher
        self._command = tuple(command) if command is not None else None
        self._imports = tuple(imports)
        self._display = display or Display()
        self._now = now
        self._journal = Journal(folder, search, is_writer=True)
        self._should_end = pruner_of(search, self._journal)
        self._open: dict[int, OpenTrial] = {}
        self._trial_of: dict[str, OpenTrial] = {}  # by the name of a job
        self._told_at = now()

    def run(self) -> list[Trial]:
        """Bring the search to its end, as far as other processes do not; gives every trial.

        Raises Interrupted after a signal, with what goes on as its hint.
        """
        try:
            outcomes: Any = self._launcher.run(self._jobs(), on_progress=self._progressed)
            with closing(outcomes):  # whatever goes wrong here, no worker is left at work
                for outcome in outcomes:
                    self._note_outcome(outcome)
        except Interrupted as interruption:
            interruption.hint = shlex.join(["axiomrl", "tune", "--resume", str(self._folder)])
            raise
        finally:
            self._let_go()
        return self._save()

    # Which runs there are

    def _jobs(self) -> Iterator[Job]:
        while (trial := self._next()) is not None:
            for seed, directory in trial.directories.items():
                if trial.is_decided:
                    break
                if self._is_settled(trial, seed):
                    continue
                name = f"trial_{trial.number:04}_seed{seed}"
                self._trial_of[name] = trial
                yield Job(
                    name=name,
                    config=replace(trial.config, seed=seed, output_dir=str(directory.parent)),
                    directory=directory,
                    command=self._command,
                    imports=self._imports,
                )

    def _next(self) -> OpenTrial | None:
        """An abandoned trial, else a new one; None if there are as many as there should be."""
        while True:
            with self._journal.turn():
                trials = self._journal.trials()
                abandoned = next((each for each in trials if self._may_adopt(each)), None)
                if abandoned is not None:
                    trial = self._adopt(abandoned)
                    break
                limit = self._search.config.n_trials
                if limit is not None and len(trials) >= limit:
                    return None
                proposal = next_proposal(self._search, trials)
                if proposal is None:
                    self._display.exhausted(trials)
                    return None
                number = self._create(proposal)
            if proposal.config is not None:
                trial = self._opened(number, proposal.config, proposal.params, proposal.is_base)
                break
            self._tell_ended(number)  # its values do not go together
        self._open[trial.number] = trial
        self._display.begun(trial)
        return trial

    def _may_adopt(self, trial: Trial) -> bool:
        if trial.number in self._open or not trial.is_abandoned(self._now()):
            return False
        return not any(_is_alive(path) for path in self._directories(trial.number).values())

    def _adopt(self, trial: Trial) -> OpenTrial:
        self._journal.note(trial.number, "owner", this_runner(self._now()))
        params = {} if trial.is_base else trial.params
        config = self._search.config_of(params, source=f"trial {trial.number}")
        adopted = self._opened(trial.number, config, trial.params, trial.is_base)
        # of the last step it is not known whether the pruner was asked
        adopted.reported.update(sorted(trial.intermediate)[:-1])
        return adopted

    def _create(self, proposal: Proposal) -> int:
        distributions = {path: self._search.space[path].distribution() for path in proposal.encoded}
        attributes = {
            "params": dict(proposal.params),
            "is_base": proposal.is_base,
            "config_hash": proposal.config_hash,
            "owner": this_runner(self._now()) if proposal.config is not None else None,
        }
        return self._journal.create(
            proposal.encoded, distributions, attributes, error=proposal.error
        )

    def _opened(
        self, number: int, config: TrainConfig, params: Mapping[str, Any], is_base: bool
    ) -> OpenTrial:
        return OpenTrial(number, config, params, is_base, self._directories(number))

    def _directories(self, number: int) -> dict[int, Path]:
        seeds = self._search.config.seeds
        return {seed: run_directory(self._folder, number, seed) for seed in seeds}

    def _is_settled(self, trial: OpenTrial, seed: int) -> bool:
        """Whether a run of an adopted trial has ended before; if so, it counts now."""
        record = RunRecord.read_if_any(trial.directories[seed])
        if record is None or record.status not in ("completed", "failed"):
            return False
        if record.status == "failed":
            self._fail(trial, seed, record.metadata.get("error") or {})
        else:
            self._count(trial, seed)
        return True

    # What comes of them

    def _progressed(self, job: Job, progress: JobProgress) -> bool | None:
        """Called while a run is on its way; whether it should end early."""
        self._say_that_we_live()
        trial = self._trial_of[job.name]
        if not trial.is_decided:
            self._display.progressed(trial, job, progress)
            self._consult_pruner(trial)
        return trial.is_decided

    def _note_outcome(self, outcome: JobOutcome) -> None:
        trial = self._trial_of[outcome.job.name]
        self._display.run_ended(trial, outcome)
        if trial.is_decided or outcome.state == "interrupted":
            return
        if outcome.state == "failed":
            self._fail(trial, outcome.job.config.seed, outcome.error or {})
        else:
            self._count(trial, outcome.job.config.seed)

    def _count(self, trial: OpenTrial, seed: int) -> None:
        """A run is completed; with the last one of its trial, the trial is."""
        score, reason = self._score(trial.directories[seed])
        if score is None:
            self._fail(trial, seed, {"type": "no score", "message": reason})
            return
        trial.scores[seed] = score
        scores = {each: trial.scores[each] for each in trial.directories if each in trial.scores}
        self._journal.note(trial.number, "scores", {str(each): scores[each] for each in scores})
        self._consult_pruner(trial)
        if trial.is_decided or len(scores) < len(trial.directories):
            return
        statistic = STATISTICS[self._search.config.objective.statistic]
        value = statistic([list(scores.values())])
        self._decide(trial, lambda: self._journal.complete(trial.number, value))

    def _score(self, directory: Path) -> tuple[float | None, str | None]:
        objective = self._search.config.objective
        reduce: Any = objective.reduce
        score = score_of(
            RunRecord.read(directory),
            objective.metric,
            reduce,
            "max" if self._search.higher_is_better else "min",
        )
        return score.value, score.reason

    def _fail(self, trial: OpenTrial, seed: int, error: Mapping[str, Any]) -> None:
        told = f"seed {seed}: {error.get('type', 'error')}: {error.get('message', 'unknown')}"
        self._decide(trial, lambda: self._journal.fail(trial.number, told))

    def _consult_pruner(self, trial: OpenTrial) -> None:
        """Report what is new of a trial, and end it if the pruner says so.

        The base is never ended: everything is compared with it. Nor is a trial that is complete.
        """
        if self._should_end is None:
            return
        is_complete = len(trial.scores) == len(trial.directories)
        for step, value in intermediate_values(self._search, trial.directories, trial.scores):
            if step in trial.reported:
                continue
            trial.reported.add(step)
            self._journal.report(trial.number, step, value)
            is_worse = self._should_end(trial.number)  # which also puts it among the others
            if is_worse and not (trial.is_base or is_complete):
                self._decide(trial, lambda: self._journal.prune(trial.number))
                return

    def _decide(self, trial: OpenTrial, tell: Callable[[], None]) -> None:
        trial.is_decided = True
        tell()
        self._open.pop(trial.number, None)
        self._tell_ended(trial.number)

    def _tell_ended(self, number: int) -> None:
        trials = self._save()
        self._display.ended(trials[number], trials)

    def _save(self) -> list[Trial]:
        trials = self._journal.trials()
        save_result(self._folder, self._search, trials)
        return trials

    # Whose they are

    def _say_that_we_live(self) -> None:
        now = self._now()
        if abs(now - self._told_at) >= HEARTBEAT_EVERY:
            self._told_at = now
            for number in self._open:
                self._journal.note(number, "owner", this_runner(now))

    def _let_go(self) -> None:
        """Leave what is not decided to whoever comes next."""
        for number in self._open:
            with suppress(
                OSError, AxiomRLError
            ):  # a full disk, say: then it is our end that sets them free
                self._journal.note(number, "owner", None)
        self._open.clear()


def _is_alive(directory: Path) -> bool:
    """Whether a worker that has survived its launcher still writes a run."""
    record = RunRecord.read_if_any(directory)
    return record is not None and record.status == "running"
