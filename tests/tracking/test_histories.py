"""History files that are damaged, foreign, newer, or change while an experiment is active."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from axiomrl import ExperimentManager
from axiomrl.errors import HistoryError

VERSION = {"experiment_id": "mlp", "version": 1, "timestamp": "2026-01-31", "config_name": "mlp"}


def history(*versions: Any, **changes: Any) -> str:
    content = {"schema_version": 1, "experiment_id": "mlp", "versions": versions, **changes}
    return json.dumps(content)


DAMAGED = {
    "empty": "",
    "torn": history(VERSION)[:-5],
    "no_object": "[]",
    "not_utf8": "\udcff",
    "too_deep": "[" * 100_000,
    "no_versions": json.dumps({"schema_version": 1, "experiment_id": "mlp"}),
    "version_without_number": history({**VERSION, "version": None}),
    "metrics_no_lists": history({**VERSION, "metrics": {"loss": 0.5}}),
    "number_twice": history(VERSION, VERSION),
    "of_another": history(VERSION, experiment_id="MLP"),
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_damaged_history_is_named_and_never_overwritten(
    manager: ExperimentManager, text: str
) -> None:
    manager.start_experiment("cnn")
    path = manager.log_dir / "mlp.json"
    data = text.encode("utf-8", "surrogateescape")
    path.write_bytes(data)
    for use in (manager.start_experiment, manager.read_history):
        with pytest.raises(HistoryError, match=str(path)):
            use("mlp")
    assert path.read_bytes() == data
    assert len(manager.read_history("cnn")) == 1


def test_history_damaged_while_its_experiment_is_active_is_left_alone(
    manager: ExperimentManager,
) -> None:
    record = manager.start_experiment("mlp")
    manager.log_metrics({"loss": 1})
    path = manager.log_dir / "mlp.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    with pytest.raises(HistoryError, match="left as it is"):
        manager.log_metrics({"loss": 2})
    assert path.read_bytes() == whole[:50]
    assert record.metrics == {"loss": [1]}
    path.write_bytes(whole)  # repaired: the loop can go on
    manager.log_metrics({"loss": 2})
    assert manager.read_history("mlp")[0].metrics == {"loss": [1, 2]}


def test_search_by_config_name_warns_of_a_damaged_history(manager: ExperimentManager) -> None:
    manager.start_experiment("shared", experiment_id="a")
    (manager.log_dir / "b.json").write_text("{")
    with pytest.warns(UserWarning, match=r"b\.json: is no history that can be read"):
        assert len(manager.read_history("shared")) == 1


def test_what_only_later_versions_know_is_kept(manager: ExperimentManager) -> None:
    manager.log_dir.mkdir()
    path = manager.log_dir / "mlp.json"
    path.write_text(history({**VERSION, "colour": "red"}, owner="me"))
    manager.start_experiment("mlp")
    manager.log_metrics({"loss": 1})
    content = json.loads(path.read_text())
    assert content["owner"] == "me"
    assert content["versions"][0] == {**VERSION, "colour": "red"}


def test_newer_format_is_read_but_not_written(manager: ExperimentManager) -> None:
    manager.log_dir.mkdir()
    path = manager.log_dir / "mlp.json"
    path.write_text(history(VERSION, schema_version=2))
    assert manager.read_history("mlp")[0].version == 1
    with pytest.raises(HistoryError, match="newer axiomrl"):
        manager.start_experiment("mlp")
    assert path.read_text() == history(VERSION, schema_version=2)


def test_active_version_whose_file_is_removed_is_written_again(manager: ExperimentManager) -> None:
    manager.start_experiment("mlp")
    manager.start_experiment("mlp", {"lr": 0.1})
    manager.log_metrics({"loss": 1})
    (manager.log_dir / "mlp.json").unlink()
    manager.log_metrics({"loss": 2})
    (record,) = manager.read_history("mlp")
    assert (record.version, record.hyperparameters) == (2, {"lr": 0.1})
    assert record.metrics == {"loss": [1, 2]}
    assert manager.start_experiment("mlp").version == 3


def test_version_of_somebody_else_is_not_overwritten(manager: ExperimentManager) -> None:
    manager.start_experiment("mlp")
    (manager.log_dir / "mlp.json").unlink()
    other = ExperimentManager(manager.log_dir)
    other.start_experiment("mlp", {"of": "other"})
    with pytest.raises(HistoryError, match="version 1 is not the one"):
        manager.log_metrics({"loss": 1})
    (record,) = manager.read_history("mlp")
    assert (record.hyperparameters, record.metrics) == ({"of": "other"}, {})


def test_what_a_killed_writer_left_is_removed_and_that_of_others_is_not(
    manager: ExperimentManager,
) -> None:
    manager.log_dir.mkdir()
    (manager.log_dir / ".mlp.json.123-0.tmp").write_text("{")
    (manager.log_dir / ".a.mlp.json.123-0.tmp").write_text("{")
    manager.start_experiment("mlp")
    names = {path.name for path in manager.log_dir.iterdir()}
    assert names == {".locks", "mlp.json", ".a.mlp.json.123-0.tmp"}


def test_unwritable_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("no folder")
    manager = ExperimentManager(tmp_path / "logs")
    with pytest.raises(Exception, match=str(tmp_path / "logs")) as caught:
        manager.start_experiment("mlp")
    assert type(caught.value).__name__ == "AxiomRLError"
    assert manager.active is None


@pytest.mark.parametrize("name", ["foreign.json", "not an id.json", "notes.txt"])
def test_other_files_in_the_folder_do_no_harm(
    manager: ExperimentManager, name: str, recwarn: pytest.WarningsRecorder
) -> None:
    manager.start_experiment("shared", experiment_id="a")
    (manager.log_dir / name).write_text("{}")
    assert manager.start_experiment("mlp").version == 1
    assert len(manager.read_history("a")) == 1
