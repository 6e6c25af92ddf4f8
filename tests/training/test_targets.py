"""Generalized advantage estimates (Schulman et al. 2016, eq. 11 and 16)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from axiomrl.training.targets import gae


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)[:, None]


def flags(*values: int) -> np.ndarray:
    return np.array(values, dtype=bool)[:, None]


def test_three_steps_by_hand() -> None:
    # gamma 0.5, lambda 0.5, so the trace decays by 0.25 per step.
    # deltas r + 0.5 v' - v:  1 + 0.5*2 - 1 = 1;  2 + 0.5*4 - 2 = 2;  3 + 0.5*8 - 4 = 3
    # A3 = 3;  A2 = 2 + 0.25*3 = 2.75;  A1 = 1 + 0.25*2.75 = 1.6875
    advantage = gae(
        column(1, 2, 3),
        column(1, 2, 4),
        column(2, 4, 8),
        flags(0, 0, 0),
        flags(0, 0, 0),
        gamma=0.5,
        gae_lambda=0.5,
    )
    np.testing.assert_array_equal(advantage, column(1.6875, 2.75, 3.0))
    assert advantage.dtype == np.float32


def test_terminated_step_does_not_bootstrap() -> None:
    # as above with the second step terminal: its delta is 2 - 2 = 0, and no trace comes back
    advantage = gae(
        column(1, 2, 3),
        column(1, 2, 4),
        column(2, 100, 8),
        flags(0, 1, 0),
        flags(0, 0, 0),
        gamma=0.5,
        gae_lambda=0.5,
    )
    np.testing.assert_array_equal(advantage, column(1.0, 0.0, 3.0))


def test_truncated_step_still_bootstraps() -> None:
    # the second step is cut off at a final observation worth 100: delta 2 + 0.5*100 - 2 = 50,
    # the third step's 3 does not reach back over it: A1 = 1 + 0.25*50
    advantage = gae(
        column(1, 2, 3),
        column(1, 2, 4),
        column(2, 100, 8),
        flags(0, 0, 0),
        flags(0, 1, 0),
        gamma=0.5,
        gae_lambda=0.5,
    )
    np.testing.assert_array_equal(advantage, column(13.5, 50.0, 3.0))


def test_a_step_both_terminated_and_truncated_counts_as_terminated() -> None:
    arguments = (column(1), column(0), column(100))
    for truncated in (flags(0), flags(1)):
        advantage = gae(*arguments, flags(1), truncated, gamma=0.9, gae_lambda=0.9)
        np.testing.assert_array_equal(advantage, column(1))


@pytest.mark.parametrize("ending", ["terminated", "truncated"])
def test_nothing_after_an_episodes_end_changes_what_came_before(ending: str) -> None:
    end, none = flags(0, 1, 0, 0), flags(0, 0, 0, 0)
    where = {"terminated": (end, none), "truncated": (none, end)}[ending]
    estimates = []
    for later in (0.0, 1e6):
        reward, value = column(1, 2, later, -later), column(3, 4, later, later)
        estimates.append(
            gae(reward, value, column(5, 6, later, 0), *where, gamma=0.99, gae_lambda=0.95)
        )
    np.testing.assert_array_equal(estimates[0][:2], estimates[1][:2])
    assert (estimates[0][2:] != estimates[1][2:]).all()


def test_environments_do_not_mix() -> None:
    generator = np.random.default_rng(0)
    reward, value, next_value = generator.normal(size=(3, 6, 4)).astype(np.float32)
    terminated, truncated = generator.random((2, 6, 4)) < 0.2
    whole = gae(reward, value, next_value, terminated, truncated, gamma=0.9, gae_lambda=0.8)
    for env in range(4):
        one = slice(env, env + 1)
        alone = gae(
            reward[:, one],
            value[:, one],
            next_value[:, one],
            terminated[:, one],
            truncated[:, one],
            gamma=0.9,
            gae_lambda=0.8,
        )
        np.testing.assert_array_equal(whole[:, one], alone)


def slow_gae(
    reward: Any,
    value: Any,
    next_value: Any,
    terminated: Any,
    truncated: Any,
    gamma: float,
    gae_lambda: float,
) -> np.ndarray:
    """Equation 16 as it stands: a sum over the rest of the episode, for every step on its own."""
    steps, envs = reward.shape
    advantage = np.zeros((steps, envs))
    for env in range(envs):
        for start in range(steps):
            for step in range(start, steps):
                bootstrap = 0.0 if terminated[step, env] else gamma * next_value[step, env]
                delta = reward[step, env] + bootstrap - value[step, env]
                advantage[start, env] += (gamma * gae_lambda) ** (step - start) * delta
                if terminated[step, env] or truncated[step, env]:
                    break
    return advantage


@pytest.mark.parametrize("seed", range(8))
def test_random_rollouts_equal_the_sum_in_the_paper(seed: int) -> None:
    generator = np.random.default_rng(seed)
    steps, envs = int(generator.integers(1, 30)), int(generator.integers(1, 5))
    reward, value, next_value = generator.normal(0.0, 3.0, (3, steps, envs)).astype(np.float32)
    terminated, truncated = generator.random((2, steps, envs)) < 0.1
    gamma, gae_lambda = generator.random(2)
    expected = slow_gae(
        reward.astype(np.float64),
        value.astype(np.float64),
        next_value.astype(np.float64),
        terminated,
        truncated,
        gamma,
        gae_lambda,
    )
    actual = gae(
        reward, value, next_value, terminated, truncated, gamma=gamma, gae_lambda=gae_lambda
    )
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_lambda_one_is_the_discounted_return_minus_the_value() -> None:
    # eq. 18: rewards 1, 1, 1 and a final value of 8, gamma 0.5: 1 + .5 + .25 + .125*8 = 2.75
    advantage = gae(
        column(1, 1, 1),
        column(7, 5, 3),
        column(5, 3, 8),
        flags(0, 0, 0),
        flags(0, 0, 0),
        gamma=0.5,
        gae_lambda=1.0,
    )
    np.testing.assert_allclose(advantage[0], [2.75 - 7.0])


def test_lambda_zero_is_the_one_step_error() -> None:
    # eq. 17: 1 + 0.5 * 5 - 7
    advantage = gae(
        column(1, 9),
        column(7, 5),
        column(5, 9),
        flags(0, 0),
        flags(0, 0),
        gamma=0.5,
        gae_lambda=0.0,
    )
    np.testing.assert_allclose(advantage[0], [-3.5])
