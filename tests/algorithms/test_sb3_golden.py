"""The same gradient steps as Stable-Baselines3: same parameters, same batches, same noise.

The numbers come from `benchmarks/sb3_golden.py`. Parameters must agree to 1e-5 after one step
(including Adam and, for PPO and DQN, gradient clipping) and after three.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from axiomrl.algorithms.dqn import DQN, DQNConfig
from axiomrl.algorithms.ppo import PPO, PPOConfig
from axiomrl.algorithms.protocol import Progress
from axiomrl.algorithms.sac import SAC, SACConfig
from axiomrl.training.environments import Transitions
from axiomrl.training.replay import NStep

from .building import ENGINES, context_of
from .off_policy import generator_of

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
TOLERANCE = 1e-5
HIDDEN = (24, 16)
SPACE = spaces.Box(-np.inf, np.inf, (5,))
ACTIONS: dict[str, Any] = {
    "discrete": spaces.Discrete(4),
    "box": spaces.Box(-1.0, 1.0, (2,)),
}
NOISE_SEED = 11
CAPACITY = 100_000  # so large that three batches draw no place twice

every_engine = pytest.mark.parametrize("engine", ENGINES)
every_count = pytest.mark.parametrize("updates", [1, 3], ids=["one_step", "three_steps"])


def golden(name: str) -> dict[str, Any]:
    """A golden file as nested dicts of arrays."""
    tree: dict[str, Any] = {}
    with np.load(GOLDEN / f"sb3_{name}.npz") as file:
        for path in file.files:
            *parents, leaf = path.split("/")
            branch = tree
            for parent in parents:
                branch = branch.setdefault(parent, {})
            branch[leaf] = file[path]
    return tree


def numbers(settings: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in settings.items()}


def largest_difference(state: dict[str, Any], expected: dict[str, Any]) -> float:
    assert {name: set(tensors) for name, tensors in expected.items()} == {
        name: set(state[name]) for name in expected
    }
    return max(
        float(np.abs(np.asarray(state[network][name]) - value).max())
        for network, tensors in expected.items()
        for name, value in tensors.items()
    )


def load(algorithm: Any, networks: dict[str, Any], **others: Any) -> None:
    state = copy.deepcopy(algorithm.state_dict())
    algorithm.load_state_dict({**state, **networks, **others})


def put_where_drawn(algorithm: Any, batch: dict[str, Any], gamma: float) -> None:
    """Fill replay so that the next update draws these batches, in this order."""
    replay = algorithm.replay
    load(algorithm, {}, replay_count=CAPACITY)
    generator = generator_of(algorithm.state_dict()["sampler"]["generator"])
    updates, rows = batch["reward"].shape
    places = generator.integers(CAPACITY, size=(updates, rows))
    assert len(np.unique(places)) == places.size
    for name in ("observation", "next_observation", "action", "reward"):
        replay.rows[name][places] = batch[name]
    replay.rows["discount"][places] = gamma * (1.0 - batch["is_terminal"])


def first(batch: dict[str, Any], updates: int) -> dict[str, Any]:
    return {name: value[:updates] for name, value in batch.items()}


@every_engine
@every_count
def test_dqn_takes_the_same_steps(updates: int, engine: str) -> None:
    known = golden("dqn")
    settings = numbers(known["settings"])
    config = DQNConfig(
        **settings,  # type: ignore[arg-type]
        batch_size=known["batch"]["reward"].shape[1],
        buffer_size=CAPACITY,
        learning_starts=0,
        gradient_steps=updates,
        hidden_sizes=HIDDEN,
        target_update_every=10**9,  # the peer moves its target elsewhere
    )
    algorithm = DQN(config, context_of(SPACE, ACTIONS["discrete"], engine=engine, envs=1))
    load(algorithm, known["before"])
    put_where_drawn(algorithm, first(known["batch"], updates), settings["gamma"])
    algorithm.update(Progress(algorithm.steps_per_update, 0.0, True))
    state, after = algorithm.state_dict(), known[f"after_{updates}"]
    assert algorithm.gradient_steps == updates
    assert largest_difference(state, after) < TOLERANCE
    assert largest_difference(known["before"], {"network": after["network"]}) > 100 * TOLERANCE


@every_engine
@every_count
def test_sac_takes_the_same_steps(updates: int, engine: str) -> None:
    known = golden("sac")
    settings = numbers(known["settings"])
    config = SACConfig(
        **settings,  # type: ignore[arg-type]
        batch_size=known["batch"]["reward"].shape[1],
        buffer_size=CAPACITY,
        learning_starts=0,
        gradient_steps=updates,
        hidden_sizes=HIDDEN,
    )
    noise = np.random.default_rng(NOISE_SEED)
    algorithm = SAC(config, context_of(SPACE, ACTIONS["box"], engine=engine, envs=1))
    load(algorithm, known["before"], learning_noise=noise.bit_generator.state)
    given = known["batch"].pop("noise")
    np.testing.assert_array_equal(noise.standard_normal(given[0].shape, dtype=np.float32), given[0])
    put_where_drawn(algorithm, first(known["batch"], updates), settings["gamma"])
    algorithm.update(Progress(1, 0.0, True))
    state, before, after = algorithm.state_dict(), known["before"], known[f"after_{updates}"]
    log_alpha = after.pop("log_alpha")
    del before["log_alpha"]
    assert algorithm.gradient_steps == updates
    assert largest_difference(state, after) < TOLERANCE
    np.testing.assert_allclose(state["log_alpha"], log_alpha, rtol=0.0, atol=1e-7)
    for network in ("actor", "critics"):
        assert largest_difference(before, {network: after[network]}) > 50 * TOLERANCE
    assert largest_difference(before, {"target_critics": after["target_critics"]}) > TOLERANCE


@every_engine
@every_count
@pytest.mark.parametrize("kind", ACTIONS)
def test_ppo_takes_the_same_steps(kind: str, updates: int, engine: str) -> None:
    # from the rollout on: advantages with terminations and truncations, their normalisation,
    # clipped losses, entropy bonus, gradient clipping, Adam
    known = golden("ppo")[kind]
    settings = numbers(known["settings"])
    settings["entropy_coef"] = settings.pop("ent_coef")
    settings["value_coef"] = settings.pop("vf_coef")
    rollout = known["rollout"]
    steps, envs = rollout["reward"].shape
    config = PPOConfig(
        **settings,  # type: ignore[arg-type]
        n_steps=steps,
        batch_size=steps * envs,
        n_epochs=updates,
        hidden_sizes=HIDDEN,
    )
    algorithm = PPO(config, context_of(SPACE, ACTIONS[kind], engine=engine, envs=envs))
    load(algorithm, {"network": known["before"]})
    algorithm.observe(
        Transitions(
            **rollout,
            raw_observation=rollout["observation"],
            raw_next_observation=rollout["next_observation"],
        )
    )
    metrics = algorithm.update(Progress(steps * envs, 0.0, True))
    state, after = algorithm.state_dict(), {"network": known[f"after_{updates}"]}
    assert algorithm.gradient_steps == updates
    assert largest_difference(state, after) < TOLERANCE
    assert largest_difference({"network": known["before"]}, after) > 100 * TOLERANCE
    assert rollout["terminated"].sum() > 3
    assert rollout["truncated"].sum() > 3
    if updates == 3:
        assert metrics["train_clip_fraction"] > 0.0  # the clip has had something to do


def test_three_step_returns_are_the_same() -> None:
    known = golden("dqn")["n_step"]
    single = known["single"]
    pushed = NStep(int(known["n"]), float(known["gamma"])).push(
        Transitions(
            **single,
            raw_observation=single["observation"],
            raw_next_observation=single["next_observation"],
        )
    )
    assert single["terminated"].sum() > 3
    assert single["truncated"].sum() > 3
    observation, following, action, reward, discount = pushed
    rows = len(known["reward"])  # the peer knows no more than starts with three steps ahead
    np.testing.assert_array_equal(observation[:rows], known["observation"])
    np.testing.assert_array_equal(following[:rows], known["next_observation"])
    np.testing.assert_array_equal(action[:rows], single["action"][:rows, 0])
    np.testing.assert_allclose(reward[:rows], known["reward"], rtol=1e-6, atol=1e-6)
    expected = known["discount"] * (1.0 - known["is_terminal"])
    np.testing.assert_allclose(discount[:rows], expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["dqn", "sac", "ppo"])
def test_golden_files_say_what_they_were_made_with_and_are_small(name: str) -> None:
    assert str(golden(name)["versions"]["stable_baselines3"]) == "2.9.2"
    assert (GOLDEN / f"sb3_{name}.npz").stat().st_size < 200 * 1024
