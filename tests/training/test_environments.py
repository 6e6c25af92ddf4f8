"""Transitions of Environments against a plain loop over one Gymnasium environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
import pytest

from axiomrl.config.schema import EnvironmentConfig, WrapperConfig
from axiomrl.training.environments import Environments

from . import custom_environments
from .collecting import FIELDS, SEED, collected, random_choices
from .plain_loop import Recorded, Script, play

custom_environments.register()


def assert_same(transitions: dict[str, np.ndarray], env: int, plain: Recorded) -> None:
    for name in FIELDS:
        if name != "action":
            np.testing.assert_array_equal(
                transitions[name][:, env],
                np.array(getattr(plain, name), dtype=transitions[name].dtype),
                err_msg=name,
            )


def compare_with_plain_loop(
    env_id: str,
    make: Callable[[], Any],
    actions: np.ndarray,
    blocks: Sequence[int],
    to_environment: Callable[[Any], Any] = int,
    **settings: Any,
) -> list[Recorded]:
    """Every environment's transitions and episodes equal the plain loop's."""
    transitions, episodes, _ = collected(env_id, actions, blocks, **settings)
    np.testing.assert_array_equal(transitions["action"], actions)
    plains = []
    for env in range(actions.shape[1]):
        taken = [to_environment(action) for action in actions[:, env]]
        plain = play(make, taken, seed=SEED, index=env)
        assert_same(transitions, env, plain)
        ended = [(e.episode_return, e.length) for e in episodes if e.env == env]
        np.testing.assert_allclose(np.reshape(ended, (-1, 2)), np.reshape(plain.episodes, (-1, 2)))
        plains.append(plain)
    return plains


@pytest.mark.parametrize("envs", [1, 3])
def test_random_episodes_over_several_blocks_equal_a_plain_loop(envs: int) -> None:
    plains = compare_with_plain_loop(
        "CartPole-v1",
        lambda: gymnasium.make("CartPole-v1"),
        random_choices(2, 160, envs),
        [40, 40, 80],
    )
    assert all(sum(plain.terminated) >= 3 for plain in plains)


@pytest.mark.parametrize("envs", [1, 3])
def test_episodes_cut_off_by_max_episode_steps_equal_a_plain_loop(envs: int) -> None:
    plains = compare_with_plain_loop(
        "CartPole-v1",
        lambda: gymnasium.make("CartPole-v1", max_episode_steps=8),
        random_choices(2, 50, envs),
        [20, 30],
        max_episode_steps=8,
    )
    assert all(sum(plain.truncated) >= 5 for plain in plains)


def test_episodes_cut_off_by_the_registered_limit_equal_a_plain_loop() -> None:
    plains = compare_with_plain_loop(
        "Pendulum-v1",
        lambda: gymnasium.make("Pendulum-v1"),
        np.random.default_rng(2).normal(0.0, 2.0, (450, 1, 1)).astype(np.float32),
        [150, 150, 150],
        to_environment=lambda action: np.clip(action, -2.0, 2.0),
    )
    assert np.flatnonzero(plains[0].truncated).tolist() == [199, 399]


def test_an_episode_that_ends_on_a_blocks_last_step_equals_a_plain_loop() -> None:
    plains = compare_with_plain_loop(
        "Counting-v0",
        lambda: gymnasium.make("Counting-v0"),
        random_choices(3, 12, 2),
        [4, 3, 5],
    )
    assert np.flatnonzero(plains[0].terminated).tolist() == [3, 7, 11]


@pytest.mark.parametrize("ending", ["terminated", "truncated", "both"])
@pytest.mark.parametrize("ends", [1, 2, 5])
def test_every_way_to_end_equals_a_plain_loop(ends: int, ending: str) -> None:
    keywords: Any = {"ends": ends, "ending": ending}
    plains = compare_with_plain_loop(
        "Counting-v0",
        lambda: gymnasium.make("Counting-v0", **keywords),
        random_choices(3, 10, 2),
        [3, 7],
        kwargs=keywords,
    )
    ended = plains[0].truncated if ending == "truncated" else plains[0].terminated
    assert sum(ended) == 10 // ends


def test_an_end_and_the_limit_on_the_same_step_count_as_terminated() -> None:
    transitions, _, _ = collected(
        "Counting-v0", random_choices(3, 8, 1), [8], max_episode_steps=4, kwargs={"ends": 4}
    )
    assert np.flatnonzero(transitions["terminated"]).tolist() == [3, 7]
    assert not transitions["truncated"].any()


def test_no_step_is_spent_on_a_reset() -> None:
    # Counting observes its step: 0 1 2 3 | 0 1 2 3 | 0 1, and what each led to: 1 2 3 4 | ...
    transitions, episodes, _ = collected("Counting-v0", random_choices(3, 10, 1), [10])
    assert transitions["observation"][:, 0, 0].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert transitions["next_observation"][:, 0, 0].tolist() == [1, 2, 3, 4, 1, 2, 3, 4, 1, 2]
    assert [episode.length for episode in episodes] == [4, 4]


def test_the_next_observation_of_an_end_is_the_final_one_not_the_resets() -> None:
    transitions, _, _ = collected("CartPole-v1", random_choices(2, 60, 1), [60])
    ends = np.flatnonzero(transitions["terminated"][:, 0])
    observation, following = transitions["observation"][:, 0], transitions["next_observation"][:, 0]
    for step in range(59):
        is_end = step in ends
        assert np.array_equal(following[step], observation[step + 1]) is not is_end
    assert len(ends) > 0
    # CartPole ends beyond 2.4 m or 12 degrees, and starts within 0.05 of everything
    final, first = following[ends], observation[ends + 1]
    assert ((abs(final[:, 0]) > 2.4) | (abs(final[:, 2]) > 0.2094)).all()
    assert (abs(first) <= 0.05).all()


def test_an_environment_that_reuses_its_observation_array_is_recorded_right() -> None:
    transitions, _, _ = collected("ReusesItsBuffer-v0", random_choices(3, 9, 2), [4, 5])
    assert transitions["observation"][:, 0, 0].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    assert transitions["next_observation"][:, 1, 0].tolist() == [1, 2, 3, 4, 1, 2, 3, 4, 1]


def wrapped(path: str, **keywords: Any) -> dict[str, Any]:
    return {"wrappers": (WrapperConfig(path=path, kwargs=keywords),)}


def test_wrapped_environments_equal_a_plain_loop() -> None:
    compare_with_plain_loop(
        "CartPole-v1",
        lambda: gymnasium.wrappers.TimeAwareObservation(
            gymnasium.make("CartPole-v1", max_episode_steps=15)
        ),
        random_choices(2, 60, 2),
        [30, 30],
        max_episode_steps=15,
        **wrapped("gymnasium.wrappers:TimeAwareObservation"),
    )


def test_a_wrapper_that_resets_on_the_next_step_causes_no_phantom_transition() -> None:
    # Gymnasium's Autoreset spends the step after an end on a reset without a seed
    plains = compare_with_plain_loop(
        "CartPole-v1",
        lambda: gymnasium.make("CartPole-v1", max_episode_steps=20),
        random_choices(2, 120, 2),
        [50, 70],
        max_episode_steps=20,
        **wrapped("gymnasium.wrappers:Autoreset"),
    )
    assert sum(plains[0].terminated) > 0


@pytest.mark.parametrize("frames", [2, 4])
def test_stacked_frames_start_with_the_first_one_repeated(frames: int) -> None:
    steps = 40
    actions = random_choices(2, steps, 2)
    transitions, _, _ = collected("CartPole-v1", actions, [15, 25], frame_stack=frames)
    for env in range(2):
        plain = play(
            lambda: gymnasium.make("CartPole-v1"),
            [int(action) for action in actions[:, env]],
            seed=SEED,
            index=env,
        )
        stack: list[np.ndarray] = []
        for step in range(steps):
            if step == 0 or plain.terminated[step - 1]:
                stack = [plain.observation[step]] * frames
            expected = np.concatenate(stack)
            np.testing.assert_array_equal(transitions["observation"][step, env], expected)
            stack = [*stack[1:], plain.next_observation[step]]
            after = np.concatenate(stack)
            np.testing.assert_array_equal(transitions["next_observation"][step, env], after)


def test_dict_observations_and_several_choices_equal_a_plain_loop() -> None:
    class Flat(gymnasium.ObservationWrapper[Any, Any, Any]):
        """The entries by hand: "inner" (a choice of 3 and two bits) before "position"."""

        def observation(self, observation: Any) -> Any:
            chosen, bits = observation["inner"]
            hot = [float(chosen == choice) for choice in range(3)]
            return np.array([*hot, *bits, *observation["position"].ravel()])

    generator = np.random.default_rng(4)
    actions = np.stack(
        [generator.integers(3, size=(45, 2)), generator.integers(2, size=(45, 2))], axis=2
    )
    plains = compare_with_plain_loop(
        "Mixed-v0",
        lambda: Flat(gymnasium.make("Mixed-v0", disable_env_checker=True)),
        actions,
        [25, 20],
        to_environment=np.asarray,
    )
    assert len(plains[0].observation[0]) == 3 + 2 + 4
    assert sum(plains[0].truncated) == 2


def test_discrete_actions_reach_the_environment_from_the_spaces_start() -> None:
    space = gymnasium.spaces.Discrete(3, start=10)
    transitions, _, environments = collected(
        "Mixed-v0", np.array([[0], [2]]), [2], kwargs={"action_space": space}
    )
    assert environments.first.env.taken == [10, 12]
    assert transitions["action"][:, 0].tolist() == [0, 2]
    assert transitions["reward"][:, 0].tolist() == [10.0, 12.0]


def test_actions_are_stored_as_the_policy_gave_them_and_clipped_for_the_environment() -> None:
    space = gymnasium.spaces.Box(-1.0, 1.0, (2,))
    given = np.array([[[5.0, 0.5]], [[-0.25, -7.0]]], dtype=np.float32)
    transitions, _, environments = collected("Mixed-v0", given, [2], kwargs={"action_space": space})
    np.testing.assert_array_equal(transitions["action"], given)
    np.testing.assert_array_equal(environments.first.env.taken, [[1.0, 0.5], [-0.25, -1.0]])


@pytest.mark.parametrize("blocks", [[60], [1] * 60, [7, 13, 1, 39]])
def test_the_size_of_blocks_does_not_change_the_stream(blocks: list[int]) -> None:
    actions = random_choices(2, 60, 2)
    reference, expected_episodes, _ = collected("CartPole-v1", actions, [20, 20, 20])
    transitions, episodes, _ = collected("CartPole-v1", actions, blocks)
    for name in FIELDS:
        np.testing.assert_array_equal(transitions[name], reference[name])
    assert sorted(episodes) == sorted(expected_episodes)


def test_environments_and_runs_have_episodes_of_their_own() -> None:
    transitions, _, _ = collected("Counting-v0", random_choices(3, 8, 3), [8])
    drawn = {float(value) for value in transitions["observation"][::4, :, 1].ravel()}
    assert len(drawn) == 6  # two episodes of three environments
    other = Environments("Counting-v0", EnvironmentConfig(), num_envs=3, seed=SEED + 1)
    first, _ = other.collect(Script(random_choices(3, 1, 3)), 1)
    assert not drawn & set(first.observation[0, :, 1].tolist())


def test_fresh_environments_replace_the_old_ones_which_are_closed() -> None:
    environments = Environments(
        "Counting-v0", EnvironmentConfig(fresh_each_episode=True), num_envs=1, seed=SEED
    )
    first = environments.first.env
    environments.collect(Script(random_choices(3, 3, 1)), 3)
    assert environments.first.env is first
    environments.collect(Script(random_choices(3, 1, 1)), 1)
    assert environments.first.env is not first
    assert first.is_closed


def test_fresh_environments_give_the_same_stream_where_no_state_is_carried() -> None:
    actions = random_choices(2, 80, 2)
    kept, _, _ = collected("CartPole-v1", actions, [80])
    fresh, _, _ = collected("CartPole-v1", actions, [80], fresh_each_episode=True)
    for name in FIELDS:
        np.testing.assert_array_equal(kept[name], fresh[name])


def test_closing_closes_every_environment() -> None:
    environments = Environments("Counting-v0", EnvironmentConfig(), num_envs=2, seed=SEED)
    environments.close()
    assert environments.first.env.is_closed


def test_shapes_and_types_of_transitions() -> None:
    transitions, _, _ = collected("CartPole-v1", random_choices(2, 6, 3), [6])
    assert {name: (array.shape, array.dtype) for name, array in transitions.items()} == {
        "observation": ((6, 3, 4), np.dtype(np.float32)),
        "action": ((6, 3), np.dtype(np.int64)),
        "reward": ((6, 3), np.dtype(np.float32)),
        "terminated": ((6, 3), np.dtype(bool)),
        "truncated": ((6, 3), np.dtype(bool)),
        "next_observation": ((6, 3, 4), np.dtype(np.float32)),
    }
