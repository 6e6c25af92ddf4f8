"""Leaderboards over run directories."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axiomrl.errors import InputError
from axiomrl.reports import zoo
from axiomrl.reports.filters import Filters, parse_filters
from axiomrl.reports.leaderboard_document import leaderboard_document
from axiomrl.reports.renderers import render_document
from axiomrl.reports.standings import Leaderboard, Question
from axiomrl.runs.cache import IntervalCache
from axiomrl.runs.clock import utc_now
from axiomrl.suites import shipped_manifests

from .run_files import write_group, write_run

RANKED = parse_filters(statuses=["completed,unknown"], now=utc_now)


def board_of(
    root: Path, *, filters: Filters = RANKED, cache: Any = None, **asked: Any
) -> Leaderboard:
    selection = zoo.select([root], filters, use_index=False, manifests=shipped_manifests)
    return zoo.build_leaderboard(selection, Question(**asked), cache=cache or IntervalCache(None))


def data_of(board: Leaderboard) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(render_document(leaderboard_document(board), "json"))
    return loaded


def test_groups_that_are_told_apart_have_ranks_of_their_own(tmp_path: Path) -> None:
    write_group(tmp_path, "good", [10, 11, 12, 13, 14], config_hash="a" * 16)
    write_group(tmp_path, "bad", [0, 1, 2, 3, 4], config_hash="b" * 16)
    first, second = data_of(board_of(tmp_path))["groups"]
    assert (first["config_hash"], first["rank"], first["rank_low"], first["rank_high"]) == (
        "a" * 16,
        1,
        1,
        1,
    )
    assert (second["rank"], second["rank_low"], second["rank_high"]) == (2, 2, 2)
    assert first["estimate"] == 12.0
    assert first["std"] == pytest.approx(np.std([10, 11, 12, 13, 14], ddof=1))
    assert (first["min"], first["max"]) == (10, 14)
    assert first["ci_low"] < 12.0 < first["ci_high"]
    assert first["resamples"] == 20_000
    assert first["seeds"] == [0, 1, 2, 3, 4]


def test_groups_that_cannot_be_told_apart_share_a_rank_and_say_what_would_help(
    tmp_path: Path,
) -> None:
    write_group(tmp_path, "one", [1, 5, 9, 4, 6], config_hash="a" * 16)
    write_group(tmp_path, "other", [2, 6, 9, 4, 7], config_hash="b" * 16)
    data = data_of(board_of(tmp_path))
    assert [each["rank"] for each in data["groups"]] == [1, 1]
    assert [each["rank_high"] for each in data["groups"]] == [2, 2]
    more = data["environments"][0]["more_seeds_to_separate_first_two"]
    assert more > 5
    text = render_document(leaderboard_document(board_of(tmp_path)), "text")
    assert f"about {more} more seeds of each would" in " ".join(text.split())


def test_under_three_seeds_there_is_no_interval_and_every_place_is_possible(tmp_path: Path) -> None:
    write_group(tmp_path, "few", [100, 101], config_hash="a" * 16)
    write_group(tmp_path, "many", [1, 2, 3], config_hash="b" * 16)
    few, many = data_of(board_of(tmp_path))["groups"]
    assert (few["ci_low"], few["ci_high"], few["ci_method"]) == (None, None, None)
    assert (few["rank_low"], few["rank_high"]) == (1, 2)
    assert many["is_undercovered"]
    text = render_document(leaderboard_document(board_of(tmp_path)), "text")
    assert "too few seeds" in text
    assert "covers 75 to 80 %" in " ".join(text.split())


def test_every_environment_is_ranked_by_itself(tmp_path: Path) -> None:
    write_group(tmp_path, "a", [1, 2, 3], env_id="A-v0", config_hash="a" * 16)
    write_group(tmp_path, "b", [500, 501, 502], env_id="B-v0", config_hash="b" * 16)
    for group_by in ("config", "algo-env", "algo", "preset"):
        groups = data_of(board_of(tmp_path, group_by=group_by))["groups"]
        assert [(each["env_id"], each["rank"]) for each in groups] == [("A-v0", 1), ("B-v0", 1)]


def test_repeats_of_a_seed_count_once_and_the_longer_one_counts(tmp_path: Path) -> None:
    write_run(tmp_path / "short", score=1.0, progress={"env_steps": 10})
    write_run(tmp_path / "long", score=5.0, progress={"env_steps": 20})
    write_run(
        tmp_path / "newer",
        score=7.0,
        progress={"env_steps": 20},
        created_at_utc="2027-01-01T00:00:00+00:00",
    )
    data = data_of(board_of(tmp_path))
    (group,) = data["groups"]
    assert (group["estimate"], group["n_runs"], group["n_superseded"]) == (7.0, 1, 2)
    superseded = {row["run"]: row["superseded"] for row in data["runs"] if "superseded" in row}
    assert set(superseded) == {"short", "long"}
    assert all("newer" in reason for reason in superseded.values())


def test_lower_is_better_where_the_metric_says_so(tmp_path: Path) -> None:
    for seed in range(3):
        for name, loss in (("a", 1.0 + seed), ("b", 10.0 + seed)):
            metrics = {"train_td_error": loss}
            write_run(
                tmp_path / f"{name}{seed}",
                seed=seed,
                config_hash=name * 16,
                latest_metrics=metrics,
            )
    groups = data_of(board_of(tmp_path, metric="train_td_error"))["groups"]
    assert [each["config_hash"][0] for each in groups] == ["a", "b"]
    assert [each["rank"] for each in groups] == [1, 2]
    groups = data_of(board_of(tmp_path, metric="train_td_error", direction="max"))["groups"]
    assert [each["config_hash"][0] for each in groups] == ["b", "a"]


def test_a_group_without_scores_is_unranked_with_its_reason(tmp_path: Path) -> None:
    write_group(tmp_path, "good", [1, 2, 3])
    write_run(tmp_path / "none", score=None, config_hash="b" * 16)
    write_run(tmp_path / "nan", config_hash="c" * 16, latest_metrics={"eval_return_mean": "high"})
    data = data_of(board_of(tmp_path))
    reasons = {each["config_hash"][0]: each["reason"] for each in data["unranked"]}
    assert reasons == dict.fromkeys("bc", "no eval_return_mean in metadata.json and metrics.jsonl")
    assert [Path(each["path"]).name for each in data["problems"]] == ["nan"]


def test_groups_with_too_few_seeds_are_not_ranked_if_asked(tmp_path: Path) -> None:
    write_group(tmp_path, "many", [1, 2, 3], config_hash="a" * 16)
    write_group(tmp_path, "few", [4, 5], config_hash="b" * 16)
    data = data_of(board_of(tmp_path, min_seeds=3))
    assert [each["n_seeds"] for each in data["groups"]] == [3]
    assert [each["reason"] for each in data["unranked"]] == ["2 of the 3 seeds asked for"]


def test_only_the_first_k_are_shown_and_the_rest_is_counted(tmp_path: Path) -> None:
    for number in range(4):
        write_group(tmp_path, f"g{number}", [number] * 3, config_hash=str(number) * 16)
    board = board_of(tmp_path, top_k=2)
    assert [each["estimate"] for each in data_of(board)["groups"]] == [3.0, 2.0]
    assert "2 more groups are not shown" in render_document(leaderboard_document(board), "text")


def test_sorting_is_as_asked(tmp_path: Path) -> None:
    write_group(tmp_path, "a", [1, 2, 3], config_hash="a" * 16)
    write_group(tmp_path, "b", [4, 5, 6, 7], config_hash="b" * 16)
    by_seeds = data_of(board_of(tmp_path, sort_by="n_seeds"))["groups"]
    assert [each["n_seeds"] for each in by_seeds] == [3, 4]
    by_seeds = data_of(board_of(tmp_path, sort_by="n_seeds", descending=True))["groups"]
    assert [each["n_seeds"] for each in by_seeds] == [4, 3]


def test_the_order_of_runs_and_the_folder_they_lie_in_change_nothing(tmp_path: Path) -> None:
    shuffled = random.Random(1)
    names = [(name, seed) for name in "abc" for seed in range(4)]
    scores = {key: shuffled.gauss(0.0, 1.0) for key in names}
    seen = []
    for attempt in range(3):
        root = tmp_path / str(attempt)
        shuffled.shuffle(names)
        for place, (name, seed) in enumerate(names):
            write_run(
                root / f"run{place:02}",
                seed=seed,
                score=scores[name, seed],
                config_hash=name * 16,
            )
        seen.append(data_of(board_of(root))["groups"])
    assert seen[0] == seen[1] == seen[2]


def test_another_group_does_not_change_an_interval(tmp_path: Path) -> None:
    write_group(tmp_path, "a", [1, 2, 4], config_hash="a" * 16)
    alone = data_of(board_of(tmp_path))["groups"][0]
    write_group(tmp_path, "b", [7, 8, 9], config_hash="b" * 16)
    beside = data_of(board_of(tmp_path))["groups"][1]
    assert (alone["ci_low"], alone["ci_high"]) == (beside["ci_low"], beside["ci_high"])


def test_the_cache_of_intervals_changes_nothing(tmp_path: Path) -> None:
    root, folder = tmp_path / "runs", tmp_path / "cache"
    write_group(root, "a", [1, 2, 4], config_hash="a" * 16)
    write_group(root, "b", [2, 2, 3, 9], config_hash="b" * 16)
    write_group(root, "few", [2, 3], config_hash="c" * 16)
    without = data_of(board_of(root))
    for _ in range(2):
        cache = IntervalCache(folder)
        assert data_of(board_of(root, cache=cache)) == without
        cache.save()
    stored = IntervalCache(folder)
    (digest,) = stored._known
    numbers = list(stored.get(digest) or ())
    stored.put(digest, [number + 1.0 for number in numbers])
    assert data_of(board_of(root, cache=stored)) != without  # it is used


def test_a_baseline_is_compared_with(tmp_path: Path) -> None:
    write_group(tmp_path, "ppo", [1, 2, 3], algo="ppo", config_hash="a" * 16)
    write_group(tmp_path, "dqn", [5, 6, 7], algo="dqn", config_hash="b" * 16)
    write_group(tmp_path, "else", [5, 6, 7], algo="dqn", env_id="Else-v0", config_hash="c" * 16)
    groups = {
        (each["env_id"], each["algo"]): each
        for each in data_of(board_of(tmp_path, baseline="ppo"))["groups"]
    }
    compared = groups["CartPole-v1", "dqn"]
    assert (compared["baseline"], compared["difference"], compared["ratio"]) == ("ppo", 4.0, 3.0)
    assert compared["difference_low"] <= 4.0 <= compared["difference_high"]
    assert compared["probability_of_improvement"] == 1.0
    assert "difference" not in groups["CartPole-v1", "ppo"]
    assert "difference" not in groups["Else-v0", "dqn"]


@pytest.mark.parametrize(
    ("baseline", "told"),
    [("pppo", "did you mean"), ("dqn", "means 2 groups of CartPole-v1")],
)
def test_a_baseline_that_is_not_one_group_is_refused(
    baseline: str, told: str, tmp_path: Path
) -> None:
    write_group(tmp_path, "ppo", [1, 2, 3], algo="ppo", config_hash="a" * 16)
    for name in "bc":
        write_group(tmp_path, name, [1, 2, 3], algo="dqn", config_hash=name * 16)
    with pytest.raises(InputError) as caught:
        board_of(tmp_path, baseline=baseline)
    assert told in str(caught.value)


def test_time_to_a_threshold_counts_runs_that_never_reach_it(tmp_path: Path) -> None:
    curves = [[(10, 1.0), (20, 6.0)], [(10, 7.0), (20, 8.0)], [(10, 1.0), (20, 2.0)]]
    for seed, curve in enumerate(curves):
        write_run(tmp_path / str(seed), seed=seed, score=curve[-1][1], curve=curve)
    board = board_of(tmp_path, threshold=5.0)
    (group,) = data_of(board)["groups"]
    assert (group["time_to_threshold"], group["n_reached"], group["n_censored"]) == (20.0, 2, 1)
    assert group["time_to_threshold_s"] == 2.0
    text = render_document(leaderboard_document(board), "text")
    assert "1 of 3 runs never reach it" in text


def suite_run(root: Path, name: str, env_id: str, algo: str, scores: list[float]) -> None:
    write_group(
        root,
        name,
        scores,
        env_id=env_id,
        algo=algo,
        config_hash=name.ljust(16, "0"),
        benchmark={
            "suite": "mine",
            "score_normalization": {"type": "human", "random_score": 0.0, "human_score": 10.0},
        },
    )


def test_a_suite_ranks_normalised_scores_over_its_environments(tmp_path: Path) -> None:
    suite_run(tmp_path, "a1", "A-v0", "ppo", [5, 5, 5])
    suite_run(tmp_path, "a2", "B-v0", "ppo", [10, 10, 10])
    suite_run(tmp_path, "b1", "A-v0", "dqn", [1, 1, 1])
    suite_run(tmp_path, "b2", "B-v0", "dqn", [2, 2, 2])
    suite_run(tmp_path, "c1", "A-v0", "sac", [9, 9, 9])
    (suite,) = data_of(board_of(tmp_path))["suites"]
    assert suite["env_ids"] == ["A-v0", "B-v0"]
    assert [(each["entrant"], each["estimate"], each["rank"]) for each in suite["entrants"]] == [
        ("ppo", 0.75, 1),
        ("dqn", pytest.approx(0.15), 2),
    ]
    assert suite["unranked"] == [{"entrant": "sac", "reason": "no runs in B-v0"}]


def test_a_suite_says_when_a_cell_is_ambiguous(tmp_path: Path) -> None:
    suite_run(tmp_path, "a1", "A-v0", "ppo", [5, 5, 5])
    suite_run(tmp_path, "x1", "A-v0", "ppo", [6, 6, 6])
    suite_run(tmp_path, "a2", "B-v0", "ppo", [10, 10, 10])
    (suite,) = data_of(board_of(tmp_path))["suites"]
    assert suite["unranked"] == [{"entrant": "ppo", "reason": "2 configurations in A-v0"}]


def test_normalised_scores_of_single_environments_are_shown_with_their_anchors(
    tmp_path: Path,
) -> None:
    write_group(tmp_path, "a", [500, 500, 500])  # CartPole-v1, from the registry
    (group,) = data_of(board_of(tmp_path))["groups"]
    assert group["normalized"] == 1.0
    assert group["normalization"] == "reference"


def test_runs_of_another_metric_are_not_normalised(tmp_path: Path) -> None:
    write_group(tmp_path, "a", [500, 500, 500])
    (group,) = data_of(board_of(tmp_path))["groups"]
    assert "normalized" in group
    for path in tmp_path.glob("*/metadata.json"):
        metadata = json.loads(path.read_text())
        metadata["latest_metrics"] = {"train_td_error": 1.0}
        path.write_text(json.dumps(metadata))
    (group,) = data_of(board_of(tmp_path, metric="train_td_error"))["groups"]
    assert "normalized" not in group


def test_a_moved_folder_of_runs_gives_the_same_ranking(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    write_group(root, "a", [1, 2, 3], output_dir="/somewhere/else")
    before = data_of(board_of(root))["groups"]
    shutil.move(root, tmp_path / "moved")
    assert data_of(board_of(tmp_path / "moved"))["groups"] == before


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"metric": "eval_return_maen"}, "did you mean: eval_return_mean"),
        ({"metric": "rollout_length_mean"}, "--direction max|min"),
        ({"reduce": "finall"}, "final, best, last-window, auc"),
        ({"statistic": "iqr"}, "mean, median, iqm"),
        ({"sort_by": "rnk"}, "did you mean: rank"),
        ({"top_k": -1}, "--top-k -1"),
        ({"min_seeds": 0}, "--min-seeds 0"),
        ({"group_by": "algo,,seed"}, "nothing to group by"),
        ({"metric": "eval_human_normalized_score"}, "computed from eval_return_mean"),
    ],
)
def test_questions_that_make_no_sense_are_refused(
    asked: dict[str, Any], told: str, tmp_path: Path
) -> None:
    write_group(tmp_path, "a", [1, 2, 3])
    with pytest.raises(InputError) as caught:
        board_of(tmp_path, **asked)
    assert told in str(caught.value)
