"""Scoring a policy, in environments of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from axiomrl.algorithms.protocol import Algorithm
from axiomrl.config.schema import EnvironmentConfig
from axiomrl.errors import UnusableEnvironmentError
from axiomrl.training.buffers import aligned_zeros
from axiomrl.training.factory import EnvironmentFactory
from axiomrl.training.normalization import ObservationNormalizer
from axiomrl.training.seeding import Stream, episode_seed, generator
from axiomrl.training.spaces import action_layout, observation_layout

MAX_PARALLEL = 16  # environments stepped together; more gains little and costs memory


@dataclass
class Episodes:
    """Returns (unscaled) and lengths of the episodes scored, in the order of their seeds."""

    returns: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    @property
    def return_mean(self) -> float:
        """Mean return."""
        return float(np.mean(self.returns))

    @property
    def return_std(self) -> float:
        """Standard deviation of the returns over episodes (ddof = 0)."""
        with np.errstate(invalid="ignore"):  # infinite returns have none: NaN
            return float(np.std(self.returns))

    @property
    def length_mean(self) -> float:
        """Mean length in steps."""
        return float(np.mean(self.lengths))


class Evaluator:
    """Plays whole episodes with an algorithm's policy; never touches training's randomness.

    `before_episode` is called before each episode; what it raises ends the scoring.
    Raises UnusableEnvironmentError when the environments cannot be made, or do not look and
    act like the ones trained on.
    """

    def __init__(
        self,
        env_id: str,
        settings: EnvironmentConfig,
        *,
        episodes: int,
        deterministic: bool,
        seed: int,
        action_transform: str = "clip",
        stream: Stream = Stream.EVALUATION,
        before_episode: Callable[[], None] | None = None,
    ) -> None:
        self._factory = EnvironmentFactory(env_id, settings)
        self._episodes = episodes
        self._deterministic = deterministic
        self._seed = seed
        self._stream = stream
        self._before_episode = before_episode
        self._rows = min(episodes, MAX_PARALLEL)
        self._normalizes = settings.normalize_observation
        self._made = [self._factory.make() for _ in range(self._rows)]
        first = self._made[0].env
        self.observations = observation_layout(first.observation_space, env_id)
        self.actions = action_layout(first.action_space, env_id, action_transform)

    def require_like(self, size: int, kind: str, sizes: tuple[int, ...]) -> None:
        """Raise unless observations and actions have the given form (training's)."""
        mine = (self.observations.size, self.actions.kind, self.actions.sizes)
        if mine != (size, kind, sizes):
            raise UnusableEnvironmentError(
                "environment.evaluation: observations or actions differ from training's: "
                f"{mine} instead of {(size, kind, sizes)}"
            )

    def score(
        self, algorithm: Algorithm, normalizer: ObservationNormalizer | None, *, index: int
    ) -> Episodes:
        """Play the episodes of evaluation number `index`; each number has seeds of its own."""
        act = algorithm.policy(
            self._rows,
            deterministic=self._deterministic,
            generator=generator(self._seed, 10 + int(self._stream), index),
        )
        count, rows = self._episodes, self._rows
        if not self._normalizes:
            normalizer = None
        returns, lengths = [0.0] * count, [0] * count
        raw = aligned_zeros((rows, self.observations.size))
        seen = raw if normalizer is None else aligned_zeros(raw.shape)
        playing = list(range(rows))  # the episode that each environment plays, -1: none left
        for row in range(rows):
            raw[row] = self._begin(row, index, row)
        started = rows
        active = rows
        while active:
            if normalizer is not None:
                normalizer.normalize(raw, out=seen)
            actions = self.actions.to_environment(act(seen))
            for row, episode in enumerate(playing):
                if episode < 0:
                    continue
                made = self._made[row]
                observation, reward, terminated, truncated, _ = made.env.step(actions[row])
                returns[episode] += float(reward)
                lengths[episode] += 1
                if not (terminated or truncated or lengths[episode] == made.limit):
                    raw[row] = self.observations.encode(observation)
                elif started < count:
                    raw[row] = self._begin(row, index, started)
                    playing[row] = started
                    started += 1
                else:
                    playing[row] = -1
                    active -= 1
        return Episodes(returns, lengths)

    def _begin(self, row: int, index: int, episode: int) -> object:
        if self._before_episode is not None:
            self._before_episode()
        if self._factory.fresh_each_episode:
            self._made[row].env.close()
            self._made[row] = self._factory.make()
        seed = episode_seed(self._seed, self._stream, index, episode)
        observation, _ = self._made[row].env.reset(seed=seed)
        return self.observations.encode(observation)

    def close(self) -> None:
        """Close every environment."""
        for made in self._made:
            made.env.close()
