"""What is written without torch is what torch reads."""

import io
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.training import torch_format


def read(data: bytes) -> Any:
    return torch.load(io.BytesIO(data), weights_only=True)


@pytest.mark.parametrize("name", sorted(torch_format.STORAGES))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)])
def test_arrays_become_equal_tensors(name: str, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 2, shape).astype(name)
    tensor = read(torch_format.dumps({"array": array}))["array"]
    assert tensor.dtype == torch.as_tensor(array).dtype
    assert tuple(tensor.shape) == shape
    assert not tensor.requires_grad
    np.testing.assert_array_equal(tensor.numpy(), array)


def test_views_become_tensors_of_their_own() -> None:
    whole = np.arange(12, dtype=np.float32).reshape(3, 4)
    tensor = read(torch_format.dumps([whole.T, whole[:, 1:]]))
    np.testing.assert_array_equal(tensor[0].numpy(), whole.T)
    np.testing.assert_array_equal(tensor[1].numpy(), whole[:, 1:])
    assert tensor[1].untyped_storage().nbytes() == 4 * 9


SCALARS = st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats() | st.text()
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and bool(one == other)


@given(TREES)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    assert same(read(torch_format.dumps(value)), value)


def test_equal_values_are_equal_files() -> None:
    value = {"array": np.ones(3), "list": [1, 2.5, "x"]}
    assert torch_format.dumps(value) == torch_format.dumps(value)


def test_anything_else_is_refused() -> None:
    with pytest.raises(TypeError, match="a set cannot be saved"):
        torch_format.dumps({"x": {1, 2}})


def test_a_training_on_the_fast_engine_never_imports_torch(tmp_path: Path) -> None:
    program = f"""
import sys
from axiomrl.config import config_from_mapping
from axiomrl.training.session import start
values = {{"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 128}}
values |= {{"output_dir": {str(tmp_path)!r}, "evaluation": {{"episodes": 1}}}}
values |= {{"hyperparameters": {{"n_steps": 64, "n_epochs": 1}}}}
start(config_from_mapping(values))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    (checkpoint,) = tmp_path.glob("*/checkpoints/best.pt")
    assert read(checkpoint.read_bytes())["algo"] == "ppo"
