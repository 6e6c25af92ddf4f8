"""Networks: what they are made of, and the engine that computes them on the CPU.

A network maps observations to named outputs, one multilayer perceptron per output, plus free
parameters (a log standard deviation) that are outputs of their own. Losses are written against
the outputs only and hand back the gradient with respect to them (PERFORMANCE.md, rule 1); an
engine turns that into parameter gradients. There are two: `MLPNetwork` here, by hand over BLAS,
and `TorchNetwork` in torch_network.py, by autograd, on any device. Both keep every parameter in
one flat float32 buffer of the same layout, start from the same numbers and save the same tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from axiomrl.training.buffers import Array, aligned_zeros, round_up

# Activation: its name -> the gain of orthogonal initialisation used with it.
GAINS = {"tanh": math.sqrt(2.0), "relu": math.sqrt(2.0), "elu": math.sqrt(2.0)}


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """What a network computes from observations of `observation_size` numbers.

    `heads` names the outputs: each is an MLP of its own, hidden widths `hidden_sizes`, with so
    many outputs. `head_gains` scale the initial last layer. `free` are parameters that do not
    depend on the observation: name -> (size, initial value).
    """

    observation_size: int
    hidden_sizes: tuple[int, ...]
    activation: str
    heads: Mapping[str, int]
    head_gains: Mapping[str, float]
    free: Mapping[str, tuple[int, float]]
    is_orthogonal: bool = True  # else torch's default for linear layers


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
        self.heads: dict[str, list[Layer]] = {}
        self.free: dict[str, slice] = {}
        offset = 0
        for head, outputs in spec.heads.items():
            widths = [spec.observation_size, *spec.hidden_sizes, outputs]
            self.heads[head] = []
            for index, (before, after) in enumerate(pairwise(widths)):
                self.heads[head].append(Layer(f"{head}.{index}", before, after, offset))
                offset += round_up(after * (before + 1))
        for name, (count, _) in spec.free.items():
            self.free[name] = slice(offset, offset + count)
            offset += round_up(count)
        self.size = offset

    def tensors(self, flat: Any) -> dict[str, Any]:
        """Named views into a flat buffer, shaped as torch's Linear shapes them."""
        named = {}
        for layers in self.heads.values():
            for layer in layers:
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
    for head, layers in layout.heads.items():
        for layer in layers:
            matrix = layer.view(flat)
            if spec.is_orthogonal:
                is_last = layer is layers[-1]
                gain = spec.head_gains[head] if is_last else GAINS[spec.activation]
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


class Network(Protocol):
    """What an algorithm needs of a network, whichever engine computes it.

    `xp` is the array namespace of its outputs (numpy or torch). `parameters` and `gradients` are
    flat and only ever changed in place.
    """

    xp: Any
    parameters: Any
    gradients: Any

    def asarray(self, value: Array) -> Any:
        """A NumPy array as an array of this engine, on its device."""

    def forward(self, observation: Any) -> dict[str, Any]:
        """All outputs for observations [B, D]: heads [B, outputs], free parameters [size].

        They are overwritten by the next forward of as many rows.
        """

    def backward(self, output_gradients: Mapping[str, Any]) -> None:
        """Fill `gradients` from d loss / d output of the last forward."""

    def output(self, head: str, observation: Any) -> Any:
        """One head's output [B, outputs], without anything kept for backward."""

    def row_inference(self, head: str, rows: int) -> Callable[[Array], Array]:
        """A fast function from NumPy observations [rows, D] to one head's output [rows, out]."""

    def free_parameter(self, name: str) -> Array:
        """The present value of a free parameter, as a NumPy array."""

    def tensors(self) -> dict[str, Any]:
        """Named views of the parameters, for checkpoints."""

    def load_tensors(self, tensors: Mapping[str, Any]) -> None:
        """Copy named values into the parameters, in place."""


class MLPNetwork:
    """The hand-written engine: forward and backward by matrix products in NumPy.

    Activations are stored features first, [width + 1, B], with a last row of ones, so that one
    product adds the bias, one gives both weight and bias gradient, and element-wise work runs
    over contiguous memory.
    """

    xp: Any = np

    def __init__(self, spec: NetworkSpec, generator: np.random.Generator) -> None:
        self._spec = spec
        self._layout = ParameterLayout(spec)
        self.parameters = initial_parameters(spec, self._layout, generator)
        self.gradients = aligned_zeros(self._layout.size)
        self._activate, self._scale_by_slope = _ACTIVATIONS[spec.activation]
        self._weights = {
            head: [layer.view(self.parameters) for layer in layers]
            for head, layers in self._layout.heads.items()
        }
        self._weight_gradients = {
            head: [layer.view(self.gradients) for layer in layers]
            for head, layers in self._layout.heads.items()
        }
        self._free = {name: self.parameters[where] for name, where in self._layout.free.items()}
        self._work: dict[int, _Work] = {}
        self._last: _Work | None = None

    def asarray(self, value: Array) -> Array:
        """The array itself."""
        return value

    def _workspace(self, rows: int) -> _Work:
        work = self._work.get(rows)
        if work is None:
            work = self._work[rows] = _Work(self._layout, self._spec.observation_size, rows)
        return work

    def forward(self, observation: Array) -> dict[str, Array]:
        """See Network.forward."""
        work = self._workspace(len(observation))
        work.inputs[:-1] = observation.T
        outputs = {head: self._run_head(head, work) for head in self._weights}
        self._last = work
        outputs.update(self._free)
        return outputs

    def _run_head(self, head: str, work: _Work) -> Array:
        weights = self._weights[head]
        activations = work.activations[head]
        below = work.inputs
        for weight, above in zip(weights[:-1], activations, strict=True):
            hidden = above[:-1]
            np.matmul(weight, below, out=hidden)
            self._activate(hidden)
            below = above
        result = work.outputs[head]
        np.matmul(weights[-1], below, out=result)
        return result.T

    def backward(self, output_gradients: Mapping[str, Array]) -> None:
        """See Network.backward."""
        work = self._last
        assert work is not None, "backward before forward"
        for head in self._weights:
            upstream = output_gradients[head].T
            weights = self._weights[head]
            gradients = self._weight_gradients[head]
            activations = work.activations[head]
            for index in range(len(weights) - 1, 0, -1):
                above = activations[index - 1]
                np.matmul(upstream, above.T, out=gradients[index])
                slope = work.slopes[head][index - 1]
                np.matmul(weights[index][:, :-1].T, upstream, out=slope)
                self._scale_by_slope(slope, above[:-1], work.scratch[: slope.size])
                upstream = slope
            np.matmul(upstream, work.inputs.T, out=gradients[0])
        for name, where in self._layout.free.items():
            self.gradients[where] = output_gradients[name]

    def output(self, head: str, observation: Array) -> Array:
        """See Network.output; the buffers live for this call only."""
        work = _Work(self._layout, self._spec.observation_size, len(observation))
        work.inputs[:-1] = observation.T
        return self._run_head(head, work)

    def row_inference(self, head: str, rows: int) -> Callable[[Array], Array]:
        """See Network.row_inference; the result is overwritten by the next call."""
        work = _Work(self._layout, self._spec.observation_size, rows)
        weights = self._weights[head]
        pairs = list(zip(weights[:-1], work.activations[head], strict=True))
        steps = [(weight, above[:-1], above) for weight, above in pairs]
        last, result, activate = weights[-1], work.outputs[head], self._activate
        first, matmul = work.inputs[:-1], np.matmul
        transposed = result.T

        def infer(observation: Array) -> Array:
            first[:] = observation.T
            below = work.inputs
            for weight, hidden, above in steps:
                matmul(weight, below, out=hidden)
                activate(hidden)
                below = above
            matmul(last, below, out=result)
            return transposed

        return infer

    def free_parameter(self, name: str) -> Array:
        """See Network.free_parameter."""
        return self._free[name]

    def tensors(self) -> dict[str, Any]:
        """See Network.tensors; torch tensors that share this network's memory."""
        import torch

        return self._layout.tensors(torch.from_numpy(self.parameters))

    def load_tensors(self, tensors: Mapping[str, Any]) -> None:
        """See Network.load_tensors."""
        for name, view in self._layout.tensors(self.parameters).items():
            view[...] = np.asarray(tensors[name])


class _Work:
    """Activations, output and slope buffers for one number of rows, features first."""

    def __init__(self, layout: ParameterLayout, observation_size: int, rows: int) -> None:
        self.inputs = _with_ones(observation_size, rows)
        self.activations: dict[str, list[Array]] = {}
        self.slopes: dict[str, list[Array]] = {}
        self.outputs: dict[str, Array] = {}
        widest = 1
        for head, layers in layout.heads.items():
            widths = [layer.outputs for layer in layers[:-1]]
            widest = max([widest, *widths])
            self.activations[head] = [_with_ones(width, rows) for width in widths]
            self.slopes[head] = [aligned_zeros((width, rows)) for width in widths]
            self.outputs[head] = aligned_zeros((layers[-1].outputs, rows))
        self.scratch = aligned_zeros(widest * rows)


def _with_ones(width: int, rows: int) -> Array:
    array = aligned_zeros((width + 1, rows))
    array[width] = 1.0
    return array


def _tanh(values: Array) -> None:
    np.tanh(values, out=values)


def _tanh_slope(gradient: Array, activated: Array, scratch: Array) -> None:
    slope = scratch.reshape(gradient.shape)
    np.multiply(activated, activated, out=slope)
    np.subtract(1.0, slope, out=slope)
    gradient *= slope


def _relu(values: Array) -> None:
    np.maximum(values, 0.0, out=values)


def _relu_slope(gradient: Array, activated: Array, scratch: Array) -> None:
    gradient *= activated > 0.0


def _elu(values: Array) -> None:
    np.maximum(values, np.expm1(np.minimum(values, 0.0)), out=values)


def _elu_slope(gradient: Array, activated: Array, scratch: Array) -> None:
    slope = scratch.reshape(gradient.shape)
    np.minimum(activated, 0.0, out=slope)
    slope += 1.0
    gradient *= slope


_ACTIVATIONS: dict[str, tuple[Callable[[Array], None], Callable[[Array, Array, Array], None]]] = {
    "tanh": (_tanh, _tanh_slope),
    "relu": (_relu, _relu_slope),
    "elu": (_elu, _elu_slope),
}


def build_network(
    spec: NetworkSpec, engine: str, device: str, generator: np.random.Generator
) -> Network:
    """The network on the engine named; both engines start from the same parameters."""
    if engine == "mlp":
        return MLPNetwork(spec, generator)
    from axiomrl.training.torch_network import TorchNetwork

    return TorchNetwork(spec, generator, device)
