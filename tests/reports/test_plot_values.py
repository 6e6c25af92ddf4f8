"""The numbers that plots show: those of the leaderboard and of the statistics, and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from axiomrl.errors import InputError
from axiomrl.reports.curves import STEPS
from axiomrl.reports.plot_data import (
    CurvePlot,
    ImprovementPlot,
    IntervalPlot,
    ProfilePlot,
)
from axiomrl.reports.plot_values import KINDS, plot_data
from axiomrl.statistics import Estimate, iqm, mean

from .plot_boards import board_of, rising, write_curves, write_several
from .run_files import write_group, write_run


def curves_plot(root: Path, kind: str = "curves", **question: object) -> CurvePlot:
    plot = plot_data(kind, board_of(root, **question))
    assert isinstance(plot, CurvePlot)
    return plot


def normalised_scores(root: Path, algo: str) -> list[list[float]]:
    """The scores of an algorithm by environment, on the scale of its anchors."""
    tasks = []
    for environment in board_of(root).environments:
        (each,) = (x.scored for x in environment.standings if x.scored.group.algo == algo)
        assert each.anchors is not None
        low, high = each.anchors.random_score, each.anchors.reference_score
        tasks.append([(score - low) / (high - low) for score in each.usable])
    return tasks


def test_curves_are_the_statistic_over_runs_with_a_panel_per_environment(tmp_path: Path) -> None:
    write_several(tmp_path)
    for name, statistic in (("mean", mean), ("iqm", iqm)):
        plot = curves_plot(tmp_path, statistic=name)
        assert [panel.title for panel in plot.panels] == ["CartPole-v1", "Pendulum-v1"]
        assert plot.groups == ("dqn", "ppo", "sac")
        (ppo,) = (each for each in plot.panels[0].curves if each.label == "ppo")
        assert ppo.band is not None
        assert ppo.band.steps.tolist() == [0, 100, 200, 300, 400]
        assert ppo.band.n.tolist() == [5] * 5
        assert ppo.band.value[-1] == statistic([[400, 403, 406, 409, 412]])
        assert (ppo.band.low <= ppo.band.value).all()


def test_curves_of_fewer_than_three_seeds_are_those_of_the_runs(tmp_path: Path) -> None:
    write_curves(tmp_path, "ppo", rising(2))
    plot = curves_plot(tmp_path)
    ((curve,),) = (panel.curves for panel in plot.panels)
    assert curve.band is None
    assert [list(zip(*run, strict=True)) for run in curve.runs] == rising(2)
    assert any("one thin line per run" in sentence for sentence in plot.caption)


def test_runs_of_one_seed_make_no_band_however_many_they_are(tmp_path: Path) -> None:
    for number, curve in enumerate(rising(4)):
        write_curves(tmp_path, f"ppo{number}", [curve])  # four configurations, seed 0 each
    for kind in ("curves", "efficiency"):
        plot = curves_plot(tmp_path, kind, group_by="algo-env")
        ((curve,),) = (panel.curves for panel in plot.panels)
        assert curve.n_seeds == 1
        assert curve.band is None or np.isnan(curve.band.low).all()


def test_where_runs_end_early_n_falls_and_the_band_ends_under_three(tmp_path: Path) -> None:
    curves = rising(5)
    write_curves(tmp_path, "ppo", [*curves[:2], *(each[:3] for each in curves[2:])])
    plot = curves_plot(tmp_path)
    band = plot.panels[0].curves[0].band
    assert band is not None
    assert band.n.tolist() == [5, 5, 5, 2, 2]
    assert np.isnan(band.low).tolist() == [False, False, False, True, True]
    assert not np.isnan(band.value).any()
    assert any("fewer than 3 runs are left" in sentence for sentence in plot.caption)


def test_curves_over_time_take_seconds(tmp_path: Path) -> None:
    write_curves(tmp_path, "ppo", rising(3))
    plot = plot_data("curves", board_of(tmp_path), x="wall_time")
    assert isinstance(plot, CurvePlot)
    band = plot.panels[0].curves[0].band
    assert band is not None
    assert band.steps.tolist() == [0, 1, 2, 3, 4]


def test_curves_of_many_steps_are_thinned_and_say_so(tmp_path: Path) -> None:
    write_curves(tmp_path, "ppo", [[(float(step), step % 7) for step in range(STEPS + 1)]] * 3)
    plot = curves_plot(tmp_path)
    band = plot.panels[0].curves[0].band
    assert band is not None
    assert len(band.steps) == STEPS
    assert any(f"interpolated at {STEPS} common points" in sentence for sentence in plot.caption)


def test_intervals_are_those_of_the_leaderboard_best_first(tmp_path: Path) -> None:
    write_several(tmp_path)
    board = board_of(tmp_path, statistic="iqm")
    plot = plot_data("intervals", board)
    assert isinstance(plot, IntervalPlot)
    for panel, environment in zip(plot.panels, board.environments, strict=True):
        assert panel.title == environment.env_id
        for row, standing in zip(panel.rows, environment.standings, strict=True):
            assert (row.estimate, row.rank) == (standing.estimate, standing.rank)
            assert list(row.scores) == sorted(standing.scored.usable)
    assert [row.label for row in plot.panels[0].rows] == ["dqn", "ppo", "sac"]
    assert plot.panels[0].rows[2].estimate.low is None


def test_profiles_take_normalised_scores_of_all_environments_together(tmp_path: Path) -> None:
    write_several(tmp_path)
    plot = plot_data("profiles", board_of(tmp_path))
    assert isinstance(plot, ProfilePlot)
    assert [(line.label, line.n_runs, line.n_seeds) for line in plot.lines] == [
        ("dqn", 10, 5),
        ("ppo", 10, 5),
    ]
    assert any("sac (no normalised scores in Pendulum-v1)" in note for note in plot.notes)
    profile = plot.lines[1].profile
    assert (profile.fraction[0], profile.fraction[-1]) == (1, 0)
    scores = np.concatenate(normalised_scores(tmp_path, "ppo"))
    for tau, fraction in zip(profile.taus, profile.fraction, strict=True):
        assert fraction == pytest.approx(np.mean(scores > tau))
    assert profile.low is not None
    assert (profile.low <= profile.fraction).all()


def test_profiles_fall_exactly_at_the_scores(tmp_path: Path) -> None:
    write_group(tmp_path, "ppo", [1.0, 2.0, 4.0], env_id="Own-v0")
    plot = plot_data("profiles", board_of(tmp_path))
    assert isinstance(plot, ProfilePlot)
    profile = plot.lines[0].profile
    assert profile.taus.tolist() == [0.94, 1.0, 2.0, 4.0, 4.06]
    np.testing.assert_allclose(profile.fraction, [1, 2 / 3, 1 / 3, 0, 0])
    assert plot.title == "Own-v0"
    assert any("raw scores of Own-v0" in note for note in plot.notes)


def test_profiles_of_a_metric_that_falls_count_the_runs_below(tmp_path: Path) -> None:
    write_group(tmp_path, "ppo", [1.0, 2.0, 4.0], env_id="Own-v0")
    plot = plot_data("profiles", board_of(tmp_path, direction="min"))
    assert isinstance(plot, ProfilePlot)
    profile = plot.lines[0].profile
    assert plot.y_title == "fraction of runs below τ"
    np.testing.assert_allclose(profile.fraction, [0, 0, 1 / 3, 2 / 3, 1])


def test_without_anchors_the_environment_with_most_groups_is_drawn(tmp_path: Path) -> None:
    write_group(tmp_path, "a", [1.0, 2.0], env_id="A-v0")
    for algo in ("ppo", "dqn"):
        write_group(tmp_path, f"b-{algo}", [1.0, 2.0], env_id="B-v0", algo=algo, config_hash=algo)
    plot = plot_data("profiles", board_of(tmp_path))
    assert isinstance(plot, ProfilePlot)
    assert plot.title == "B-v0"
    assert any("A-v0 (choose with --env-id)" in note for note in plot.notes)


def test_environments_without_anchors_are_named_and_left_out(tmp_path: Path) -> None:
    write_several(tmp_path)
    write_curves(tmp_path, "own", rising(3), env_id="Own-v0")
    for kind in ("profiles", "efficiency"):
        plot = plot_data(kind, board_of(tmp_path))
        assert any("without anchors to normalise by: Own-v0" in note for note in plot.notes)


def test_efficiency_is_the_statistic_of_normalised_curves(tmp_path: Path) -> None:
    write_several(tmp_path)
    plot = curves_plot(tmp_path, "efficiency")
    (panel,) = plot.panels
    assert [curve.label for curve in panel.curves] == ["dqn", "ppo"]
    band = panel.curves[1].band
    assert band is not None
    tasks = normalised_scores(tmp_path, "ppo")
    assert band.value[-1] == pytest.approx(mean(tasks), rel=1e-12)
    assert band.n.tolist() == [5] * 5
    assert plot.y_title == "normalised eval_return_mean"


def test_efficiency_ends_with_the_environment_that_ends_first(tmp_path: Path) -> None:
    write_curves(tmp_path, "long", rising(3), env_id="CartPole-v1")
    write_curves(tmp_path, "short", [each[:3] for each in rising(3)], env_id="Pendulum-v1")
    (panel,) = curves_plot(tmp_path, "efficiency").panels
    band = panel.curves[0].band
    assert band is not None
    assert band.steps.tolist() == [0, 100, 200]


def test_probabilities_of_a_pair_add_up_and_say_what_is_better(tmp_path: Path) -> None:
    write_several(tmp_path)
    plot = plot_data("improvement", board_of(tmp_path))
    assert isinstance(plot, ImprovementPlot)
    titles = [panel.title for panel in plot.panels]
    assert titles == ["mean over 2 environments", "CartPole-v1", "Pendulum-v1"]
    assert plot.panels[0].labels == ("dqn", "ppo")
    over_all, cartpole = plot.panels[0], plot.panels[1]
    cell, other = over_all.cells[0][1], over_all.cells[1][0]
    assert isinstance(cell, Estimate)
    assert isinstance(other, Estimate)
    assert cell.value == 1.0  # every run of dqn is better than every run of ppo
    assert (cell.low, cell.high) == (1.0, 1.0)
    assert (other.value, other.low, other.high) == (0.0, 0.0, 0.0)
    assert all(row[place] is None for place, row in enumerate(cartpole.cells))
    against_few = cartpole.cells[0][2]
    assert against_few is not None
    assert against_few.low is None


def test_both_ways_round_an_interval_holds_its_probability(tmp_path: Path) -> None:
    write_group(tmp_path, "a", [1.0, 4.0, 5.0], algo="a", config_hash="a" * 16)
    write_group(tmp_path, "b", [2.0, 3.0, 6.0, 7.0], algo="b", config_hash="b" * 16)
    plot = plot_data("improvement", board_of(tmp_path))
    assert isinstance(plot, ImprovementPlot)
    (panel,) = plot.panels
    assert panel.labels == ("b", "a")
    better, worse = panel.cells[0][1], panel.cells[1][0]
    for cell, value in ((better, 8 / 12), (worse, 4 / 12)):  # pairs of runs that are won
        assert cell is not None
        assert cell.value == pytest.approx(value)
        assert cell.low is not None
        assert cell.high is not None
        assert cell.low < cell.value < cell.high


def test_beyond_the_limit_groups_are_left_out_by_name(tmp_path: Path) -> None:
    for number in range(12):
        write_curves(tmp_path, f"g{number}", rising(1, 10.0 * number), algo=f"algo{number:02}")
    board = board_of(tmp_path)
    plot = plot_data("curves", board)
    assert plot.groups == tuple(f"algo{number:02}" for number in range(11, 1, -1))
    assert any("first 10 (--top-k): algo01, algo00" in note for note in plot.notes)
    assert len(plot_data("intervals", board, limit=3).groups) == 3


def test_groups_without_a_score_and_repeats_of_a_seed_are_told(tmp_path: Path) -> None:
    write_group(tmp_path, "ppo", [1.0, 2.0])
    write_run(tmp_path / "again", seed=0, score=9.0, progress={"env_steps": 10})
    write_run(tmp_path / "none", algo="dqn", config_hash="f" * 16, score=None)
    notes = plot_data("intervals", board_of(tmp_path)).notes
    assert any(note.startswith("not drawn: dqn in CartPole-v1 (") for note in notes)
    assert "1 superseded runs are left out (repeats of a seed)" in notes


def test_configurations_of_one_algorithm_keep_labels_that_tell_them_apart(tmp_path: Path) -> None:
    write_group(tmp_path, "a", [1.0], config_hash="a" * 16)
    write_group(tmp_path, "b", [2.0], config_hash="b" * 16)
    write_group(tmp_path, "c", [2.0], config_hash="c" * 16, env_id="Pendulum-v1")
    assert plot_data("intervals", board_of(tmp_path)).groups == (
        "ppo",
        "ppo bbbbbbbb",
        "ppo aaaaaaaa",
    )


def test_what_was_drawn_does_not_depend_on_the_order_of_directories(tmp_path: Path) -> None:
    for folder, order in (("one", 1), ("two", -1)):
        groups = [("x", rising(3)), ("y", rising(4, 50.0))]
        for place, (name, curves) in enumerate(groups[::order]):
            write_curves(tmp_path / folder, str(place), curves, algo=name, config_hash=name)
    for kind in KINDS:
        one, two = (plot_data(kind, board_of(tmp_path / name)) for name in ("one", "two"))
        assert repr(one) == repr(two)


@pytest.mark.parametrize(
    ("kind", "x", "message"),
    [
        ("curve", "env_steps", "'curve' is no kind of plot"),
        ("curves", "time", "--x 'time'"),
        ("profiles", "wall_time", "not drawn over time"),
    ],
)
def test_unknown_kinds_and_axes_are_refused(
    tmp_path: Path, kind: str, x: str, message: str
) -> None:
    write_group(tmp_path, "ppo", [1.0])
    with pytest.raises(InputError, match=message):
        plot_data(kind, board_of(tmp_path), x=x)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("curves", "no run has eval_return_mean in metrics.jsonl"),
        ("efficiency", "no run has eval_return_mean in metrics.jsonl"),
        ("improvement", "no environment has two groups"),
    ],
)
def test_nothing_to_draw_is_an_error_that_says_why(tmp_path: Path, kind: str, message: str) -> None:
    write_group(tmp_path, "ppo", [1.0])
    with pytest.raises(InputError, match=f"nothing to draw: {message}"):
        plot_data(kind, board_of(tmp_path))


def test_no_group_with_a_score_is_an_error_that_names_the_groups(tmp_path: Path) -> None:
    write_run(tmp_path / "none", score=None)
    with pytest.raises(InputError, match="no group has a score") as caught:
        plot_data("intervals", board_of(tmp_path))
    assert "ppo in CartPole-v1" in str(caught.value.hint)


def test_groups_that_share_no_environment_cannot_be_taken_together(tmp_path: Path) -> None:
    write_curves(tmp_path, "a", rising(3), algo="ppo", env_id="CartPole-v1")
    write_curves(tmp_path, "b", rising(3), algo="dqn", env_id="Pendulum-v1")
    for kind in ("profiles", "efficiency"):
        with pytest.raises(InputError, match="no group has runs in all of") as caught:
            plot_data(kind, board_of(tmp_path))
        assert "dqn has Pendulum-v1" in str(caught.value.hint)
