"""The best trials and the base, trained again with seeds that nothing was selected by.

`confirm/confirm.json` holds which configurations and which seeds, and is written before the first
run: neither is chosen by what comes out.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from axiomrl.config.schema import TrainConfig
from axiomrl.errors import InputError, Interrupted, RunAliveError
from axiomrl.reports.scores import score_of
from axiomrl.runs import files
from axiomrl.runs.clock import Clock, timestamp, utc_now
from axiomrl.runs.locks import locked_if_free
from axiomrl.runs.metadata import LIMIT
from axiomrl.runs.record import RunRecord
from axiomrl.search.description import Search
from axiomrl.search.folder import lock_file
from axiomrl.search.journal import Trial
from axiomrl.search.outcome import best_of
from axiomrl.statistics import (
    STATISTICS,
    Estimate,
    ResampledGroup,
    difference,
    probability_of_improvement,
    resamples_for,
)
from axiomrl.study.launchers.contract import Job, Launcher, OnJobProgress
from axiomrl.study.plan import draw_seeds

CONFIRM = "confirm"
PLAN = "confirm.json"
TOP, SEEDS = 3, 10  # as many if nobody says otherwise
SCHEMA_VERSION = 1
"""Version of confirm.json; added keys do not change it."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A configuration that is trained again."""

    name: str  # base, or trial_0007; also that of its folder
    number: int | None  # of its trial; None for a base that was no trial
    search_score: float | None  # what the search measured
    config_hash: str | None = None


@dataclass(frozen=True, kw_only=True)
class ConfirmPlan:
    """The content of confirm.json."""

    seeds: list[int]  # drawn once; the same for all candidates
    candidates: list[Candidate]  # the base first, then the trials from the best down
    schema_version: int = SCHEMA_VERSION
    created_at_utc: str = ""


@dataclass(frozen=True)
class Confirmed:
    """What a candidate came to on the fresh seeds."""

    candidate: Candidate
    scores: tuple[float, ...]  # of completed runs
    n_failed: int
    estimate: Estimate | None
    difference: Estimate | None = None  # to the base
    p_better: Estimate | None = None  # than the base


def plan_confirmation(
    folder: Path,
    search: Search,
    trials: Sequence[Trial],
    *,
    top: int | None = None,
    n_seeds: int | None = None,
    now: Clock = utc_now,
) -> ConfirmPlan:
    """The plan in a search's folder, which is made and written down if there is none.

    Raises InputError if no trial is completed, and if there is a plan with other numbers.
    """
    path = folder / CONFIRM / PLAN
    found = read_plan(folder)
    if found is not None:
        for flag, asked, is_so in (
            ("--top", top, len(found.candidates) - 1),
            ("--seeds", n_seeds, len(found.seeds)),
        ):
            if asked is not None and asked != is_so:
                raise InputError(
                    f"{flag} is {asked}, but {path} was planned with {is_so}",
                    hint=f"leave {flag} out, or move {path.parent} away to begin anew",
                )
        return found
    ranked = [trial for trial in best_of(search, trials) if not trial.is_base]
    if not ranked:
        raise InputError(
            f"{folder}: no trial besides the base is completed", hint="there is nothing to confirm"
        )
    of_base = next((trial for trial in trials if trial.is_base), None)
    plan = ConfirmPlan(
        seeds=draw_seeds(n_seeds or SEEDS, besides=search.config.seeds),
        candidates=[
            Candidate(
                name="base",
                number=of_base.number if of_base is not None else None,
                search_score=of_base.score if of_base is not None else None,
                config_hash=of_base.config_hash if of_base is not None else None,
            ),
            *(
                Candidate(
                    name=f"trial_{trial.number:04}",
                    number=trial.number,
                    search_score=trial.score,
                    config_hash=trial.config_hash,
                )
                for trial in ranked[: top or TOP]
            ),
        ],
        created_at_utc=timestamp(now()),
    )
    path.parent.mkdir(exist_ok=True)
    files.write_json(path, asdict(plan))
    return plan


def newly_best(search: Search, trials: Sequence[Trial], plan: ConfirmPlan) -> list[Trial]:
    """Trials that belong to the best by now, and were not when the plan was made."""
    planned = {each.number for each in plan.candidates}
    ranked = [trial for trial in best_of(search, trials) if not trial.is_base]
    return [each for each in ranked[: len(plan.candidates) - 1] if each.number not in planned]


def read_plan(folder: Path) -> ConfirmPlan | None:
    """The plan in a search's folder; None if there is none. Raises InputError for a damaged one."""
    path = folder / CONFIRM / PLAN
    try:
        data, _ = files.read_regular_file(str(path), limit=LIMIT)
        return msgspec.json.decode(data, type=ConfirmPlan)
    except FileNotFoundError:
        return None
    except (InputError, OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read: {error}", hint="restore it, or move its folder away"
        ) from error


def run_confirmation(
    folder: Path,
    search: Search,
    trials: Sequence[Trial],
    plan: ConfirmPlan,
    launcher: Launcher,
    *,
    command: Sequence[str] | None = None,
    imports: Sequence[str] = (),
    on_progress: OnJobProgress | None = None,
) -> Iterator[str]:
    """Train what is missing, seed by seed, so that all candidates have equally many; yields news.

    Raises RunAliveError while another process does, and Interrupted after a signal.
    """
    configs = {
        each.name: _config(search, trials, each) for each in plan.candidates
    }  # before any run
    jobs = (
        Job(
            name=f"{each.name}_seed{seed}",
            config=replace(configs[each.name], seed=seed, output_dir=str(directory.parent)),
            directory=directory,
            command=tuple(command) if command is not None else None,
            imports=tuple(imports),
        )
        for seed in plan.seeds
        for each in plan.candidates
        if not _is_completed(directory := run_directory(folder, each, seed))
    )
    total = len(plan.seeds) * len(plan.candidates)
    with _alone(folder):
        done = _count_completed(folder, plan)
        try:
            outcomes: Any = launcher.run(jobs, on_progress=on_progress)
            with closing(outcomes):
                for outcome in outcomes:
                    done += outcome.state == "completed"
                    error = (outcome.error or {}).get("message")
                    told = f": {error}" if error else ""
                    yield f"{outcome.job.name}: {outcome.state}{told} ({done} of {total} completed)"
        except Interrupted as interruption:
            interruption.hint = shlex.join(["axiomrl", "tune", "confirm", str(folder)])
            raise


def confirmed(folder: Path, search: Search, plan: ConfirmPlan) -> list[Confirmed]:
    """What each candidate came to, the base first."""
    measured = [_measured(folder, search, plan, each) for each in plan.candidates]
    groups = {
        each.candidate.name: _group(search, each, len(plan.candidates))
        for each in measured
        if each.scores
    }
    base = groups.get("base")
    rows = []
    for each in measured:
        group = groups.get(each.candidate.name)
        if group is None:
            rows.append(each)
            continue
        row = replace(each, estimate=group.estimate)
        if base is not None and group is not base:
            way: Any = "max" if search.higher_is_better else "min"
            row = replace(
                row,
                difference=difference(group, base),
                p_better=probability_of_improvement(group, base, direction=way),
            )
        rows.append(row)
    return rows


def run_directory(folder: Path, candidate: Candidate, seed: int) -> Path:
    """Where a run of a candidate lies."""
    return folder / CONFIRM / candidate.name / f"seed{seed}"


def _config(search: Search, trials: Sequence[Trial], candidate: Candidate) -> TrainConfig:
    if candidate.name == "base" or candidate.number is None:
        return search.base
    return search.config_of(trials[candidate.number].params, source=candidate.name)


def _measured(folder: Path, search: Search, plan: ConfirmPlan, candidate: Candidate) -> Confirmed:
    objective = search.config.objective
    reduce: Any = objective.reduce
    scores, n_failed = [], 0
    for seed in plan.seeds:
        record = RunRecord.read_if_any(run_directory(folder, candidate, seed))
        if record is None or record.status not in ("completed", "failed"):
            continue
        way: Any = "max" if search.higher_is_better else "min"
        score = score_of(record, objective.metric, reduce, way).value
        if record.status == "failed" or score is None:
            n_failed += 1
        else:
            scores.append(score)
    return Confirmed(candidate, tuple(scores), n_failed, None)


def _group(search: Search, measured: Confirmed, count: int) -> ResampledGroup:
    return ResampledGroup.of(
        [measured.scores],
        STATISTICS[search.config.objective.statistic],
        name=measured.candidate.name,
        seed=0,
        resamples=resamples_for(count),
    )


def _count_completed(folder: Path, plan: ConfirmPlan) -> int:
    return sum(
        _is_completed(run_directory(folder, each, seed))
        for each in plan.candidates
        for seed in plan.seeds
    )


def _is_completed(directory: Path) -> bool:
    record = RunRecord.read_if_any(directory)
    return record is not None and record.status == "completed"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with locked_if_free(lock_file(folder, CONFIRM)) as is_held:
        if not is_held:
            raise RunAliveError(
                f"{folder / CONFIRM}: another process is at work on it", hint="wait for it"
            )
        yield
