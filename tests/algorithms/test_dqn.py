"""DQN: acting, when it learns, its target network, bad settings, exact continuation.

What a gradient step computes is in test_dqn_gradients.py, what is learned in test_dqn_probes.py.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from axiomrl.algorithms.dqn import DQN, DQNConfig
from axiomrl.algorithms.protocol import Progress
from axiomrl.config import config_from_mapping
from axiomrl.config.schema import EnvironmentConfig, Schedule
from axiomrl.errors import ConfigError
from axiomrl.training.environments import Environments

from .building import ACTION_SPACES, ENGINES, bits, context_for, context_of, rollout, tensors_of
from .off_policy import Learner

OBSERVATION_SPACE = spaces.Box(-np.inf, np.inf, (3,))
SMALL: dict[str, Any] = {
    "buffer_size": 500,
    "batch_size": 8,
    "learning_starts": 0,
    "hidden_sizes": (16, 8),
    "learning_rate": 1e-2,
}
ACTIONS = 4


def dqn(engine: str = "mlp", *, envs: int = 1, seed: int = 0, **settings: Any) -> DQN:
    """DQN for three observed numbers and four actions."""
    space = ACTION_SPACES["discrete"]
    context = context_of(OBSERVATION_SPACE, space, engine=engine, envs=envs, seed=seed)
    return DQN(DQNConfig(**{**SMALL, **settings}), context)


def updated(algorithm: DQN, env_steps: int, *, envs: int = 1, fraction: float = 0.0) -> Any:
    """One block of random transitions and the update after it."""
    algorithm.observe(rollout("discrete", algorithm.steps_per_update, envs, seed=env_steps))
    return algorithm.update(Progress(env_steps, fraction, True))


def flat(tensors: dict[str, Any]) -> np.ndarray:
    return np.concatenate([np.asarray(tensors[name]).ravel() for name in sorted(tensors)])


def online_and_target(algorithm: DQN) -> tuple[np.ndarray, np.ndarray]:
    state = algorithm.state_dict()
    return flat(state["network"]), flat(state["target"])


# Acting


def taken(
    algorithm: DQN, steps: int, *, env_steps: int, fraction: float = 0.0, envs: int = 1
) -> np.ndarray:
    """Actions [steps, envs] of an explorer that always sees the same."""
    act = algorithm.explorer(steps, Progress(env_steps, fraction, False))
    seen = np.full((envs, 3), 0.5, dtype=np.float32)
    return np.array([act(seen) for _ in range(steps)])


def greedy_action(algorithm: DQN) -> int:
    act = algorithm.policy(1, deterministic=True, generator=np.random.default_rng(0))
    return int(act(np.full((1, 3), 0.5, dtype=np.float32))[0])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dueling", [False, True])
def test_the_greedy_action_has_the_highest_value(dueling: bool, engine: str) -> None:
    algorithm = dqn(engine, dueling=dueling, epsilon=0.0)
    assert set(taken(algorithm, 20, env_steps=10).ravel()) == {greedy_action(algorithm)}
    state = copy.deepcopy(algorithm.state_dict())
    head = "advantage.0" if dueling else "q.2"
    last = "advantage.1" if dueling else "q.2"
    for name in state["network"]:
        if name.startswith((head, last)):
            state["network"][name][...] = 0.0
    state["network"][f"{last}.bias"][2] = 1.0
    algorithm.load_state_dict(state)
    assert greedy_action(algorithm) == 2
    assert set(taken(algorithm, 20, env_steps=10).ravel()) == {2}


@pytest.mark.parametrize("envs", [1, 3])
def test_actions_are_random_until_learning_starts(envs: int) -> None:
    algorithm = dqn(envs=envs, learning_starts=100, epsilon=0.0)
    actions = taken(algorithm, 2000, env_steps=99, envs=envs)
    for env in range(envs):
        counts = np.bincount(actions[:, env], minlength=ACTIONS)
        np.testing.assert_allclose(counts / 2000, [0.25] * ACTIONS, atol=0.04)
    if envs > 1:  # and independent of one another
        assert 0.2 < (actions[:, 0] == actions[:, 1]).mean() < 0.3
    later = taken(algorithm, 50, env_steps=100, envs=envs)
    assert set(later.ravel()) == {greedy_action(algorithm)}


@pytest.mark.parametrize("envs", [1, 2])
@pytest.mark.parametrize(("fraction", "epsilon"), [(0.0, 0.9), (0.25, 0.5), (0.5, 0.1), (0.8, 0.1)])
def test_epsilon_follows_its_schedule_until_its_end(
    fraction: float, epsilon: float, envs: int
) -> None:
    schedule = Schedule(start=0.9, end=0.1, until=0.5)
    algorithm = dqn(envs=envs, epsilon=schedule)
    metrics = algorithm.update(Progress(0, fraction, True))
    assert metrics["train_epsilon"] == pytest.approx(epsilon)
    actions = taken(algorithm, 4000, env_steps=10, fraction=fraction, envs=envs)
    expected = 1.0 - epsilon + epsilon / ACTIONS  # a random action may be the greedy one
    assert (actions == greedy_action(algorithm)).mean() == pytest.approx(expected, abs=0.025)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stochastic_policy_explores_with_the_last_epsilon(engine: str) -> None:
    algorithm = dqn(engine, epsilon=Schedule(start=1.0, end=0.2))
    act = algorithm.policy(1000, deterministic=False, generator=np.random.default_rng(0))
    actions = act(np.full((1000, 3), 0.5, dtype=np.float32))
    assert (actions == greedy_action(algorithm)).mean() == pytest.approx(0.85, abs=0.04)


# When it learns


def test_nothing_is_learned_before_learning_starts() -> None:
    algorithm = dqn(learning_starts=12, train_every=4)
    before, _ = online_and_target(algorithm)
    for env_steps in (4, 8, 12):
        metrics = updated(algorithm, env_steps)
        assert set(metrics) == {"train_epsilon", "train_replay_size"}
        assert metrics["train_replay_size"] == env_steps
    assert algorithm.gradient_steps == 0
    assert online_and_target(algorithm)[0].tobytes() == before.tobytes()
    assert "train_loss" in updated(algorithm, 16)
    assert algorithm.gradient_steps == 1
    assert not np.array_equal(online_and_target(algorithm)[0], before)


def test_nothing_is_learned_from_an_empty_buffer() -> None:
    # with 3-step returns, the first block of 2 steps completes no transition
    algorithm = dqn(train_every=2, n_step=3)
    transitions = rollout("discrete", 2, 1)
    transitions.terminated[:] = transitions.truncated[:] = False
    algorithm.observe(transitions)
    assert "train_loss" not in algorithm.update(Progress(2, 0.0, True))
    assert algorithm.gradient_steps == 0


@pytest.mark.parametrize(
    ("train_every", "envs", "steps"),
    [(4, 1, 4), (4, 2, 2), (4, 3, 2), (4, 4, 1), (1, 8, 1), (256, 3, 86)],
)
def test_blocks_reach_train_every_over_all_environments(
    train_every: int, envs: int, steps: int
) -> None:
    assert dqn(envs=envs, train_every=train_every).steps_per_update == steps


@pytest.mark.parametrize(("gradient_steps", "expected"), [(1, 1), (5, 5), (-1, 6)])
def test_an_update_takes_its_gradient_steps(gradient_steps: int, expected: int) -> None:
    # -1: as many as env steps since the last update, here 2 steps of 3 environments
    algorithm = dqn(envs=3, train_every=4, gradient_steps=gradient_steps)
    updated(algorithm, 6, envs=3)
    assert algorithm.gradient_steps == expected
    assert algorithm.state_dict()["optimizer"]["step"] == expected


@pytest.mark.parametrize(("fraction", "rate"), [(0.0, 1e-2), (0.5, 5e-3), (1.0, 0.0)])
def test_the_learning_rate_follows_its_schedule(fraction: float, rate: float) -> None:
    scheduled = dqn(learning_rate=Schedule(start=1e-2, end=0.0))
    constant = dqn(learning_rate=rate)
    for algorithm in (scheduled, constant):
        metrics = updated(algorithm, 4, fraction=fraction)
        assert metrics["train_learning_rate"] == pytest.approx(rate)
    assert bits(scheduled.state_dict()) == bits(constant.state_dict())


def test_the_replay_size_reported_ends_at_its_capacity() -> None:
    algorithm = dqn(buffer_size=10)
    sizes = [updated(algorithm, 4 * block)["train_replay_size"] for block in range(1, 5)]
    assert sizes == [4, 8, 10, 10]


# The target network


def test_the_target_begins_as_a_copy() -> None:
    online, target = online_and_target(dqn())
    assert online.tobytes() == target.tobytes()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_target_is_copied_when_a_multiple_of_its_interval_is_crossed(engine: str) -> None:
    algorithm = dqn(engine, envs=2, train_every=4, target_update_every=10)
    copied = []
    _, target = online_and_target(algorithm)
    for env_steps in range(4, 44, 4):
        updated(algorithm, env_steps, envs=2)
        online, now = online_and_target(algorithm)
        assert not np.array_equal(online, target)
        if np.array_equal(now, online):
            copied.append(env_steps)
        else:
            assert now.tobytes() == target.tobytes()
        target = now.copy()
    assert copied == [12, 20, 32, 40]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("tau", [0.25, 0.005])
def test_a_polyak_target_moves_a_share_of_the_way(tau: float, engine: str) -> None:
    algorithm = dqn(engine, train_every=4, target_update_every=4, tau=tau)
    for env_steps in (4, 8, 12):
        _, before = online_and_target(algorithm)
        before = before.astype(np.float64)
        updated(algorithm, env_steps)
        online, target = online_and_target(algorithm)
        np.testing.assert_allclose(target, before + tau * (online - before), rtol=0.0, atol=1e-7)
        assert np.abs(target - before).max() > 1e-5


# Observation normalisation


def test_replay_holds_what_the_environment_gave() -> None:
    environments = Environments(
        "CartPole-v1", EnvironmentConfig(normalize_observation=True), num_envs=2, seed=0
    )
    algorithm = DQN(DQNConfig(**SMALL), context_for(environments, engine="mlp", seed=0))
    act = algorithm.explorer(30, Progress(0, 0.0, False))
    for _ in range(2):
        transitions, _ = environments.collect(act, 15)
        algorithm.observe(transitions)
    raw = transitions.raw_observation.reshape(-1, 4)
    rows = algorithm.replay.between(30, 60)
    np.testing.assert_array_equal(rows["observation"], raw)
    assert np.abs(raw - transitions.observation.reshape(-1, 4)).max() > 0.1
    led_to = transitions.raw_next_observation.reshape(-1, 4)
    np.testing.assert_array_equal(rows["next_observation"], led_to)


# Bad settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"buffer_size": 10, "batch_size": 32}, r"buffer_size is 10, less than one batch \(32\)"),
        ({"gradient_steps": 0}, "gradient_steps is 0, so nothing would be learned"),
        ({"gradient_steps": -2}, "hyperparameters.gradient_steps"),
        ({"n_step": 0}, "hyperparameters.n_step"),
        ({"train_every": 0}, "hyperparameters.train_every"),
        ({"prioritized_beta": 1.5}, "hyperparameters.prioritized_beta"),
        ({"prioritized_beta": -0.1}, "hyperparameters.prioritized_beta"),
        ({"prioritized_beta": {"start": 0.4, "end": 1.1}}, "hyperparameters.prioritized_beta"),
        ({"prioritized_alpha": 1.5}, "hyperparameters.prioritized_alpha"),
        ({"epsilon": 1.5}, "hyperparameters.epsilon"),
        ({"tau": 0.0}, "hyperparameters.tau"),
        ({"loss": "hubert"}, "hyperparameters.loss"),
        ({"dubble": True}, "did you mean: double"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], said: str) -> None:
    values = {"algo": "dqn", "env_id": "CartPole-v1", "total_timesteps": 100}
    with pytest.raises(ConfigError, match=said):
        config_from_mapping({**values, "hyperparameters": settings})


# Exact continuation


def cartpole(engine: str, *, seed: int, normalized: bool = False, **settings: Any) -> Learner:
    environments = Environments(
        "CartPole-v1",
        EnvironmentConfig(normalize_observation=normalized),
        num_envs=2,
        seed=1,
    )
    values = {
        **SMALL,
        "buffer_size": 90,  # overwritten within the test
        "train_every": 6,
        "gradient_steps": 2,
        "learning_starts": 20,
        "target_update_every": 30,
        **settings,
    }
    context = context_for(environments, engine=engine, seed=seed)
    return Learner(DQN(DQNConfig(**values), context), environments)


COMBINATIONS = [
    pytest.param(
        {"double": double, "dueling": dueling, "n_step": n_step, "prioritized": prioritized},
        id=f"double_{double}-dueling_{dueling}-n_step_{n_step}-prioritized_{prioritized}",
    )
    for double in (False, True)
    for dueling in (False, True)
    for n_step in (1, 3)
    for prioritized in (False, True)
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("settings", COMBINATIONS)
def test_a_restored_learner_continues_with_the_same_bits(
    settings: dict[str, Any], engine: str, tmp_path: Path
) -> None:
    original = cartpole(engine, seed=0, **settings)
    original.blocks(17)  # 102 env steps
    restored = cartpole(engine, seed=99, **settings)  # nothing of its own start may remain
    restored.continue_from(original, tmp_path / "state.pt")
    assert bits(restored.state()) == bits(original.state())
    happened = original.blocks(6)
    assert restored.blocks(6) == happened
    assert bits(restored.state()) == bits(original.state())
    assert restored.algorithm.gradient_steps == original.algorithm.gradient_steps == 40
    assert all("train_loss" in metrics for _, metrics in happened)


def test_a_restored_learner_normalises_by_the_same_statistics(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"normalized": True, "n_step": 3, "prioritized": True}
    original, restored = cartpole("mlp", seed=0, **settings), cartpole("mlp", seed=9, **settings)
    original.blocks(10)
    restored.continue_from(original, tmp_path / "state.pt")
    assert restored.blocks(5) == original.blocks(5)
    assert bits(restored.state()) == bits(original.state())


def test_both_engines_learn_the_same() -> None:
    one, other = (
        cartpole(engine, seed=0, double=True, dueling=True, prioritized=True) for engine in ENGINES
    )
    one.blocks(8)
    other.blocks(8)
    expected = tensors_of(other.algorithm.state_dict())
    for name, value in tensors_of(one.algorithm.state_dict()).items():
        torch.testing.assert_close(value, expected[name], rtol=0.0, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"double": True},
        {"dueling": True},
        {"n_step": 3},
        {"prioritized": True},
        {"loss": "squared"},
        {"tau": 0.5},
        {"gamma": 0.9},
        {"max_grad_norm": 0.01},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_each_flag_changes_what_is_learned(settings: dict[str, Any]) -> None:
    much: dict[str, Any] = {"gradient_steps": 10, "target_update_every": 70}
    plain, changed = cartpole("mlp", seed=0, **much), cartpole("mlp", seed=0, **much, **settings)
    plain.blocks(17)
    changed.blocks(17)
    one, _ = online_and_target(plain.algorithm)
    other, _ = online_and_target(changed.algorithm)
    assert one.shape != other.shape or np.abs(one - other).max() > 1e-4
