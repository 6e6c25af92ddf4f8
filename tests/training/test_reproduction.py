"""Training runs again: what is compared, how far, and what is said of a difference."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from axiomrl.errors import CheckpointError, DivergedError, InputError, Interrupted
from axiomrl.training import checkpoints, reproduction, session
from axiomrl.training.reproduction import Circumstance, Difference, Reproduction, reproduce

from .resume_cases import small_config
from .resume_runs import CONFIG, END, finished_run, record, resolved, stop_at, unfinished_run

SAC = small_config("sac", "Pendulum-v1", total_timesteps=400)


def reproduced(directory: Path, **options: Any) -> Reproduction:
    """A run trained again, in a folder beside its own."""
    return reproduce(record(directory), output_dir=directory.parent / "again", **options)


def change_row(directory: Path, step: int, **values: Any) -> None:
    """Write other values into the row of metrics at a step."""
    path = directory / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    (row,) = [row for row in rows if row["step"] == step and "eval_return_mean" in row]
    row.update(values)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def change_metadata(directory: Path, block: str, **values: Any) -> None:
    path = directory / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata[block].update(values)
    path.write_text(json.dumps(metadata))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may damage."""
    return Path(shutil.copytree(run, tmp_path / "runs" / run.name))


@pytest.mark.parametrize("values", [CONFIG, SAC], ids=["ppo", "sac"])
def test_a_run_comes_out_the_same(values: Any, tmp_path: Path) -> None:
    first = finished_run(tmp_path, values)
    found = reproduced(first)
    assert found.is_identical
    assert found.circumstances == ()
    assert found.rows == len(record(first).metrics()) > 2
    assert found.env_steps == record(first).metrics()[-1]["step"]
    assert found.checkpoints == tuple(path.stem for path in record(first).checkpoints())
    assert found.directory.parent == tmp_path / "again"
    assert record(found.directory).status == "completed"


def test_it_is_compared_as_far_as_is_asked(run: Path, tmp_path: Path) -> None:
    found = reproduce(record(run), output_dir=tmp_path, until=1100)
    assert found.is_identical
    assert found.rows == len([row for row in record(run).metrics() if row["step"] <= 1100])
    assert 0 < found.env_steps <= 1100


def test_a_run_without_metrics_is_refused(copy: Path, tmp_path: Path) -> None:
    (copy / "metrics.jsonl").unlink()
    for until, told in ((None, "has no metrics to compare"), (0, "no metrics up to step 0")):
        with pytest.raises(InputError, match=told):
            reproduce(record(copy), output_dir=tmp_path / "again", until=until)
    assert not (tmp_path / "again").exists()


def test_an_unfinished_run_is_compared_as_far_as_it_goes(tmp_path: Path) -> None:
    stopped = unfinished_run(tmp_path / "runs", 1500)
    found = reproduced(stopped)
    assert found.is_identical
    assert found.env_steps == record(stopped).metrics()[-1]["step"] < END
    assert found.checkpoints


def test_a_resumed_run_comes_out_as_if_it_had_not_been_stopped(tmp_path: Path) -> None:
    stopped = unfinished_run(tmp_path / "runs", 1500)
    session.resume(record(stopped))
    found = reproduced(stopped)
    assert found.is_identical
    assert found.env_steps == END


def test_a_run_that_continues_another_begins_at_its_checkpoint(tmp_path: Path) -> None:
    parent = finished_run(tmp_path / "runs")
    child = session.resume(record(parent), total_timesteps=4000).directory
    found = reproduced(child)
    assert found.is_identical
    assert record(found.directory).metadata["parent"] == record(child).metadata["parent"]
    assert found.env_steps >= 4000
    for path in record(parent).checkpoints():
        path.unlink()
    with pytest.raises(CheckpointError, match=str(END)):
        reproduced(child)


def test_the_first_difference_is_told(copy: Path) -> None:
    step = record(copy).metrics()[-1]["step"]
    change_row(copy, step, eval_return_mean=-1.0)
    found = reproduced(copy)
    assert not found.is_identical
    now = record(found.directory).metrics()[-1]["eval_return_mean"]
    assert found.difference == Difference(
        step=step, metric="eval_return_mean", first=-1.0, second=now
    )
    assert found.differing_checkpoints == ()


def test_a_metric_that_is_new_is_a_difference(copy: Path) -> None:
    change_row(copy, 0, train_novelty=1.0)
    assert reproduced(copy).difference == Difference(
        step=0, metric="train_novelty", first=1.0, second=None
    )


def test_wall_clock_values_are_no_difference(copy: Path) -> None:
    change_row(copy, 0, time_eval_s=1e6)
    assert reproduced(copy).is_identical


def test_a_difference_ends_the_second_run(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduction, "LOOK_INTERVAL_S", 0.0)
    monkeypatch.setattr("axiomrl.training.loop.REPORT_INTERVAL_S", 0.0)
    change_row(copy, 0, eval_return_mean=-1.0)
    found = reproduced(copy)
    assert found.difference is not None
    assert found.env_steps == 0
    assert record(found.directory).status == "interrupted"
    assert record(found.directory).metrics()[-1]["step"] < END


def test_a_training_state_that_differs_is_told(copy: Path) -> None:
    newest = record(copy).checkpoints()[-1]
    state = checkpoints.load(newest)
    network = state["algorithm"]["network"]
    name = next(iter(network))
    network[name].view("u1").flat[0] ^= 1  # one bit
    checkpoints.save(newest, state)
    found = reproduced(copy)
    assert found.difference is None
    assert found.differing_checkpoints == (newest.stem,)
    assert not found.is_identical


def test_a_damaged_checkpoint_is_not_compared(copy: Path) -> None:
    newest = record(copy).checkpoints()[-1]
    newest.write_bytes(newest.read_bytes()[:-10])
    found = reproduced(copy)
    assert found.is_identical
    assert newest.stem not in found.checkpoints


def test_other_circumstances_are_told(copy: Path) -> None:
    change_metadata(copy, "versions", numpy="1.0.0")
    change_metadata(copy, "system", hostname="elsewhere", cpu="another")
    told = {each.name: each for each in reproduced(copy).circumstances}
    assert told["versions.numpy"].first == "1.0.0"
    assert set(told) == {"versions.numpy", "system.cpu"}
    assert isinstance(told["system.cpu"], Circumstance)


def test_a_changed_configuration_is_refused(copy: Path) -> None:
    path = copy / "config.yaml"
    path.write_text(json.dumps({**json.loads(path.read_text()), "num_envs": 3}))
    with pytest.raises(InputError, match="has been changed since the run was started"):
        reproduced(copy)


def test_a_signal_interrupts_it(run: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        reproduce(record(run), output_dir=tmp_path, on_progress=stop_at(1000))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_run_that_diverged_diverges_again(tmp_path: Path) -> None:
    values = {**CONFIG, "hyperparameters": {**CONFIG["hyperparameters"], "learning_rate": 1e30}}
    with pytest.raises(DivergedError):
        session.start(resolved(tmp_path / "runs", values))
    (failed,) = (tmp_path / "runs").iterdir()
    assert reproduced(failed).is_identical
