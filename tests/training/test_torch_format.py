"""What is written without torch is what torch reads, and comes back the same without it."""

import io
import math
import pickle
import subprocess
import sys
import zipfile
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


READERS = pytest.mark.parametrize("reader", [read, torch_format.loads], ids=["torch", "ours"])


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


@READERS
@given(TREES)
def test_plain_values_come_back_as_they_were(reader: Any, value: Any) -> None:
    assert same(reader(torch_format.dumps(value)), value)


@pytest.mark.parametrize("name", sorted(torch_format.STORAGES))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)])
def test_arrays_come_back_bit_for_bit_at_aligned_places(name: str, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 2, shape).astype(name)
    again = torch_format.loads(torch_format.dumps([array, array.T]))
    for loaded, expected in zip(again, (array, array.T), strict=True):
        assert (loaded.dtype, loaded.shape) == (expected.dtype, expected.shape)
        assert loaded.tobytes() == expected.tobytes()
        assert loaded.size == 0 or loaded.ctypes.data % 64 == 0
        loaded[...] = 0  # it may be changed


def test_a_nan_keeps_its_bits() -> None:
    odd = np.array([0x7FC00001, 0xFFC12345], dtype=np.uint32).view(np.float32)
    assert torch_format.loads(torch_format.dumps(odd)).tobytes() == odd.tobytes()


def test_the_bytes_of_another_machine_are_turned_around() -> None:
    data = torch_format.dumps(np.arange(3, dtype=np.float32))
    order = {b"little": b"big", b"big": b"little"}[sys.byteorder.encode()]
    turned = rewritten(data, {"byteorder": order, "data/0": np.arange(3, dtype="=f4").byteswap()})
    np.testing.assert_array_equal(torch_format.loads(turned), [0.0, 1.0, 2.0])


def rewritten(data: bytes, entries: dict[str, Any]) -> bytes:
    """The archive with other content under some names."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = entries.get(name.removeprefix("archive/"), old.read(name))
            new.writestr(name, bytes(content))
    return out.getvalue()


def saved_by_torch(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        range(3),
        np.float64(1.0),
        complex(1, 2),
        torch.float32,
        torch.zeros(2, dtype=torch.bfloat16),
        torch.zeros(4)[1:],
        torch.zeros(4, 4)[:, 1],
        torch.nn.Parameter(torch.zeros(2)),
        io.StringIO,
        print,
    ],
    ids=str,
)
def test_what_is_never_written_is_never_read(value: Any) -> None:
    with pytest.raises(pickle.UnpicklingError):
        torch_format.loads(saved_by_torch({"value": value}))


def test_a_tensor_of_another_size_than_it_says_is_refused() -> None:
    data = torch_format.dumps(np.zeros(4, dtype=np.float32))
    with pytest.raises(pickle.UnpicklingError, match="2 numbers are stored, not 4"):
        torch_format.loads(rewritten(data, {"data/0": bytes(8)}))


def test_equal_values_are_equal_files() -> None:
    value = {"array": np.ones(3), "list": [1, 2.5, "x"]}
    assert torch_format.dumps(value) == torch_format.dumps(value)


def test_anything_else_is_refused() -> None:
    with pytest.raises(TypeError, match="a set cannot be saved"):
        torch_format.dumps({"x": {1, 2}})


def test_training_and_scoring_on_the_fast_engine_never_import_torch(
    tmp_path: Path,
) -> None:
    program = f"""
import sys
from axiomrl.config import config_from_mapping
from axiomrl.runs.record import RunRecord
from axiomrl.training.session import resume, score, start
values = {{"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 128}}
values |= {{"output_dir": {str(tmp_path)!r}, "evaluation": {{"episodes": 1}}}}
values |= {{"hyperparameters": {{"n_steps": 64, "n_epochs": 1}}}}
directory = start(config_from_mapping(values)).directory
resume(RunRecord.read(directory), total_timesteps=192)
score(RunRecord.read(directory), episodes=1)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    checkpoint, _ = tmp_path.glob("*/checkpoints/best.pt")
    assert read(checkpoint.read_bytes())["algo"] == "ppo"
