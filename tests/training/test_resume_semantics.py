"""What resuming means: in place, as a new run, or not at all."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from axiomrl.cli.app import main
from axiomrl.errors import Interrupted
from axiomrl.fingerprint import config_hash
from axiomrl.runs.layout import checkpoint_step
from axiomrl.training import session

from . import interruptions  # noqa: F401 - registers environments
from .resume_cases import NORMALIZED, small_config
from .resume_harness import (
    axiomrl,
    differences,
    metadata_of,
    only_run,
    resume,
    rows_of,
    train_whole,
)
from .resume_runs import (
    CONFIG,
    END,
    LARGER,
    TOTAL,
    copied,
    finished_run,
    flip_a_bit,
    newest_checkpoint,
    record,
    resolved,
    snapshot,
    stop_at,
    truncate,
    unfinished_run,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: Any) -> Path:
    """A finished run; tests that change it work on a copy."""
    return finished_run(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: Any) -> Path:
    """A run interrupted somewhere in its second half; tests that go on with it copy it."""
    return unfinished_run(tmp_path_factory.mktemp("unfinished"), 1700)


def test_completed_run_is_left_alone(finished: Path, capsys: Any) -> None:
    before = snapshot(finished)
    assert main(["resume", str(finished)]) == 0
    printed = capsys.readouterr()
    assert f"already complete at step {END:,}" in printed.err
    assert "--total-timesteps" in printed.err
    assert snapshot(finished) == before
    assert list(finished.parent.iterdir()) == [finished]


def test_larger_total_continues_a_finished_run_as_a_new_one(
    finished: Path, tmp_path: Path, capsys: Any
) -> None:
    parent = copied(finished, tmp_path)
    before = snapshot(parent)
    code = main(["resume", str(parent), "--total-timesteps", str(LARGER)])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert "new run" in printed.err
    assert snapshot(parent) == before
    (child,) = (path for path in parent.parent.iterdir() if path != parent)
    metadata = metadata_of(child)
    assert Path(metadata["parent"]["path"]) == newest_checkpoint(parent)
    assert metadata["parent"]["step"] == END
    assert metadata["progress"]["env_steps"] >= LARGER
    assert metadata["status"] == "completed"
    assert rows_of(child)[0]["step"] == END


def test_extended_run_is_never_hashed_like_a_fresh_one(finished: Path, tmp_path: Path) -> None:
    child = session.resume(record(finished), total_timesteps=LARGER, runs_dir=tmp_path).directory
    assert child.parent == tmp_path
    fresh = resolved(tmp_path, total_timesteps=LARGER)
    parent_hash = metadata_of(finished)["config_hash"]
    assert metadata_of(child)["config_hash"] == config_hash(fresh, parent_hash=parent_hash)
    assert metadata_of(child)["config_hash"] not in (config_hash(fresh), parent_hash)


def test_extended_run_that_is_interrupted_resumes_exactly(finished: Path, tmp_path: Path) -> None:
    whole = session.resume(record(finished), total_timesteps=LARGER, runs_dir=tmp_path / "whole")
    with pytest.raises(Interrupted):
        session.resume(
            record(finished),
            total_timesteps=LARGER,
            runs_dir=tmp_path / "part",
            on_progress=stop_at(END + 400),
        )
    (part,) = (tmp_path / "part").iterdir()
    assert metadata_of(part)["progress"]["env_steps"] < LARGER
    resumed = session.resume(record(part))
    assert resumed.directory == part
    names = [path.name for path in (part / "checkpoints").iterdir()]
    assert differences(part, whole.directory, optional=names) == []


def test_extended_run_killed_before_its_first_checkpoint_starts_from_its_parent(
    finished: Path, tmp_path: Path
) -> None:
    whole = session.resume(record(finished), total_timesteps=LARGER, runs_dir=tmp_path / "whole")
    killed = axiomrl(
        *("resume", finished, "--total-timesteps", LARGER, "--runs-dir", tmp_path / "runs"),
        *("--import", "interruptions"),
        folder=tmp_path,
        interruption=f"SIGKILL rename step_{END}.pt",
    )
    assert killed.code == -signal.SIGKILL, killed.stderr
    part = only_run(tmp_path)
    assert record(part).checkpoints() == []
    session.resume(record(part))
    assert differences(part, whole.directory) == []


def test_older_checkpoint_is_continued_as_a_new_run(finished: Path, tmp_path: Path) -> None:
    older = record(finished).checkpoints()[-2]
    before = snapshot(finished)
    made = session.resume(record(finished), checkpoint=older, runs_dir=tmp_path)
    assert made.directory.parent == tmp_path
    assert made.note is not None
    assert "new run" in made.note
    parent = metadata_of(made.directory)["parent"]
    assert (parent["path"], parent["step"]) == (str(older), checkpoint_step(older))
    assert metadata_of(made.directory)["progress"]["env_steps"] == END
    assert snapshot(finished) == before


def test_best_checkpoint_can_be_continued_as_a_new_run(finished: Path, tmp_path: Path) -> None:
    best = finished / "checkpoints" / "best.pt"
    made = session.resume(
        record(finished), checkpoint=best, total_timesteps=LARGER, runs_dir=tmp_path
    )
    step = metadata_of(finished)["best_checkpoint"]["step"]
    assert metadata_of(made.directory)["parent"]["step"] == step


def test_larger_total_continues_an_unfinished_run_as_a_new_one(
    unfinished: Path, tmp_path: Path
) -> None:
    before = snapshot(unfinished)
    made = session.resume(record(unfinished), total_timesteps=LARGER, runs_dir=tmp_path)
    assert made.env_steps >= LARGER
    assert metadata_of(made.directory)["parent"]["step"] > 0
    assert snapshot(unfinished) == before


def test_same_total_continues_an_unfinished_run_in_place(
    finished: Path, unfinished: Path, tmp_path: Path
) -> None:
    run = copied(unfinished, tmp_path)
    made = session.resume(record(run), total_timesteps=TOTAL)
    assert made.directory == run
    names = [path.name for path in (run / "checkpoints").iterdir()]
    assert differences(run, finished, optional=names) == []


def test_newest_checkpoint_given_by_path_continues_in_place(
    unfinished: Path, tmp_path: Path, capsys: Any
) -> None:
    run = copied(unfinished, tmp_path)
    assert main(["resume", str(newest_checkpoint(run))]) == 0
    assert "continued from step" in capsys.readouterr().err
    assert metadata_of(run)["status"] == "completed"
    assert metadata_of(run)["output_dir"] == str(run)


@pytest.mark.parametrize("damage", [truncate, flip_a_bit])
def test_damaged_newest_checkpoint_is_passed_over_for_an_older_one(
    damage: Any, finished: Path, tmp_path: Path
) -> None:
    run = copied(finished, tmp_path)
    newest, metadata = newest_checkpoint(run), metadata_of(run)
    damage(newest)
    metadata |= {"status": "running", "process": {"pid": 2**22 + 1}}
    (run / "metadata.json").write_text(json.dumps(metadata))
    resumed = session.resume(record(run))
    assert resumed.directory == run
    assert differences(run, finished) == []


def test_run_killed_just_before_it_said_completed_is_completed(
    finished: Path, tmp_path: Path
) -> None:
    run = copied(finished, tmp_path)
    metadata = metadata_of(run)
    metadata |= {"status": "running", "process": {"pid": 2**22 + 1}}
    metadata["progress"]["env_steps"] = 2500
    del metadata["ended_at_utc"], metadata["best_checkpoint"]
    (run / "metadata.json").write_text(json.dumps(metadata))
    (run / "checkpoints" / "best.pt").unlink()
    session.resume(record(run))
    assert differences(run, finished) == []


def test_environment_that_carries_state_stops_the_resume_and_names_the_setting(
    tmp_path: Path, capsys: Any
) -> None:
    run = unfinished_run(tmp_path, 1200, small_config("ppo", "ForgetfulCartPole-v0"))
    before = snapshot(run)
    assert main(["resume", str(run)]) == 1
    printed = capsys.readouterr().err
    assert "did not replay" in printed
    assert "environment.fresh_each_episode" in printed
    assert "Traceback" not in printed
    assert snapshot(run) == before


def test_fresh_environment_for_each_episode_lets_such_a_run_resume_exactly(
    tmp_path: Path,
) -> None:
    config = small_config("ppo", "ForgetfulCartPole-v0", environment={"fresh_each_episode": True})
    whole = finished_run(tmp_path / "whole", config)
    run = unfinished_run(tmp_path / "part", 1200, config)
    session.resume(record(run))
    names = [path.name for path in (run / "checkpoints").iterdir()]
    assert differences(run, whole, optional=names) == []


@pytest.mark.slow
def test_extended_run_resumes_exactly_in_fresh_processes(tmp_path: Path) -> None:
    config = small_config("ppo", "Pendulum-v1", environment=NORMALIZED)
    parent = train_whole(config, tmp_path).directory
    options = ("--total-timesteps", LARGER, "--runs-dir")
    whole = resume(parent, *options, tmp_path / "whole" / "runs")
    assert whole.code == 0, whole.stderr
    killed = resume(parent, *options, tmp_path / "part" / "runs", interruption="SIGKILL step 2000")
    assert killed.code == -signal.SIGKILL, killed.stderr
    part = only_run(tmp_path / "part")
    resumed = resume(part)
    assert resumed.code == 0, resumed.stderr
    assert differences(part, only_run(tmp_path / "whole")) == []


def test_configuration_of_these_tests_ends_beyond_its_total() -> None:
    block = CONFIG["hyperparameters"]["n_steps"] * CONFIG["num_envs"]
    assert -(-TOTAL // block) * block == END
