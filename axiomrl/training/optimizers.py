"""Adam on one flat buffer, for NumPy arrays and torch tensors alike.

`torch.optim` is not used because its first optimizer imports the compiler stack (about a second)
and its per-tensor bookkeeping costs more than the arithmetic for small networks.
"""

from __future__ import annotations

import math
from typing import Any


class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1), updating `parameters` in place.

    Epsilon is added outside the square root of the bias-corrected second moment, as in torch.
    `xp` is numpy or torch; parameters and gradients are flat float32 buffers of equal length.
    """

    def __init__(
        self,
        xp: Any,
        parameters: Any,
        *,
        epsilon: float = 1e-8,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        self._xp = xp
        self._parameters = parameters
        self._beta1, self._beta2 = betas
        self._epsilon = epsilon
        self._step = 0
        self._mean = xp.zeros_like(parameters)
        self._square = xp.zeros_like(parameters)
        self._scratch = xp.zeros_like(parameters)

    def step(self, gradients: Any, learning_rate: float) -> None:
        """Move the parameters one step against the gradients."""
        xp, scratch, mean, square = self._xp, self._scratch, self._mean, self._square
        self._step += 1
        mean *= self._beta1
        xp.multiply(gradients, 1.0 - self._beta1, out=scratch)
        mean += scratch
        square *= self._beta2
        xp.multiply(gradients, gradients, out=scratch)
        scratch *= 1.0 - self._beta2
        square += scratch
        correction1 = 1.0 - self._beta1**self._step
        correction2 = math.sqrt(1.0 - self._beta2**self._step)
        xp.sqrt(square, out=scratch)
        scratch += self._epsilon * correction2
        xp.divide(mean, scratch, out=scratch)
        scratch *= learning_rate * correction2 / correction1
        self._parameters -= scratch

    def state_dict(self) -> dict[str, Any]:
        """The step count and both moments (live buffers, not copies)."""
        return {"step": self._step, "mean": self._mean, "square": self._square}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state; buffers are filled in place."""
        self._step = int(state["step"])
        self._mean[:] = _like(self._mean, state["mean"])
        self._square[:] = _like(self._square, state["square"])


def clip_gradient_norm(xp: Any, gradients: Any, limit: float) -> float:
    """Scale the flat gradients in place to an L2 norm of at most `limit`; returns the old norm."""
    norm = math.sqrt(float(xp.dot(gradients, gradients)))
    if norm > limit:
        gradients *= limit / (norm + 1e-6)
    return norm


def _like(buffer: Any, value: Any) -> Any:
    if hasattr(buffer, "device") and hasattr(buffer, "is_cuda"):
        import torch

        return torch.as_tensor(value, device=buffer.device)
    return value
