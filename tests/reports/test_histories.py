"""Tables of tracked experiments."""

from __future__ import annotations

from typing import Any

import pytest

from axiomrl import ExperimentRecord
from axiomrl.errors import InputError
from axiomrl.reports.histories import comparison, history_list, history_versions
from axiomrl.reports.renderers import render
from axiomrl.tracking.scores import scores_by_experiment


def version(number: int, loss: list[Any] | None = None, **changes: Any) -> ExperimentRecord:
    values: dict[str, Any] = {
        "experiment_id": "mlp",
        "version": number,
        "timestamp": f"2026-01-31T12:00:0{number}.250000+00:00",
        "config_name": "mlp",
        "metrics": {} if loss is None else {"loss": loss},
    }
    return ExperimentRecord(**{**values, **changes})


def test_list_shows_the_newest_version_of_each() -> None:
    histories = {"mlp": [version(1), version(2, status="failed", config_name="other")]}
    (row,) = history_list(histories).records()
    assert row == {
        "experiment_id": "mlp",
        "config_name": "other",
        "versions": 2,
        "status": "failed",
        "timestamp": "2026-01-31 12:00:02Z",
    }


def test_versions_have_a_column_per_hyperparameter_and_metric() -> None:
    records = [
        version(1, [0.9, 0.00012345], hyperparameters={"lr": 0.1, "net": {"sizes": [8, 8]}}),
        version(
            2,
            [0.5, None],
            hyperparameters={"lr": 1, "bias": True},
            metadata={"precision": "fp32"},
            checkpoints=["1.pt", "2.pt"],
            error={"type": "ValueError", "message": "no"},
        ),
    ]
    table = history_versions(records)
    first, second = table.records()
    assert first["param_net.sizes"] == "[8, 8]"
    assert (first["param_lr"], second["param_lr"], second["param_bias"]) == (0.1, 1, True)
    assert (first["metric_loss"], second["metric_loss"]) == (0.00012345, None)
    assert second["metadata_precision"] == "fp32"
    assert (second["checkpoints"], second["latest_checkpoint"]) == (2, "2.pt")
    assert second["error"] == "ValueError: no"
    text = render(table, "text")
    assert "0.0001234" in text  # small numbers are not rounded away
    assert "precision" not in text


def test_hyperparameters_that_never_differ_give_way_first() -> None:
    records = [version(n, hyperparameters={"lr": 0.1 * n, "activation": "relu"}) for n in (1, 2)]
    text = render(history_versions(records), "text", width=20)
    assert text.splitlines()[0].split() == ["version", "status", "lr"]


def test_comparison_counts_what_is_finite() -> None:
    histories = {
        "mlp": [version(1, [0.9, 1.0]), version(2, [0.1, 2.0]), version(3, [0.5, None])],
        "cnn": [version(1, [0.25])],
        "none": [version(1), version(2, []), version(3, ["text"]), version(4, [10**400])],
    }
    mlp, cnn, none = comparison(histories, "loss").records()
    assert (mlp["versions"], mlp["n"]) == (3, 2)
    assert (mlp["mean"], mlp["min"], mlp["max"]) == (1.5, 1.0, 2.0)
    assert mlp["std"] == pytest.approx(0.5**0.5)  # ddof = 1
    assert (cnn["n"], cnn["mean"], cnn["std"]) == (1, 0.25, None)
    assert (none["versions"], none["n"], none["mean"]) == (4, 0, None)


def test_comparison_says_how_sure_it_is() -> None:
    losses = {"good": [0.1, 0.2, 0.15, 0.12], "bad": [0.8, 0.9, 1.1, 1.0], "new": [0.5], "none": []}
    histories = {
        name: [version(n, [each]) for n, each in enumerate(values, 1)] or [version(1)]
        for name, values in losses.items()
    }
    good, new, bad, none = comparison(histories, "loss", direction="min").records()
    assert 0.1 <= good["ci_low"] < good["mean"] < good["ci_high"] <= 0.2
    assert (good["rank"], bad["rank"]) == (1, 2)  # of `new` there is a single version
    assert (new["ci_low"], new["rank_low"], new["rank_high"]) == (None, 1, 3)
    assert (none["mean"], none["ci_low"], none["rank"]) == (None, None, None)
    unranked = comparison(histories, "loss").records()
    assert [row["rank"] for row in unranked] == [None] * 4
    assert unranked[0]["ci_low"] == good["ci_low"]


@pytest.mark.parametrize(
    ("direction", "order"),
    [("min", ["b", "c", "a", "none"]), ("max", ["a", "c", "b", "none"]),
     (None, ["a", "none", "b", "c"])],
)  # fmt: skip
def test_best_mean_comes_first_where_it_is_known_which_is(direction: Any, order: list[str]) -> None:
    means = {"a": 3.0, "none": None, "b": -1.0, "c": 2.0}
    histories = {name: [version(1, [mean])] for name, mean in means.items()}
    rows = comparison(histories, "loss", direction=direction).records()
    assert [row["experiment_id"] for row in rows] == order


def test_best_is_the_best_finite_value_of_each_version() -> None:
    histories = {"mlp": [version(1, [0.5, 0.25, None, 0.75]), version(2, [-3.0, -1.0])]}
    options: Any = {"reduce": "best", "direction": "min"}
    assert scores_by_experiment(histories, "loss", **options) == {"mlp": [0.25, -3.0]}
    options["direction"] = "max"
    assert scores_by_experiment(histories, "loss", **options) == {"mlp": [0.75, -1.0]}
    assert scores_by_experiment(histories, "loss") == {"mlp": [0.75, -1.0]}


def test_best_needs_a_direction_and_knows_that_of_documented_metrics() -> None:
    with pytest.raises(InputError, match="'loss' is better is not known"):
        comparison({"mlp": [version(1, [1.0])]}, "loss", reduce="best")
    record = version(1, metrics={"eval_return_mean": [1.0, 3.0, 2.0]})
    (row,) = comparison({"mlp": [record]}, "eval_return_mean", reduce="best").records()
    assert (row["mean"], row["direction"]) == (3.0, "max")
