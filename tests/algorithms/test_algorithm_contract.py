"""What every registered algorithm keeps to, on every engine and kind of action it knows."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axiomrl.algorithms import ALGORITHMS, algorithm_class
from axiomrl.algorithms.protocol import Algorithm, Progress
from axiomrl.config.schema import EnvironmentConfig
from axiomrl.errors import ConfigError
from axiomrl.metrics import METRICS
from axiomrl.training import checkpoints
from axiomrl.training.environments import Environments

from . import probe_environments
from .building import ENGINES, bits, context_for

probe_environments.register()
ENVIRONMENT_OF = {
    "discrete": "MatchingAction-v0",
    "multi_discrete": "MatchingActions-v0",
    "box": "MatchingTarget-v0",
}
# Settings under which an algorithm learns within its first blocks. A new algorithm adds its own.
OFF_POLICY = {"learning_starts": 16, "buffer_size": 50, "batch_size": 8, "hidden_sizes": (8,)}
SMALL: dict[str, dict[str, Any]] = {
    "dqn": {**OFF_POLICY, "train_every": 4, "target_update_every": 8},
    "sac": {**OFF_POLICY, "train_every": 2},
    "ppo": {"n_steps": 8, "batch_size": 6, "n_epochs": 2, "hidden_sizes": (8,)},
}
CASES = [
    pytest.param(name, kind, engine, id=f"{name}-{kind}-{engine}")
    for name in ALGORITHMS
    for kind in algorithm_class(name).action_kinds
    for engine in ENGINES
]
every_algorithm = pytest.mark.parametrize(("name", "kind", "engine"), CASES)


class Learner:
    """An algorithm with its environments, stepped as the training loop steps it."""

    def __init__(self, name: str, kind: str, engine: str, seed: int = 0) -> None:
        algorithm = algorithm_class(name)
        self.environments = Environments(
            ENVIRONMENT_OF[kind],
            EnvironmentConfig(normalize_observation=True),
            num_envs=2,
            seed=1,
            action_transform=algorithm.action_transform,
        )
        self.algorithm: Algorithm = algorithm(
            algorithm.config_class(**SMALL[name]),
            context_for(self.environments, engine=engine, seed=seed),
        )
        self.env_steps = 0

    def blocks(self, count: int, *, will_log: bool = True) -> list[Any]:
        """What happened in so many blocks: transitions as bytes, and metrics."""
        algorithm, steps, happened = self.algorithm, self.algorithm.steps_per_update, []
        for _ in range(count):
            fraction = self.env_steps / 1000
            act = algorithm.explorer(steps, Progress(self.env_steps, fraction, False))
            transitions, _ = self.environments.collect(act, steps)
            self.env_steps += steps * self.environments.num_envs
            algorithm.observe(transitions)
            metrics = algorithm.update(Progress(self.env_steps, fraction, will_log))
            seen = (transitions.observation, transitions.action, transitions.reward)
            happened.append((bits(seen), metrics))
        return happened

    def until_learned(self) -> None:
        """Go on until gradient steps have been taken, and one block further."""
        while self.algorithm.gradient_steps == 0:
            self.blocks(1)
            assert self.env_steps < 1000
        self.blocks(1)

    def state(self) -> dict[str, Any]:
        return {
            "algorithm": self.algorithm.state_dict(),
            "environments": self.environments.state_dict(),
        }

    def continue_from(self, other: Learner, path: Path) -> None:
        """Take over another learner's state through a checkpoint file."""
        rest = dict.fromkeys(("algo", "env_id", "counters", "positions"))
        checkpoints.save(path, {**rest, **other.state()})
        loaded = checkpoints.load(path)
        self.env_steps = other.env_steps
        self.environments.load_state_dict(loaded["environments"])
        self.algorithm.load_state_dict(loaded["algorithm"])
        if self.algorithm.replay is not None and other.algorithm.replay is not None:
            kept = other.algorithm.replay  # rows are saved apart from the state
            start = kept.count - kept.size
            self.algorithm.replay.restore(start, kept.between(start, kept.count))


def test_every_algorithm_has_small_settings_here() -> None:
    assert set(ALGORITHMS) <= set(SMALL)


def test_an_unknown_algorithm_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"(?s)'pqo' is not a known algorithm.*ppo"):
        algorithm_class("pqo")


@every_algorithm
def test_a_restored_algorithm_continues_with_the_same_bits(
    name: str, kind: str, engine: str, tmp_path: Path
) -> None:
    original = Learner(name, kind, engine)
    original.until_learned()
    restored = Learner(name, kind, engine, seed=99)  # nothing of its own start may remain
    restored.continue_from(original, tmp_path / "state.pt")
    assert bits(restored.state()) == bits(original.state())
    assert restored.blocks(3) == original.blocks(3)
    assert bits(restored.state()) == bits(original.state())
    assert restored.algorithm.gradient_steps == original.algorithm.gradient_steps


@every_algorithm
def test_an_algorithm_restored_before_its_first_block_continues_with_the_same_bits(
    name: str, kind: str, engine: str, tmp_path: Path
) -> None:
    original, restored = Learner(name, kind, engine), Learner(name, kind, engine, seed=99)
    restored.continue_from(original, tmp_path / "state.pt")
    assert restored.blocks(4) == original.blocks(4)
    assert bits(restored.state()) == bits(original.state())


@every_algorithm
def test_the_same_seed_gives_the_same_bits(name: str, kind: str, engine: str) -> None:
    one, other = Learner(name, kind, engine), Learner(name, kind, engine)
    one.until_learned()
    other.until_learned()
    assert bits(one.state()) == bits(other.state())
    another = Learner(name, kind, engine, seed=5)
    another.until_learned()
    assert bits(another.state()["algorithm"]) != bits(one.state()["algorithm"])


@every_algorithm
def test_learning_does_not_depend_on_logging(name: str, kind: str, engine: str) -> None:
    logged, silent = Learner(name, kind, engine), Learner(name, kind, engine)
    logged.until_learned()
    assert all(metrics for _, metrics in logged.blocks(2, will_log=True))
    while silent.env_steps < logged.env_steps:
        ((_, metrics),) = silent.blocks(1, will_log=False)
        assert metrics == {}
    assert bits(logged.state()) == bits(silent.state())


@every_algorithm
def test_every_metric_is_documented_and_a_plain_float(name: str, kind: str, engine: str) -> None:
    learner = Learner(name, kind, engine)
    learner.until_learned()
    for _, metrics in learner.blocks(2):
        assert set(metrics) <= set(METRICS)
        assert all(type(value) is float for value in metrics.values())


@every_algorithm
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_policy_does_not_touch_training(name: str, kind: str, engine: str, rows: int) -> None:
    learner = Learner(name, kind, engine)
    learner.until_learned()
    before, algorithm = bits(learner.state()), learner.algorithm
    global_state = bits(np.random.get_state())
    observation = np.linspace(-1.0, 1.0, rows, dtype=np.float32)[:, None]
    for deterministic in (True, False):
        drawn = []
        for _ in range(2):
            act = algorithm.policy(
                rows, deterministic=deterministic, generator=np.random.default_rng(3)
            )
            drawn.append([np.array(act(observation)) for _ in range(40)])
        np.testing.assert_array_equal(drawn[0], drawn[1])
        assert drawn[0][0].shape == (rows, *learner.environments.actions.shape)
        is_same = all(np.array_equal(action, drawn[0][0]) for action in drawn[0])
        assert is_same is deterministic
    assert bits(learner.state()) == before
    assert bits(np.random.get_state()) == global_state


@every_algorithm
def test_an_explorers_actions_can_be_taken(name: str, kind: str, engine: str) -> None:
    learner = Learner(name, kind, engine)
    layout, steps = learner.environments.actions, learner.algorithm.steps_per_update
    act = learner.algorithm.explorer(steps, Progress(0, 0.0, False))
    for _ in range(steps):
        action = np.asarray(act(np.zeros((2, 1), dtype=np.float32)))
        assert action.shape == (2, *layout.shape)
        space = learner.environments.first.env.action_space
        assert all(space.contains(one) for one in layout.to_environment(action))


@every_algorithm
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_parameter_that_is_no_finite_number_is_noticed(
    name: str, kind: str, engine: str, bad: float
) -> None:
    learner = Learner(name, kind, engine)
    assert learner.algorithm.is_finite()
    state = copy.deepcopy(learner.algorithm.state_dict())
    weights = [
        tensor
        for part in state.values()
        if isinstance(part, dict)
        for tensor_name, tensor in part.items()
        if tensor_name.endswith(".weight")
    ]
    weights[0][0, 0] = bad
    learner.algorithm.load_state_dict(state)
    assert not learner.algorithm.is_finite()
