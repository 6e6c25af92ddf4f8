"""SAC: acting, when it learns, its targets, bad settings, exact continuation.

What a gradient step computes is in test_sac_gradients.py, what is learned in test_sac_probes.py.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from axiomrl.algorithms.protocol import Progress
from axiomrl.algorithms.sac import SAC, SACConfig
from axiomrl.config import config_from_mapping
from axiomrl.config.schema import EnvironmentConfig, Schedule
from axiomrl.errors import ConfigError, UnusableEnvironmentError
from axiomrl.training.environments import Environments
from axiomrl.training.squashed import LOG_STD_MAX

from .building import ENGINES, bits, context_for, context_of, rollout
from .off_policy import Learner, generator_of, leaves, run

OBSERVATION_SPACE = spaces.Box(-np.inf, np.inf, (3,))
ACTIONS = 2
SMALL: dict[str, Any] = {
    "buffer_size": 500,
    "batch_size": 8,
    "learning_starts": 0,
    "hidden_sizes": (16, 8),
    "learning_rate": 1e-2,
}


def sac(engine: str = "mlp", *, envs: int = 1, seed: int = 0, **settings: Any) -> SAC:
    """SAC for three observed numbers and two continuous actions."""
    space = spaces.Box(-1.0, 1.0, (ACTIONS,))
    context = context_of(OBSERVATION_SPACE, space, engine=engine, envs=envs, seed=seed)
    return SAC(SACConfig(**{**SMALL, **settings}), context)


def updated(algorithm: SAC, env_steps: int, *, envs: int = 1, fraction: float = 0.0) -> Any:
    """One block of random transitions and the update after it."""
    transitions = rollout("box", algorithm.steps_per_update, envs, seed=env_steps)
    transitions.action[:] = np.tanh(transitions.action)
    algorithm.observe(transitions)
    return algorithm.update(Progress(env_steps, fraction, True))


def flat(tensors: dict[str, Any]) -> np.ndarray:
    return np.concatenate([np.asarray(tensors[name]).ravel() for name in sorted(tensors)])


NETWORKS = ("actor", "critics", "target_critics")


def parameters(algorithm: SAC) -> dict[str, np.ndarray]:
    state = algorithm.state_dict()
    return {name: flat(state[name]) for name in NETWORKS}


# Acting


def taken(algorithm: SAC, steps: int, *, env_steps: int, envs: int = 1) -> np.ndarray:
    """Actions [steps, envs, 2] of an explorer that always sees the same."""
    act = algorithm.explorer(steps, Progress(env_steps, 0.0, False))
    seen = np.full((envs, 3), 0.5, dtype=np.float32)
    return np.array([act(seen) for _ in range(steps)])


def gaussian(algorithm: SAC) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of the actor where 0.5 is observed, before squashing."""
    named = leaves(algorithm.state_dict()["actor"])
    outputs = run(named, "policy", torch.full((1, 3), 0.5, dtype=torch.float64))[0]
    mean, log_std = outputs.detach().numpy().reshape(2, ACTIONS)
    return mean, np.exp(np.clip(log_std, -20.0, LOG_STD_MAX))


@pytest.mark.parametrize("envs", [1, 3])
def test_the_warm_up_is_uniform_over_the_whole_range(envs: int) -> None:
    actions = taken(sac(envs=envs, learning_starts=100), 4000, env_steps=99, envs=envs)
    assert actions.shape == (4000, envs, ACTIONS)
    assert actions.dtype == np.float32
    assert np.abs(actions).max() <= 1.0
    counts, _ = np.histogram(actions, bins=10, range=(-1.0, 1.0))
    np.testing.assert_allclose(counts / actions.size, [0.1] * 10, atol=0.012)
    columns = actions.reshape(4000, -1)  # independent of one another
    np.testing.assert_allclose(np.corrcoef(columns.T), np.eye(columns.shape[1]), atol=0.06)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("envs", [1, 3])
def test_after_the_warm_up_the_policy_acts(envs: int, engine: str) -> None:
    algorithm = sac(engine, envs=envs, learning_starts=100)
    noise = generator_of(algorithm.state_dict()["noise"])
    drawn = noise.standard_normal((50, envs, ACTIONS), dtype=np.float32)
    mean, deviation = gaussian(algorithm)
    actions = taken(algorithm, 50, env_steps=100, envs=envs)
    np.testing.assert_allclose(actions, np.tanh(mean + deviation * drawn), atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rows", [1, 4])
def test_a_deterministic_policy_takes_the_squashed_mean(rows: int, engine: str) -> None:
    algorithm = sac(engine)
    act = algorithm.policy(rows, deterministic=True, generator=np.random.default_rng(0))
    action = act(np.full((rows, 3), 0.5, dtype=np.float32))
    mean, _ = gaussian(algorithm)
    np.testing.assert_allclose(action, np.tile(np.tanh(mean), (rows, 1)), atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rows", [1, 4])
def test_a_stochastic_policy_samples(rows: int, engine: str) -> None:
    algorithm = sac(engine)
    act = algorithm.policy(rows, deterministic=False, generator=np.random.default_rng(7))
    drawn = np.random.default_rng(7)
    mean, deviation = gaussian(algorithm)
    for _ in range(3):
        noise = drawn.standard_normal((rows, ACTIONS), dtype=np.float32)
        action = act(np.full((rows, 3), 0.5, dtype=np.float32))
        np.testing.assert_allclose(action, np.tanh(mean + deviation * noise), atol=1e-5)


def test_the_deviation_is_bounded() -> None:
    algorithm = sac()
    state = copy.deepcopy(algorithm.state_dict())
    state["actor"]["policy.2.bias"][ACTIONS:] = torch.tensor([50.0, -50.0])
    algorithm.load_state_dict(state)
    mean, deviation = gaussian(algorithm)
    np.testing.assert_allclose(deviation, np.exp([2.0, -20.0]))
    noise = generator_of(algorithm.state_dict()["noise"])
    drawn = noise.standard_normal((20, 1, ACTIONS), dtype=np.float32)
    actions = taken(algorithm, 20, env_steps=10)
    np.testing.assert_allclose(actions, np.tanh(mean + deviation * drawn), atol=1e-5)


class Recorder(gymnasium.Env[Any, Any]):
    """Keeps the actions that it is given; its bounds are not symmetric."""

    observation_space = spaces.Box(-1.0, 1.0, (3,))
    action_space = spaces.Box(np.array([-1.0, 0.0]), np.array([3.0, 10.0]), dtype=np.float64)
    taken: ClassVar[list[np.ndarray]] = []

    def reset(self, **options: Any) -> Any:
        return np.zeros(3, dtype=np.float32), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action), action
        self.taken.append(action)
        return np.zeros(3, dtype=np.float32), 0.0, False, False, {}


class Unbounded(Recorder):
    """Actions without a bound on one side."""

    action_space = spaces.Box(np.array([-1.0, 0.0]), np.array([3.0, np.inf]), dtype=np.float64)


for kind in (Recorder, Unbounded):
    maker: Any = kind
    if f"{kind.__name__}-v0" not in gymnasium.registry:
        gymnasium.register(f"{kind.__name__}-v0", entry_point=maker)


@pytest.mark.parametrize("env_steps", [0, 1000])
def test_actions_are_rescaled_to_the_box_and_replayed_as_they_were(env_steps: int) -> None:
    environments = Environments(
        "Recorder-v0",
        EnvironmentConfig(),
        num_envs=2,
        seed=0,
        action_transform=SAC.action_transform,
    )
    settings = SACConfig(**{**SMALL, "learning_starts": 100})
    algorithm = SAC(settings, context_for(environments, engine="mlp", seed=0))
    Recorder.taken.clear()
    act = algorithm.explorer(40, Progress(env_steps, 0.0, False))
    transitions, _ = environments.collect(act, 40)
    algorithm.observe(transitions)
    actions = transitions.action.reshape(-1, 2)
    assert np.abs(actions).max() <= 1.0
    low, high = Recorder.action_space.low, Recorder.action_space.high
    expected = low + (actions + 1.0) / 2.0 * (high - low)
    np.testing.assert_allclose(np.array(Recorder.taken), expected, atol=1e-5)
    np.testing.assert_array_equal(algorithm.replay.rows["action"][:80], actions)


def test_a_box_without_bounds_is_refused() -> None:
    with pytest.raises(UnusableEnvironmentError, match="no bounds to scale to"):
        Environments(
            "Unbounded-v0",
            EnvironmentConfig(),
            num_envs=1,
            seed=0,
            action_transform=SAC.action_transform,
        )


# When it learns


def test_nothing_is_learned_before_learning_starts() -> None:
    algorithm = sac(learning_starts=12, train_every=4)
    before = bits(parameters(algorithm))
    for env_steps in (4, 8, 12):
        assert updated(algorithm, env_steps) == {}
    assert algorithm.gradient_steps == 0
    assert bits(parameters(algorithm)) == before
    metrics = updated(algorithm, 16)
    assert metrics["train_replay_size"] == 16
    assert algorithm.gradient_steps == 1
    after = bits(parameters(algorithm))
    assert all(after[name] != before[name] for name in NETWORKS)


@pytest.mark.parametrize(
    ("train_every", "envs", "steps"), [(1, 1, 1), (1, 4, 1), (4, 3, 2), (64, 3, 22)]
)
def test_blocks_reach_train_every_over_all_environments(
    train_every: int, envs: int, steps: int
) -> None:
    assert sac(envs=envs, train_every=train_every).steps_per_update == steps


@pytest.mark.parametrize(("gradient_steps", "expected"), [(1, 1), (5, 5), (-1, 6)])
def test_an_update_takes_its_gradient_steps(gradient_steps: int, expected: int) -> None:
    algorithm = sac(envs=3, train_every=4, gradient_steps=gradient_steps)
    updated(algorithm, 6, envs=3)
    assert algorithm.gradient_steps == expected
    state = algorithm.state_dict()
    for optimizer in ("actor_optimizer", "critic_optimizer", "alpha_optimizer"):
        assert state[optimizer]["step"] == expected


def test_one_step_of_each_block_can_have_returns_of_many_steps() -> None:
    algorithm = sac(n_step=5)
    for env_steps in range(1, 40):
        updated(algorithm, env_steps)
    assert 34 <= algorithm.replay.count < 40
    assert algorithm.gradient_steps > 30


@pytest.mark.parametrize(("fraction", "rate"), [(0.0, 1e-2), (0.5, 5e-3), (1.0, 0.0)])
def test_the_learning_rate_follows_its_schedule(fraction: float, rate: float) -> None:
    scheduled = sac(learning_rate=Schedule(start=1e-2, end=0.0))
    constant = sac(learning_rate=rate)
    for algorithm in (scheduled, constant):
        metrics = updated(algorithm, 4, fraction=fraction)
        assert metrics["train_learning_rate"] == pytest.approx(rate)
    assert bits(scheduled.state_dict()) == bits(constant.state_dict())


def test_target_critics_begin_as_copies() -> None:
    begun = parameters(sac())
    assert begun["critics"].tobytes() == begun["target_critics"].tobytes()


def test_both_critics_begin_differently() -> None:
    critics = sac().state_dict()["critics"]
    assert not np.array_equal(critics["q1.0.weight"], critics["q2.0.weight"])


@pytest.mark.parametrize("engine", ENGINES)
def test_targets_move_every_so_many_gradient_steps(engine: str) -> None:
    algorithm = sac(engine, target_update_every=3, tau=0.25)
    moved = []
    for env_steps in range(1, 8):
        before = parameters(algorithm)["target_critics"].astype(np.float64)
        updated(algorithm, env_steps)
        now = parameters(algorithm)
        if not np.array_equal(now["target_critics"], before):
            moved.append(algorithm.gradient_steps)
            expected = before + 0.25 * (now["critics"] - before)
            np.testing.assert_allclose(now["target_critics"], expected, rtol=0.0, atol=1e-7)
    assert moved == [3, 6]


@pytest.mark.parametrize(("target_entropy", "grows"), [(5.0, True), (-20.0, False)])
def test_the_temperature_grows_while_there_is_too_little_entropy(
    target_entropy: float, grows: bool
) -> None:
    algorithm = sac(target_entropy=target_entropy)
    coefficients = [updated(algorithm, step)["train_entropy_coef"] for step in range(1, 10)]
    assert coefficients[0] == 1.0
    assert np.all(np.diff(coefficients) > 0.0) if grows else np.all(np.diff(coefficients) < 0.0)


# Bad settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"buffer_size": 10, "batch_size": 32}, r"buffer_size is 10, less than one batch \(32\)"),
        ({"gradient_steps": 0}, "gradient_steps is 0, so nothing would be learned"),
        ({"gradient_steps": -2}, "hyperparameters.gradient_steps"),
        ({"n_step": 0}, "hyperparameters.n_step"),
        ({"entropy_coef": -0.1}, "hyperparameters.entropy_coef"),
        ({"entropy_coef": "automatic"}, "hyperparameters.entropy_coef"),
        ({"entropy_coef_init": 0.0}, "hyperparameters.entropy_coef_init"),
        ({"target_entropy": "big"}, "hyperparameters.target_entropy"),
        ({"tau": 0.0}, "hyperparameters.tau"),
        ({"tau": 1.5}, "hyperparameters.tau"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], said: str) -> None:
    values = {"algo": "sac", "env_id": "Pendulum-v1", "total_timesteps": 100}
    with pytest.raises(ConfigError, match=said):
        config_from_mapping({**values, "hyperparameters": settings})


@pytest.mark.parametrize(
    "settings", [{"entropy_coef": 0.2, "target_entropy": -3.5}, {"entropy_coef": "auto"}, {}]
)
def test_temperatures_may_be_numbers_or_auto(settings: dict[str, Any]) -> None:
    values = {"algo": "sac", "env_id": "Pendulum-v1", "total_timesteps": 100}
    hyperparameters: Any = config_from_mapping(
        {**values, "hyperparameters": settings}
    ).hyperparameters
    assert hyperparameters.entropy_coef == settings.get("entropy_coef", "auto")
    assert hyperparameters.target_entropy == settings.get("target_entropy", "auto")


# Exact continuation


def pendulum(engine: str, *, seed: int, normalized: bool = False, **settings: Any) -> Learner:
    environments = Environments(
        "Pendulum-v1",
        EnvironmentConfig(normalize_observation=normalized, max_episode_steps=17),
        num_envs=2,
        seed=1,
        action_transform=SAC.action_transform,
    )
    values = {
        **SMALL,
        "buffer_size": 90,  # overwritten within the test
        "train_every": 6,
        "gradient_steps": 2,
        "learning_starts": 20,
        "target_update_every": 3,
        **settings,
    }
    context = context_for(environments, engine=engine, seed=seed)
    return Learner(SAC(SACConfig(**values), context), environments)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize("entropy_coef", ["auto", 0.1])
@pytest.mark.parametrize("normalized", [False, True])
def test_a_restored_learner_continues_with_the_same_bits(
    normalized: bool, entropy_coef: Any, n_step: int, engine: str, tmp_path: Path
) -> None:
    settings = {"entropy_coef": entropy_coef, "n_step": n_step, "normalized": normalized}
    original = pendulum(engine, seed=0, **settings)
    original.blocks(17)  # 102 env steps
    restored = pendulum(engine, seed=99, **settings)  # nothing of its own start may remain
    restored.continue_from(original, tmp_path / "state.pt")
    assert bits(restored.state()) == bits(original.state())
    happened = original.blocks(6)
    assert restored.blocks(6) == happened
    assert bits(restored.state()) == bits(original.state())
    assert restored.algorithm.gradient_steps == original.algorithm.gradient_steps == 40
    assert all("train_policy_loss" in metrics for _, metrics in happened)


def test_both_engines_learn_the_same() -> None:
    one, other = (pendulum(engine, seed=0, n_step=3) for engine in ENGINES)
    one.blocks(8)
    other.blocks(8)
    expected = parameters(other.algorithm)
    for name, value in parameters(one.algorithm).items():
        np.testing.assert_allclose(value, expected[name], rtol=0.0, atol=1e-5)
