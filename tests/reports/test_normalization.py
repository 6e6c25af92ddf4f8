"""Anchors: whose count, what the registry holds, and when there is no normalised score."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.reports.normalization import (
    REGISTRY_VERSION,
    Anchors,
    anchors_for,
    normalized,
    registry,
)
from axiomrl.suites import Normalization, shipped_manifests

FIGURES = Path(__file__).parents[2] / "benchmarks" / "figures" / "random_scores.json"
OWN = {"type": "mine", "random_score": 1, "human_score": 3.0}
OF_SUITE = {"CartPole-v1": Normalization(random_score=10, human_score=20)}


def anchors(low: float, high: float) -> Anchors:
    return Anchors(type="reference", random_score=low, reference_score=high, origin="run")


def test_own_anchors_of_a_run_win_over_those_of_its_suite_and_these_over_the_registry() -> None:
    block: dict[str, Any] = {"score_normalization": OWN}
    own = anchors_for("CartPole-v1", block, overrides=OF_SUITE)
    assert own == Anchors(type="mine", random_score=1.0, reference_score=3.0, origin="run")
    of_suite = anchors_for("CartPole-v1", {"score_normalization": None}, overrides=OF_SUITE)
    assert of_suite == Anchors(
        type="reference", random_score=10.0, reference_score=20.0, origin="manifest"
    )
    shipped = anchors_for("CartPole-v1", None)
    assert shipped is not None
    assert (shipped.origin, shipped.reference_score) == ("registry", 500.0)


def test_environment_that_nobody_knows_has_no_anchors() -> None:
    assert anchors_for("Unknown-v0", {}) is None
    assert anchors_for("HalfCheetah-v4", {}) is None  # its rewards differ from those of v5
    assert anchors_for(None, None, overrides=OF_SUITE) is None


@pytest.mark.parametrize(
    "env_id", ["ALE/Breakout-v5", "BreakoutNoFrameskip-v4", "ale_py:ALE/Breakout-v5"]
)
def test_game_has_the_same_anchors_under_all_its_ids(env_id: str) -> None:
    found = anchors_for(env_id, {})
    assert found == Anchors(type="human", random_score=1.7, reference_score=30.5, origin="registry")


@pytest.mark.parametrize(
    ("score", "fraction"), [(22.2, 0.0), (500.0, 1.0), (261.1, 0.5), (-216.7, -0.5), (738.9, 1.5)]
)
def test_score_becomes_a_fraction_of_the_way_between_the_anchors(
    score: float, fraction: float
) -> None:
    result = normalized(score, anchors(22.2, 500.0))
    assert result.value == pytest.approx(fraction, abs=1e-12)
    assert result.reason is None


def test_reference_may_be_the_lower_anchor() -> None:
    assert normalized(-5.0, anchors(0.0, -10.0)).value == 0.5


@pytest.mark.parametrize(
    ("score", "given_anchors", "told"),
    [
        (math.nan, anchors(0, 1), "the score is not a finite number"),
        (math.inf, anchors(0, 1), "the score is not a finite number"),
        (1.0, anchors(math.nan, 1), "the random score is not a finite number"),
        (1.0, anchors(0, math.inf), "the reference score is not a finite number"),
        (1.0, anchors(2, 2), "the random and the reference score are both 2"),
        (1e300, anchors(0, 1e-300), "the anchors are too close together"),
    ],
)
def test_normalisation_that_means_nothing_is_refused(
    score: float, given_anchors: Anchors, told: str
) -> None:
    result = normalized(score, given_anchors)
    assert (result.value, result.reason) == (None, told)


@pytest.mark.parametrize(
    "own", [{}, "none", [1, 2], {**OWN, "random_score": "1"}, {**OWN, "human_score": True}]
)
def test_damaged_anchors_of_a_run_are_refused_and_not_replaced(own: Any) -> None:
    found = anchors_for("CartPole-v1", {"score_normalization": own})
    assert found is not None
    assert normalized(100.0, found).value is None


def test_anchor_that_no_number_can_hold_is_refused() -> None:
    found = anchors_for("X-v0", {"score_normalization": {**OWN, "human_score": 10**400}})
    assert found is not None
    assert normalized(2.0, found).reason == "the reference score is not a finite number"


finite = st.floats(-1e6, 1e6)


@given(finite, finite, finite)
def test_anchors_themselves_become_0_and_1(low: float, high: float, score: float) -> None:
    given_anchors = anchors(low, high)
    if low != high:
        assert normalized(low, given_anchors).value == 0.0
        assert normalized(high, given_anchors).value == 1.0
    result = normalized(score, given_anchors)
    assert (result.value is None) == (result.reason is not None)


# What ships


def test_registry_has_the_version_that_the_code_names() -> None:
    assert registry().version == REGISTRY_VERSION


def test_every_number_of_the_registry_is_usable_and_has_a_source() -> None:
    shipped = registry()
    for env_id, entry in shipped.environments.items():
        assert entry.type == "reference"
        assert {entry.random_source, entry.human_source} <= set(shipped.sources), env_id
        assert entry.human_score > entry.random_score, env_id
    assert {shipped.atari.random_source, shipped.atari.human_source} <= set(shipped.sources)
    assert shipped.atari.type == "human"
    for game, scores in shipped.atari.games.items():
        assert scores.human_score > scores.random_score, game


def test_registry_has_the_57_games() -> None:
    games = registry().atari.games
    assert len(games) == 57
    # sums over the table of dqn_zoo/atari_data.py, which names games otherwise
    assert sum(scores.random_score for scores in games.values()) == pytest.approx(50864.9)
    assert sum(scores.human_score for scores in games.values()) == pytest.approx(606494.2)


def test_random_scores_are_those_that_were_measured() -> None:
    measured = json.loads(FIGURES.read_text(encoding="utf-8"))
    environments = registry().environments
    assert set(environments) == set(measured)
    for env_id, entry in environments.items():
        assert entry.random_source == "measured"
        assert entry.random_score == round(measured[env_id]["mean"], 2)


def test_thresholds_are_those_of_gymnasium() -> None:
    for env_id, entry in registry().environments.items():
        registered = gymnasium.spec(env_id).reward_threshold
        if entry.human_source == "threshold":
            assert entry.human_score == registered, env_id
        elif entry.human_source == "maximum":
            assert registered is not None
            assert entry.human_score >= registered, env_id
        else:
            assert registered is None, env_id


def test_every_preset_of_a_suite_has_anchors() -> None:
    for manifest in shipped_manifests():
        for preset in manifest.presets.values():
            env_id = preset.resolved.env_id
            assert anchors_for(env_id, {}, overrides=manifest.normalization) is not None
