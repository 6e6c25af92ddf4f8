"""Both network engines against float64 autograd that shares no code with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from axiomrl.training.buffers import ALIGNMENT, aligned_zeros
from axiomrl.training.network_layout import GAINS, NetworkSpec, ParameterLayout
from axiomrl.training.networks import Network, build_network

ENGINES = ("mlp", "torch")
MODULES = {"tanh": nn.Tanh, "relu": nn.ReLU, "elu": nn.ELU}
HEADS = {"policy": 3, "value": 1}


def spec_of(
    hidden_sizes: tuple[int, ...] = (8, 8),
    activation: str = "tanh",
    *,
    trunk_sizes: tuple[int, ...] = (),
    observation_size: int = 5,
    is_orthogonal: bool = True,
) -> NetworkSpec:
    return NetworkSpec(
        observation_size=observation_size,
        hidden_sizes=hidden_sizes,
        activation=activation,
        trunk_sizes=trunk_sizes,
        heads=HEADS,
        head_gains={"policy": 0.5, "value": 1.0},
        free={"log_std": (3, -0.5)},
        is_orthogonal=is_orthogonal,
    )


def made(spec: NetworkSpec, engine: str, seed: int = 0) -> Network:
    return build_network(spec, engine, "cpu", np.random.default_rng(seed))


def randomised(spec: NetworkSpec, engine: str) -> Network:
    """A network whose biases and free parameters are not the round initial ones."""
    network = made(spec, engine)
    generator = np.random.default_rng(1)
    network.load_tensors(
        {
            name: generator.normal(0.0, 0.4, tuple(tensor.shape)).astype(np.float32)
            for name, tensor in network.tensors().items()
        }
    )
    return network


def torch_tensors(network: Network) -> dict[str, torch.Tensor]:
    """A network's parameters as tensors that share its memory, whatever the engine."""
    return {name: torch.as_tensor(view) for name, view in network.tensors().items()}


class Reference:
    """Ordinary float64 torch modules with a network's parameters."""

    def __init__(self, spec: NetworkSpec, tensors: Mapping[str, Any]) -> None:
        self.linears: dict[str, nn.Linear] = {}
        self._activation = MODULES[spec.activation]
        trunk = self._layers("trunk", len(spec.trunk_sizes), tensors, is_active_last=True)
        self._heads = {
            head: nn.Sequential(
                *trunk,
                *self._layers(head, len(spec.hidden_sizes) + 1, tensors, is_active_last=False),
            )
            for head in spec.heads
        }

    def _layers(
        self, name: str, count: int, tensors: Mapping[str, Any], *, is_active_last: bool
    ) -> list[nn.Module]:
        parts: list[nn.Module] = []
        for index in range(count):
            weight, bias = tensors[f"{name}.{index}.weight"], tensors[f"{name}.{index}.bias"]
            linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
            with torch.no_grad():
                linear.weight.copy_(weight)
                linear.bias.copy_(bias)
            self.linears[f"{name}.{index}"] = linear
            parts.append(linear)
            if index < count - 1 or is_active_last:
                parts.append(self._activation())
        return parts

    def backward(
        self, observation: np.ndarray, upstream: Mapping[str, np.ndarray]
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Outputs and the gradient of the observation; the linears get theirs."""
        seen = torch.tensor(observation, dtype=torch.float64, requires_grad=True)
        outputs = {head: module(seen) for head, module in self._heads.items()}
        total = sum(
            (output * torch.as_tensor(upstream[head])).sum() for head, output in outputs.items()
        )
        assert isinstance(total, torch.Tensor)
        total.backward()  # type: ignore[no-untyped-call]
        assert seen.grad is not None
        return {head: output.detach() for head, output in outputs.items()}, seen.grad


def relative_error(actual: Any, expected: torch.Tensor) -> float:
    difference = torch.as_tensor(np.asarray(actual), dtype=torch.float64) - expected
    return float(difference.abs().max() / expected.abs().max().clamp(min=1e-30))


def random_pass(spec: NetworkSpec, rows: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Observations, and a gradient for every output."""
    generator = np.random.default_rng(2)
    observation = generator.normal(0.0, 1.0, (rows, spec.observation_size)).astype(np.float32)
    shapes = {head: (rows, size) for head, size in HEADS.items()}
    upstream = {
        name: generator.normal(0.0, 1.0, shape).astype(np.float32)
        for name, shape in {**shapes, "log_std": (3,)}.items()
    }
    return observation, upstream


@pytest.mark.parametrize("rows", [1, 7, 300])
@pytest.mark.parametrize(
    ("trunk_sizes", "hidden_sizes"),
    [
        ((), ()),
        ((), (1,)),
        ((), (64, 64)),
        ((), (33, 17, 9)),
        ((8,), ()),
        ((16, 8), (4,)),
    ],
)
@pytest.mark.parametrize("activation", sorted(MODULES))
@pytest.mark.parametrize("engine", ENGINES)
def test_outputs_and_gradients_equal_float64_autograd(
    engine: str,
    activation: str,
    trunk_sizes: tuple[int, ...],
    hidden_sizes: tuple[int, ...],
    rows: int,
) -> None:
    spec = spec_of(hidden_sizes, activation, trunk_sizes=trunk_sizes)
    network = randomised(spec, engine)
    reference = Reference(spec, torch_tensors(network))
    observation, upstream = random_pass(spec, rows)
    gradients_of_outputs = {name: network.asarray(value) for name, value in upstream.items()}

    outputs = network.forward(network.asarray(observation))
    network.backward(gradients_of_outputs)
    gradients = ParameterLayout(spec).tensors(network.gradients)
    kept = np.asarray(network.gradients).copy()

    expected, input_gradient = reference.backward(observation, upstream)
    for head in HEADS:
        assert relative_error(outputs[head], expected[head]) < 1e-5
    for name, linear in reference.linears.items():
        assert linear.weight.grad is not None
        assert linear.bias.grad is not None
        assert relative_error(gradients[f"{name}.weight"], linear.weight.grad) < 1e-5, name
        assert relative_error(gradients[f"{name}.bias"], linear.bias.grad) < 1e-5, name
    np.testing.assert_array_equal(np.asarray(gradients["log_std"]), upstream["log_std"])

    network.forward(network.asarray(observation))
    assert relative_error(network.input_gradient(gradients_of_outputs), input_gradient) < 1e-5
    np.testing.assert_array_equal(np.asarray(network.gradients), kept)


@pytest.mark.parametrize("engine", ENGINES)
def test_backward_replaces_the_gradients_of_the_call_before(engine: str) -> None:
    network = randomised(spec_of(), engine)
    observation = network.asarray(np.ones((4, 5), dtype=np.float32))
    upstream = {
        "policy": network.asarray(np.ones((4, 3), dtype=np.float32)),
        "value": network.asarray(np.ones((4, 1), dtype=np.float32)),
        "log_std": network.asarray(np.ones(3, dtype=np.float32)),
    }
    network.forward(observation)
    network.backward(upstream)
    first = np.asarray(network.gradients).copy()
    network.forward(observation)
    network.backward(upstream)
    np.testing.assert_array_equal(np.asarray(network.gradients), first)
    assert first.any()


@pytest.mark.parametrize("activation", sorted(MODULES))
@pytest.mark.parametrize("is_orthogonal", [True, False])
def test_both_engines_start_from_the_same_numbers(activation: str, is_orthogonal: bool) -> None:
    spec = spec_of((16, 8), activation, is_orthogonal=is_orthogonal)
    by_hand, by_torch = made(spec, "mlp"), made(spec, "torch")
    np.testing.assert_array_equal(by_hand.parameters, by_torch.parameters.numpy())
    assert list(by_hand.tensors()) == list(by_torch.tensors())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(
    ("trunk_sizes", "hidden_sizes"), [((), ()), ((), (16, 8)), ((9,), ()), ((9,), (4,))]
)
def test_row_inference_and_output_equal_forward(
    trunk_sizes: tuple[int, ...], hidden_sizes: tuple[int, ...], rows: int, engine: str
) -> None:
    network = randomised(spec_of(hidden_sizes, "elu", trunk_sizes=trunk_sizes), engine)
    generator = np.random.default_rng(3)
    for head in HEADS:
        infer = network.row_inference(head, rows)
        for _ in range(3):
            observation = generator.normal(0.0, 1.0, (rows, 5)).astype(np.float32)
            whole = np.asarray(network.forward(network.asarray(observation))[head]).copy()
            alone = np.asarray(network.output(head, network.asarray(observation)))
            np.testing.assert_array_equal(alone, whole)
            np.testing.assert_array_equal(infer(observation), alone)
            assert infer(observation).shape == (rows, HEADS[head])


@pytest.mark.parametrize("engine", ENGINES)
def test_row_inference_follows_later_changes_of_the_parameters(engine: str) -> None:
    network = randomised(spec_of(), engine)
    infer = network.row_inference("value", 1)
    observation = np.ones((1, 5), dtype=np.float32)
    before = infer(observation).copy()
    network.parameters *= 0.5
    assert infer(observation) != before
    np.testing.assert_array_equal(
        infer(observation), np.asarray(network.output("value", network.asarray(observation)))
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_every_parameter_starts_at_a_cache_line(engine: str) -> None:
    network = made(spec_of((7, 5)), engine)
    for name, tensor in torch_tensors(network).items():
        if not name.endswith(".bias"):  # a bias is the last column of its layer's matrix
            assert tensor.data_ptr() % ALIGNMENT == 0, name


def test_the_torch_engine_moves_arrays_to_aligned_memory() -> None:
    # BLAS may round differently at another alignment, and NumPy promises none
    network = made(spec_of(), "torch")
    for offset in range(1, 16):
        unaligned = aligned_zeros(64)[offset : offset + 10].reshape(2, 5)
        moved = network.asarray(unaligned)
        assert moved.data_ptr() % ALIGNMENT == 0
        moved += 1.0
        assert not unaligned.any()


@pytest.mark.parametrize("engine", ENGINES)
def test_tensors_share_the_networks_memory_and_have_linear_shapes(engine: str) -> None:
    spec = spec_of((7, 4))
    network = made(spec, engine)
    tensors = network.tensors()
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == {
        "policy.0.weight": (7, 5),
        "policy.0.bias": (7,),
        "policy.1.weight": (4, 7),
        "policy.1.bias": (4,),
        "policy.2.weight": (3, 4),
        "policy.2.bias": (3,),
        "value.0.weight": (7, 5),
        "value.0.bias": (7,),
        "value.1.weight": (4, 7),
        "value.1.bias": (4,),
        "value.2.weight": (1, 4),
        "value.2.bias": (1,),
        "log_std": (3,),
    }
    network.parameters *= 0.0
    assert not any(tensor.any() for tensor in tensors.values())


@pytest.mark.parametrize("engine", ENGINES)
def test_load_tensors_copies_in_place(engine: str) -> None:
    source, target = randomised(spec_of(), engine), made(spec_of(), engine, seed=9)
    buffer, infer = target.parameters, target.row_inference("policy", 1)
    target.load_tensors(source.tensors())
    assert target.parameters is buffer
    np.testing.assert_array_equal(np.asarray(target.parameters), np.asarray(source.parameters))
    observation = np.ones((1, 5), dtype=np.float32)
    np.testing.assert_array_equal(
        infer(observation), source.row_inference("policy", 1)(observation)
    )
    source.parameters *= 0.0
    assert np.asarray(target.parameters).any()


def test_a_state_saved_by_one_engine_loads_into_the_other() -> None:
    by_hand, by_torch = randomised(spec_of(), "mlp"), made(spec_of(), "torch")
    by_torch.load_tensors(by_hand.tensors())
    np.testing.assert_array_equal(by_torch.parameters.numpy(), by_hand.parameters)
    again = made(spec_of(), "mlp", seed=4)
    again.load_tensors(by_torch.tensors())
    np.testing.assert_array_equal(again.parameters, by_hand.parameters)


@pytest.mark.parametrize("hidden_sizes", [(64, 64), (3, 40), ()])
def test_orthogonal_weights_have_orthonormal_rows_or_columns_times_their_gain(
    hidden_sizes: tuple[int, ...],
) -> None:
    spec = spec_of(hidden_sizes, "relu", observation_size=6)
    tensors = torch_tensors(made(spec, "mlp"))
    for head in HEADS:
        for index in range(len(hidden_sizes) + 1):
            is_last = index == len(hidden_sizes)
            gain = spec.head_gains[head] if is_last else GAINS["relu"]
            weight = tensors[f"{head}.{index}.weight"].double() / gain
            rows, columns = weight.shape
            product = weight @ weight.T if rows <= columns else weight.T @ weight
            torch.testing.assert_close(
                product, torch.eye(min(rows, columns), dtype=torch.float64), atol=1e-6, rtol=0.0
            )
            assert not tensors[f"{head}.{index}.bias"].any()


def test_default_weights_lie_within_torchs_bounds() -> None:
    spec = spec_of((100,), is_orthogonal=False, observation_size=25)
    tensors = torch_tensors(made(spec, "mlp"))
    for name, inputs in (("policy.0", 25), ("policy.1", 100)):
        for part in ("weight", "bias"):
            values, bound = tensors[f"{name}.{part}"], 1.0 / inputs**0.5
            assert float(values.abs().max()) <= bound
            assert float(values.abs().max()) > 0.7 * bound
            assert values.min() < 0.0 < values.max()


@pytest.mark.parametrize("engine", ENGINES)
def test_free_parameters_start_at_their_value_and_are_outputs(engine: str) -> None:
    network = made(spec_of(), engine)
    np.testing.assert_array_equal(network.free_parameter("log_std"), np.full(3, -0.5, np.float32))
    outputs = network.forward(network.asarray(np.zeros((2, 5), dtype=np.float32)))
    assert set(outputs) == {"policy", "value", "log_std"}
    network.parameters += 1.0
    np.testing.assert_array_equal(network.free_parameter("log_std"), np.full(3, 0.5, np.float32))
    np.testing.assert_array_equal(np.asarray(network.tensors()["log_std"]), np.full(3, 0.5))


def test_initial_parameters_depend_on_the_generator_only() -> None:
    spec = spec_of()
    np.testing.assert_array_equal(made(spec, "mlp").parameters, made(spec, "mlp").parameters)
    assert (made(spec, "mlp", 0).parameters != made(spec, "mlp", 1).parameters).any()
