"""Results as values: made by hand, read from run directories, compared, kept as JSON."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reports.run_files import write_run

from axiomrl import ExperimentResult, RunResult
from axiomrl.artifacts import ArtifactRef, LocalBackend, push
from axiomrl.config import config_from_mapping
from axiomrl.errors import InputError
from axiomrl.fingerprint import hash_of
from axiomrl.runs.run import Run

NAN = float("nan")


def results(*scores: float | None) -> list[RunResult]:
    return [RunResult(score=score, params={"place": n}) for n, score in enumerate(scores)]


def test_result_can_be_made_by_hand() -> None:
    result = RunResult(score=0.5, params={"lr": 0.1}, metadata={"host": "a"})
    assert (result.score, result.params, result.metadata) == (0.5, {"lr": 0.1}, {"host": "a"})
    assert (result.metrics, result.history, result.artifacts) == ({}, {}, {})
    assert (result.run_id, result.seed, result.config_hash) == (None, None, None)


def test_result_does_not_share_its_containers() -> None:
    params = {"lr": 0.1}
    result = RunResult(score=1.0, params=params)
    result.params["lr"] = 0.2
    assert params == {"lr": 0.1}


@pytest.mark.parametrize("score", [np.float32(0.5), np.array(0.5), torch.tensor(0.5), 0.5])
def test_score_of_any_library_becomes_a_number(score: Any) -> None:
    assert type(RunResult(score=score).score) is float


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"score": "high"}, "score is 'high'"), ({"params": [1]}, r"params is \[1\]")],
)
def test_what_cannot_be_a_result_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunResult(**fields)


@pytest.mark.parametrize(
    ("scores", "highest", "lowest"),
    [
        ([1.0, 3.0, 2.0], 1, 0),
        ([NAN, -5.0, -7.0], 1, 2),
        ([None, -5.0, NAN], 1, 1),
        ([2.0, 2.0], 0, 0),
        ([math.inf, 1.0, -math.inf], 1, 1),
        ([NAN, None], None, None),
        ([], None, None),
    ],
)
def test_best_result_has_the_best_finite_score(
    scores: list[float | None], highest: int | None, lowest: int | None
) -> None:
    for best, higher_is_better in ((highest, True), (lowest, False)):
        several = ExperimentResult(run_results=results(*scores), higher_is_better=higher_is_better)
        assert several.best_idx == best
        expected = None if best is None else several.run_results[best]
        assert several.best_run_result is expected


def test_failed_result_never_wins_however_high_its_score() -> None:
    failed = RunResult(score=99.0, metadata={"status": "failed"})
    several = ExperimentResult(run_results=[failed, *results(-3.0, -1.0)])
    assert several.best_idx == 2
    assert ExperimentResult(run_results=[failed]).best_run_result is None


def test_best_place_that_is_given_is_kept() -> None:
    several = ExperimentResult(run_results=results(1.0, 3.0, NAN), best_idx=2)
    assert several.best_run_result is several.run_results[2]
    assert ExperimentResult(run_results=results(1.0, 3.0), best_idx=0).best_idx == 0


@pytest.mark.parametrize("best_idx", [2, -1])
def test_best_place_that_no_result_has_is_refused(best_idx: int) -> None:
    with pytest.raises(InputError, match=f"best_idx is {best_idx}, but there are 2 results"):
        ExperimentResult(run_results=results(1.0, 2.0), best_idx=best_idx)


def test_list_of_the_caller_is_neither_reordered_nor_shared() -> None:
    given_list = results(1.0, 3.0, 2.0)
    before = list(given_list)
    several = ExperimentResult(run_results=given_list)
    assert several.best_run_result is before[1]
    several.to_df()
    several.run_results.pop()
    assert given_list == before
    given_list.clear()
    assert len(several) == 2


def test_experiment_result_is_a_sequence_of_its_results() -> None:
    several = ExperimentResult(run_results=results(1.0, 3.0))
    assert len(several) == 2
    assert list(several) == several.run_results
    assert several[1].score == 3.0
    assert len(ExperimentResult()) == 0


def test_data_frame_has_a_row_per_result() -> None:
    several = ExperimentResult(
        run_results=[
            RunResult(score=1.0, params={"lr": 0.1}, metadata={"seed": 1}),
            RunResult(score=None, params={"lr": 0.2, "depth": 3}, metadata={"status": "failed"}),
        ]
    )
    frame = several.to_df()
    assert list(frame.columns) == [
        "score", "param_lr", "param_depth", "metadata_seed", "metadata_status",
    ]  # fmt: skip
    assert frame["score"].dtype == float
    assert frame["score"][0] == 1.0
    assert math.isnan(frame["score"][1])
    assert frame["param_lr"].tolist() == [0.1, 0.2]
    assert list(several.to_df(include_metadata=False).columns) == list(frame.columns)[:3]


def test_data_frame_of_no_results_is_empty() -> None:
    frame = ExperimentResult().to_df()
    assert (list(frame.columns), len(frame)) == (["score"], 0)


def test_saved_results_come_back_as_they_were(tmp_path: Path) -> None:
    several = ExperimentResult(
        hp_search_space={"lr": [1e-4, 1e-2]},
        run_results=[
            RunResult(
                score=0.5,
                params={"lr": 1e-3, "sizes": [64, 64]},
                metadata={"note": "ü\n"},
                metrics={"eval_return_mean": 0.5},
                history={"eval_return_mean": {"step": [0, 10], "value": [None, 0.5]}},
                hparams={"seed": 3},
                run_config={"algo": "ppo"},
                config_hash="0123456789abcdef",
                run_id="seed3-0123456789abcdef",
                artifacts={
                    "best.pt": ArtifactRef(url="memory://a", key="b", size=1, sha256="0" * 64)
                },
                seed=3,
                duration_s=1.5,
                env_steps=10,
            ),
            *results(None, 2.0),
        ],
        best_idx=1,
        name="search",
        client_id="c-1",
        higher_is_better=False,
    )
    path = several.save(tmp_path / "new" / "folder" / "result.json")
    loaded = ExperimentResult.load(path)
    assert list(loaded) == list(several)
    for name in ("hp_search_space", "best_idx", "name", "client_id", "higher_is_better"):
        assert getattr(loaded, name) == getattr(several, name), name


def test_best_place_that_was_not_given_is_looked_up_after_loading_too(tmp_path: Path) -> None:
    path = ExperimentResult(run_results=results(1.0, 3.0)).save(tmp_path / "result.json")
    loaded = ExperimentResult.load(path)
    loaded.run_results.append(RunResult(score=9.0))
    assert loaded.best_idx == 2


def test_values_of_any_kind_are_saved_as_json(tmp_path: Path) -> None:
    made = RunResult(
        score=NAN,
        params={"lr": np.float64(0.1), "widths": np.array([1, 2]), "inf": math.inf},
        metadata={"path": tmp_path / "x", "at": datetime(2026, 1, 2, tzinfo=UTC)},
    )
    path = ExperimentResult(hp_search_space={"lr": np.arange(2)}, run_results=[made]).save(
        tmp_path / "result.json"
    )
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))
    loaded = ExperimentResult.load(path)
    assert loaded.hp_search_space == {"lr": [0, 1]}
    assert loaded[0].score is None
    assert loaded[0].params == {"lr": 0.1, "widths": [1, 2], "inf": None}
    assert loaded[0].metadata == {"path": str(tmp_path / "x"), "at": "2026-01-02T00:00:00+00:00"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=30)  # each one waits for the disk
@given(
    st.lists(
        st.builds(
            RunResult,
            score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
            params=st.dictionaries(st.text(), JSON, max_size=3),
            metadata=st.dictionaries(st.text(), JSON, max_size=3),
        ),
        max_size=3,
    )
)
def test_whatever_json_can_hold_survives_being_saved(
    tmp_path_factory: pytest.TempPathFactory, made: list[RunResult]
) -> None:
    path = tmp_path_factory.getbasetemp() / "survives.json"
    ExperimentResult(run_results=made).save(path)
    assert list(ExperimentResult.load(path)) == made


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"schema_version": 1, "run_res', "Unterminated"),
        ("[]", "Expected `object`"),
        ('{"schema_version": 1, "run_results": [{"score": "x"}]}', "Expected `float"),
        ('{"schema_version": 2, "run_results": []}', "newer axiomrl"),
        ('{"schema_version": 1, "run_results": [], "best_idx": 0}', "best_idx is 0"),
        (
            '{"schema_version": 1, "run_results": [{"artifacts": {"a": '
            '{"url": "x", "key": "..", "size": 1, "sha256": "y"}}}]}',
            "cannot be the key of an artifact",
        ),
    ],
)
def test_file_that_holds_no_results_is_refused_by_name(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(InputError, match=f"result.json: holds no result to load: .*{reason}"):
        ExperimentResult.load(path)


def test_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone.json: cannot be read: No such file"):
        ExperimentResult.load(tmp_path / "gone.json")


# From run directories


def finished_run(folder: Path, **changes: Any) -> Path:
    values = {"algo": "ppo", "env_id": "CartPole-v1", "seed": 7, "total_timesteps": 20}
    config = config_from_mapping({**values, "output_dir": str(folder), **changes})
    with Run.create(config) as run:
        run.log({"eval_return_mean": 1.0, "time_eval_s": 9.0}, step=0, duration_s=0.5)
        run.log({"train_loss": NAN, "rollout_return_mean": 2.0}, step=10, duration_s=1.0)
        run.log({"train_loss": 0.25, "eval_return_mean": 3.0}, step=20, duration_s=2.0)
        run.record_progress(env_steps=20, gradient_steps=1, duration_s=2.5)
    return run.directory


def test_result_of_a_run_says_what_the_run_says(tmp_path: Path) -> None:
    directory = finished_run(tmp_path, hyperparameters={"gamma": 0.5})
    stored = json.loads((directory / "metadata.json").read_text())
    result = RunResult.from_run(directory)
    assert result.score == 3.0
    assert result.metrics == {"eval_return_mean": 3.0}
    assert result.history == {
        "eval_return_mean": {"step": [0, 20], "value": [1.0, 3.0]},
        "train_loss": {"step": [10, 20], "value": [None, 0.25]},
        "rollout_return_mean": {"step": [10], "value": [2.0]},
    }
    assert result.hparams == json.loads((directory / "config.yaml").read_text())
    assert result.params == result.hparams["hyperparameters"]
    assert result.params["gamma"] == 0.5
    assert result.config_hash == stored["config_hash"] == hash_of(result.run_config)
    assert result.run_id == f"seed7-{result.config_hash}"
    assert (result.seed, result.env_steps, result.duration_s) == (7, 20, 2.5)
    assert result.metadata == {
        "status": "completed",
        "algo": "ppo",
        "env_id": "CartPole-v1",
        "seed": 7,
        "created_at_utc": stored["created_at_utc"],
        "ended_at_utc": stored["ended_at_utc"],
        "score_metric": "eval_return_mean",
        "run_directory": str(directory),
    }
    assert RunResult.from_mapping(json.loads(json.dumps(result.to_mapping()))) == result


def test_result_holds_only_settings_that_count_as_its_configuration(tmp_path: Path) -> None:
    result = RunResult.from_run(finished_run(tmp_path))
    assert {"seed", "output_dir", "device"} <= set(result.hparams)
    assert not {"seed", "output_dir", "device"} & set(result.run_config)
    assert result.run_config["total_timesteps"] == 20


def test_metrics_of_a_final_test_come_before_those_of_evaluations(tmp_path: Path) -> None:
    latest = {"eval_return_mean": 1.0, "test_return_mean": 4.0, "test_return_std": 0.5}
    result = RunResult.from_run(write_run(tmp_path / "run", latest_metrics=latest))
    assert result.metrics == {"test_return_mean": 4.0, "test_return_std": 0.5}
    assert (result.score, result.metadata["score_metric"]) == (4.0, "test_return_mean")


def test_score_is_the_metric_that_decides_what_is_best(tmp_path: Path) -> None:
    metric = "eval_length_mean"
    benchmark = {"best_metric": metric, "best_metric_mode": "min"}
    latest = {"eval_return_mean": 1.0, metric: 40.0}
    run = write_run(tmp_path / "run", latest_metrics=latest, config={"benchmark": benchmark})
    assert RunResult.from_run(run).score == 40.0


def test_run_without_metadata_of_metrics_is_scored_by_its_rows(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", score=None, curve=[(0, 1.0), (10.0, 2.5)])
    result = RunResult.from_run(run)
    assert (result.score, result.metrics) == (2.5, {"eval_return_mean": 2.5})


def test_failed_run_has_no_score_but_its_error(tmp_path: Path) -> None:
    error = {"type": "ValueError", "message": "no", "traceback": "…"}
    result = RunResult.from_run(write_run(tmp_path / "run", status="failed", error=error))
    assert result.score is None
    assert result.is_failed
    assert result.metadata["error"] == error
    assert result.metrics == {"eval_return_mean": 1.0}


def test_run_that_was_never_evaluated_has_no_score(tmp_path: Path) -> None:
    result = RunResult.from_run(write_run(tmp_path / "run", score=None))
    assert (result.score, result.metrics, result.metadata["score_metric"]) == (None, {}, None)


@pytest.mark.parametrize(
    "config", [None, {"algo": "unknown", "hyperparameters": {"a": 1}}, {"hyperparameters": "***"}]
)
def test_run_of_another_program_gives_what_it_has(
    tmp_path: Path, config: dict[str, Any] | None
) -> None:
    run = write_run(tmp_path / "run", seed=None, config=config, progress=None)
    (run / "artifacts.json").write_text("broken")
    result = RunResult.from_run(run)
    assert (result.score, result.seed, result.env_steps) == (1.0, None, None)
    assert result.run_config == result.artifacts == {}
    assert result.hparams == (config or {})


def test_artifacts_that_were_pushed_are_part_of_the_result(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "runs")
    (run / "checkpoints" / "best.pt").write_bytes(b"weights")
    push(run, LocalBackend(tmp_path / "store"))
    artifact = RunResult.from_run(run).artifacts["best.pt"]
    assert artifact.size == 7
    assert artifact.path is not None
    assert artifact.path.read_bytes() == b"weights"


def test_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run: No such file"):
        RunResult.from_run(tmp_path)


def test_results_are_read_and_saved_without_heavy_libraries(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    code = (
        "import sys; from axiomrl import ExperimentResult, RunResult; "
        f"ExperimentResult(run_results=[RunResult.from_run({str(run)!r})]).save('r.json'); "
        "sys.exit(bool({'torch', 'gymnasium', 'pandas'} & set(sys.modules)))"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": root})
    assert done.returncode == 0
