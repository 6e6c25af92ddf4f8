"""The autograd engine: the same networks as torch modules would compute them, on any device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from axiomrl.training.buffers import Array
from axiomrl.training.network_layout import NetworkSpec, ParameterLayout, initial_parameters

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": functional.relu,
    "elu": functional.elu,
}


class TorchNetwork:
    """A Network whose gradients come from autograd.

    Each layer's matrix is a leaf whose data and gradient are views into the flat buffers.
    """

    xp: Any = torch

    def __init__(self, spec: NetworkSpec, generator: np.random.Generator, device: str) -> None:
        self._spec = spec
        self._layout = ParameterLayout(spec)
        self._device = torch.device(device)
        initial = torch.from_numpy(initial_parameters(spec, self._layout, generator))
        self.parameters = initial.to(self._device)
        self.gradients = torch.zeros_like(self.parameters)
        self._activate = _ACTIVATIONS[spec.activation]
        self._trunk = [self._leaf(layer.view) for layer in self._layout.trunk]
        self._weights = {
            head: [self._leaf(layer.view) for layer in layers]
            for head, layers in self._layout.heads.items()
        }
        self._free = {
            name: self._leaf(partial(_entries, where)) for name, where in self._layout.free.items()
        }
        self._last: dict[str, Tensor] = {}

    def _leaf(self, view: Callable[[Tensor], Tensor]) -> Tensor:
        leaf = view(self.parameters).detach().requires_grad_()
        leaf.grad = view(self.gradients)
        return leaf

    def asarray(self, value: Array) -> Tensor:
        """See Network.asarray; always a copy, which torch aligns (see buffers.py)."""
        return torch.tensor(value, device=self._device)

    def _run_trunk(self, observation: Tensor) -> Tensor:
        hidden = observation
        for weight in self._trunk:
            hidden = self._activate(functional.linear(hidden, weight[:, :-1], weight[:, -1]))
        return hidden

    def _run_head(self, head: str, hidden: Tensor) -> Tensor:
        weights = self._weights[head]
        for index, weight in enumerate(weights):
            hidden = functional.linear(hidden, weight[:, :-1], weight[:, -1])
            if index < len(weights) - 1:
                hidden = self._activate(hidden)
        return hidden

    def forward(self, observation: Tensor) -> dict[str, Tensor]:
        """See Network.forward; outputs are detached, the graph is kept for backward."""
        self._input = observation.detach().requires_grad_()
        hidden = self._run_trunk(self._input)
        self._last = {head: self._run_head(head, hidden) for head in self._weights}
        outputs = {head: output.detach() for head, output in self._last.items()}
        outputs.update({name: leaf.detach() for name, leaf in self._free.items()})
        return outputs

    def backward(self, output_gradients: Mapping[str, Tensor]) -> None:
        """See Network.backward."""
        self.gradients.zero_()
        heads = list(self._last)
        torch.autograd.backward(
            [self._last[head] for head in heads],
            [output_gradients[head] for head in heads],
            inputs=[*self._trunk, *(leaf for head in heads for leaf in self._weights[head])],
        )
        for name, where in self._layout.free.items():
            self.gradients[where] = output_gradients[name]

    def input_gradient(self, output_gradients: Mapping[str, Tensor]) -> Tensor:
        """See Network.input_gradient."""
        heads = list(self._last)
        (gradient,) = torch.autograd.grad(
            [self._last[head] for head in heads],
            [self._input],
            [output_gradients[head] for head in heads],
        )
        return gradient

    def output(self, head: str, observation: Tensor) -> Tensor:
        """See Network.output."""
        with torch.no_grad():
            return self._run_head(head, self._run_trunk(observation))

    def row_inference(self, head: str, rows: int) -> Callable[[Array], Array]:
        """See Network.row_inference."""

        def infer(observation: Array) -> Array:
            with torch.no_grad():
                seen = torch.as_tensor(observation, device=self._device)
                result: Array = self._run_head(head, self._run_trunk(seen)).cpu().numpy()
                return result

        return infer

    def free_parameter(self, name: str) -> Array:
        """See Network.free_parameter."""
        value: Array = self._free[name].detach().cpu().numpy()
        return value

    def tensors(self) -> dict[str, Any]:
        """See Network.tensors."""
        return self._layout.tensors(self.parameters)

    def load_tensors(self, tensors: Mapping[str, Any]) -> None:
        """See Network.load_tensors."""
        for name, view in self._layout.tensors(self.parameters).items():
            view.copy_(torch.as_tensor(tensors[name]))


def _entries(where: slice, flat: Tensor) -> Tensor:
    return flat[where]
