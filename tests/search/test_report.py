"""Reports and plots of a search: trials of every state, the best one, importances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from axiomrl.config import TrainConfig
from axiomrl.errors import InputError
from axiomrl.reports.plots import picture
from axiomrl.runs.clock import utc_now
from axiomrl.search.description import Search
from axiomrl.search.journal import Journal, Trial
from axiomrl.search.plot_values import KINDS, search_plot
from axiomrl.search.report import importances, report_document, report_json, short_names
from axiomrl.search.running import begin, run_search
from axiomrl.study.launchers.contract import Job

from .quick_launcher import QuickLauncher, base, described

GAMMA = "hyperparameters.gamma"


class Stopped(BaseException):
    """What a test stops a search with, unlike any failure of a run."""


def searched(folder: Path, **block: Any) -> tuple[Search, list[Trial]]:
    """A search with completed, pruned and failed trials, the last one begun and left."""

    def curve(config: TrainConfig) -> list[float] | Exception:
        gamma = config.hyperparameters.gamma
        return ValueError("too low") if gamma < 0.6 else [gamma, gamma + 1, gamma + 2]

    def stop(job: Job, step: int) -> None:
        if job.name == "trial_0009_seed1":
            raise Stopped

    pruner = {"type": "median", "n_startup_trials": 2}
    space = {
        GAMMA: {"type": "uniform", "low": 0.5, "high": 0.95},
        "num_envs": {"type": "choice", "values": [1, 2, 4]},
    }
    block = {"n_trials": 10, "pruner": pruner, "space": space, **block}
    search = described(folder, on=base(hyperparameters={"gamma": 0.7}), **block)
    place = begin(search, command=[])
    with pytest.raises(Stopped):
        run_search(place, QuickLauncher(curve, before_step=stop))
    return search, Journal(place, search, is_writer=False).trials()


def test_json_has_every_trial_with_its_state_and_the_best(tmp_path: Path) -> None:
    search, trials = searched(tmp_path)
    told = json.loads(report_json(search, trials))
    assert list(told) == ["schema_version", "trials", "best"]
    assert told["schema_version"] == 1
    assert [trial["number"] for trial in told["trials"]] == list(range(10))
    states = [trial["state"] for trial in told["trials"]]
    assert set(states) == {"completed", "pruned", "failed", "running"}
    for trial in told["trials"]:
        assert set(trial["params"]) == {GAMMA, "num_envs"}
        assert (trial["score"] is not None) == (trial["state"] == "completed")
        assert (trial["error"] is not None) == (trial["state"] == "failed")
    scores = [trial["score"] for trial in told["trials"] if trial["score"] is not None]
    assert told["best"]["score"] == max(scores)
    assert told["best"] in told["trials"]


def test_the_table_says_what_people_need(tmp_path: Path) -> None:
    search, trials = searched(tmp_path)
    document = report_document(search, trials, now=utc_now())
    first = document.sections[0]
    assert first.table is not None
    assert [column.title for column in first.table.columns][5:7] == ["gamma", "num_envs"]
    assert first.title.startswith("search: 10 of 10 trials (")
    told = " ".join(first.notes)
    assert "axiomrl tune confirm" in told
    assert "nobody is at work on trial 9: axiomrl tune --resume" in told
    (best,) = first.table.emphasis
    assert first.table.records()[best]["score"] == max(
        trial.score for trial in trials if trial.score is not None
    )


def test_the_setting_that_decides_is_the_important_one(tmp_path: Path) -> None:
    def curve(config: TrainConfig) -> list[float]:
        return [100 * config.hyperparameters.gamma]

    space = {
        GAMMA: {"type": "uniform", "low": 0.5, "high": 0.95},
        "hyperparameters.entropy_coef": {"type": "uniform", "low": 0, "high": 0.1},
    }
    search = described(tmp_path, n_trials=30, sampler="random", space=space)
    trials = run_search(begin(search, command=[]), QuickLauncher(curve))[1]
    found = importances(search, trials)
    assert list(found.shares) == [GAMMA, "hyperparameters.entropy_coef"]
    assert sum(found.shares.values()) == pytest.approx(1)


def test_importances_say_why_there_are_none(tmp_path: Path) -> None:
    search = described(tmp_path, n_trials=2)
    trials = run_search(begin(search, command=[]), QuickLauncher())[1]
    assert importances(search, trials).reason == (
        "it takes 4 completed trials, and there are 1"  # the base lies outside of the space
    )
    constant = described(tmp_path, name="constant", n_trials=6)
    trials = run_search(begin(constant, command=[]), QuickLauncher(lambda config: [1.0]))[1]
    assert "the same score" in (importances(constant, trials).reason or "")


def test_settings_are_known_by_as_few_words_as_it_takes() -> None:
    paths = ["hyperparameters.gamma", "num_envs", "hyperparameters.learning_rate.start"]
    assert list(short_names(paths).values()) == ["gamma", "num_envs", "learning_rate.start"]
    assert short_names(["a.gamma", "b.gamma"]) == {"a.gamma": "a.gamma", "b.gamma": "b.gamma"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_plot_is_drawn_the_same_every_time(kind: str, tmp_path: Path) -> None:
    search, trials = searched(tmp_path, n_trials=10)
    if kind == "importances" and importances(search, trials).reason is not None:
        pytest.fail("the search has too few completed trials for this test")
    drawn = search_plot(kind, search, trials)
    data, notes = picture(drawn, "svg")
    assert notes == []
    assert data == picture(drawn, "svg")[0]
    text = data.decode()
    assert ("PED-ANOVA" if kind == "importances" else "Score: mean over 2 seeds") in text


def test_the_history_tells_states_apart(tmp_path: Path) -> None:
    search, trials = searched(tmp_path)
    plot: Any = search_plot("history", search, trials)
    pruned = {trial.number for trial in trials if trial.state == "pruned"}
    assert {point.number for point in plot.points if point.is_pruned} == pruned
    assert set(plot.failed) == {trial.number for trial in trials if trial.state == "failed"}
    best = [value for _, value in plot.best]
    assert best == sorted(best)
    assert plot.base_score == trials[0].score


def test_a_plot_of_nothing_is_refused(tmp_path: Path) -> None:
    search = described(tmp_path)
    for kind in KINDS:
        with pytest.raises(InputError, match="nothing to draw"):
            search_plot(kind, search, [])
    with pytest.raises(InputError, match="no plot of a search") as caught:
        search_plot("histroy", search, [])
    assert "did you mean: history" in (caught.value.hint or "")
