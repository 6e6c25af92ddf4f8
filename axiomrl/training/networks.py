"""Networks: what they are made of, and the engine that computes them on the CPU.

A network maps observations to named outputs, one multilayer perceptron per output, plus free
parameters (a log standard deviation) that are outputs of their own. Losses are written against
the outputs only and hand back the gradient with respect to them (PERFORMANCE.md, rule 1); an
engine turns that into parameter gradients. There are two: `MLPNetwork` here, by hand over BLAS,
and `TorchNetwork` in torch_network.py, by autograd, on any device. Both keep every parameter in
one flat float32 buffer of the same layout, start from the same numbers and save the same tensors.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from axiomrl.training.buffers import Array, aligned_zeros
from axiomrl.training.network_layout import (
    Layer,
    NetworkSpec,
    ParameterLayout,
    initial_parameters,
)


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

        And "features" [B, H], if the spec asks for them. They are overwritten by the next forward
        of as many rows.
        """

    def backward(self, output_gradients: Mapping[str, Any]) -> None:
        """Fill `gradients` from d loss / d output of the last forward.

        A gradient for "features" may be left out: then the loss does not reach them that way.
        """

    def input_gradient(self, output_gradients: Mapping[str, Any]) -> Any:
        """The loss's gradient for the observations of the last forward, [B, D].

        `gradients` is left alone.
        """

    def output(self, head: str, observation: Any) -> Any:
        """One head's output [B, outputs], without anything kept for backward."""

    def row_inference(self, head: str, rows: int) -> Callable[[Array], Array]:
        """A fast function from NumPy observations [rows, D] to one head's output [rows, out]."""

    def row_inference_with_features(
        self, head: str, rows: int
    ) -> Callable[[Array], tuple[Array, Array]]:
        """The same with the head's last hidden activations [rows, H] beside its output."""

    def free_parameter(self, name: str) -> Array:
        """The present value of a free parameter, as a NumPy array."""

    def tensors(self) -> dict[str, Any]:
        """Named views of the parameters, for checkpoints."""

    def load_tensors(self, tensors: Mapping[str, Any]) -> None:
        """Copy named values into the parameters, in place."""


class MLPNetwork:
    """The hand-written engine: forward and backward by matrix products in NumPy.

    `np.dot` with an output costs half of what `np.matmul` does for one observation.

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
        self._trunk = _Matrices(self._layout.trunk, self.parameters, self.gradients)
        self._heads = {
            head: _Matrices(layers, self.parameters, self.gradients)
            for head, layers in self._layout.heads.items()
        }
        self._free = {name: self.parameters[where] for name, where in self._layout.free.items()}
        self._work: dict[int, _Work] = {}
        self._inference: dict[tuple[str, int], tuple[Callable[[Array], Array], Array]] = {}
        self._last: _Work | None = None

    def asarray(self, value: Array) -> Array:
        """The array itself."""
        return value

    def forward(self, observation: Array) -> dict[str, Array]:
        """See Network.forward."""
        rows = len(observation)
        work = self._work.get(rows)
        if work is None:
            work = self._work[rows] = _Work(self._layout, rows)
        work.inputs[:-1] = observation.T
        self._run_trunk(work)
        outputs = {head: self._run_head(head, work) for head in self._heads}
        self._last = work
        outputs.update(self._free)
        if self._spec.features_of is not None:
            outputs["features"] = work.heads[self._spec.features_of].inputs[-1][:-1].T
        return outputs

    def _run_trunk(self, work: _Work) -> None:
        for weight, below, above in zip(
            self._trunk.weights, work.trunk.inputs, work.trunk.outputs, strict=True
        ):
            np.dot(weight, below, above)
            self._activate(above)

    def _run_head(self, head: str, work: _Work) -> Array:
        chain = work.heads[head]
        weights = self._heads[head].weights
        for weight, below, above in zip(weights, chain.inputs, chain.outputs, strict=True):
            np.dot(weight, below, above)
            if above is not chain.outputs[-1]:
                self._activate(above)
        return chain.outputs[-1].T

    def backward(self, output_gradients: Mapping[str, Array]) -> None:
        """See Network.backward."""
        work = self._last
        assert work is not None, "backward before forward"
        joint = self._pull_heads(work, output_gradients, with_parameters=True)
        if joint is not None:
            self._pull(self._trunk, work.trunk, joint, with_parameters=True, to_input=False)
        for name, where in self._layout.free.items():
            self.gradients[where] = output_gradients[name]

    def input_gradient(self, output_gradients: Mapping[str, Array]) -> Array:
        """See Network.input_gradient."""
        work = self._last
        assert work is not None, "input_gradient before forward"
        joint = self._pull_heads(work, output_gradients, with_parameters=False, to_input=True)
        if self._trunk.weights and joint is not None:
            joint = self._pull(self._trunk, work.trunk, joint, with_parameters=False, to_input=True)
        assert joint is not None, "a network without heads"
        return joint.T

    def _pull_heads(
        self,
        work: _Work,
        output_gradients: Mapping[str, Array],
        *,
        with_parameters: bool,
        to_input: bool = False,
    ) -> Array | None:
        """Gradients of all heads; returns the sum at their common input, if anyone needs it."""
        needs_joint = to_input or bool(self._trunk.weights)
        joint: Array | None = None
        for head, matrices in self._heads.items():
            has_features = head == self._spec.features_of and "features" in output_gradients
            below = self._pull(
                matrices,
                work.heads[head],
                output_gradients[head].T,
                with_parameters=with_parameters,
                to_input=needs_joint,
                to_features=output_gradients["features"].T if has_features else None,
            )
            if below is not None:
                joint = below if joint is None else np.add(joint, below, out=joint)
        if joint is not None and self._trunk.weights:
            self._scale(joint, work.trunk.outputs[-1], work)
        return joint

    def _pull(
        self,
        matrices: _Matrices,
        chain: _Chain,
        upstream: Array,
        *,
        with_parameters: bool,
        to_input: bool,
        to_features: Array | None = None,
    ) -> Array | None:
        """Carry a gradient down one chain of layers; returns it at the chain's input if asked.

        `to_features` [H, B] is added where the last layer begins.
        """
        weights = matrices.weights
        for index in range(len(weights) - 1, -1, -1):
            if with_parameters:
                np.dot(upstream, chain.inputs[index].T, matrices.gradients[index])
            if index == 0 and not to_input:
                return None
            slope = chain.slopes[index]
            np.dot(weights[index][:, :-1].T, upstream, slope)
            if to_features is not None and index == len(weights) - 1:
                slope += to_features
            if index > 0:
                self._scale(slope, chain.outputs[index - 1], chain)
            upstream = slope
        return upstream

    def _scale(self, gradient: Array, activated: Array, owner: _Work | _Chain) -> None:
        self._scale_by_slope(gradient, activated, owner.scratch[: gradient.size])

    def output(self, head: str, observation: Array) -> Array:
        """See Network.output; the buffers live for this call only."""
        work = _Work(self._layout, len(observation))
        work.inputs[:-1] = observation.T
        self._run_trunk(work)
        return self._run_head(head, work)

    def row_inference(self, head: str, rows: int) -> Callable[[Array], Array]:
        """See Network.row_inference; the result is overwritten by the next call."""
        return self._inference_of(head, rows)[0]

    def row_inference_with_features(
        self, head: str, rows: int
    ) -> Callable[[Array], tuple[Array, Array]]:
        """See Network.row_inference_with_features; overwritten by the next call, too."""
        infer, features = self._inference_of(head, rows)
        return lambda observation: (infer(observation), features)

    def _inference_of(self, head: str, rows: int) -> tuple[Callable[[Array], Array], Array]:
        made = self._inference.get((head, rows))
        if made is None:
            made = self._inference[head, rows] = self._make_inference(head, rows)
        return made

    def _make_inference(self, head: str, rows: int) -> tuple[Callable[[Array], Array], Array]:
        work = _Work(self._layout, rows)
        chain = work.heads[head]
        weights = [*self._trunk.weights, *self._heads[head].weights]
        inputs = [*work.trunk.inputs, *chain.inputs]
        outputs = [*work.trunk.outputs, *chain.outputs]
        steps = list(zip(weights, inputs, outputs, strict=True))[:-1]
        last, last_input, result = weights[-1], inputs[-1], outputs[-1]
        activate, dot, first = self._activate, np.dot, work.inputs[:-1]
        transposed = result.T

        def infer(observation: Array) -> Array:
            first[:] = observation.T
            for weight, below, above in steps:
                dot(weight, below, above)
                activate(above)
            dot(last, last_input, result)
            return transposed

        return infer, last_input[:-1].T

    def free_parameter(self, name: str) -> Array:
        """See Network.free_parameter."""
        return self._free[name]

    def tensors(self) -> dict[str, Any]:
        """See Network.tensors; NumPy views of this network's memory."""
        return self._layout.tensors(self.parameters)

    def load_tensors(self, tensors: Mapping[str, Any]) -> None:
        """See Network.load_tensors."""
        for name, view in self._layout.tensors(self.parameters).items():
            view[...] = np.asarray(tensors[name])


class _Matrices:
    """The weights [out, in + 1] of a chain of layers, and where their gradients go."""

    def __init__(self, layers: list[Layer], parameters: Array, gradients: Array) -> None:
        self.weights: list[Array] = [layer.view(parameters) for layer in layers]
        self.gradients: list[Array] = [layer.view(gradients) for layer in layers]


class _Chain:
    """Buffers of a chain of layers for one number of rows, features first.

    `inputs[i]` feeds layer i and ends with a row of ones; `outputs[i]` is what it gives, the same
    memory as `inputs[i + 1]` without that row; `slopes[i]` holds gradients with respect to
    `inputs[i]`.
    """

    def __init__(self, layers: list[Layer], below: Array, *, ends_in_ones: bool) -> None:
        rows = below.shape[1]
        self.inputs: list[Array] = []
        self.outputs: list[Array] = []
        self.slopes: list[Array] = []
        for layer in layers:
            self.inputs.append(below)
            self.slopes.append(aligned_zeros((layer.inputs, rows)))
            if layer is layers[-1] and not ends_in_ones:
                self.outputs.append(aligned_zeros((layer.outputs, rows)))
                continue
            below = _with_ones(layer.outputs, rows)
            self.outputs.append(below[:-1])
        self.end = below
        self.scratch = aligned_zeros(max((slope.size for slope in self.slopes), default=0))


class _Work:
    """All buffers of a network for one number of rows."""

    def __init__(self, layout: ParameterLayout, rows: int) -> None:
        self.inputs = _with_ones(layout.observation_size, rows)
        self.trunk = _Chain(layout.trunk, self.inputs, ends_in_ones=True)
        self.heads = {
            head: _Chain(layers, self.trunk.end, ends_in_ones=False)
            for head, layers in layout.heads.items()
        }
        self.scratch = aligned_zeros(self.trunk.end.size)


def _with_ones(width: int, rows: int) -> Array:
    array = aligned_zeros((width + 1, rows))
    array[width] = 1.0
    return array


def _tanh(values: Array) -> None:
    np.tanh(values, values)


def _tanh_slope(gradient: Array, activated: Array, scratch: Array) -> None:
    slope = scratch.reshape(gradient.shape)
    np.multiply(activated, activated, out=slope)
    np.subtract(1.0, slope, out=slope)
    gradient *= slope


@functools.cache
def _zeros(count: int) -> Array:
    return aligned_zeros(count)


def _relu(values: Array) -> None:
    # numpy compares 256 x 256 values with a row of zeros in 10 us, with the number in 25 us
    columns = values.shape[1]
    np.maximum(values, _zeros(columns) if columns > 16 else 0.0, out=values)


def _relu_slope(gradient: Array, activated: Array, scratch: Array) -> None:
    slope = scratch.reshape(gradient.shape)
    np.greater(activated, 0.0, out=slope, casting="unsafe")
    gradient *= slope


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
