"""Search files: what is refused before anything is trained, and what is made of the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from axiomrl.cli.app import main
from axiomrl.config.dump import json_text
from axiomrl.errors import ConfigError
from axiomrl.search.description import load_search, search_from_values

SHIPPED = Path(__file__).resolve().parents[2] / "configs" / "search"
BASE = {"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 1000}
GAMMA = {"hyperparameters.gamma": {"type": "choice", "values": [0.9, 0.99]}}


def file(
    folder: Path, *, base: Any = BASE, top: Mapping[str, Any] | None = None, **block: Any
) -> Path:
    """A search file that is right but for what is given."""
    search = {"name": "gamma", "n_trials": 4, "space": GAMMA, **block}
    path = folder / "search.yaml"
    path.write_text(json_text({"mode": "tune", "base": base, "search": search, **(top or {})}))
    return path


def space(path: str, **dimension: Any) -> dict[str, Any]:
    return {"space": {path: dimension}}


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    search = load_search(file(tmp_path))
    assert search.to_mapping() == {
        "name": "gamma",
        "output_dir": "searches",
        "n_trials": 4,
        "seeds": [1, 2, 3],
        "objective": {
            "metric": "eval_return_mean",
            "reduce": "final",
            "statistic": "mean",
            "direction": "maximize",
        },
        "sampler": "tpe",
        "sampler_seed": 0,
        "pruner": {
            "type": "none", "warmup_steps": 0, "n_startup_trials": 5, "reduction_factor": 4,
        },
        "include_base": True,
        "space": GAMMA,
    }  # fmt: skip
    assert search_from_values(search.to_mapping(), search.base, source="again") == search


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        (space("hyperparameters.lerning_rate", type="uniform", low=0.1, high=1),
         "hyperparameters.lerning_rate is not a setting of ppo", "did you mean: learning_rate"),
        (space("hyperparameter.gamma", type="uniform", low=0.1, high=1),
         "hyperparameter is not a setting", "did you mean: hyperparameters"),
        (space("hyperparameters.gamma", type="uniform", low=0.5, high=1.5),
         "hyperparameters.gamma is 1.5, but must be", None),
        (space("hyperparameters.gamma", type="choice", values=[0.9, "high"]),
         "hyperparameters.gamma is 'high', but must be", None),
        (space("num_envs", type="uniform", low=1, high=4.5),
         "num_envs is 4.5, but must be an integer", None),
        (space("num_envs", type="randint", low=0, high=4), "num_envs is 0, but must be >= 1", None),
        (space("hyperparameters.gamma", type="uniform", low=1, high=0),
         "search.space: hyperparameters.gamma: uniform: low is 1, which is above", "exchange"),
        (space("hyperparameters.gamma", type="choice", values=[]), "values is empty", "at least"),
        (space("hyperparameters.gamma", type="normal"), "has the type 'normal'", "choose from"),
        (space("seed", type="choice", values=[1]), "seed cannot be searched", "search.seeds"),
        (space("output_dir", type="choice", values=["a"]), "cannot be searched", "folder"),
        (space("mode", type="choice", values=["train"]), "mode cannot be searched", "plain"),
        (space("device", type="choice", values=["cpu"]), "cannot be searched", "learned"),
        (space("experiments_runner.n_runs", type="choice", values=[2]), "cannot be", "learned"),
        (space("evaluation.episodes", type="choice", values=[2]), "cannot be", "scored"),
        ({"space": {}}, "search.space is empty", "space:"),
        ({"space": [1]}, r"search.space is \[1\], but must be a mapping", "space:"),
        ({"sampler": "tpee"}, "search.sampler is 'tpee'", "did you mean: tpe"),
        ({"pruner": "medain"}, "search.pruner.type is 'medain'", "did you mean: median"),
        ({"pruner": {"type": "asha", "warmup": 1}}, "search.pruner.warmup is not", "warmup_steps"),
        ({"objective": {"metric": "eval_return"}}, "'eval_return' is no metric",
         "did you mean: eval_return_"),
        ({"objective": {"reduce": "last"}}, "search.objective.reduce is 'last'", None),
        ({"objective": {"statistic": "max"}}, "search.objective.statistic is 'max'", None),
        ({"objective": {"direction": "max"}}, "direction is .max., but must be", None),
        ({"n_trials": None}, "search.n_trials is missing", "how many"),
        ({"n_trials": 0}, "search.n_trials is 0, but must be >= 1", None),
        ({"seeds": []}, "search.seeds is empty", "at least one"),
        ({"seeds": [1, 1]}, "search.seeds holds 1 twice", None),
        ({"name": "a/b"}, "search.name is 'a/b'", "letters"),
        ({"nmae": "a"}, "search.nmae is not a setting", "did you mean: name"),
        ({"sampler": "grid", **space("hyperparameters.gamma", type="uniform", low=0.1, high=1)},
         "has no points that a grid could walk through", "grid"),
        ({"pruner": "median", **space("total_timesteps", type="choice", values=[100, 200])},
         "total_timesteps cannot be searched with a pruner", "same step"),
        ({"pruner": "median", "base": {**BASE, "evaluation": {"every": 0}}},
         "evaluation.every is 0", "how often"),
        ({"base": "nowhere.yaml"}, "there is no file .*nowhere.yaml", "base:"),
        ({"base": {**BASE, "algo": "pppo"}}, "base: unknown algorithm|algo", None),
        ({"top": {"mode": "train"}}, "has the mode 'train'", "axiomrl train"),
        ({"top": {"serach": 1}}, "serach is no part of a search", "did you mean: search"),
    ],
)  # fmt: skip
def test_a_wrong_search_is_refused_before_anything_starts(
    changes: dict[str, Any],
    message: str,
    hint: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message) as caught:
        load_search(file(tmp_path, **changes))
    assert caught.value.message.startswith(str(tmp_path / "search.yaml"))
    assert (hint or "") in (caught.value.hint or "")
    assert caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["search.yaml"]


def test_one_setting_is_searched_in_one_way(tmp_path: Path) -> None:
    rate = {"type": "uniform", "low": 0.1, "high": 1}
    both = {"hyperparameters.learning_rate": rate, "hyperparameters.learning_rate.start": rate}
    with pytest.raises(ConfigError, match="lies within hyperparameters"):
        load_search(file(tmp_path, space=both))


def test_values_that_only_disagree_with_the_base_may_be_searched(tmp_path: Path) -> None:
    """Whether they agree with the other values of a point is known when it is drawn."""
    base = {**BASE, "algo": "sac", "env_id": "Pendulum-v1"}
    sizes = {"hyperparameters.buffer_size": {"type": "choice", "values": [1, 1000]},
             "hyperparameters.batch_size": {"type": "choice", "values": [1, 64]}}  # fmt: skip
    search = load_search(file(tmp_path, base=base, space=sizes))
    with pytest.raises(ConfigError, match="buffer_size"):
        search.config_of({"hyperparameters.buffer_size": 1, "hyperparameters.batch_size": 64})


def test_a_base_lies_beside_the_search_file_or_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "here.yaml").write_text(json_text({**BASE, "total_timesteps": 1}))
    (tmp_path / "inner" / "beside.yaml").write_text(json_text({**BASE, "total_timesteps": 2}))
    monkeypatch.chdir(tmp_path)
    for name, steps in (("here.yaml", 1), ("beside.yaml", 2)):
        search = load_search(file(tmp_path / "inner", base=name))
        assert search.base.total_timesteps == steps


def test_overrides_concern_the_base_or_the_search(tmp_path: Path) -> None:
    search = load_search(
        file(tmp_path),
        overrides=["search.n_trials=9", "total_timesteps=7", "search.objective.reduce=best"],
    )
    assert search.config.n_trials == 9
    assert search.config.objective.reduce == "best"
    assert search.base.total_timesteps == 7
    with pytest.raises(ConfigError, match=r"--set: search.n_trials is 'x'"):
        load_search(file(tmp_path), overrides=["search.n_trials=x"])


def test_a_metric_that_is_better_when_lower_is_minimised(tmp_path: Path) -> None:
    search = load_search(file(tmp_path, objective={"metric": "eval_return_std"}))
    assert search.config.objective.direction == "minimize"
    assert not search.higher_is_better


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_search_is_right_from_any_folder(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    search = load_search(path)
    assert search.config.name == path.stem
    assert (search.config.n_trials, len(search.config.seeds)) == (20, 2)
    assert search.config.include_base


def test_training_a_search_file_points_to_tune(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path)
    assert main(["train", "--config", str(path)]) == 2
    assert f"axiomrl tune --config {path}" in capsys.readouterr().err
