"""Whole updates of PPO: minibatches, epochs, schedules, early stopping, reports."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import pytest
import torch

from axiomrl.algorithms.ppo import PPO
from axiomrl.algorithms.protocol import Progress
from axiomrl.config.schema import Schedule

from . import ppo_reference
from .building import ACTION_SPACES, ENGINES, START, bits, ppo, rollout, tensors_of

STEPS, ENVS = 10, 2
ROWS = STEPS * ENVS


def made(kind: str = "discrete", engine: str = "mlp", **settings: Any) -> PPO:
    small = {"n_steps": STEPS, "batch_size": 8, "n_epochs": 3, "hidden_sizes": (8, 8)}
    return ppo(kind, engine, envs=ENVS, **{**small, **settings})


def updated(algorithm: PPO, progress: Progress = START, seed: int = 0) -> dict[str, float]:
    kind = "discrete"
    algorithm.observe(rollout(kind, STEPS, ENVS, seed))
    return algorithm.update(progress)


def orders_to_come(algorithm: PPO, epochs: int) -> list[np.ndarray]:
    """The permutations that the next update will draw, from the saved generator's state."""
    shuffle = np.random.default_rng()
    shuffle.bit_generator.state = copy.deepcopy(algorithm.state_dict()["shuffle"])
    return [shuffle.permutation(ROWS) for _ in range(epochs)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ACTION_SPACES)
@pytest.mark.parametrize("batch_size", [ROWS, 10, 8, 19], ids="batch_{}".format)
def test_an_update_equals_the_reference(batch_size: int, kind: str, engine: str) -> None:
    # 20 rows: one batch; two; 8 + 8 + 4; 19 + 1 (whose single advantage stays as it is)
    settings = {"learning_rate": 3e-3, "entropy_coef": 0.01, "clip_range_value": 0.5}
    algorithm = made(kind, engine, batch_size=batch_size, **settings)
    transitions = rollout(kind, STEPS, ENVS)
    agent = ppo_reference.Agent(
        tensors_of(algorithm.state_dict()),
        ppo_reference.Settings(
            entropy_coef=0.01,
            clip_range_value=0.5,
            sizes=(3, 2) if kind == "multi_discrete" else (),
        ),
    )
    report = ppo_reference.update(
        agent,
        ppo_reference.Rollout(agent, transitions),
        orders_to_come(algorithm, epochs=3),
        batch_size=batch_size,
        learning_rate=3e-3,
        epsilon=1e-5,
        max_grad_norm=0.5,
    )
    before = tensors_of(algorithm.state_dict())
    algorithm.observe(transitions)
    metrics = algorithm.update(START)
    after = tensors_of(algorithm.state_dict())
    for name, expected in agent.named().items():
        torch.testing.assert_close(after[name], expected.detach(), rtol=0.0, atol=1e-5)
    assert max(float((after[name] - before[name]).abs().max()) for name in after) > 5e-3
    for name, value in report.items():
        assert metrics[f"train_{name}"] == pytest.approx(value, rel=1e-3, abs=1e-5), name
    assert algorithm.gradient_steps == metrics["train_minibatches"] == 3 * -(-ROWS // batch_size)


@pytest.mark.parametrize("kind", ACTION_SPACES)
def test_both_engines_learn_the_same_from_the_same_rollouts(kind: str) -> None:
    one, other = made(kind, "mlp"), made(kind, "torch")
    for seed in range(3):
        for algorithm in (one, other):
            algorithm.observe(rollout(kind, STEPS, ENVS, seed))
            algorithm.update(START)
    expected = tensors_of(other.state_dict())
    for name, value in tensors_of(one.state_dict()).items():
        torch.testing.assert_close(value, expected[name], rtol=0.0, atol=1e-5)
    assert one.gradient_steps == other.gradient_steps == 27


def test_a_batch_larger_than_the_rollout_becomes_one_full_batch_with_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"batch_size 64 is larger than the rollout.*batch of 20"):
        larger = made(batch_size=64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = made(batch_size=ROWS)
    for algorithm in (larger, whole):
        assert updated(algorithm)["train_minibatches"] == 3
    assert bits(larger.state_dict()) == bits(whole.state_dict())


@pytest.mark.parametrize("engine", ENGINES)
def test_advantages_are_normalised_within_each_minibatch(engine: str) -> None:
    # scaling and shifting every advantage by the same amount then changes nothing:
    # gamma 0 and a value of zero make the advantage the reward
    states = []
    for scale, shift in ((1.0, 0.0), (4.0, 32.0)):
        algorithm = made("discrete", engine, gamma=0.0, value_coef=0.0)
        state = copy.deepcopy(algorithm.state_dict())
        for name, value in state["network"].items():
            if name.startswith("value."):
                value[...] = 0.0
        algorithm.load_state_dict(state)
        transitions = rollout("discrete", STEPS, ENVS)
        transitions.reward[:] = scale * transitions.reward + shift
        algorithm.observe(transitions)
        algorithm.update(START)
        states.append(tensors_of(algorithm.state_dict()))
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_update_stops_before_the_step_that_would_start_beyond_the_target_kl(
    engine: str,
) -> None:
    settings = {"batch_size": ROWS, "n_epochs": 10, "learning_rate": 0.05, "n_steps": STEPS}
    free = made("discrete", engine, **settings)
    updated(free)
    assert free.gradient_steps == 10
    stopped = made("discrete", engine, target_kl=1e-4, **settings)
    metrics = updated(stopped)
    assert stopped.gradient_steps == 1
    assert metrics["train_approx_kl"] > 1e-4
    one_epoch = made("discrete", engine, **{**settings, "n_epochs": 1})
    updated(one_epoch)
    for name, value in tensors_of(stopped.state_dict()).items():
        assert torch.equal(value, tensors_of(one_epoch.state_dict())[name])


def test_a_target_kl_that_is_never_reached_changes_nothing() -> None:
    free, limited = made(), made(target_kl=1e9)
    updated(free)
    updated(limited)
    assert bits(free.state_dict()) == bits(limited.state_dict())


LINEAR = Schedule(schedule="linear", start=1e-3, end=0.0)


@pytest.mark.parametrize(("fraction", "expected"), [(0.0, 1e-3), (0.5, 5e-4), (0.9, 1e-4)])
def test_the_learning_rate_follows_its_schedule(fraction: float, expected: float) -> None:
    scheduled, constant = made(learning_rate=LINEAR), made(learning_rate=expected)
    metrics = updated(scheduled, Progress(ROWS, fraction, True))
    updated(constant)
    assert metrics["train_learning_rate"] == pytest.approx(expected)
    for name, value in tensors_of(scheduled.state_dict()).items():
        torch.testing.assert_close(
            value, tensors_of(constant.state_dict())[name], rtol=0.0, atol=1e-9
        )


def test_a_learning_rate_of_zero_learns_nothing() -> None:
    algorithm = made(learning_rate=LINEAR)
    before = tensors_of(algorithm.state_dict())
    updated(algorithm, Progress(ROWS, 1.0, True))
    for name, value in tensors_of(algorithm.state_dict()).items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [("clip_range", 0.3, 0.1), ("clip_range_value", 0.5, 0.1), ("entropy_coef", 0.2, 0.0)],
)
def test_other_schedules_reach_the_loss(name: str, start: float, end: float) -> None:
    schedule = Schedule(schedule="linear", start=start, end=end)
    settings: dict[str, Any] = {"learning_rate": 0.02, "batch_size": ROWS}
    scheduled, constant, another = (
        made(**{**settings, name: value}) for value in (schedule, 0.5 * (start + end), start)
    )
    for algorithm in (scheduled, constant, another):
        updated(algorithm, Progress(ROWS, 0.5, True))
    assert bits(scheduled.state_dict()) == bits(constant.state_dict())
    assert bits(scheduled.state_dict()) != bits(another.state_dict())


def test_the_clip_range_in_force_is_reported() -> None:
    algorithm = made(clip_range=Schedule(schedule="linear", start=0.4, end=0.2))
    metrics = updated(algorithm, Progress(ROWS, 0.5, True))
    assert metrics["train_clip_range"] == pytest.approx(0.3)


@pytest.mark.parametrize("engine", ENGINES)
def test_explained_variance_is_that_of_the_values_before_the_update(engine: str) -> None:
    algorithm = made("box", engine)
    transitions = rollout("box", STEPS, ENVS)
    agent = ppo_reference.Agent(tensors_of(algorithm.state_dict()), ppo_reference.Settings())
    thought = ppo_reference.Rollout(agent, transitions)
    expected = 1.0 - (thought.target - thought.value).var() / thought.target.var()
    algorithm.observe(transitions)
    metrics = algorithm.update(START)
    assert metrics["train_explained_variance"] == pytest.approx(float(expected), rel=1e-4)


def test_explained_variance_is_left_out_where_targets_do_not_vary() -> None:
    algorithm = made(gamma=0.0, gae_lambda=0.0)
    transitions = rollout("discrete", STEPS, ENVS)
    transitions.reward[:] = 0.0
    state = copy.deepcopy(algorithm.state_dict())
    for value in state["network"].values():
        value[...] = 0.0
    algorithm.load_state_dict(state)
    algorithm.observe(transitions)
    assert "train_explained_variance" not in algorithm.update(START)


def test_the_deviation_of_continuous_actions_is_reported() -> None:
    algorithm = made("box", log_std_init=-1.0, learning_rate=0.0)
    algorithm.observe(rollout("box", STEPS, ENVS))
    assert algorithm.update(START)["train_action_std"] == pytest.approx(np.exp(-1.0))


@pytest.mark.parametrize("target_kl", [None, 1e9])
def test_updates_that_are_not_logged_learn_the_same_and_report_nothing(
    target_kl: float | None,
) -> None:
    logged, silent = made(target_kl=target_kl), made(target_kl=target_kl)
    assert updated(logged, Progress(ROWS, 0.0, True))
    assert updated(silent, Progress(ROWS, 0.0, False)) == {}
    assert bits(logged.state_dict()) == bits(silent.state_dict())


def test_every_metric_is_a_plain_float() -> None:
    for kind in ACTION_SPACES:
        for engine in ENGINES:
            algorithm = made(kind, engine)
            algorithm.observe(rollout(kind, STEPS, ENVS))
            metrics = algorithm.update(START)
            assert all(type(value) is float for value in metrics.values()), metrics
            assert all(name.startswith("train_") for name in metrics)


def test_only_truncated_and_last_steps_look_at_the_next_observation() -> None:
    # the observation after a termination may be anything, and NaN says that nobody used it
    algorithm, other = made(), made()
    transitions = rollout("discrete", STEPS, ENVS)
    transitions.terminated[3, 0], transitions.truncated[3, 0] = True, False
    algorithm.observe(transitions)
    algorithm.update(START)
    transitions.next_observation[3, 0] = np.nan
    other.observe(transitions)
    other.update(START)
    assert bits(algorithm.state_dict()) == bits(other.state_dict())


def test_initial_policies_are_near_uniform_and_values_are_not() -> None:
    # a gain of 0.01 for the last policy layer and 1 for the value's (Engstrom et al. 2020)
    tensors = tensors_of(made().state_dict())
    policy = torch.linalg.matrix_norm(tensors["policy.2.weight"], ord=2)
    value = torch.linalg.matrix_norm(tensors["value.2.weight"], ord=2)
    assert float(policy) == pytest.approx(0.01, rel=1e-5)
    assert float(value) == pytest.approx(1.0, rel=1e-5)


def test_log_std_starts_where_it_is_told_to() -> None:
    tensors = tensors_of(made("box", log_std_init=-0.7).state_dict())
    assert tensors["log_std"].tolist() == pytest.approx([-0.7, -0.7])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_seed_decides_parameters_and_noise(engine: str) -> None:
    made_with = {"n_steps": 8, "batch_size": 8}
    same, again, other = (ppo("discrete", engine, seed=seed, **made_with) for seed in (1, 1, 2))
    assert bits(same.state_dict()) == bits(again.state_dict())
    first, second = bits(same.state_dict()), bits(other.state_dict())
    for part in ("network", "noise", "shuffle"):
        assert first[part] != second[part]


def test_parameters_do_not_depend_on_the_order_of_draws() -> None:
    # acting draws from a generator of its own, so it does not change how minibatches are cut
    acted, idle = made(), made()
    acted.explorer(5, START)
    assert bits(acted.state_dict()["shuffle"]) == bits(idle.state_dict()["shuffle"])
    updated(acted)
    updated(idle)
    assert bits(acted.state_dict()["network"]) == bits(idle.state_dict()["network"])
