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

    def _run_head(self, head: str, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Output and features of a head."""
        *hidden_weights, last = self._weights[head]
        for weight in hidden_weights:
            hidden = self._activate(functional.linear(hidden, weight[:, :-1], weight[:, -1]))
        return functional.linear(hidden, last[:, :-1], last[:, -1]), hidden

    def forward(self, observation: Tensor) -> dict[str, Tensor]:
        """See Network.forward; outputs are detached, the graph is kept for backward."""
        self._input = observation.detach().requires_grad_()
        hidden = self._run_trunk(self._input)
        runs = {head: self._run_head(head, hidden) for head in self._weights}
        self._last = {head: output for head, (output, _) in runs.items()}
        if self._spec.features_of is not None:
            self._last["features"] = runs[self._spec.features_of][1]
        outputs = {head: output.detach() for head, output in self._last.items()}
        outputs.update({name: leaf.detach() for name, leaf in self._free.items()})
        return outputs

    def backward(self, output_gradients: Mapping[str, Tensor]) -> None:
        """See Network.backward."""
        self.gradients.zero_()
        names = self._names_in(output_gradients)
        heads = self._weights.values()
        torch.autograd.backward(
            [self._last[name] for name in names],
            [output_gradients[name] for name in names],
            inputs=[*self._trunk, *(leaf for weights in heads for leaf in weights)],
        )
        for name, where in self._layout.free.items():
            self.gradients[where] = output_gradients[name]

    def input_gradient(self, output_gradients: Mapping[str, Tensor]) -> Tensor:
        """See Network.input_gradient."""
        names = self._names_in(output_gradients)
        (gradient,) = torch.autograd.grad(
            [self._last[name] for name in names],
            [self._input],
            [output_gradients[name] for name in names],
        )
        return gradient

    def _names_in(self, output_gradients: Mapping[str, Tensor]) -> list[str]:
        """The outputs that autograd goes through; constant features are not among them."""
        return [
            name
            for name, output in self._last.items()
            if name in output_gradients and output.requires_grad
        ]

    def output(self, head: str, observation: Tensor) -> Tensor:
        """See Network.output."""
        with torch.no_grad():
            return self._run_head(head, self._run_trunk(observation))[0]

    def row_inference(self, head: str, rows: int) -> Callable[[Array], Array]:
        """See Network.row_inference."""
        infer = self.row_inference_with_features(head, rows)
        return lambda observation: infer(observation)[0]

    def row_inference_with_features(
        self, head: str, rows: int
    ) -> Callable[[Array], tuple[Array, Array]]:
        """See Network.row_inference_with_features."""

        def infer(observation: Array) -> tuple[Array, Array]:
            with torch.no_grad():
                seen = torch.as_tensor(observation, device=self._device)
                output, features = self._run_head(head, self._run_trunk(seen))
                return output.cpu().numpy(), features.cpu().numpy()

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
