from __future__ import annotations

import contextlib
import json
import math
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axiomrl.config import config_to_mapping
from axiomrl.errors import CheckpointError, InputError
from axiomrl.runs.metadata import Metadata
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run directory for the many examples of a property."""
    return tmp_path_factory.mktemp("run")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
KNOWN_KEYS = [field.name for field in msgspec.structs.fields(Metadata)]
SOME_METADATA = st.dictionaries(st.sampled_from(KNOWN_KEYS) | st.text(), JSON_VALUES, max_size=5)


@given(metadata=SOME_METADATA)
@settings(max_examples=100, deadline=None)
def test_whatever_object_is_there_only_its_wrong_values_are_missing(
    metadata: dict[str, Any], folder: Path
) -> None:
    record = record_of(folder, metadata)
    text = json.dumps(record.metadata, allow_nan=False)
    msgspec.json.decode(text, type=Metadata)  # what is left has the declared types
    assert record.metadata == json.loads(text)
    if not record.problems and record.metadata.get("latest_metrics") is None:
        assert record.metadata == metadata
    assert record_of(folder, record.metadata).problems == [
        problem for problem in record.problems if problem.startswith("written by a newer")
    ]


@given(
    place=st.integers(0, 10_000),
    damage=st.binary(max_size=3) | st.sampled_from([b"NaN", b"1e999", b'"\\ud800"', b"[" * 2000]),
    length=st.integers(0, 3),
)
@settings(max_examples=100, deadline=None)
def test_damage_anywhere_leaves_a_record_or_one_error(
    place: int, damage: bytes, length: int, folder: Path
) -> None:
    whole = json.dumps(
        {"seed": 3, "status": "completed", "latest_metrics": {"a": 0.5}, "note": ["é", -1e-5]},
        ensure_ascii=False,
    ).encode()
    place %= len(whole)
    data = whole[:place] + damage + whole[place + length :]
    with contextlib.suppress(InputError):  # any other error is a failure
        record = record_of(folder, data)
        json.dumps([record.metadata, record.problems], allow_nan=False)


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


def test_numbers_that_are_not_finite_are_missing_from_metrics(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(
        '{"step": 1, "a": 1e999, "eval": {"b": -Infinity}, "c": [1, NaN]}\n{"step": 2, "a": 1e9}\n'
    )
    assert record_of(tmp_path, {}).metrics() == [
        {"step": 1, "a": None, "eval_b": None, "c": [1, None]},
        {"step": 2, "a": 1e9},
    ]


def test_metrics_that_cannot_be_read_are_a_problem(tmp_path: Path) -> None:
    record = record_of(tmp_path, {})
    os.mkfifo(tmp_path / "metrics.jsonl")
    assert record.metrics() == []
    assert record.problems == ["metrics.jsonl: is no regular file"]


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


DAMAGED = ["", "a: [", "[1]", b"\xff", "a: 2001-99-99", "[" * 1200, "x: !!python/name:os.system"]


@pytest.mark.parametrize("content", [None, *DAMAGED])
def test_configuration_that_cannot_be_read_is_refused_by_name(
    tmp_path: Path, content: str | bytes | None
) -> None:
    if content is not None:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / "config.yaml").write_bytes(data)
    with pytest.raises(InputError, match=r"config\.yaml: "):
        record_of(tmp_path, {}).config()


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_configuration_is_a_problem_for_those_who_go_on(
    tmp_path: Path, content: str | bytes
) -> None:
    data = content.encode() if isinstance(content, str) else content
    (tmp_path / "config.yaml").write_bytes(data)
    record = record_of(tmp_path, {})
    for _ in range(2):
        assert record.config_if_readable() is None
    (problem,) = record.problems
    assert problem.startswith("config.yaml: ")


def test_configuration_is_the_same_for_those_who_go_on_and_may_be_absent(tmp_path: Path) -> None:
    record = record_of(tmp_path, {})
    assert record.config_if_readable() is None
    assert record.problems == []
    (tmp_path / "config.yaml").write_text('{"gamma": 0.5}')
    assert record.config_if_readable() == record.config() == {"gamma": 0.5}


@pytest.mark.parametrize("name", ["config.yaml", "metrics.jsonl"])
def test_file_that_may_not_be_read_is_a_problem(tmp_path: Path, name: str) -> None:
    record = record_of(tmp_path, {})
    (tmp_path / name).mkdir()
    assert not record.config_if_readable()
    assert record.metrics() == []
    assert record.problems == [f"{name}: is no regular file"]


def test_huge_metadata_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "metadata.json").open("wb") as stream:
        stream.truncate(5 << 30)  # takes no room on the disk
    with pytest.raises(InputError, match=r"metadata\.json: is too large: 5,368,709,120 bytes"):
        RunRecord.read(tmp_path)


def test_record_may_be_made_of_a_mapping(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, {"seed": 3, "created_at_utc": "2026-01-01"}, ["a problem"])
    assert (record.directory, record.path) == (tmp_path, str(tmp_path))
    assert (record.metadata["seed"], record.created_at_utc) == (3, "2026-01-01")
    assert (record.status, record.problems) == ("unknown", ["a problem"])
