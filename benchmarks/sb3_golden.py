"""Writes tests/golden/sb3_{dqn,sac,ppo}.npz: what Stable-Baselines3 makes of given batches.

Each file holds settings, a network's parameters before, the batches (with the noise drawn), and
the parameters after one and after three gradient steps; tests/algorithms/test_sb3_golden.py takes
the same steps with axiomrl. Parameters go by axiomrl's names; nothing of axiomrl runs here, and
everything is drawn from fixed seeds. Run it in the peers' environment after an upgrade of theirs:

    .venv-bench/bin/python benchmarks/sb3_golden.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import stable_baselines3
import torch
from gymnasium import spaces
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.buffers import NStepReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
OBSERVATIONS, HIDDEN, BATCH, UPDATES = 5, (24, 16), 32, 3
ACTIONS: dict[str, Any] = {
    "discrete": spaces.Discrete(4),
    "box": spaces.Box(-1.0, 1.0, (2,)),
}
NOISE_SEED = 11  # of SAC's noise: axiomrl's test draws it again
Arrays = dict[str, Any]


class Random(gymnasium.Env[Any, Any]):
    """Draws observations, rewards and ends of episodes, and remembers them."""

    observation_space = spaces.Box(-np.inf, np.inf, (OBSERVATIONS,))

    def __init__(self, actions: Any, seed: int) -> None:
        self.action_space = actions
        self._generator = np.random.default_rng(seed)
        self.steps: list[dict[str, Any]] = []

    def _observe(self) -> np.ndarray:
        self._seen = self._generator.normal(size=OBSERVATIONS).astype(np.float32)
        return self._seen

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """A first observation; the seed is not used, the generator is the object's own."""
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        """What was drawn, and the action's sum as part of the reward."""
        before = self._seen
        reward = float(np.float32(2.0 * self._generator.normal() + np.sum(action)))
        terminated, truncated = bool(self._generator.random() < 0.1), False
        if not terminated:
            truncated = bool(self._generator.random() < 0.1)
        self.steps.append(
            {
                "observation": before,
                "reward": np.float32(reward),
                "terminated": terminated,
                "truncated": truncated,
                "next_observation": self._observe(),
            }
        )
        return self._seen, reward, terminated, truncated, {}


def environments(kind: str, count: int) -> tuple[DummyVecEnv, list[Random]]:
    made = [Random(ACTIONS[kind], seed) for seed in range(count)]
    return DummyVecEnv([lambda env=env: env for env in made]), made


def logged(made: list[Random], name: str) -> np.ndarray:
    """What all environments remember under a name, [steps, environments, …]."""
    return np.stack([[step[name] for step in env.steps] for env in made], axis=1)


def scramble(module: torch.nn.Module, seed: int, distance: float = 0.3) -> None:
    """Move every parameter away from its initial value."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(distance * torch.randn(parameter.shape, generator=generator))


def linears(prefix: str, *modules: torch.nn.Linear) -> Arrays:
    """The parameters of consecutive linear layers by axiomrl's names."""
    return {
        f"{prefix}.{index}.{part}": getattr(module, part).detach().numpy().copy()
        for index, module in enumerate(modules)
        for part in ("weight", "bias")
    }


def layers(sequence: Any) -> list[torch.nn.Linear]:
    return [module for module in sequence if isinstance(module, torch.nn.Linear)]


def flattened(tree: Mapping[str, Any], prefix: str = "") -> Arrays:
    """Nested arrays by paths such as `before/network/q.0.weight`."""
    flat: Arrays = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(flattened(value, f"{prefix}{name}/"))
        else:
            flat[f"{prefix}{name}"] = np.asarray(value)
    return flat


def recorded_samples(model: Any) -> list[Any]:
    """A list to which every batch that the model draws from its replay is added."""
    drawn: list[Any] = []
    sample = model.replay_buffer.sample

    def remember(*arguments: Any, **keywords: Any) -> Any:
        drawn.append(sample(*arguments, **keywords))
        return drawn[-1]

    model.replay_buffer.sample = remember
    return drawn


def batches(drawn: list[Any]) -> Arrays:
    """What was drawn, [updates, rows, …]; an ended episode that was truncated is not terminal."""
    names = {
        "observation": "observations",
        "next_observation": "next_observations",
        "action": "actions",
        "reward": "rewards",
        "is_terminal": "dones",
    }
    stacked = {
        name: np.stack([getattr(batch, theirs).numpy() for batch in drawn])
        for name, theirs in names.items()
    }
    return {
        name: value[..., 0] if value.shape[-1] == 1 else value for name, value in stacked.items()
    }


def trained(model: Any, parameters: Any) -> Arrays:
    """Parameters before, after the first and after the last of three gradient steps."""
    states: Arrays = {"before": parameters()}
    for number in range(1, UPDATES + 1):
        model.train(gradient_steps=1, batch_size=BATCH)
        states[f"after_{number}"] = parameters()
    del states["after_2"]
    return states


def dqn() -> Arrays:
    settings = {"learning_rate": 2e-3, "gamma": 0.95, "max_grad_norm": 1.0}
    env, _ = environments("discrete", 1)
    model = DQN(
        "MlpPolicy",
        env,
        **settings,
        buffer_size=500,
        learning_starts=10_000,
        policy_kwargs={"net_arch": list(HIDDEN)},
        seed=0,
    )
    model.learn(300)  # random actions only
    scramble(model.q_net, 1)
    scramble(model.q_net_target, 2)
    drawn = recorded_samples(model)

    def parameters() -> Arrays:
        return {
            "network": linears("q", *layers(model.q_net.q_net)),
            "target": linears("q", *layers(model.q_net_target.q_net)),
        }

    states = trained(model, parameters)
    return {"settings": settings, **states, "batch": batches(drawn), "n_step": n_step_returns()}


def n_step_returns(steps: int = 60, n: int = 3, gamma: float = 0.9) -> Arrays:
    """Single steps of one environment, and the 3-step transition from each of them."""
    env, (made,) = environments("discrete", 1)
    buffer = NStepReplayBuffer(
        steps + 1,
        env.observation_space,
        env.action_space,
        device="cpu",
        n_steps=n,
        gamma=gamma,
    )
    generator = np.random.default_rng(3)
    env.reset()
    for _ in range(steps):
        action = generator.integers(4, size=1)
        _, reward, ended, infos = env.step(action)
        last = made.steps[-1]
        buffer.add(
            last["observation"][None], last["next_observation"][None], action, reward, ended, infos
        )
    samples = buffer._get_samples(np.arange(steps - n + 1))
    single = {name: logged([made], name) for name in made.steps[0]}
    single["action"] = buffer.actions[:steps, :, 0]
    return {
        "n": n,
        "gamma": gamma,
        "single": single,
        "observation": samples.observations.numpy(),
        "next_observation": samples.next_observations.numpy(),
        "reward": samples.rewards.numpy()[:, 0],
        "is_terminal": samples.dones.numpy()[:, 0],
        "discount": samples.discounts.numpy()[:, 0],
    }


@contextmanager
def given_noise(noise: Iterator[np.ndarray]) -> Iterator[None]:
    """Gaussian samples are made of the noise given instead of torch's own."""
    original = torch.distributions.Normal.rsample

    def rsample(self: Any, shape: Any = ()) -> torch.Tensor:
        sample: torch.Tensor = self.loc + self.scale * torch.from_numpy(next(noise))
        return sample

    torch.distributions.Normal.rsample = rsample
    try:
        yield
    finally:
        torch.distributions.Normal.rsample = original


def sac() -> Arrays:
    settings = {"learning_rate": 1e-3, "gamma": 0.95, "tau": 0.02}
    env, _ = environments("box", 1)
    model = SAC(
        "MlpPolicy",
        env,
        **settings,
        buffer_size=500,
        learning_starts=10_000,
        policy_kwargs={"net_arch": list(HIDDEN)},
        seed=0,
    )
    model.learn(300)
    # the peer adds 1e-6 to 1 - tanh(u)^2, which is another loss where actions saturate: not far
    scramble(model.actor, 0, distance=0.1)
    scramble(model.critic, 1)
    scramble(model.critic_target, 2)
    drawn = recorded_samples(model)
    generator = np.random.default_rng(NOISE_SEED)
    noise = np.stack(
        [generator.standard_normal((2, BATCH, 2), dtype=np.float32) for _ in range(UPDATES)]
    )

    def critics(module: Any) -> Arrays:
        pairs = enumerate((module.qf0, module.qf1), start=1)
        return {k: v for n, qf in pairs for k, v in linears(f"q{n}", *layers(qf)).items()}

    def parameters() -> Arrays:
        actor = model.actor
        last = {
            f"policy.{len(HIDDEN)}.{part}": torch.cat(
                [getattr(actor.mu, part), getattr(actor.log_std, part)]
            )
            .detach()
            .numpy()
            for part in ("weight", "bias")
        }
        return {
            "actor": {**linears("policy", *layers(actor.latent_pi)), **last},
            "critics": critics(model.critic),
            "target_critics": critics(model.critic_target),
            "log_alpha": model.log_ent_coef.detach().numpy().copy(),
        }

    # of each pair, the first is for the actions at s and is drawn first
    with given_noise(iter(noise.reshape(2 * UPDATES, BATCH, 2))):
        states = trained(model, parameters)
    return {"settings": settings, **states, "batch": {**batches(drawn), "noise": noise}}


def ppo(kind: str) -> Arrays:
    settings = {
        "learning_rate": 3e-3,
        "gamma": 0.95,
        "gae_lambda": 0.9,
        "clip_range": 0.1,
        "ent_coef": 0.02,
        "vf_coef": 0.7,
        "max_grad_norm": 0.5,
    }
    steps, count = 40, 2
    env, made = environments(kind, count)
    model = PPO(
        "MlpPolicy",
        env,
        **settings,
        n_steps=steps,
        batch_size=steps * count,
        n_epochs=1,
        policy_kwargs={"net_arch": list(HIDDEN)},
        seed=0,
    )
    scramble(model.policy, 4)

    def parameters() -> Arrays:
        policy = model.policy
        extractor = policy.mlp_extractor
        free = {} if kind == "discrete" else {"log_std": policy.log_std.detach().numpy().copy()}
        return {
            **linears("policy", *layers(extractor.policy_net), policy.action_net),
            **linears("value", *layers(extractor.value_net), policy.value_net),
            **free,
        }

    states: Arrays = {"before": parameters()}
    model.learn(steps * count)  # one rollout and one gradient step on all of it
    states["after_1"] = parameters()
    model.train()
    model.train()  # two more on the same rollout
    states["after_3"] = parameters()
    rollout = {name: logged(made, name) for name in made[0].steps[0]}
    # after training, the buffer's rows are flattened environment by environment
    actions = model.rollout_buffer.actions.reshape(count, steps, -1).swapaxes(0, 1)
    rollout["action"] = actions[..., 0].astype(np.int64) if kind == "discrete" else actions
    return {"settings": settings, **states, "rollout": rollout}


def write(name: str, content: Mapping[str, Any]) -> None:
    versions = {"stable_baselines3": stable_baselines3.__version__, "torch": torch.__version__}
    path = GOLDEN / f"sb3_{name}.npz"
    np.savez_compressed(path, **flattened({"versions": versions, **content}))
    print(f"{path}: {path.stat().st_size / 1024:.0f} KiB", file=sys.stderr)


def main() -> None:
    torch.set_num_threads(1)
    GOLDEN.mkdir(exist_ok=True)
    write("dqn", dqn())
    write("sac", sac())
    write("ppo", {kind: ppo(kind) for kind in ACTIONS})


if __name__ == "__main__":
    main()
