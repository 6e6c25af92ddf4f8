"""Searches with runs that take no time: trials, scores, failures, grids, and going on."""

from __future__ import annotations

import json
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from axiomrl import ExperimentResult, search
from axiomrl.config import TrainConfig
from axiomrl.errors import InputError, Interrupted
from axiomrl.fingerprint import config_hash
from axiomrl.runs.clock import utc_now
from axiomrl.runs.record import RunRecord
from axiomrl.search.description import Search
from axiomrl.search.folder import read_description
from axiomrl.search.journal import Journal, Trial
from axiomrl.search.running import begin, extend, run_search
from axiomrl.study.launchers.contract import Job
from axiomrl.study.lease import this_runner

from .quick_launcher import QuickLauncher, base, described, gamma_and_seed

GAMMA = "hyperparameters.gamma"


def searched(search: Search, launcher: QuickLauncher | None = None) -> list[Trial]:
    """The trials of a search from its beginning to its end."""
    return run_search(begin(search, command=[]), launcher or QuickLauncher())[1]


def states(trials: list[Trial]) -> list[str]:
    return [trial.state for trial in trials]


def test_a_trial_is_worth_the_statistic_over_its_seeds(tmp_path: Path) -> None:
    trials = searched(described(tmp_path, n_trials=3))
    assert states(trials) == ["completed"] * 3
    for trial in trials:
        end = 100 * trial.params[GAMMA]
        assert trial.scores == pytest.approx({1: end + 1, 2: end + 2})
        assert trial.score == pytest.approx(end + 1.5)
    median = {"metric": "eval_return_mean", "reduce": "best", "statistic": "median"}
    other = described(tmp_path, name="b", n_trials=1, seeds=[1, 2, 9], objective=median)
    assert searched(other)[0].score == pytest.approx(99 + 2)


def test_the_base_is_trial_0_with_its_own_values(tmp_path: Path) -> None:
    inside = base(hyperparameters={"gamma": 0.75})
    trials = searched(described(tmp_path, on=inside, n_trials=2))
    assert trials[0].is_base
    assert trials[0].params == {GAMMA: 0.75}
    assert trials[0].optuna.params == {GAMMA: 0.75}
    assert trials[0].config_hash == config_hash(inside)


def test_a_base_outside_of_the_space_is_trial_0_all_the_same(tmp_path: Path) -> None:
    """The sampler does not see it: it has no place in the space."""
    outside = base(hyperparameters={"learning_rate": {"schedule": "linear", "start": 1, "end": 0}})
    rate = {"hyperparameters.learning_rate": {"type": "uniform", "low": 0.1, "high": 1}}
    trials = searched(described(tmp_path, on=outside, n_trials=3, space={**rate, GAMMA: {
        "type": "uniform", "low": 0.5, "high": 0.9}}))  # fmt: skip
    assert trials[0].is_base
    assert trials[0].params["hyperparameters.learning_rate"]["schedule"] == "linear"
    assert trials[0].optuna.params == {}
    assert states(trials) == ["completed"] * 3
    assert all(set(trial.optuna.params) == set(trial.params) for trial in trials[1:])


def test_without_the_base_every_trial_is_of_the_space(tmp_path: Path) -> None:
    trials = searched(described(tmp_path, n_trials=3, include_base=False))
    assert not any(trial.is_base for trial in trials)
    assert all(0.5 <= trial.params[GAMMA] <= 0.9 for trial in trials)


def test_runs_lie_in_their_trials_folders_with_their_seeds(tmp_path: Path) -> None:
    trials = searched(described(tmp_path, n_trials=2))
    for trial in trials:
        for seed in (1, 2):
            directory = tmp_path / "search" / "trials" / f"{trial.number:04}" / f"seed{seed}"
            record = RunRecord.read(directory)
            assert record.status == "completed"
            assert record.metadata["seed"] == seed
            assert record.metadata["config_hash"] == trial.config_hash
            assert record.config()["hyperparameters"]["gamma"] == trial.params[GAMMA]


def test_a_failed_run_fails_its_trial_and_the_search_goes_on(tmp_path: Path) -> None:
    def curve(config: TrainConfig) -> list[float] | Exception:
        if config.hyperparameters.gamma < 0.99 and config.seed == 1:
            return RuntimeError("broken")
        return gamma_and_seed(config)

    launcher = QuickLauncher(curve)
    trials = searched(described(tmp_path, n_trials=3), launcher)
    assert states(trials) == ["completed", "failed", "failed"]
    assert trials[1].error == "seed 1: RuntimeError: broken"
    assert trials[1].score is None
    # the other seeds of a trial that has failed are not begun
    assert launcher.trained == [
        "trial_0000_seed1", "trial_0000_seed2", "trial_0001_seed1", "trial_0002_seed1",
    ]  # fmt: skip


def test_a_run_without_the_metric_fails_its_trial(tmp_path: Path) -> None:
    trials = searched(described(tmp_path, n_trials=1, objective={"metric": "test_return_mean"}))
    assert states(trials) == ["failed"]
    assert "no test_return_mean" in (trials[0].error or "")


def test_runs_beside_a_failed_one_are_ended_early(tmp_path: Path) -> None:
    def curve(config: TrainConfig) -> list[float] | Exception:
        return RuntimeError("broken") if config.seed == 1 else [1.0, 2.0, 3.0]

    trials = searched(described(tmp_path, n_trials=1), QuickLauncher(curve, n_workers=2))
    assert states(trials) == ["failed"]
    other = RunRecord.read(tmp_path / "search" / "trials" / "0000" / "seed2")
    assert other.status == "interrupted"


def test_values_that_do_not_go_together_fail_their_trial_alone(tmp_path: Path) -> None:
    sac = base(algo="sac", env_id="Pendulum-v1", total_timesteps=30)
    space = {
        "hyperparameters.buffer_size": {"type": "choice", "values": [32, 1000]},
        "hyperparameters.batch_size": {"type": "choice", "values": [16, 64]},
    }
    block = {"on": sac, "space": space, "sampler": "grid", "n_trials": None}
    trials = searched(described(tmp_path, **block), QuickLauncher(lambda config: [1.0]))
    assert states(trials) == ["completed", "completed", "failed", "completed", "completed"]
    assert "trial 2: hyperparameters.buffer_size" in (trials[2].error or "")
    assert not (tmp_path / "search" / "trials" / "0002").exists()


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_no_configuration_of_a_small_space_is_tried_twice(sampler: str, tmp_path: Path) -> None:
    space = {GAMMA: {"type": "choice", "values": [0.9, 0.95, 0.99]},
             "num_envs": {"type": "choice", "values": [1, 2]}}  # fmt: skip
    trials = searched(described(tmp_path, n_trials=20, sampler=sampler, space=space))
    assert len(trials) == 6  # the base is one of the points
    assert len({trial.config_hash for trial in trials}) == 6


def test_a_grid_is_walked_through_in_its_order(tmp_path: Path) -> None:
    space = {GAMMA: {"type": "grid", "values": [0.9, 0.99]},
             "num_envs": {"type": "randint", "low": 1, "high": 2}}  # fmt: skip
    trials = searched(described(tmp_path, sampler="grid", n_trials=None, space=space))
    assert [tuple(trial.params.values()) for trial in trials] == [
        (0.99, 1), (0.9, 1), (0.9, 2), (0.99, 2),  # the base first, and not again
    ]  # fmt: skip


def test_lists_and_mappings_can_be_chosen_from(tmp_path: Path) -> None:
    schedule = {"schedule": "linear", "start": 0.1, "end": 0.0, "until": 1.0}
    space = {"hyperparameters.hidden_sizes": search.choice([[8], [8, 8]]),
             "hyperparameters.learning_rate": search.choice([0.1, schedule])}  # fmt: skip
    trials = searched(described(tmp_path, n_trials=9, include_base=False, space=space))
    assert len(trials) == 4
    shown = [tuple(map(str, trial.params.values())) for trial in trials]
    assert sorted(shown)[0] == ("[8, 8]", "0.1")
    assert states(trials) == ["completed"] * 4


def test_what_is_drawn_depends_on_the_seed_of_the_sampler_alone(tmp_path: Path) -> None:
    drawn = [
        [trial.params for trial in searched(described(tmp_path, name=name, sampler_seed=seed))]
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_the_result_tells_of_every_trial(tmp_path: Path) -> None:
    def curve(config: TrainConfig) -> list[float] | Exception:
        return RuntimeError("broken") if config.hyperparameters.gamma < 0.7 else [1.0, 2.0, 3.0]

    trials = searched(described(tmp_path, n_trials=8), QuickLauncher(curve))
    result = ExperimentResult.load(tmp_path / "search" / "result.json")
    assert len(result) == len(trials) == 8
    assert result.hp_search_space == {GAMMA: {"type": "uniform", "low": 0.5, "high": 0.9}}
    assert {each.metadata["state"] for each in result} == {"completed", "failed"}
    for each, trial in zip(result, trials, strict=True):
        assert (each.score is None) == (trial.state == "failed") == each.is_failed
        assert each.params == trial.params
    assert result.best_run_result is not None
    assert result.best_run_result.score == 3.0


def test_less_may_be_better(tmp_path: Path) -> None:
    objective = {"metric": "eval_return_mean", "direction": "minimize"}
    trials = searched(described(tmp_path, objective=objective))
    result = ExperimentResult.load(tmp_path / "search" / "result.json")
    assert result.best_idx is not None
    assert trials[result.best_idx].score == min(trial.score or 0 for trial in trials)


def test_an_interrupted_search_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = searched(described(tmp_path, name="whole"))
    stop_at = [("trial_0002_seed2", 2)]

    def interrupt(job: Job, step: int) -> None:
        if (job.name, step) in stop_at:
            stop_at.clear()
            raise Interrupted("interrupted", signal_number=signal.SIGINT)

    folder = begin(described(tmp_path), command=[])
    with pytest.raises(Interrupted) as caught:
        run_search(folder, QuickLauncher(before_step=interrupt))
    assert caught.value.hint == f"axiomrl tune --resume {folder}"
    launcher = QuickLauncher()
    trials = run_search(folder, launcher)[1]
    assert launcher.trained[0] == "trial_0002_seed2"  # seed 1 was completed
    assert [(t.number, t.params, t.score) for t in trials] == [
        (t.number, t.params, t.score) for t in whole
    ]


def test_a_finished_search_that_goes_on_trains_nothing(tmp_path: Path) -> None:
    trials = searched(described(tmp_path, n_trials=2))
    launcher = QuickLauncher()
    again = run_search(tmp_path / "search", launcher)[1]
    assert launcher.trained == []
    assert [trial.score for trial in again] == [trial.score for trial in trials]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_that_is_extended_is_the_longer_search(sampler: str, tmp_path: Path) -> None:
    whole = searched(described(tmp_path, name="whole", n_trials=7, sampler=sampler))
    folder = begin(described(tmp_path, n_trials=3, sampler=sampler), command=[])
    run_search(folder, QuickLauncher())
    before = json.loads((folder / "search.json").read_text())
    extend(folder, 7)
    after = json.loads((folder / "search.json").read_text())
    assert after == {**before, "search": {**before["search"], "n_trials": 7}}
    launcher = QuickLauncher()
    trials = run_search(folder, launcher)[1]
    assert launcher.trained[0] == "trial_0003_seed1"
    assert [(t.number, t.params, t.score) for t in trials] == [
        (t.number, t.params, t.score) for t in whole
    ]


def test_trials_are_not_taken_back(tmp_path: Path) -> None:
    trials = searched(described(tmp_path, n_trials=3))
    folder = tmp_path / "search"
    before = (folder / "search.json").read_bytes()
    with pytest.raises(InputError, match="has 3 trials, so it cannot end with 2"):
        extend(folder, 2)
    assert (folder / "search.json").read_bytes() == before
    extend(folder, len(trials))
    assert (folder / "search.json").read_bytes() == before


def test_a_search_that_was_stopped_may_end_with_fewer_trials(tmp_path: Path) -> None:
    def interrupt(job: Job, step: int) -> None:
        if job.name == "trial_0002_seed1":
            raise Interrupted("interrupted", signal_number=signal.SIGINT)

    folder = begin(described(tmp_path, n_trials=6), command=[])
    with pytest.raises(Interrupted):
        run_search(folder, QuickLauncher(before_step=interrupt))
    extend(folder, 3)
    assert states(run_search(folder, QuickLauncher())[1]) == ["completed"] * 3


def test_tune_extends_what_it_resumes(tmp_path: Path) -> None:
    def asked(n_trials: int | None, sampler: str = "grid") -> ExperimentResult:
        return search.tune(
            base(),
            {GAMMA: search.choice([0.5, 0.6, 0.7, 0.8])},
            name="search",
            output_dir=tmp_path,
            n_trials=n_trials,
            seeds=[1],
            sampler=sampler,
            resume=True,
            launcher=QuickLauncher(),
        )

    assert len(asked(2)) == 2
    assert len(asked(4)) == 4
    assert len(asked(None)) == 4  # as many as it has been told
    with pytest.raises(InputError, match=r"search\.sampler differs"):
        asked(5, "random")
    with pytest.raises(InputError, match="has 4 trials"):
        asked(3)


def test_a_search_is_not_begun_twice(tmp_path: Path) -> None:
    folder = begin(described(tmp_path), command=[])
    before = (folder / "search.json").read_bytes()
    with pytest.raises(InputError, match="already holds a search") as caught:
        begin(described(tmp_path, n_trials=1), command=[])
    assert f"axiomrl tune --resume {folder}" in (caught.value.hint or "")
    assert (folder / "search.json").read_bytes() == before


def test_what_a_search_is_can_be_read_back(tmp_path: Path) -> None:
    wanted = described(tmp_path, pruner="median")
    assert read_description(begin(wanted, command=[])) == wanted


def test_a_search_with_a_masked_secret_is_not_gone_on_with(tmp_path: Path) -> None:
    secret = base(environment={"kwargs": {"api_key": "tell-nobody"}})
    folder = begin(described(tmp_path, on=secret), command=[])
    assert "tell-nobody" not in (folder / "search.json").read_text()
    with pytest.raises(InputError, match="masked secret"):
        run_search(folder, QuickLauncher())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds no search"),
        ("{", "describes no search that can be read"),
        ('{"schema_version": 99, "search": {}, "base": {}, "config_hash": ""}', "newer axiomrl"),
    ],
)
def test_a_folder_without_a_search_is_refused(
    content: str | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "search.json").write_text(content)
    with pytest.raises(InputError, match=message):
        run_search(tmp_path, QuickLauncher())


def test_a_damaged_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    searched(described(tmp_path, n_trials=1))
    journal = tmp_path / "search" / "journal.log"
    damaged = b"{broken\n" + journal.read_bytes()
    journal.write_bytes(damaged)
    with pytest.raises(InputError, match=r"journal.log: is damaged"):
        run_search(tmp_path / "search", QuickLauncher())
    assert journal.read_bytes() == damaged


def test_a_torn_last_line_of_the_journal_is_dropped(tmp_path: Path) -> None:
    folder = begin(described(tmp_path, n_trials=4), command=[])
    whole = run_search(folder, QuickLauncher())[1]
    journal = folder / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    made_last = max(place for place, line in enumerate(lines) if b'"distributions"' in line)
    # killed while the last trial was made
    journal.write_bytes(b"".join(lines[:made_last]) + lines[made_last][:-9])
    assert len(Journal(folder, described(tmp_path), is_writer=False).trials()) == 3
    trials = run_search(folder, QuickLauncher())[1]
    assert [(t.params, t.score) for t in trials] == [(t.params, t.score) for t in whole]


def test_trials_of_living_processes_are_left_to_them(tmp_path: Path) -> None:
    wanted = described(tmp_path, n_trials=2)
    folder = begin(wanted, command=[])
    inner: list[list[Trial]] = []

    def another(job: Job, step: int) -> None:
        if (job.name, step) == ("trial_0000_seed1", 2):
            inner.append(run_search(folder, QuickLauncher())[1])

    trials = run_search(folder, QuickLauncher(before_step=another))[1]
    assert states(inner[0]) == ["running", "completed"]
    assert states(trials) == ["completed", "completed"]


def test_a_trial_is_taken_over_once_its_owner_has_ended(tmp_path: Path) -> None:
    wanted = described(tmp_path, n_trials=1)
    folder = begin(wanted, command=[])
    journal = Journal(folder, wanted, is_writer=True)
    living = this_runner(utc_now())
    attributes = {"params": {GAMMA: 0.6}, "config_hash": "0", "owner": living}
    journal.create({}, {}, attributes)
    launcher = QuickLauncher()
    assert states(run_search(folder, launcher)[1]) == ["running"]
    journal.note(0, "owner", {**living, "start_time": 1.0})  # its number was given out again
    trials = run_search(folder, launcher)[1]
    assert states(trials) == ["completed"]
    assert launcher.trained == ["trial_0000_seed1", "trial_0000_seed2"]
    assert trials[0].score == pytest.approx(61.5)


def test_a_trial_on_another_machine_is_left_until_its_heartbeat_is_old(tmp_path: Path) -> None:
    wanted = described(tmp_path, n_trials=1)
    folder = begin(wanted, command=[])
    journal = Journal(folder, wanted, is_writer=True)
    owner = {**this_runner(utc_now()), "hostname": "elsewhere"}
    journal.create({}, {}, {"params": {GAMMA: 0.6}, "owner": owner})
    assert states(run_search(folder, QuickLauncher())[1]) == ["running"]
    (trial,) = journal.trials()
    assert not trial.is_abandoned(utc_now())
    assert trial.is_abandoned(utc_now() + timedelta(hours=1))


def test_from_python_a_search_is_begun_refused_and_gone_on_with(tmp_path: Path) -> None:
    launcher = QuickLauncher()
    options: dict[str, Any] = {
        "space": {GAMMA: search.uniform(0.5, 0.9)},
        "name": "python",
        "output_dir": tmp_path,
        "n_trials": 3,
        "seeds": [4],
        "launcher": launcher,
    }
    result = search.tune(base(), **options)
    assert [each.metadata["scores"].keys() for each in result] == [{"4"}] * 3
    assert len(json.loads((tmp_path / "python" / "result.json").read_text())["run_results"]) == 3
    with pytest.raises(InputError, match="already holds a search"):
        search.tune(base(), **options)
    again = search.tune(base(), **options, resume=True)
    assert len(launcher.trained) == 3
    assert [each.score for each in again] == [each.score for each in result]
    with pytest.raises(InputError, match=r"holds another search: search.seeds, base differs"):
        search.tune(base(num_envs=2), **{**options, "seeds": [5]}, resume=True)


def test_readers_need_no_right_to_write(tmp_path: Path) -> None:
    wanted = described(tmp_path, n_trials=1)
    searched(wanted)
    before = sorted(path.name for path in (tmp_path / "search").iterdir())
    (trial,) = Journal(tmp_path / "search", wanted, is_writer=False).trials()
    assert trial.state == "completed"
    assert sorted(path.name for path in (tmp_path / "search").iterdir()) == before
