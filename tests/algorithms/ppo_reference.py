"""PPO a second time: float64, torch modules, autograd and torch's own optimizer.

Written from the papers (Schulman et al. 2016 and 2017), sharing no code with axiomrl, for a
rollout of `building.rollout`. Slow and short.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from axiomrl.training.environments import Transitions

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "elu": nn.ELU}
distributions: Any = torch.distributions


@dataclass
class Settings:
    """What the reference needs of PPO's settings; the numbers are those in force."""

    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    clip_range_value: float | None = None
    entropy_coef: float = 0.0
    value_coef: float = 0.5
    normalize_advantage: bool = True
    activation: str = "tanh"
    sizes: tuple[int, ...] = field(default=())  # of several choices


class Agent(nn.Module):
    """Policy and value networks with given parameters."""

    def __init__(self, tensors: dict[str, torch.Tensor], settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.policy = _chain("policy", tensors, settings.activation)
        self.value = _chain("value", tensors, settings.activation)
        self.log_std = nn.Parameter(tensors["log_std"].clone()) if "log_std" in tensors else None

    def named(self) -> dict[str, torch.Tensor]:
        """The parameters by the names that they were given under."""
        named: dict[str, torch.Tensor] = {}
        for head, module in (("policy", self.policy), ("value", self.value)):
            linears = [part for part in module if isinstance(part, nn.Linear)]
            for index, linear in enumerate(linears):
                named[f"{head}.{index}.weight"] = linear.weight
                named[f"{head}.{index}.bias"] = linear.bias
        if self.log_std is not None:
            named["log_std"] = self.log_std
        return named

    def judge(self, observation: torch.Tensor, action: torch.Tensor) -> tuple[Any, Any]:
        """Log-probability and entropy of each row."""
        output = self.policy(observation)
        if self.log_std is not None:
            normal = distributions.Normal(output, self.log_std.exp())
            return normal.log_prob(action).sum(-1), normal.entropy().sum(-1)
        if action.ndim == 1:
            chosen = distributions.Categorical(logits=output)
            return chosen.log_prob(action), chosen.entropy()
        groups = [
            distributions.Categorical(logits=part)
            for part in torch.split(output, list(self.settings.sizes), dim=1)
        ]
        log_probs = [group.log_prob(action[:, k]) for k, group in enumerate(groups)]
        return sum(log_probs), sum(group.entropy() for group in groups)


def _chain(head: str, tensors: dict[str, torch.Tensor], activation: str) -> nn.Sequential:
    parts: list[nn.Module] = []
    index = 0
    while f"{head}.{index}.weight" in tensors:
        if parts:
            parts.append(ACTIVATIONS[activation]())
        weight = tensors[f"{head}.{index}.weight"]
        linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(weight)
            linear.bias.copy_(tensors[f"{head}.{index}.bias"])
        parts.append(linear)
        index += 1
    return nn.Sequential(*parts)


class Rollout:
    """What the acting agent thought of a rollout; rows in the order time, then environment."""

    def __init__(self, agent: Agent, transitions: Transitions) -> None:
        settings = agent.settings
        steps, envs = transitions.reward.shape
        self.observation = torch.tensor(transitions.observation, dtype=torch.float64).flatten(0, 1)
        self.action = torch.as_tensor(transitions.action).flatten(0, 1)
        following = torch.tensor(transitions.next_observation, dtype=torch.float64)
        with torch.no_grad():
            value = agent.value(self.observation).reshape(steps, envs)
            next_value = agent.value(following).reshape(steps, envs)
            self.log_prob = agent.judge(self.observation, self.action)[0]
        advantage = torch.zeros(steps, envs, dtype=torch.float64)
        for env in range(envs):
            trace = 0.0
            for step in reversed(range(steps)):
                bootstrap = 0.0 if transitions.terminated[step, env] else next_value[step, env]
                reward = float(transitions.reward[step, env])
                delta = reward + settings.gamma * bootstrap - value[step, env]
                if transitions.terminated[step, env] or transitions.truncated[step, env]:
                    trace = 0.0
                trace = delta + settings.gamma * settings.gae_lambda * trace
                advantage[step, env] = trace
        self.value = value.flatten()
        self.advantage = advantage.flatten()
        self.target = (advantage + value).flatten()


def loss(agent: Agent, rollout: Rollout, rows: np.ndarray) -> dict[str, torch.Tensor]:
    """The parts of the loss over some rows of the rollout, and what is reported of it."""
    settings = agent.settings
    chosen = torch.as_tensor(rows)
    observation, action = rollout.observation[chosen], rollout.action[chosen]
    advantage, target = rollout.advantage[chosen], rollout.target[chosen]
    if settings.normalize_advantage and len(rows) > 1:
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    log_prob, entropy = agent.judge(observation, action)
    ratio = torch.exp(log_prob - rollout.log_prob[chosen])
    clip = settings.clip_range
    clipped = torch.clamp(ratio, 1 - clip, 1 + clip)
    policy_loss = -torch.min(ratio * advantage, clipped * advantage).mean()
    value = agent.value(observation).flatten()
    squared = (value - target) ** 2
    if settings.clip_range_value is not None:
        old, limit = rollout.value[chosen], settings.clip_range_value
        near = old + torch.clamp(value - old, -limit, limit)
        squared = torch.max(squared, (near - target) ** 2)
    value_loss, mean_entropy = squared.mean(), entropy.mean()
    total = policy_loss + settings.value_coef * value_loss - settings.entropy_coef * mean_entropy
    return {
        "loss": total,
        "policy_loss": policy_loss,
        "value_loss": value_loss,
        "entropy": mean_entropy,
        "approx_kl": (ratio - 1 - ratio.log()).mean(),
        "clip_fraction": ((ratio - 1).abs() > clip).double().mean(),
    }


def gradients(agent: Agent, rollout: Rollout, rows: np.ndarray) -> dict[str, torch.Tensor]:
    """The loss's gradient by parameter."""
    named = agent.named()
    total = loss(agent, rollout, rows)["loss"]
    return dict(zip(named, torch.autograd.grad(total, list(named.values())), strict=True))


def update(
    agent: Agent,
    rollout: Rollout,
    orders: list[np.ndarray],
    *,
    batch_size: int,
    learning_rate: float,
    epsilon: float,
    max_grad_norm: float,
) -> dict[str, float]:
    """One pass per order over the rollout, in place; means of what the last one reports."""
    optimizer = torch.optim.Adam(agent.parameters(), lr=learning_rate, eps=epsilon)
    reports: list[dict[str, float]] = []
    for order in orders:
        reports.clear()
        for start in range(0, len(order), batch_size):
            parts = loss(agent, rollout, order[start : start + batch_size])
            optimizer.zero_grad()
            parts["loss"].backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(agent.parameters(), max_grad_norm)
            optimizer.step()
            reports.append({name: float(value.detach()) for name, value in parts.items()})
    return {name: float(np.mean([report[name] for report in reports])) for name in reports[0]}
