"""What `speed.py` measures: one entry per row of the table, and nothing else to edit to add one.

Hyperparameters carry axiomrl's names; `sb3_models.py` translates them for Stable-Baselines3, so
both sides are given the same work from one place. Targets are ratios (the peer's cost divided by
ours, at least) or, where there is no peer to speak of, absolute values (at most).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# The peers that a kind of case is measured against, in the order they take turns.
OURS = "axiomrl"
SB3 = "sb3"
CLEANRL = "cleanrl"
BARE_PYTHON = "python"
SUMMARY_WRITER = "summary_writer"

SIDE_NAMES = {
    OURS: "axiomrl",
    SB3: "Stable-Baselines3",
    CLEANRL: "CleanRL",
    BARE_PYTHON: "bare python",
    SUMMARY_WRITER: "torch SummaryWriter",
}

# What each kind of case measures: figure -> what it means. The first one is judged.
MEASURES = {
    "training": {
        "net": "training call, without the one-off import of dynamo by the first torch Adam",
        "as_run": "training call, with that import",
        "process": "the whole process, every import included",
    },
    "process": {"wall": "wall time from the command"},
    "logging": {"cpu": "logging calls, flush and close included"},
}
UNITS = {"training": "µs/step", "process": "s", "logging": "µs/scalar"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the table: the same work done by every side, in turns."""

    name: str
    title: str
    kind: str  # training, process or logging: see MEASURES
    sides: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)  # the work, in axiomrl's names
    cleanrl_arguments: tuple[str, ...] = ()  # the same work as arguments of CleanRL's script
    cleanrl_script: str = "cleanrl/ppo.py"  # in a checkout
    target_ratio: float | None = None  # against the first peer, at least
    target_value: float | None = None  # ours, at most, in the kind's unit

    @property
    def unit(self) -> str:
        """The unit of every figure of this case."""
        return UNITS[self.kind]


def linear(start: float, end: float = 0.0) -> dict[str, Any]:
    """A setting that goes from start to end over the run, as a config file writes it."""
    return {"schedule": "linear", "start": start, "end": end}


def ppo(
    name: str,
    title: str,
    *,
    env_id: str,
    total_timesteps: int,
    target_ratio: float,
    num_envs: int = 1,
    cleanrl_arguments: tuple[str, ...] = (),
    **hyperparameters: Any,
) -> Case:
    """A case that trains PPO; what is not given is Stable-Baselines3's default on both sides."""
    return Case(
        name=name,
        title=title,
        kind="training",
        sides=(OURS, SB3, CLEANRL) if cleanrl_arguments else (OURS, SB3),
        settings={
            "algo": "ppo",
            "env_id": env_id,
            "num_envs": num_envs,
            "total_timesteps": total_timesteps,
            "hyperparameters": {**SB3_DEFAULTS, **hyperparameters},
        },
        cleanrl_arguments=cleanrl_arguments,
        target_ratio=target_ratio,
    )


# Written out, so that a changed default on either side cannot make the work differ.
SB3_DEFAULTS: dict[str, Any] = {
    "n_steps": 2048,
    "batch_size": 64,
    "n_epochs": 10,
    "learning_rate": 3e-4,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "clip_range": 0.2,
    "clip_range_value": None,
    "entropy_coef": 0.0,
    "value_coef": 0.5,
    "max_grad_norm": 0.5,
    "target_kl": None,
    "normalize_advantage": True,
    "hidden_sizes": [64, 64],
    "activation": "tanh",
}

P1 = ppo(
    "P1",
    "PPO CartPole-v1, SB3's defaults (1 env x 2048, batch 64, 10 epochs), 51,200 steps",
    env_id="CartPole-v1",
    total_timesteps=51_200,
    target_ratio=12.0,
    cleanrl_arguments=(
        "--env-id=CartPole-v1",
        "--total-timesteps=51200",
        "--num-envs=1",
        "--num-steps=2048",
        "--num-minibatches=32",
        "--update-epochs=10",
        "--learning-rate=3e-4",
        "--no-anneal-lr",
        "--no-clip-vloss",
        "--ent-coef=0.0",
        "--vf-coef=1.0",  # its value loss carries a factor of one half
    ),
)

P2 = ppo(
    "P2",
    "PPO CartPole-v1, rl-zoo3's settings (8 envs x 32, batch 256, 20 epochs), 51,200 steps",
    env_id="CartPole-v1",
    total_timesteps=51_200,
    target_ratio=4.0,
    num_envs=8,
    n_steps=32,
    batch_size=256,
    n_epochs=20,
    gamma=0.98,
    gae_lambda=0.8,
    learning_rate=linear(1e-3),
    clip_range=linear(0.2),
)

P3 = ppo(
    "P3",
    "PPO CartPole-v1, CleanRL's defaults (4 envs x 128, 4 minibatches, 4 epochs), 40,960 steps",
    env_id="CartPole-v1",
    total_timesteps=40_960,
    target_ratio=7.0,
    num_envs=4,
    cleanrl_arguments=("--env-id=CartPole-v1", "--total-timesteps=40960"),
    n_steps=128,
    batch_size=128,
    n_epochs=4,
    learning_rate=linear(2.5e-4),
    clip_range_value=0.2,
    entropy_coef=0.01,
    value_coef=0.25,  # CleanRL's 0.5 times the one half inside its value loss
)

P4 = ppo(
    "P4",
    "PPO HalfCheetah-v5, SB3's defaults (1 env x 2048, batch 64, 10 epochs), 12,288 steps",
    env_id="HalfCheetah-v5",
    total_timesteps=12_288,
    target_ratio=5.0,
)


def off_policy(
    name: str,
    title: str,
    *,
    algo: str,
    env_id: str,
    total_timesteps: int,
    target_ratio: float,
    cleanrl_script: str = "",
    cleanrl_arguments: tuple[str, ...] = (),
    **hyperparameters: Any,
) -> Case:
    """A case that trains DQN or SAC; ours and Stable-Baselines3 have the same defaults."""
    return Case(
        name=name,
        title=title,
        kind="training",
        sides=(OURS, SB3, CLEANRL) if cleanrl_script else (OURS, SB3),
        cleanrl_script=cleanrl_script,
        cleanrl_arguments=cleanrl_arguments,
        settings={
            "algo": algo,
            "env_id": env_id,
            "num_envs": 1,
            "total_timesteps": total_timesteps,
            "hyperparameters": hyperparameters,
        },
        target_ratio=target_ratio,
    )


P5 = off_policy(
    "P5",
    "DQN CartPole-v1, CleanRL's defaults (120-84, every 10 steps, batch 128), 40,000 steps",
    algo="dqn",
    env_id="CartPole-v1",
    total_timesteps=40_000,
    target_ratio=5.0,
    cleanrl_script="cleanrl/dqn.py",
    cleanrl_arguments=("--env-id=CartPole-v1", "--total-timesteps=40000"),
    learning_rate=2.5e-4,
    buffer_size=10_000,
    learning_starts=10_000,
    batch_size=128,
    gamma=0.99,
    train_every=10,
    gradient_steps=1,
    target_update_every=500,
    epsilon={**linear(1.0, 0.05), "until": 0.5},
    loss="squared",  # Stable-Baselines3 has Huber's only, which costs as much
    hidden_sizes=[120, 84],
)

P6 = off_policy(
    "P6",
    "DQN CartPole-v1, rl-zoo3's settings (256-256, 128 updates per 256 steps), 20,000 steps",
    algo="dqn",
    env_id="CartPole-v1",
    total_timesteps=20_000,
    target_ratio=2.2,
    learning_rate=2.3e-3,
    buffer_size=100_000,
    learning_starts=1_000,
    batch_size=64,
    gamma=0.99,
    train_every=256,
    gradient_steps=128,
    target_update_every=10,
    epsilon={**linear(1.0, 0.04), "until": 0.16},
    hidden_sizes=[256, 256],
)

P7 = off_policy(
    "P7",
    "SAC Pendulum-v1 (256-256, batch 256, an update every step), 5,000 steps",
    algo="sac",
    env_id="Pendulum-v1",
    total_timesteps=5_000,
    target_ratio=1.6,
    cleanrl_script="cleanrl/sac_continuous_action.py",
    # its actor learns every second step, twice: as many updates, at its own critic's step size
    cleanrl_arguments=(
        "--env-id=Pendulum-v1",
        "--total-timesteps=5000",
        "--learning-starts=100",
    ),
    learning_rate=3e-4,
    learning_starts=100,
    batch_size=256,
    hidden_sizes=[256, 256],
)

P8 = off_policy(
    "P8",
    "SAC HalfCheetah-v5 (256-256, batch 256, an update every step), 3,000 steps",
    algo="sac",
    env_id="HalfCheetah-v5",
    total_timesteps=3_000,
    target_ratio=1.35,
    learning_rate=3e-4,
    learning_starts=100,
    batch_size=256,
    hidden_sizes=[256, 256],
)

# P1 up to the step at which its learning gate is read.
TO_THE_GATE = {**P1.settings, "total_timesteps": 40_960}

P9 = Case(
    name="P9",
    title="whole process: command to trained CartPole (P1, 40,960 steps)",
    kind="process",
    sides=(OURS, SB3),
    settings=TO_THE_GATE,
    target_ratio=9.0,
)

P10 = Case(
    name="P10",
    title="whole process: command to first env step (P1)",
    kind="process",
    sides=(OURS, SB3),
    settings={**P1.settings, "env_id": "first_step_env:FirstStep-v0"},
    target_ratio=2.0,
)

P11 = Case(
    name="P11",
    title="axiomrl --help",
    kind="process",
    sides=(OURS, BARE_PYTHON),
    target_value=0.25,
)

P13 = Case(
    name="P13",
    title="logging: TensorBoard and JSONL, 12 scalars per flush; the peer TensorBoard only",
    kind="logging",
    sides=(OURS, SUMMARY_WRITER),
    settings={"flushes": 2_000, "scalars": 12},
    target_value=8.0,
)

CASES = {case.name: case for case in (P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P13)}


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What a timed configuration has to learn: speed is never bought with learning."""

    case: str
    settings: Mapping[str, Any]
    last_episodes: int  # the mean of so many last training episodes …
    minimum: float  # … reaches this …
    seeds: int  # … on `passing` of so many seeds
    passing: int


GATES = (
    Gate(case="P1", settings=TO_THE_GATE, last_episodes=20, minimum=475.0, seeds=6, passing=5),
)
