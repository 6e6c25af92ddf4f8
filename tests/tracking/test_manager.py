"""`ExperimentManager`: what a training loop of one's own sees."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import axiomrl
from axiomrl import ExperimentManager, ExperimentRecord
from axiomrl.errors import AxiomRLError, InputError, Interrupted
from axiomrl.runs import files
from axiomrl.tracking.manager import DESCRIBED


def stored(manager: ExperimentManager, experiment_id: str = "mlp") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((manager.log_dir / f"{experiment_id}.json").read_text())
    return content


def test_documented_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    manager = ExperimentManager(log_dir="experiments/logs")
    record = manager.start_experiment(
        config_name="mlp",
        hyperparameters={"lr": 0.01},
        metadata={"precision": "fp32"},
        experiment_id=None,
    )
    manager.log_metrics({"loss": [0.9, 0.5]})
    manager.add_checkpoint("ckpt/1.pt")
    (read,) = manager.read_history("mlp")
    assert read == record
    assert isinstance(read, ExperimentRecord)
    assert (read.experiment_id, read.version, read.config_name) == ("mlp", 1, "mlp")
    assert datetime.now(UTC) - datetime.fromisoformat(read.timestamp) < timedelta(minutes=5)
    assert read.hyperparameters == {"lr": 0.01}
    assert read.metadata == {
        "precision": "fp32",
        "model_size": "unknown",
        "dataset_version": "unknown",
        "hardware_constraint_mode": "unknown",
    }
    assert read.metrics == {"loss": [0.9, 0.5]}
    assert read.checkpoints == ["ckpt/1.pt"]
    assert Path("experiments/logs/mlp.json").is_file()


def test_file_names_its_schema_and_holds_every_version(manager: ExperimentManager) -> None:
    manager.start_experiment("first name", experiment_id="mlp")
    manager.start_experiment("mlp")
    content = stored(manager)
    assert content["schema_version"] == 1
    assert (content["experiment_id"], content["config_name"]) == ("mlp", "mlp")
    assert [version["version"] for version in content["versions"]] == [1, 2]
    assert [version["config_name"] for version in content["versions"]] == ["first name", "mlp"]


def test_values_are_appended_to_metrics(manager: ExperimentManager) -> None:
    record = manager.start_experiment("mlp")
    manager.log_metrics({"loss": [0.9, 0.5], "accuracy": 0.1})
    manager.log_metrics({"loss": 0.25, "accuracy": np.float32(0.5), "grid": [[1, 2]]})
    manager.log_metrics({"loss": np.array([0.125, np.nan]), "accuracy": math.inf, "grid": [[3]]})
    expected = {
        "loss": [0.9, 0.5, 0.25, 0.125, None],
        "accuracy": [0.1, 0.5, None],
        "grid": [[1, 2], [3]],
    }
    assert record.metrics == expected
    assert manager.read_history("mlp")[0].metrics == expected


def test_values_that_cannot_be_converted_change_nothing(manager: ExperimentManager) -> None:
    record = manager.start_experiment("mlp")
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(InputError, match=r"metrics\.bad\[0\] contains itself"):
        manager.log_metrics({"loss": 1, "bad": cycle})
    assert record.metrics == {}
    assert manager.read_history("mlp") == [record]


def test_metadata_that_is_given_is_kept(manager: ExperimentManager) -> None:
    given = {"precision": None, "model_size": 7, "dataset_version": "v2", "note": Path("a/b")}
    metadata = manager.start_experiment("mlp", metadata=given).metadata
    assert metadata == {**given, "note": "a/b", "hardware_constraint_mode": "unknown"}
    assert set(DESCRIBED) <= set(metadata)


def test_starting_another_experiment_completes_the_former(manager: ExperimentManager) -> None:
    former = manager.start_experiment("mlp")
    assert manager.active is former
    other = manager.start_experiment("cnn")
    assert manager.active is other
    assert former.status == manager.read_history("mlp")[0].status == "completed"
    assert former.ended_at_utc is not None
    assert former.ended_at_utc > former.timestamp
    assert other.status == "running"


def test_refused_start_leaves_the_active_experiment_alone(manager: ExperimentManager) -> None:
    record = manager.start_experiment("mlp")
    with pytest.raises(InputError):
        manager.start_experiment("cnn", experiment_id="../cnn")
    with pytest.raises(InputError, match="hyperparameters is a list, but must be a mapping"):
        manager.start_experiment("cnn", [0.1])  # type: ignore[arg-type]
    assert manager.active is record
    assert record.status == "running"
    assert manager.experiments() == ["mlp"]


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (None, "completed"),
        (SystemExit(0), "completed"),
        (SystemExit("no data"), "failed"),
        (ValueError("token=sk-123 is bad"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (Interrupted("stopped", signal_number=15), "interrupted"),
    ],
)
def test_block_ends_its_experiment_by_how_it_ended(
    manager: ExperimentManager, raised: BaseException | None, status: str
) -> None:
    def train() -> None:
        with manager as entered:
            assert entered is manager
            manager.start_experiment("mlp")
            if raised is not None:
                raise raised

    if raised is None:
        train()
    else:
        with pytest.raises(type(raised)) as caught:
            train()
        assert caught.value is raised
    (record,) = manager.read_history("mlp")
    assert record.status == status
    assert manager.active is None
    assert (record.error is not None) == (status == "failed")
    if isinstance(raised, ValueError):
        assert record.error is not None
        assert record.error["type"] == "ValueError"
        assert "is bad" in record.error["message"]
        assert "sk-123" not in json.dumps(record.error)
        assert "in train" in record.error["traceback"]


def test_error_of_the_block_is_not_hidden_by_one_of_the_disk(
    manager: ExperimentManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, value: Any) -> None:
        raise AxiomRLError(f"{path}: disk full")

    manager.start_experiment("mlp")
    monkeypatch.setattr(files, "write_json", refuse)
    with pytest.raises(ValueError, match="the real one") as caught, manager:
        raise ValueError("the real one")
    assert "disk full" in caught.value.__notes__[0]
    with pytest.raises(AxiomRLError, match="disk full"), manager:
        pass


def test_block_without_an_experiment_ends_quietly(manager: ExperimentManager) -> None:
    with manager:
        manager.start_experiment("mlp")
        manager.end_experiment("interrupted")
    with manager:
        pass
    assert [record.status for record in manager.read_history("mlp")] == ["interrupted"]


def test_ended_by_hand_with_an_error(manager: ExperimentManager) -> None:
    manager.start_experiment("mlp")
    ended = manager.end_experiment("failed", error=OverflowError("too much"))
    assert ended.status == "failed"
    assert ended.error is not None
    assert ended.error["message"] == "too much"


def test_unknown_end_state_is_refused(manager: ExperimentManager) -> None:
    manager.start_experiment("mlp")
    with pytest.raises(InputError, match="did you mean: completed"):
        manager.end_experiment("complete")  # type: ignore[arg-type]
    assert manager.active is not None


@pytest.mark.parametrize(
    ("call", "arguments"),
    [("log_metrics", ({"loss": 1},)), ("add_checkpoint", ("a.pt",)), ("end_experiment", ())],
)
def test_without_an_active_experiment_calls_say_so(
    manager: ExperimentManager, call: str, arguments: tuple[Any, ...]
) -> None:
    for _ in range(2):
        with pytest.raises(InputError, match=rf"{call}: no experiment is active\n.*start_exp"):
            getattr(manager, call)(*arguments)
        manager.start_experiment("mlp")
        manager.end_experiment()


@pytest.mark.parametrize("path", ["ckpt/1.pt", Path("ckpt/1.pt"), b"ckpt/1.pt"])
def test_checkpoints_are_kept_as_given(manager: ExperimentManager, path: Any) -> None:
    record = manager.start_experiment("mlp")
    manager.add_checkpoint(path)
    manager.add_checkpoint("ckpt/2.pt")
    assert record.checkpoints == ["ckpt/1.pt", "ckpt/2.pt"]


def test_checkpoint_that_is_no_path_is_refused(manager: ExperimentManager) -> None:
    manager.start_experiment("mlp")
    with pytest.raises(InputError, match="path is 3"):
        manager.add_checkpoint(3)  # type: ignore[arg-type]


def test_history_is_found_by_id_and_by_config_name(manager: ExperimentManager) -> None:
    one = manager.start_experiment("big/mlp")
    two = manager.start_experiment("shared", experiment_id="b")
    three = manager.start_experiment("shared", experiment_id="a")
    manager.start_experiment("another", experiment_id="a")
    manager.end_experiment()
    assert manager.read_history("big/mlp") == manager.read_history(one.experiment_id) == [one]
    assert manager.read_history("shared") == [two, three]  # by time, not by id
    assert [record.config_name for record in manager.read_history("a")] == ["shared", "another"]
    assert manager.experiments() == sorted(["a", "b", one.experiment_id])


def test_nothing_is_known_of_a_name_that_was_never_used(manager: ExperimentManager) -> None:
    assert manager.read_history("mlp") == []
    assert manager.experiments() == []
    assert not manager.log_dir.exists()  # looking makes nothing


def test_folder_stays_the_same_when_the_current_one_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    manager = ExperimentManager("logs")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    manager.start_experiment("mlp")
    assert (tmp_path / "logs" / "mlp.json").is_file()


def test_experiment_of_a_process_that_is_gone_is_dead(manager: ExperimentManager) -> None:
    code = (
        "import sys; from axiomrl import ExperimentManager; "
        "ExperimentManager(sys.argv[1]).start_experiment('mlp'); "
        "heavy = {'torch', 'gymnasium', 'pandas', 'numpy'} & set(sys.modules); "
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    subprocess.run(
        [sys.executable, "-c", code, manager.log_dir],
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(axiomrl.__file__).parents[1])},
        timeout=60,
    )
    manager.start_experiment("mlp")
    assert [record.status for record in manager.read_history("mlp")] == ["dead", "running"]
    assert [version["status"] for version in stored(manager)["versions"]] == ["running"] * 2
