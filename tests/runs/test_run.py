from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axiomrl import fingerprint
from axiomrl.config import EnvironmentConfig, LoggingConfig, config_to_mapping, dump_config
from axiomrl.errors import AxiomRLError, InputError, Interrupted
from axiomrl.runs.run import Parent, Run

from .conftest import MakeConfig, StartPython, text
from .test_events import read_scalars


def metadata_of(run: Run) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run.directory / "metadata.json").read_text())
    return content


def checkpoints_of(run: Run) -> list[str]:
    return sorted(path.name for path in (run.directory / "checkpoints").iterdir())


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, 30, 45, 123456, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


@pytest.mark.parametrize(
    ("env_id", "part"),
    [
        ("CartPole-v1", "CartPole-v1"),
        ("ALE/Breakout-v5", "ALE-Breakout-v5"),
        ("my_package:My__Env-v0", "my_package-My_Env-v0"),
        ("a b/ü..___", "a-b--.._"),
    ],
)
def test_directory_name_holds_only_plain_characters(
    make_config: MakeConfig, env_id: str, part: str
) -> None:
    clock = HandClock()
    with Run.create(make_config(env_id=env_id, seed=7), now=clock) as run:
        stamp = clock.time.astimezone().strftime("%Y%m%d-%H%M%S-%f")
        assert run.directory.name == f"ppo__{part}__seed7__{stamp}"
        assert run.metadata["env_id"] == env_id


def test_taken_name_is_tried_again_with_a_later_time(make_config: MakeConfig) -> None:
    clock = HandClock()
    runs = [Run.create(make_config(), now=clock) for _ in range(3)]
    for run in runs:
        with run:
            pass
    assert [run.directory.name[-6:] for run in runs] == ["123456", "123457", "123458"]
    assert [run.metadata["created_at_utc"][-13:-6] for run in runs] == [
        ".123456", ".123457", ".123458",
    ]  # fmt: skip


def test_run_can_be_made_in_an_exact_directory_that_is_not_there(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    directory = tmp_path / "study" / "run_00_seed42"
    with Run.create(make_config(seed=42), directory=directory) as run:
        assert run.directory == directory
        assert metadata_of(run)["output_dir"] == str(directory)
    with pytest.raises(InputError, match="run_00_seed42 cannot be written: File exists"):
        Run.create(make_config(seed=42), directory=directory)
    assert json.loads((directory / "metadata.json").read_text()) == run.metadata
    assert os.listdir(directory.parent) == ["run_00_seed42"]


def test_new_run_has_everything_that_is_always_there(make_config: MakeConfig) -> None:
    config = make_config(seed=3, tags=("a", "b"), env_id="ALE/Pong-v5")
    with Run.create(config, command=["axiomrl", "train"], device="cuda", engine="torch") as run:
        metadata = metadata_of(run)
        assert metadata["schema_version"] == 1
        assert metadata["run_id"] == f"seed3-{metadata['config_hash']}"
        assert metadata["config_hash"] == fingerprint.config_hash(config)
        assert metadata["config_hash_scheme"] == fingerprint.SCHEME
        assert (metadata["algo"], metadata["env_id"], metadata["seed"]) == ("ppo", "ALE/Pong-v5", 3)
        assert metadata["output_dir"] == str(run.directory)
        assert os.path.isabs(metadata["output_dir"])
        assert metadata["benchmark"] == config_to_mapping(config)["benchmark"]
        assert metadata["command"] == ["axiomrl", "train"]
        assert metadata["status"] == "running"
        assert metadata["tags"] == ["a", "b"]
        assert metadata["parent"] is None
        assert set(metadata["system"]) >= {
            "python_version", "platform", "hostname", "cpu", "device",
        }  # fmt: skip
        assert metadata["system"]["device"] == "cuda"
        assert set(metadata["versions"]) >= {"numpy", "axiomrl"}
        assert set(metadata["git"]) == {"commit", "is_dirty"}
        assert metadata["process"]["pid"] == os.getpid()
        assert metadata["progress"]["total_timesteps"] == 1000
        created = datetime.fromisoformat(metadata["created_at_utc"])
        assert created.utcoffset() == timedelta(0)
        assert metadata["heartbeat_utc"] >= metadata["created_at_utc"]
        assert (run.directory / "config.yaml").read_text() == dump_config(config)


def test_secrets_reach_no_file(make_config: MakeConfig) -> None:
    secret = "hunter2hunter2"
    config = make_config(environment=EnvironmentConfig(kwargs={"api_key": secret}))
    with Run.create(config, command=["axiomrl", "--set", f"environment.kwargs.api_key={secret}"]):
        pass
    with pytest.raises(ValueError, match="password"), Run.create(config) as run:
        raise ValueError(f"no login with password={secret}")
    files = [path for path in Path(config.output_dir).rglob("*") if path.is_file()]
    assert len(files) >= 8
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    assert metadata_of(run)["error"]["type"] == "ValueError"


def test_child_run_names_its_parent_and_has_a_hash_of_its_own(make_config: MakeConfig) -> None:
    config = make_config()
    parent = Parent(path="/a/checkpoints/step_5.pt", step=5, config_hash="0" * 16)
    with Run.create(config, parent=parent) as run:
        pass
    metadata = metadata_of(run)
    assert (metadata["parent"]["path"], metadata["parent"]["step"]) == (parent.path, 5)
    assert metadata["config_hash"] == fingerprint.config_hash(config, parent_hash="0" * 16)
    assert metadata["config_hash"] != fingerprint.config_hash(config)


@pytest.mark.parametrize("place", ["file", "file/runs", "made/file/../../file/runs"])
def test_unusable_output_dir_is_bad_input_and_leaves_nothing(
    tmp_path: Path, make_config: MakeConfig, place: str
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="output_dir"):
        Run.create(make_config(output_dir=str(tmp_path / place)))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_too_long_name_leaves_no_parent_folder_behind(
    tmp_path: Path, make_config: MakeConfig
) -> None:
    with pytest.raises(InputError, match="too long"):
        Run.create(make_config(env_id="x" * 300, output_dir=str(tmp_path / "a/b/c")))
    assert list(tmp_path.iterdir()) == []


CREATE_ON_A_FULL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
try:
    Run.create(config(Path(sys.argv[1]) / "a" / "b"))
except files.AxiomRLError as error:
    print(type(error).__name__, error)
"""


def test_disk_that_is_full_at_the_start_leaves_nothing(
    tmp_path: Path, start_python: StartPython
) -> None:
    output, errors = start_python(CREATE_ON_A_FULL_DISK, tmp_path).communicate(timeout=60)
    assert errors == ""
    assert output.startswith("InputError output_dir: ")
    assert "File too large" in output
    assert list(tmp_path.iterdir()) == []


CREATE_MANY = """
from datetime import datetime, UTC
print("ready", flush=True)
for _ in range(20):
    with Run.create(config(sys.argv[1]), now=lambda: datetime(2026, 3, 1, tzinfo=UTC)) as run:
        print(run.directory.name)
"""


def test_two_processes_never_share_a_directory(tmp_path: Path, start_python: StartPython) -> None:
    started = [start_python(CREATE_MANY, tmp_path) for _ in range(2)]
    results = [process.communicate(timeout=60) for process in started]
    assert [errors for _, errors in results] == ["", ""]
    names = [name for output, _ in results for name in output.split()[1:]]
    assert len(names) == len(set(names)) == 40
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir())


def test_metrics_go_to_jsonl_tensorboard_and_latest_metrics(run: Run) -> None:
    run.log({"train_loss": 1.5, "rollout_episodes": 3}, step=10, duration_s=0.25)
    run.log({"train_loss": 0.5, "eval_return_mean": np.float32(2.0)}, step=20, duration_s=1.0)
    lines = (run.directory / "metrics.jsonl").read_text()
    assert lines == (
        '{"step": 10, "time_s": 0.25, "train_loss": 1.5, "rollout_episodes": 3}\n'
        '{"step": 20, "time_s": 1.0, "train_loss": 0.5, "eval_return_mean": 2.0}\n'
    )
    assert read_scalars(run.directory / "tensorboard") == {
        "train/loss": [(10, 1.5), (20, 0.5)],
        "rollout/episodes": [(10, 3.0)],
        "eval/return_mean": [(20, 2.0)],
    }
    assert metadata_of(run)["latest_metrics"] == {
        "train_loss": 0.5, "rollout_episodes": 3, "eval_return_mean": 2.0,
    }  # fmt: skip


def test_numbers_that_are_not_finite_become_null_and_are_counted(run: Run) -> None:
    run.log({"train_loss": math.nan, "train_kl": 1.0}, step=1, duration_s=0)
    run.log({"train_loss": math.inf, "train_kl": np.float64("nan")}, step=2, duration_s=0)
    run.flush()
    metadata = metadata_of(run)
    assert metadata["non_finite_metrics"] == {"train_loss": 2, "train_kl": 1}
    assert metadata["latest_metrics"] == {"train_loss": None, "train_kl": None}
    rows = [json.loads(line) for line in (run.directory / "metrics.jsonl").read_text().splitlines()]
    assert [row["train_loss"] for row in rows] == [None, None]
    assert math.isnan(read_scalars(run.directory / "tensorboard")["train/loss"][0][1])


def test_tensorboard_can_be_left_out(make_config: MakeConfig) -> None:
    with Run.create(make_config(logging=LoggingConfig(tensorboard=False))) as run:
        run.log({"a_b": 1.0}, step=1, duration_s=0)
        assert run.positions()["events_file"] == ""
    assert not (run.directory / "tensorboard").exists()


def test_metadata_is_rewritten_at_most_every_ten_seconds(make_config: MakeConfig) -> None:
    clock = HandClock()
    with Run.create(make_config(), now=clock) as run:
        seen = []
        for env_steps in range(100, 2600, 100):
            clock.time += timedelta(seconds=1)
            run.record_progress(env_steps=env_steps, gradient_steps=9, duration_s=env_steps / 50)
            seen.append(metadata_of(run)["progress"]["env_steps"])
        assert sorted(set(seen)) == [0, 1000, 2000]
        progress = metadata_of(run)["progress"]
        assert progress == {
            "env_steps": 2000, "total_timesteps": 1000, "gradient_steps": 9,
            "duration_s": 40.0, "env_steps_per_s": 50.0,
        }  # fmt: skip
        heartbeat = datetime.fromisoformat(metadata_of(run)["heartbeat_utc"])
        assert clock.time - heartbeat == timedelta(seconds=5)


def test_heartbeat_goes_on_when_the_clock_is_set_back(make_config: MakeConfig) -> None:
    clock = HandClock()
    with Run.create(make_config(), now=clock) as run:
        clock.time -= timedelta(hours=1)
        run.record_progress(env_steps=5, gradient_steps=0, duration_s=1)
        assert metadata_of(run)["progress"]["env_steps"] == 5


def test_positions_are_where_the_files_end_on_disk(run: Run) -> None:
    run.log({"a_b": 1.0}, step=1, duration_s=0)
    positions = run.positions()
    events = run.directory / "tensorboard" / str(positions["events_file"])
    assert positions["metrics"] == (run.directory / "metrics.jsonl").stat().st_size > 0
    assert positions["events"] == events.stat().st_size > 0


def test_newest_checkpoints_are_kept_besides_the_best(make_config: MakeConfig) -> None:
    with Run.create(make_config(keep=2)) as run:
        for step in (0, 9, 10, 100, 1000):
            path = run.save_checkpoint(step, text(str(step)))
            assert metadata_of(run)["latest_checkpoint_path"] == str(path)
            if step == 9:
                run.mark_best(path, step=9, metric="eval_return_mean", value=5.0)
        assert checkpoints_of(run) == ["best.pt", "step_100.pt", "step_1000.pt", "step_9.pt"]
        best = run.directory / "checkpoints" / "best.pt"
        assert best.read_text() == "9"
        path = run.save_checkpoint(2000, text("2000"))
        run.mark_best(path, step=2000, metric="eval_return_mean", value=6.0)
        assert checkpoints_of(run) == ["best.pt", "step_1000.pt", "step_2000.pt", "step_9.pt"]
        assert best.read_text() == "2000"


def test_only_first_best_and_newest_checkpoint_stay_when_every_is_0(
    make_config: MakeConfig,
) -> None:
    with Run.create(make_config(every=0, keep=3)) as run:
        for step in (0, 10, 20, 30):
            path = run.save_checkpoint(step, text(str(step)))
            if step in (10, 20):
                run.mark_best(path, step=step, metric="eval_return_mean", value=float(step))
        assert checkpoints_of(run) == ["best.pt", "step_0.pt", "step_20.pt", "step_30.pt"]


def test_saving_a_step_again_replaces_its_checkpoint(run: Run) -> None:
    run.save_checkpoint(5, text("a"))
    assert run.save_checkpoint(5, text("b")).read_text() == "b"


def test_failed_checkpoint_changes_nothing(run: Run) -> None:
    run.save_checkpoint(5, text("whole"))
    before = metadata_of(run)

    def write(path: Path) -> None:
        path.write_text("ha")
        raise MemoryError

    with pytest.raises(MemoryError):
        run.save_checkpoint(6, write)
    assert checkpoints_of(run) == ["step_5.pt"]
    assert metadata_of(run) == before


def test_best_is_recorded_in_metadata(run: Run) -> None:
    path = run.save_checkpoint(5, text("five"))
    run.mark_best(path, step=5, metric="eval_return_mean", value=np.float64(7.5))
    metadata = metadata_of(run)
    assert metadata["best_checkpoint"] == {
        "path": str(run.directory / "checkpoints" / "best.pt"),
        "step": 5, "metric_name": "eval_return_mean", "metric_value": 7.5,
    }  # fmt: skip
    assert metadata["latest_metrics"]["best_eval_return_mean"] == 7.5


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_number_that_is_not_finite_is_never_best(run: Run, value: float) -> None:
    path = run.save_checkpoint(5, text(""))
    with pytest.raises(AxiomRLError, match="never the best"):
        run.mark_best(path, step=5, metric="eval_return_mean", value=value)
    assert "best_checkpoint" not in metadata_of(run)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "completed"),
        (Interrupted("stopped", signal_number=2), "interrupted"),
        (KeyboardInterrupt(), "interrupted"),
        (ValueError("bad"), "failed"),
        (SystemExit(3), "failed"),
    ],
)
def test_leaving_the_block_ends_the_run(
    make_config: MakeConfig, error: BaseException | None, status: str
) -> None:
    def train() -> None:
        with run:
            run.log({"a_b": 1.0}, step=1, duration_s=0)
            if error is not None:
                raise error

    run = Run.create(make_config())
    if error is None:
        train()
    else:
        with pytest.raises(type(error)) as raised:
            train()
        assert raised.value is error
    metadata = metadata_of(run)
    assert metadata["status"] == status
    assert metadata["ended_at_utc"] >= metadata["created_at_utc"]
    assert ("error" in metadata) == (status == "failed")
    assert (run.directory / "metrics.jsonl").read_text().count("\n") == 1


def test_failure_is_described(make_config: MakeConfig) -> None:
    with pytest.raises(ValueError, match="bad"), Run.create(make_config()) as run:
        raise ValueError("bad thing")
    error = metadata_of(run)["error"]
    assert (error["type"], error["message"]) == ("ValueError", "bad thing")
    assert re.search(r'raise ValueError\("bad thing"\)\nValueError: bad thing', error["traceback"])


def remove_directory(run: Run) -> None:
    import shutil

    shutil.rmtree(run.directory)


def replace_by_file(run: Run) -> None:
    remove_directory(run)
    run.directory.write_text("")


@pytest.mark.parametrize("damage", [remove_directory, replace_by_file])
def test_original_error_is_shown_when_the_end_cannot_be_recorded(
    make_config: MakeConfig, damage: Callable[[Run], None]
) -> None:
    def train() -> None:
        with Run.create(make_config()) as run:
            damage(run)
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad") as raised:
        train()
    assert "could not be recorded" in raised.value.__notes__[0]


def test_run_that_cannot_record_its_end_is_not_silent(make_config: MakeConfig) -> None:
    with pytest.raises(AxiomRLError, match=r"metadata\.json"), Run.create(make_config()) as run:
        remove_directory(run)
