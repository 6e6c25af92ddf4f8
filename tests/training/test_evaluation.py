"""Scores against a plain loop, and that scoring leaves training alone."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest

from axiomrl.algorithms.ppo import PPO, PPOConfig
from axiomrl.algorithms.protocol import AlgorithmContext, Progress
from axiomrl.config.schema import EnvironmentConfig
from axiomrl.errors import UnusableEnvironmentError
from axiomrl.training.environments import Environments
from axiomrl.training.evaluation import MAX_PARALLEL, Episodes, Evaluator
from axiomrl.training.normalization import ObservationNormalizer
from axiomrl.training.seeding import Stream, episode_seed

from . import custom_environments

SEED = 21
custom_environments.register()


class Policy:
    """Stands for an algorithm: acts by a fixed rule, and notes how it was asked to."""

    def __init__(self, rule: Callable[[np.ndarray], np.ndarray]) -> None:
        self._rule = rule
        self.asked: list[tuple[int, bool]] = []
        self.drawn: list[float] = []

    def policy(self, rows: int, *, deterministic: bool, generator: np.random.Generator) -> Any:
        self.asked.append((rows, deterministic))
        self.drawn.append(generator.random())
        return self._rule


def balance(observation: np.ndarray) -> np.ndarray:
    """A CartPole rule that looks at the pole: episodes of different lengths, 30 to 60 steps."""
    action: np.ndarray = (observation[:, 2] > 0.0).astype(np.int64)
    return action


def evaluator(
    env_id: str, episodes: int, *, stream: Stream = Stream.EVALUATION, **settings: Any
) -> Evaluator:
    return Evaluator(
        env_id,
        EnvironmentConfig(**settings),
        episodes=episodes,
        deterministic=True,
        seed=SEED,
        stream=stream,
    )


def score(
    made: Evaluator,
    rule: Callable[[np.ndarray], np.ndarray] = balance,
    *,
    normalizer: ObservationNormalizer | None = None,
    index: int = 0,
) -> Episodes:
    algorithm: Any = Policy(rule)
    return made.score(algorithm, normalizer, index=index)


def plain_scores(
    episodes: int, *, index: int = 0, stream: Stream = Stream.EVALUATION, **keywords: Any
) -> tuple[list[float], list[int]]:
    """One environment, one episode after another."""
    returns, lengths = [], []
    for episode in range(episodes):
        env = gymnasium.make("CartPole-v1", **keywords)
        seen, _ = env.reset(seed=episode_seed(SEED, stream, index, episode))
        total, length, ended = 0.0, 0, False
        while not ended:
            seen, reward, terminated, truncated, _ = env.step(int(seen[2] > 0.0))
            total, length, ended = total + float(reward), length + 1, terminated or truncated
        returns.append(total)
        lengths.append(length)
        env.close()
    return returns, lengths


@pytest.mark.parametrize("episodes", [1, 3, MAX_PARALLEL, MAX_PARALLEL + 1, 3 * MAX_PARALLEL - 5])
def test_scores_equal_a_plain_loop_for_any_number_of_episodes(episodes: int) -> None:
    scored = score(evaluator("CartPole-v1", episodes))
    assert (scored.returns, scored.lengths) == plain_scores(episodes)
    assert episodes < 3 or len(set(scored.lengths)) > 1


@pytest.mark.parametrize("index", [0, 1, 7])
@pytest.mark.parametrize("stream", [Stream.EVALUATION, Stream.SCORING])
def test_every_evaluation_has_episodes_of_its_own(stream: Stream, index: int) -> None:
    scored = score(evaluator("CartPole-v1", 5, stream=stream), index=index)
    assert (scored.returns, scored.lengths) == plain_scores(5, index=index, stream=stream)


def test_the_same_evaluation_gives_the_same_scores_whatever_came_before() -> None:
    used = evaluator("CartPole-v1", 20)
    score(used, index=0)
    assert score(used, index=1) == score(evaluator("CartPole-v1", 20), index=1)
    assert score(used, index=1) != score(used, index=2)


def test_a_time_limit_ends_episodes() -> None:
    scored = score(evaluator("CartPole-v1", 20, max_episode_steps=35))
    assert (scored.returns, scored.lengths) == plain_scores(20, max_episode_steps=35)
    assert max(scored.lengths) == 35
    assert min(scored.lengths) < 35


def test_wrapped_environments_end_by_their_own_limit() -> None:
    made = evaluator("CartPole-v1", 18, max_episode_steps=35, frame_stack=2)
    scored = score(made, lambda observation: (observation[:, 6] > 0.0).astype(np.int64))
    assert (scored.returns, scored.lengths) == plain_scores(18, max_episode_steps=35)


def test_fresh_environments_score_the_same_where_no_state_is_carried() -> None:
    fresh = score(evaluator("CartPole-v1", 20, fresh_each_episode=True))
    assert (fresh.returns, fresh.lengths) == plain_scores(20)


def test_fresh_environments_undo_carried_state() -> None:
    made = evaluator("CarriesState-v0", 20, fresh_each_episode=True)
    seen: list[np.ndarray] = []

    def rule(observation: np.ndarray) -> np.ndarray:
        seen.append(observation.copy())
        return np.zeros(len(observation), dtype=np.int64)

    score(made, rule)
    score(made, rule)
    assert {float(value) for array in seen for value in array[:, 1]} == {1.0}


def observations_scored(normalizer: ObservationNormalizer, *, normalize: bool) -> list[np.ndarray]:
    """What the policy sees of two episodes."""
    seen: list[np.ndarray] = []

    def rule(observation: np.ndarray) -> np.ndarray:
        seen.append(observation.copy())
        return np.zeros(len(observation), dtype=np.int64)

    made = evaluator("CartPole-v1", 2, normalize_observation=normalize)
    scored = score(made, rule, normalizer=normalizer)
    assert len(seen) == max(scored.lengths)
    return seen


def test_observations_are_normalised_by_statistics_that_stay_as_they_are() -> None:
    normalizer = ObservationNormalizer(4)
    generator = np.random.default_rng(0)
    normalizer.update(generator.normal([1.0, 0.0, 0.3, 0.0], [1.0, 1.0, 0.5, 1.0], (100, 4)))
    before = copy.deepcopy(normalizer.state_dict())
    normalized = observations_scored(normalizer, normalize=True)
    raw = observations_scored(normalizer, normalize=False)
    np.testing.assert_equal(normalizer.state_dict(), before)
    env = gymnasium.make("CartPole-v1")
    first, _ = env.reset(seed=episode_seed(SEED, Stream.EVALUATION, 0, 0))
    np.testing.assert_array_equal(raw[0][0], first)
    expected = (np.stack(raw) - before["mean"]) / np.sqrt(before["variance"])
    np.testing.assert_allclose(np.stack(normalized), expected, rtol=1e-4, atol=1e-5)


def test_rewards_are_not_scaled() -> None:
    made = evaluator("Counting-v0", 3, normalize_reward=True)
    scored = score(made, lambda observation: np.ones(len(observation), dtype=np.int64))
    assert scored.returns == [104.0] * 3
    assert scored.lengths == [4] * 3


def test_the_policy_gets_as_many_rows_as_environments_and_a_generator_per_evaluation() -> None:
    algorithm: Any = Policy(balance)
    made = evaluator("CartPole-v1", MAX_PARALLEL + 3)
    for index in (0, 1, 0):
        made.score(algorithm, None, index=index)
    assert algorithm.asked == [(MAX_PARALLEL, True)] * 3
    assert algorithm.drawn[0] == algorithm.drawn[2] != algorithm.drawn[1]


def test_summary_numbers_are_over_episodes() -> None:
    episodes = Episodes(returns=[1.0, 2.0, 6.0], lengths=[10, 20, 60])
    assert episodes.return_mean == 3.0
    assert episodes.return_std == pytest.approx((14.0 / 3.0) ** 0.5)  # ddof = 0
    assert episodes.length_mean == 30.0


def test_environments_unlike_trainings_are_refused() -> None:
    made = evaluator("CartPole-v1", 1, frame_stack=2)
    made.require_like(8, "discrete", (2,))
    with pytest.raises(UnusableEnvironmentError, match=r"environment\.evaluation"):
        made.require_like(4, "discrete", (2,))
    with pytest.raises(UnusableEnvironmentError, match=r"environment\.evaluation"):
        made.require_like(8, "box", (2,))


def test_closing_closes_every_environment() -> None:
    made = evaluator("Counting-v0", 2, fresh_each_episode=True)
    score(made, lambda observation: np.zeros(len(observation), dtype=np.int64))
    made.close()


def trained(deterministic: bool) -> tuple[Environments, PPO, Evaluator]:
    settings = EnvironmentConfig(normalize_observation=True)
    environments = Environments("CartPole-v1", settings, num_envs=2, seed=SEED)
    context = AlgorithmContext(
        observations=environments.observations,
        actions=environments.actions,
        num_envs=2,
        normalizer=environments.normalizer,
        engine="mlp",
        device="cpu",
        seed=SEED,
    )
    algorithm = PPO(PPOConfig(n_steps=16, batch_size=16, n_epochs=1), context)
    made = Evaluator("CartPole-v1", settings, episodes=4, deterministic=deterministic, seed=SEED)
    return environments, algorithm, made


def bits(value: Any) -> Any:
    """A state with every array and tensor as its bytes."""
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    if isinstance(value, list):
        return [bits(item) for item in value]
    return np.asarray(value).tobytes() if hasattr(value, "shape") else value


@pytest.mark.parametrize("deterministic", [True, False])
def test_scoring_changes_nothing_in_training(deterministic: bool) -> None:
    environments, algorithm, made = trained(deterministic)
    twin_environments, twin, _ = trained(deterministic)
    for _ in range(3):
        state = bits([algorithm.state_dict(), environments.state_dict()])
        scored = made.score(algorithm, environments.normalizer, index=0)
        assert made.score(algorithm, environments.normalizer, index=0) == scored
        assert bits([algorithm.state_dict(), environments.state_dict()]) == state
        assert bits([twin.state_dict(), twin_environments.state_dict()]) == state
        for one, other in ((environments, algorithm), (twin_environments, twin)):
            transitions, _ = one.collect(other.explorer(16, Progress(0, 0.0, False)), 16)
            other.observe(transitions)
            other.update(Progress(32, 0.0, True))
        assert bits(algorithm.state_dict()) != state[0]
