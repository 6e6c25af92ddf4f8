"""What names stand for in runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from axiomrl.config import config_from_mapping
from axiomrl.errors import InputError
from axiomrl.reports.lookup import METADATA_ONLY, NAMED, Lookup, created_at, flat, tags_of
from axiomrl.reports.where import parse
from axiomrl.runs.record import RunRecord
from axiomrl.runs.run import Run

from .records import record_in

CONFIG = {
    "algo": "other",
    "seed": 99,
    "num_envs": 8,
    "tags": ["from config"],
    "progress": "not here",
    "hyperparameters": {"gamma": 0.98, "target_kl": None, "hidden_sizes": [64, 64]},
    "environment": {"kwargs": {"render.mode": "x"}},
}
METADATA = {
    "algo": "ppo",
    "env_id": "CartPole-v1",
    "seed": 3,
    "tags": ["night"],
    "status": "completed",
    "git": {"commit": "0a1b", "is_dirty": False},
    "versions": {"ale-py": "0.11"},
    "benchmark": {"preset_name": "ppo-cartpole"},
    "latest_metrics": {"eval_return_mean": 450.0, "own_metric": 2.0, "num_envs": 1.0},
    "note": {"by": "someone"},
    "num_envs": 5,
}


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    return record_in(tmp_path / "first", config=CONFIG, **METADATA)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("algo", "ppo"),
        ("env_id", "CartPole-v1"),
        ("seed", 3),
        ("status", "completed"),
        ("tags", ("night",)),
        ("run", "first"),
        ("run_id", None),
        ("preset", "ppo-cartpole"),
        ("suite", None),
        ("benchmark.preset_name", "ppo-cartpole"),
        ("git.commit", "0a1b"),
        ("git.is_dirty", False),
        ("versions.ale-py", "0.11"),
        ("metrics.eval_return_mean", 450.0),
        ("eval_return_mean", 450.0),
        ("metrics.own_metric", 2.0),
        ("own_metric", 2.0),
        ("metrics.algo", None),
        ("num_envs", 8),
        ("metrics.num_envs", 1.0),
        ("hyperparameters.gamma", 0.98),
        ("hyperparameters.target_kl", None),
        ("hyperparameters.hidden_sizes", [64, 64]),
        ("hyperparameters.gamma.start", None),
        ("environment.kwargs.render.mode", "x"),
        ("note.by", "someone"),
        ("progress.env_steps", None),
        ("gamma", None),
        ("nowhere", None),
    ],
)
def test_name_stands_for_the_value_in_the_first_place_that_has_it(
    record: RunRecord, name: str, value: Any
) -> None:
    assert Lookup().value_of(record, name) == value


def test_names_of_a_real_run_are_found(tmp_path: Path) -> None:
    values = {"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 10, "tags": ["a"]}
    with Run.create(config_from_mapping({**values, "output_dir": str(tmp_path)})) as run:
        run.log({"eval_return_mean": 2.5}, step=7, duration_s=1.0)
    value_of = Lookup().values_of(RunRecord.read(run.directory))
    text = (
        "hyperparameters.gamma == 0.99 and tags == tags or 'a' in tags and total_timesteps == 10 "
        "and progress.total_timesteps == total_timesteps and metrics.eval_return_mean == 2.5 "
        "and evaluation.episodes == 10 and status == 'completed' and system.device == 'cpu'"
    )
    assert parse(text).matches(value_of)
    stored = json.loads((run.directory / "metadata.json").read_text())
    assert set(stored) - METADATA_ONLY - set(NAMED) == {"output_dir"}


def test_config_is_read_only_when_a_name_needs_it_and_only_once(record: RunRecord) -> None:
    path = record.directory / "config.yaml"
    lookup = Lookup()
    text = path.read_text()
    path.write_text("{ broken")
    for name in [*NAMED, "git.commit", "eval_return_mean", "metrics.x", "progress.env_steps"]:
        lookup.value_of(record, name)
    assert record.problems == []
    path.write_text(text)
    assert lookup.value_of(record, "num_envs") == 8
    path.write_text("{ broken")
    assert lookup.value_of(record, "hyperparameters.gamma") == 0.98
    assert record.problems == []


@pytest.mark.parametrize(
    "text", ["{ broken", "[1]", "\x00", "[" * 100_000, pytest.param("a: [", id="yaml")]
)
def test_damaged_config_is_a_problem_of_the_run_and_stops_nothing(
    tmp_path: Path, text: str
) -> None:
    record = record_in(tmp_path / "run", config=text, **METADATA)
    lookup = Lookup()
    assert lookup.value_of(record, "hyperparameters.gamma") is None
    assert lookup.value_of(record, "num_envs") == 5
    assert len(record.problems) == 1
    assert record.problems[0].startswith("config.yaml: ")
    assert str(tmp_path) not in record.problems[0].partition(":")[2][:60]


def test_run_without_config_has_nothing_wrong_with_it(tmp_path: Path) -> None:
    record = record_in(tmp_path / "run", **METADATA)
    assert Lookup().value_of(record, "num_envs") == 5
    assert record.problems == []


def test_tags_are_none_where_the_run_does_not_say(tmp_path: Path) -> None:
    assert tags_of(record_in(tmp_path / "a")) == ()
    assert tags_of(record_in(tmp_path / "b", tags=None)) == ()
    assert tags_of(record_in(tmp_path / "c", tags=["x", "y"])) == ("x", "y")


def test_time_of_creation_has_a_zone(tmp_path: Path) -> None:
    def created(number: int, text: Any) -> datetime | None:
        return created_at(record_in(tmp_path / str(number), created_at_utc=text))

    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert created(0, "2026-03-01T12:00:00.000000+00:00") == noon
    assert created(1, "2026-03-01T12:00:00") == noon
    assert created(2, "2026-03-01T14:00:00+02:00") == noon
    assert created(3, "2026-03-01T12:00:00Z") == noon
    assert [created(4, "yesterday"), created(5, ""), created(6, None)] == [None] * 3


def test_name_that_no_run_has_is_reported(record: RunRecord, tmp_path: Path) -> None:
    other = record_in(tmp_path / "other", config={"hyperparameters": {"double": True}}, algo="dqn")
    names = [
        "seed", "suite", "git.commit", "error.type", "parent.step", "eval_return_std",
        "metrics.best_eval_return_mean", "hyperparameters.double", "hyperparameters.target_kl",
        "own_metric", "note", "sed", "hyperparameters.gama", "gamma", "metrics.typo", "git.comit",
    ]  # fmt: skip
    lookup = Lookup()
    expected = ["sed", "hyperparameters.gama", "gamma", "metrics.typo", "git.comit"]
    assert lookup.unknown_names(names, [record, other]) == expected
    assert lookup.unknown_names(names, []) == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("sed", "did you mean: seed; text is written in quotes: 'sed'"),
        ("gamma", "did you mean: hyperparameters.gamma; text is written in quotes: 'gamma'"),
        ("hyperparameters.gama", "did you mean: hyperparameters.gamma"),
        ("metrics.eval_retrun_mean", "did you mean: metrics.eval_return_mean"),
        ("own_metrc", "did you mean: own_metric; text is written in quotes: 'own_metrc'"),
        ("qqq", "text is written in quotes: 'qqq'"),
    ],
)
def test_misspelt_name_is_refused_with_the_nearest(record: RunRecord, name: str, hint: str) -> None:
    with pytest.raises(InputError, match="no run has") as caught:
        Lookup().check_names(["seed", name], [record], option="--where")
    assert caught.value.message == f"--where: no run has a value called {name}"
    assert caught.value.hint == hint


def test_hint_at_quotes_is_given_only_where_text_could_stand(record: RunRecord) -> None:
    with pytest.raises(InputError) as caught:
        Lookup().check_names(["sed"], [record], option="--group-by")
    assert caught.value.hint == "did you mean: seed"


def test_deep_mappings_are_not_followed_for_ever() -> None:
    deep: dict[str, Any] = {"end": 1}
    for _ in range(2000):
        deep = {"a": deep}
    assert [name.count("a") for name, _ in flat({"x": 1, "y": {}, **deep})] == [0, 0, 31]
    assert dict(flat({"x": 1, "y": {}, "b": {"c": [2]}})) == {"x": 1, "y": {}, "b.c": [2]}


def test_extreme_times_of_creation_can_be_compared(tmp_path: Path) -> None:
    record = record_in(tmp_path / "old", created_at_utc="0001-01-01T00:00:00+10:00")
    created = created_at(record)
    assert created is not None
    assert created < datetime(1, 1, 1, tzinfo=UTC) + timedelta(days=1)
