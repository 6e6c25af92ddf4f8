"""The environments of a run: the inner loop over steps, seeding, resets, normalisation.

This is the only file that knows what happens at an episode's end: the environment is reset at
once, the observation that ended the episode is kept in `next_observation`, and no step is spent
on the reset. Gymnasium's vector environments and their autoreset modes are not used, because none
of them can seed every episode.

Every episode starts from an explicit seed, and the actions since are kept. Restoring resets with
that seed and plays the actions back (DESIGN: exact resume).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from axiomrl.config.schema import EnvironmentConfig
from axiomrl.errors import ResumeMismatchError
from axiomrl.training.buffers import Array, aligned_zeros
from axiomrl.training.factory import EnvironmentFactory, MadeEnvironment
from axiomrl.training.normalization import ObservationNormalizer, RewardNormalizer
from axiomrl.training.seeding import Stream, episode_seed
from axiomrl.training.spaces import action_layout, observation_layout

Act = Callable[[Array], Array]  # observations [N, D] -> actions [N, *action shape]


@dataclass(frozen=True, slots=True)
class Transitions:
    """T steps of N environments: views into buffers that the next `collect` overwrites."""

    observation: Array  # [T, N, D] float32, as the policy saw it
    action: Array  # [T, N, *action shape], as the policy gave it (not clipped to the space)
    reward: Array  # [T, N] float32
    terminated: Array  # [T, N] bool
    truncated: Array  # [T, N] bool
    next_observation: Array  # [T, N, D], what each step led to, before any reset
    raw_observation: Array  # [T, N, D] before normalisation, for memories that outlive statistics
    raw_next_observation: Array  # [T, N, D]


class Episode(NamedTuple):
    """One finished episode; its return is the sum of unscaled rewards."""

    episode_return: float
    length: int
    env: int


class _Ending(NamedTuple):
    """Where in a block an episode ended, and on what observation."""

    step: int
    env: int
    observation: Array  # [D] raw


class Environments:
    """`num_envs` environments stepped in turn.

    Raises UnusableEnvironmentError when they cannot be made or their spaces cannot be used.
    """

    def __init__(
        self,
        env_id: str,
        settings: EnvironmentConfig,
        *,
        num_envs: int,
        seed: int,
        reward_gamma: float = 0.99,
        action_transform: str = "clip",
    ) -> None:
        self.num_envs = num_envs
        self._seed = seed
        self._factory = EnvironmentFactory(env_id, settings)
        first = self._factory.make()
        self.observations = observation_layout(first.env.observation_space, env_id)
        self.actions = action_layout(first.env.action_space, env_id, action_transform)
        self._made = [first, *(self._factory.make() for _ in range(num_envs - 1))]
        self.normalizer = (
            ObservationNormalizer(self.observations.size)
            if settings.normalize_observation
            else None
        )
        self._reward_normalizer = (
            RewardNormalizer(num_envs, reward_gamma) if settings.normalize_reward else None
        )
        self._episode = [-1] * num_envs  # index of the current episode of each environment
        self._length = [0] * num_envs  # steps since its reset
        self._return = [0.0] * num_envs  # unscaled rewards since its reset
        self._taken: list[list[Array]] = [[] for _ in range(num_envs)]  # actions since its reset
        self._steps = 0  # rows of the block buffers
        self._current = aligned_zeros((num_envs, self.observations.size))  # raw, [N, D]
        self._is_started = False

    def _allocate(self, steps: int) -> None:
        envs, size = self.num_envs, self.observations.size
        self._steps = steps
        self._raw = aligned_zeros((steps + 1, envs, size))
        self._observation = (
            self._raw if self.normalizer is None else aligned_zeros((steps + 1, envs, size))
        )
        self._next_observation = aligned_zeros((steps, envs, size))
        self._raw_next = (
            self._next_observation
            if self.normalizer is None
            else aligned_zeros((steps, envs, size))
        )
        self._action = np.zeros((steps, envs, *self.actions.shape), dtype=self.actions.dtype)
        self._terminated = np.zeros((steps, envs), dtype=bool)
        self._truncated = np.zeros((steps, envs), dtype=bool)

    def collect(self, act: Act, steps: int) -> tuple[Transitions, list[Episode]]:
        """Take `steps` steps in every environment; also the episodes that ended meanwhile.

        The transitions are views into buffers that the next call overwrites. Normalisation
        statistics stay as they are within the call and take in its observations at the end.
        """
        if steps != self._steps:
            self._allocate(steps)
        if not self._is_started:
            self.start()
        self._raw[0] = self._current
        reward, endings, episodes = self._step_all(act, steps)
        self._current[:] = self._raw[steps]
        return self._finish_block(reward, endings), episodes

    def start(self) -> None:
        """Reset every environment for its first episode; `collect` does so by itself."""
        for index in range(self.num_envs):
            self._current[index] = self._reset(index)
        self._is_started = True

    def _step_all(self, act: Act, steps: int) -> tuple[list[float], list[_Ending], list[Episode]]:
        """The inner loop. Everything in it is paid for once per environment step."""
        raw, observation, action = self._raw, self._observation, self._action
        normalize = self.normalizer.normalize if self.normalizer is not None else None
        to_environment = self.actions.to_environment
        encode = None if self.observations.is_plain else self.observations.encode
        env_steps = [made.env.step for made in self._made]
        limit = self._made[0].limit
        # Row of the block at which each environment's episode began; may lie before the block.
        begun = [-length for length in self._length]
        last = [start + limit - 1 if limit else -1 for start in begun]  # where it is cut off
        indices = range(self.num_envs)
        rewards: list[float] = []
        add_reward = rewards.append
        endings: list[_Ending] = []
        episodes: list[Episode] = []
        self._terminated.fill(False)
        self._truncated.fill(False)
        if normalize is not None:
            normalize(raw[0], out=observation[0])
        for step in range(steps):
            actions = act(observation[step])
            action[step] = actions
            env_actions = to_environment(actions)
            row = raw[step + 1]
            for index in indices:
                seen, reward, terminated, truncated, _ = env_steps[index](env_actions[index])
                if encode is not None:
                    seen = encode(seen)
                add_reward(reward)
                if terminated or truncated or step == last[index]:
                    self._terminated[step, index] = terminated
                    self._truncated[step, index] = not terminated
                    final = np.array(seen, dtype=np.float32)
                    endings.append(_Ending(step, index, final))
                    total = self._return_so_far(rewards, index, begun[index])
                    episodes.append(Episode(total, step + 1 - begun[index], index))
                    begun[index] = step + 1
                    last[index] = step + limit if limit else -1
                    seen = self._reset(index)
                    env_steps[index] = self._made[index].env.step
                row[index] = seen
            if normalize is not None:
                normalize(row, out=observation[step + 1])
        for index in indices:
            self._return[index] = self._return_so_far(rewards, index, begun[index])
            self._length[index] = steps - begun[index]
        return rewards, endings, episodes

    def _return_so_far(self, rewards: list[float], index: int, begun: int) -> float:
        """Sum of an episode's rewards: those of earlier blocks, then this block's in order."""
        start = max(begun, 0) * self.num_envs + index
        return sum(map(float, rewards[start :: self.num_envs]), self._return[index])

    def _finish_block(self, rewards: list[float], endings: list[_Ending]) -> Transitions:
        steps = self._steps
        reward = np.array(rewards, dtype=np.float32).reshape(steps, self.num_envs)
        np.copyto(self._raw_next, self._raw[1:])
        for ending in endings:
            self._raw_next[ending.step, ending.env] = ending.observation
        if self.normalizer is not None:
            self.normalizer.normalize(self._raw_next, out=self._next_observation)
        self._keep_actions(endings)
        if self._reward_normalizer is not None:
            reward = self._reward_normalizer.normalize(reward, self._terminated | self._truncated)
        if self.normalizer is not None:
            self.normalizer.update(self._raw[:steps].reshape(-1, self.observations.size))
        return Transitions(
            observation=self._observation[:steps],
            action=self._action,
            reward=reward,
            terminated=self._terminated,
            truncated=self._truncated,
            next_observation=self._next_observation,
            raw_observation=self._raw[:steps],
            raw_next_observation=self._raw_next,
        )

    def _keep_actions(self, endings: list[_Ending]) -> None:
        first = [0] * self.num_envs
        for ending in endings:
            first[ending.env] = ending.step + 1
            self._taken[ending.env].clear()
        for index, start in enumerate(first):
            if start < self._steps:
                self._taken[index].append(self._action[start:, index].copy())

    def _reset(self, index: int) -> Any:
        """Start the next episode of one environment; its first observation, encoded."""
        self._episode[index] += 1
        self._length[index] = 0
        self._return[index] = 0.0
        return self._restart(index)

    def _restart(self, index: int) -> Any:
        if self._factory.fresh_each_episode and self._is_started:
            self._made[index].env.close()
            self._made[index] = self._factory.make()
        seed = episode_seed(self._seed, Stream.TRAINING, index, self._episode[index])
        seen, _ = self._made[index].env.reset(seed=seed)
        return seen if self.observations.is_plain else self.observations.encode(seen)

    def state_dict(self) -> dict[str, Any]:
        """What restores the environments exactly; only complete between two blocks."""
        empty = np.zeros((0, *self.actions.shape), dtype=self.actions.dtype)
        return {
            "episode": list(self._episode),
            "length": list(self._length),
            "return": [float(value) for value in self._return],
            "actions": [np.concatenate([empty, *taken]) for taken in self._taken],
            "observation": self._current.copy(),
            "is_started": self._is_started,
            "normalizer": self.normalizer.state_dict() if self.normalizer else None,
            "reward_normalizer": (
                self._reward_normalizer.state_dict() if self._reward_normalizer else None
            ),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Bring the environments to a saved state by playing back their current episodes.

        Raises ResumeMismatchError when one does not come to the observation it was saved at.
        """
        if self.normalizer is not None:
            self.normalizer.load_state_dict(state["normalizer"])
        if self._reward_normalizer is not None:
            self._reward_normalizer.load_state_dict(state["reward_normalizer"])
        self._is_started = bool(state["is_started"])
        if not self._is_started:
            return
        self._episode = [int(value) for value in state["episode"]]
        self._length = [int(value) for value in state["length"]]
        self._return = [float(value) for value in state["return"]]
        self._current[:] = state["observation"]
        for index, actions in enumerate(state["actions"]):
            self._taken[index] = [np.asarray(actions)] if len(actions) else []
            self._replay(index, np.asarray(actions))

    def _replay(self, index: int, actions: Array) -> None:
        seen = self._restart(index)
        made = self._made[index]
        ended = False
        for position in range(len(actions)):
            action = self.actions.to_environment(actions[position : position + 1])[0]
            seen, _, terminated, truncated, _ = made.env.step(action)
            ended = ended or terminated or truncated
        if not self.observations.is_plain and len(actions):
            seen = self.observations.encode(seen)
        same = np.array_equal(
            np.asarray(seen, dtype=np.float32), self._current[index], equal_nan=True
        )
        if ended or not same:
            raise ResumeMismatchError(
                f"environment {index} of {self._factory.env_id} did not replay: after "
                f"{len(actions)} steps of episode {self._episode[index]} it is in another state",
                hint="it carries state from one episode to the next or draws from a generator "
                "that reset(seed=…) does not seed; set environment.fresh_each_episode: true",
            )

    def close(self) -> None:
        """Close every environment."""
        for made in self._made:
            made.env.close()

    @property
    def first(self) -> MadeEnvironment:
        """One of the environments, to read its spaces and metadata."""
        return self._made[0]
