"""What a network is made of, and where its parameters lie in one flat buffer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from axiomrl.training.buffers import Array, aligned_zeros, round_up

# Activation: its name -> the gain of orthogonal initialisation used with it.
GAINS = {"tanh": math.sqrt(2.0), "relu": math.sqrt(2.0), "elu": math.sqrt(2.0)}


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """What a network computes from observations of `observation_size` numbers.

    `heads` names the outputs: each is an MLP of its own, hidden widths `hidden_sizes`, with so
    many outputs, on top of the layers that all share (`trunk_sizes`, none by default).
    `head_gains` scale the initial last layer. `free` are parameters that do not depend on the
    observation: name -> (size, initial value). `features_of` names a head whose last hidden
    activations (the observation itself, if it has no hidden layer) are an output, too: "features".
    """

    observation_size: int
    hidden_sizes: tuple[int, ...]
    activation: str
    heads: Mapping[str, int]
    head_gains: Mapping[str, float]
    free: Mapping[str, tuple[int, float]]
    trunk_sizes: tuple[int, ...] = ()
    is_orthogonal: bool = True  # else torch's default for linear layers
    features_of: str | None = None


@dataclass(frozen=True)
class Layer:
    """One affine map [out, in + 1] within the flat buffer; its last column is the bias."""

    name: str
    inputs: int
    outputs: int
    offset: int

    def view(self, flat: Any) -> Any:
        """The matrix [outputs, inputs + 1] as a view into a flat buffer."""
        size = self.outputs * (self.inputs + 1)
        return flat[self.offset : self.offset + size].reshape(self.outputs, self.inputs + 1)


class ParameterLayout:
    """Where each parameter lies in the flat buffer; every one starts at a 64-byte line."""

    def __init__(self, spec: NetworkSpec) -> None:
        self.observation_size = spec.observation_size
        self.free: dict[str, slice] = {}
        self.size = 0
        trunk_widths = [spec.observation_size, *spec.trunk_sizes]
        self.trunk = self._place("trunk", trunk_widths)
        self.heads = {
            head: self._place(head, [trunk_widths[-1], *spec.hidden_sizes, outputs])
            for head, outputs in spec.heads.items()
        }
        for name, (count, _) in spec.free.items():
            self.free[name] = slice(self.size, self.size + count)
            self.size += round_up(count)

    def _place(self, name: str, widths: list[int]) -> list[Layer]:
        layers = []
        for index, (before, after) in enumerate(pairwise(widths)):
            layers.append(Layer(f"{name}.{index}", before, after, self.size))
            self.size += round_up(after * (before + 1))
        return layers

    @property
    def layers(self) -> list[Layer]:
        """Every layer, the trunk's first."""
        return [*self.trunk, *(layer for layers in self.heads.values() for layer in layers)]

    def tensors(self, flat: Any) -> dict[str, Any]:
        """Named views into a flat buffer, shaped as torch's Linear shapes them."""
        named = {}
        for layer in self.layers:
            matrix = layer.view(flat)
            named[f"{layer.name}.weight"] = matrix[:, : layer.inputs]
            named[f"{layer.name}.bias"] = matrix[:, layer.inputs]
        for name, where in self.free.items():
            named[name] = flat[where]
        return named


def initial_parameters(
    spec: NetworkSpec, layout: ParameterLayout, generator: np.random.Generator
) -> Array:
    """The flat buffer at the start of training.

    Orthogonal weights with zero biases (Saxe et al. 2014; gains as in Engstrom et al. 2020), or
    uniform within ±1/sqrt(inputs) for both, which is torch's default.
    """
    flat = aligned_zeros(layout.size)
    last = {id(layers[-1]): spec.head_gains[head] for head, layers in layout.heads.items()}
    for layer in layout.layers:
        matrix = layer.view(flat)
        if spec.is_orthogonal:
            gain = last.get(id(layer), GAINS[spec.activation])
            matrix[:, :-1] = gain * _orthogonal(layer.outputs, layer.inputs, generator)
        else:
            bound = 1.0 / math.sqrt(layer.inputs)
            matrix[:] = generator.uniform(-bound, bound, matrix.shape)
    for name, (_, value) in spec.free.items():
        flat[layout.free[name]] = value
    return flat


def _orthogonal(rows: int, columns: int, generator: np.random.Generator) -> Array:
    tall = generator.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diag(r))
    return q if rows >= columns else q.T
