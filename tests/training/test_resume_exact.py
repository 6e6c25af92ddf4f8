"""A run that was interrupted and resumed equals the one that never was, bit for bit."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from axiomrl.algorithms import ALGORITHMS

from .resume_cases import (
    SCHEDULES,
    SMALL,
    Case,
    all_cases,
    brief,
    normalized_case,
    schedule_case,
    torch_case,
)
from .resume_harness import (
    Ended,
    WholeRun,
    axiomrl,
    checkpoint_names,
    differences,
    metadata_of,
    only_run,
    resume,
    resume_here,
    train,
    within_this_process,
)

Whole = Callable[[Case], WholeRun]

ALL_CASES = [case for algo in sorted(ALGORITHMS) for case in all_cases(algo)]
SIGNALS = ["SIGINT", "SIGTERM"]
EXIT_CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGKILL": -signal.SIGKILL}


def interrupted(case: Case, whole: WholeRun, name: str, folder: Path) -> Ended:
    """Train the case until a signal comes at some step; checks how the process ended."""
    step = whole.some_step(name)
    ended = train(case.config, folder, interruption=f"{name} step {step}")
    assert ended.code == EXIT_CODES[name], ended.stderr
    return ended


def require_exact_after_signal(
    case: Case,
    whole: WholeRun,
    name: str,
    folder: Path,
    *,
    run_command: Callable[..., Ended] = axiomrl,
) -> None:
    ended = interrupted(case, whole, name, folder)
    metadata = metadata_of(only_run(folder))
    assert metadata["status"] == "interrupted"
    resumed = run_command(*ended.resume_command, folder=folder)
    assert resumed.code == 0, resumed.stderr
    # the interrupt's own checkpoint counts among the newest that are kept
    optional = [Path(metadata["latest_checkpoint_path"]).name, *older_steps(whole)]
    assert differences(only_run(folder), whole.directory, optional=optional) == []


def older_steps(whole: WholeRun) -> list[str]:
    """The checkpoints of a run that one more in between may push out."""
    metadata = metadata_of(whole.directory)
    newest = Path(metadata["latest_checkpoint_path"]).name
    best = f"step_{(metadata.get('best_checkpoint') or {}).get('step')}.pt"
    saved = {name for name in checkpoint_names(whole.directory) if name.startswith("step_")}
    return sorted(saved - {newest, best})


def test_every_algorithm_has_a_configuration_to_resume() -> None:
    assert set(SMALL) == set(ALGORITHMS)
    assert set(SCHEDULES) == set(ALGORITHMS)


# One each and brief, with one process that resumes, because it takes two seconds to load torch;
# the slow tests try everything.


def test_ppo_resumed_by_the_command_printed_after_sigterm_is_exact(
    whole: Whole, tmp_path: Path
) -> None:
    case = brief(schedule_case("ppo"))
    require_exact_after_signal(case, whole(case), "SIGTERM", tmp_path)


def test_dqn_on_the_torch_engine_resumed_after_sigint_is_exact(
    whole: Whole, tmp_path: Path
) -> None:
    case = brief(torch_case("dqn"))
    run_command = within_this_process
    require_exact_after_signal(case, whole(case), "SIGINT", tmp_path, run_command=run_command)


def test_killed_sac_with_normalization_resumes_exactly(whole: Whole, tmp_path: Path) -> None:
    case = brief(normalized_case("sac"))
    interrupted(case, whole(case), "SIGKILL", tmp_path)
    resumed = resume_here(only_run(tmp_path))
    assert resumed.code == 0, resumed.stderr
    assert differences(only_run(tmp_path), whole(case).directory) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "name"), list(zip(ALL_CASES, itertools.cycle(SIGNALS), strict=False)), ids=str
)
def test_any_run_resumed_after_a_signal_is_exact(
    case: Case, name: str, whole: Whole, tmp_path: Path
) -> None:
    require_exact_after_signal(case, whole(case), name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("case", ALL_CASES, ids=str)
def test_any_run_killed_twice_resumes_exactly(case: Case, whole: Whole, tmp_path: Path) -> None:
    interrupted(case, whole(case), "SIGKILL", tmp_path)
    run = only_run(tmp_path)
    again = resume(run, interruption=f"SIGKILL step {whole(case).some_step('again') // 3 + 1}")
    assert again.code in (0, -signal.SIGKILL), again.stderr
    if again.code != 0:
        resumed = resume(run)
        assert resumed.code == 0, resumed.stderr
    assert differences(run, whole(case).directory) == []


@pytest.mark.slow
@pytest.mark.parametrize("algo", sorted(ALGORITHMS))
def test_run_interrupted_again_while_it_is_resumed_goes_on_from_the_same_step(
    algo: str, whole: Whole, tmp_path: Path
) -> None:
    case = normalized_case(algo)
    middle = whole(case).env_steps // 2
    first = train(case.config, tmp_path, interruption=f"SIGTERM step {middle}")
    run = only_run(tmp_path)
    step = metadata_of(run)["progress"]["env_steps"]
    second = resume(run, interruption="SIGINT truncate * 1")
    assert second.code == EXIT_CODES["SIGINT"], second.stderr
    assert f"step {step:,}" in second.stderr
    resumed = axiomrl(*first.resume_command, folder=tmp_path)
    assert resumed.code == 0, resumed.stderr
    optional = [f"step_{step}.pt", *older_steps(whole(case))]
    assert differences(run, whole(case).directory, optional=optional) == []


@pytest.mark.slow
@pytest.mark.parametrize("algo", sorted(ALGORITHMS))
def test_second_signal_stops_at_once_and_the_run_still_resumes_exactly(
    algo: str, whole: Whole, tmp_path: Path
) -> None:
    case = normalized_case(algo)
    middle = whole(case).env_steps // 2
    ended = train(
        case.config, tmp_path, interruption=f"SIGINT step {middle};SIGINT step {middle + 1}"
    )
    assert ended.code == EXIT_CODES["SIGINT"], ended.stderr
    run = only_run(tmp_path)
    assert metadata_of(run)["status"] == "interrupted"
    resumed = resume(run)
    assert resumed.code == 0, resumed.stderr
    assert differences(run, whole(case).directory) == []
