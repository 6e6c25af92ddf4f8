from __future__ import annotations

import json
import math
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from axiomrl.config import config_to_mapping
from axiomrl.errors import CheckpointError, InputError
from axiomrl.runs.provenance import this_process
from axiomrl.runs.record import RunRecord
from axiomrl.runs.run import Run

from .conftest import MakeConfig, StartPython, text

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOST = socket.gethostname()


def record_of(folder: Path, content: str | bytes | dict[str, Any]) -> RunRecord:
    if isinstance(content, dict):
        content = json.dumps(content)
    data = content.encode() if isinstance(content, str) else content
    (folder / "metadata.json").write_bytes(data)
    return RunRecord.read(folder, now=lambda: NOW)


def test_written_run_is_read_without_problems(make_config: MakeConfig) -> None:
    config = make_config(seed=5)
    with Run.create(config) as run:
        run.log({"eval_return_mean": 2.5, "train_loss": math.nan}, step=7, duration_s=1.5)
        path = run.save_checkpoint(7, text(""))
        run.mark_best(path, step=7, metric="eval_return_mean", value=2.5)
        assert RunRecord.read(run.directory).status == "running"
    record = RunRecord.read(run.directory)
    assert record.problems == []
    assert record.status == "completed"
    assert record.metadata == json.loads((run.directory / "metadata.json").read_text())
    assert record.metadata["seed"] == 5
    assert record.best_eval_return_mean == 2.5
    assert record.config() == config_to_mapping(config)
    assert record.metrics() == [
        {"step": 7, "time_s": 1.5, "eval_return_mean": 2.5, "train_loss": None}
    ]
    assert record.checkpoints() == [path]
    assert record.best_checkpoint == run.directory / "checkpoints" / "best.pt"
    assert record.latest_checkpoint == path


def test_run_that_was_killed_is_dead_and_its_file_is_left_alone(
    tmp_path: Path, start_python: StartPython
) -> None:
    child = start_python(
        "run = Run.create(config(sys.argv[1]))\n"
        "print(run.directory, flush=True)\nimport time; time.sleep(60)",
        tmp_path,
    )
    assert child.stdout is not None
    directory = Path(child.stdout.readline().strip())
    assert RunRecord.read(directory).status == "running"
    child.kill()
    child.wait()
    assert RunRecord.read(directory).status == "dead"
    assert json.loads((directory / "metadata.json").read_text())["status"] == "running"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"process": this_process(), "system": {"hostname": HOST}}, "running"),
        ({"process": {**this_process(), "start_time": 5.0}, "system": {"hostname": HOST}}, "dead"),
        ({"process": {**this_process(), "boot_id": "x"}, "system": {"hostname": HOST}}, "dead"),
        ({"process": {**this_process(), "start_time": 5.0}}, "dead"),
        # elsewhere the heartbeat decides, whatever the process here with that number is
        ({"process": this_process(), "heartbeat": 60}, "dead"),
        ({"process": {"pid": 1, "start_time": 5.0}, "heartbeat": 5}, "running"),
        # nothing to go by
        ({}, "running"),
        ({"heartbeat_utc": "yesterday"}, "running"),
        ({"heartbeat": 60}, "dead"),
    ],
)
def test_status_running_is_checked(tmp_path: Path, changes: dict[str, Any], status: str) -> None:
    minutes = changes.pop("heartbeat", None) if "heartbeat" in changes else None
    metadata = {"status": "running", **changes}
    if minutes is not None:
        metadata["heartbeat_utc"] = (NOW - timedelta(minutes=minutes)).isoformat()
        metadata["system"] = {"hostname": "another-machine"}
    assert record_of(tmp_path, metadata).status == status


@pytest.mark.parametrize("status", ["completed", "failed", "interrupted", "paused by hand"])
def test_other_statuses_are_taken_as_they_are(tmp_path: Path, status: str) -> None:
    metadata = {"status": status, "process": {"pid": 1, "start_time": 5.0}}
    assert record_of(tmp_path, metadata).status == status


@pytest.mark.parametrize("metadata", [{}, {"status": None}, {"status": 5}])
def test_missing_status_is_unknown(tmp_path: Path, metadata: dict[str, Any]) -> None:
    assert record_of(tmp_path, metadata).status == "unknown"


def test_older_file_with_unknown_keys_is_read_whole(tmp_path: Path) -> None:
    metadata = {"seed": 1, "note": {"by": ["me"]}, "progress": {"env_steps": 5, "epoch": 2}}
    record = record_of(tmp_path, metadata)
    assert record.metadata == metadata
    assert record.problems == []
    assert record.best_eval_return_mean is None
    assert (record.checkpoints(), record.best_checkpoint, record.latest_checkpoint) == (
        [],
        None,
        None,
    )
    assert record.metrics() == []


def test_newer_schema_is_read_and_reported(tmp_path: Path) -> None:
    record = record_of(tmp_path, {"schema_version": 7, "seed": 1})
    assert record.metadata["seed"] == 1
    assert record.problems == ["written by a newer axiomrl (schema_version 7, known here: 1)"]


def test_only_offending_values_are_missing(tmp_path: Path) -> None:
    record = record_of(
        tmp_path,
        """{
          "schema_version": 1, "seed": "3", "algo": "ppo", "tags": ["a", 5], "status": "completed",
          "latest_metrics": {"a": NaN, "b": 2.5, "c": "high", "d": null, "e": 1e999, "f": 3},
          "progress": {"env_steps": true, "duration_s": 1.5, "speed": Infinity},
          "best_checkpoint": [1], "config_hash": null, "note": [1, {"x": -Infinity}]
        }""",
    )
    assert record.metadata == {
        "schema_version": 1,
        "algo": "ppo",
        "tags": ["a"],
        "status": "completed",
        "latest_metrics": {"b": 2.5, "d": None, "f": 3.0},
        "progress": {"duration_s": 1.5},
        "config_hash": None,
        "note": [1, {}],
    }
    named = sorted(problem.split(":")[0] for problem in record.problems)
    assert named == [
        "best_checkpoint", "latest_metrics.a", "latest_metrics.c", "latest_metrics.e",
        "note[1].x", "progress.env_steps", "progress.speed", "seed", "tags[1]",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        (b'\xef\xbb\xbf{"algo": "ppo"}', []),
        ('{"algo": "ppo", "n": 1' + "0" * 400 + "}", []),
        ('{"algo": "ppo", "t": "\\ud800"}', []),
        (b'{"algo": "ppo", "t": "\xff"}', ["holds bytes that are not UTF-8"]),
    ],
)
def test_unusual_text_is_read(tmp_path: Path, content: str | bytes, problems: list[str]) -> None:
    record = record_of(tmp_path, content)
    assert record.metadata["algo"] == "ppo"
    assert record.problems == problems


@pytest.mark.parametrize("content", ["", "{", "[1]", "5", "null", b"\x00\xff", "[" * 100_000])
def test_file_that_is_no_json_object_is_refused_by_name(
    tmp_path: Path, content: str | bytes
) -> None:
    with pytest.raises(InputError, match=r"metadata\.json"):
        record_of(tmp_path, content)


def test_metadata_that_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metadata.json")
    with pytest.raises(InputError, match="no regular file"):
        RunRecord.read(tmp_path)


@pytest.mark.parametrize(
    ("metadata", "value"),
    [
        ({"latest_metrics": {"best_eval_return_mean": 3.0}}, 3.0),
        ({"best_checkpoint": {"metric_name": "eval_return_mean", "metric_value": 4.0}}, 4.0),
        ({"best_checkpoint": {"metric_name": "eval_length_mean", "metric_value": 4.0}}, None),
        ({"best_checkpoint": {"metric_value": 4.0}}, None),
        ({"latest_metrics": {"eval_return_mean": 3.0}}, None),
    ],
)
def test_best_return_is_only_what_says_it_is(
    tmp_path: Path, metadata: dict[str, Any], value: float | None
) -> None:
    assert record_of(tmp_path, metadata).best_eval_return_mean == value


@pytest.mark.parametrize(
    "stored",
    ["/gone/runs/a/checkpoints/top.pt", "C:\\runs\\a\\checkpoints\\top.pt", "checkpoints/top.pt"],
)
def test_checkpoints_of_a_moved_run_are_found_beside_its_metadata(
    tmp_path: Path, stored: str
) -> None:
    (tmp_path / "checkpoints").mkdir()
    path = tmp_path / "checkpoints" / "top.pt"
    path.write_text("")
    metadata = {"best_checkpoint": {"path": stored}, "latest_checkpoint_path": stored}
    record = record_of(tmp_path, metadata)
    assert record.best_checkpoint == path
    assert record.latest_checkpoint == path


def test_checkpoint_that_lies_elsewhere_is_found_there(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.pt"
    elsewhere.write_text("")
    run = tmp_path / "run"
    run.mkdir()
    assert (
        record_of(run, {"best_checkpoint": {"path": str(elsewhere)}}).best_checkpoint == elsewhere
    )


def test_checkpoints_are_ordered_by_step_and_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in ("step_10.pt", "step_9.pt", "best.pt", "step_x.pt", ".step_11.pt.5-0.tmp", "notes"):
        (tmp_path / "checkpoints" / name).write_text("")
    record = record_of(tmp_path, {})
    assert [path.name for path in record.checkpoints()] == ["step_9.pt", "step_10.pt"]
    for name, file in [("best", "best.pt"), ("final", "step_10.pt"), ("step_9", "step_9.pt")]:
        assert record.checkpoint(name) == tmp_path / "checkpoints" / file
    with pytest.raises(CheckpointError, match="there are: best, step_9, step_10"):
        record.checkpoint("step_11")


def test_run_without_checkpoints_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none at all"):
        record_of(tmp_path, {}).checkpoint("final")


def test_metrics_are_flat_and_damaged_lines_are_reported(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(
        '{"step": 1, "train_loss": NaN}\n'
        '{"step": 2, "metrics": {"a": 1}, "eval": {"return_mean": 2.0, "more": {"x": 3}}}\n'
        "\n"
        '{"step": 3, "a"\n'
        "[3]\n"
        '{"step": 4}\n'
        '{"step": 5, "tor'
    )
    record = record_of(tmp_path, {})
    rows = [
        {"step": 1, "train_loss": None},
        {"step": 2, "a": 1, "eval_return_mean": 2.0, "eval_more_x": 3},
        {"step": 4},
    ]
    assert record.metrics() == record.metrics() == rows
    assert record.problems == [
        "metrics.jsonl: line 4 is no JSON object",
        "metrics.jsonl: line 5 is no JSON object",
    ]


def test_last_line_may_lack_its_newline(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}')
    assert record_of(tmp_path, {}).metrics() == [{"step": 1}, {"step": 2}]


@pytest.mark.parametrize("content", ['{"a": 1.0e-05, "b": [x]}', "a: 1.0e-05\nb: [x]\n"])
def test_configuration_may_be_yaml_beyond_json(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.yaml").write_text(content)
    assert record_of(tmp_path, {}).config() == {"a": 1e-5, "b": ["x"]}


@pytest.mark.parametrize("content", [None, "", "a: [", "[1]", b"\xff"])
def test_configuration_that_cannot_be_read_is_refused_by_name(
    tmp_path: Path, content: str | bytes | None
) -> None:
    if content is not None:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / "config.yaml").write_bytes(data)
    with pytest.raises(InputError, match=r"config\.yaml"):
        record_of(tmp_path, {}).config()
