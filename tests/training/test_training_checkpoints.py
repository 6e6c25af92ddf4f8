"""Checkpoint files: what comes back, and what is refused without being executed."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from axiomrl.errors import CheckpointError
from axiomrl.runs.sealing import sealed
from axiomrl.training import checkpoints


def training_state() -> dict[str, Any]:
    """One of everything that states hold."""
    generator = np.random.default_rng(3)
    generator.standard_normal(5, dtype=np.float32)
    generator.integers(2**31, dtype=np.uint32)  # leaves half of a 64-bit draw for later
    flat = torch.arange(32, dtype=torch.float32)
    return {
        "algo": "ppo",
        "env_id": "CartPole-v1",
        "counters": {"env_steps": 4096, "best_value": None, "duration_s": 1.5},
        "positions": {"metrics.jsonl": 17, "event_file": "events.out"},
        "algorithm": {
            "network": {"weight": flat[:30].reshape(5, 6)[:, :5], "bias": flat[5:30:6]},
            "noise": generator.bit_generator.state,
        },
        "environments": {
            "actions": [np.zeros((0, 2), dtype=np.float32), np.arange(6).reshape(3, 2)],
            "observation": np.array([[np.pi, -0.0], [np.inf, 1e-45]], dtype=np.float32),
            "mean": np.float64(2.5),
            "count": np.int64(3),
            "is_started": True,
            "nested": ({"deep": [np.array(7.0)]}, "text", None),
        },
    }


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "step_4096.pt"
    checkpoints.save(path, training_state())
    return path


def test_everything_comes_back_as_arrays_numbers_and_lists(saved: Path) -> None:
    state, loaded = training_state(), checkpoints.load(saved)
    assert loaded.pop("format") == checkpoints.FORMAT
    assert list(loaded) == list(state)
    for name in ("algo", "env_id", "counters", "positions"):
        assert loaded[name] == state[name]
    for name in ("weight", "bias"):
        assert isinstance(loaded["algorithm"]["network"][name], np.ndarray)
        np.testing.assert_array_equal(
            loaded["algorithm"]["network"][name], state["algorithm"]["network"][name].numpy()
        )
    environments = loaded["environments"]
    for actual, expected in zip(
        [*environments["actions"], environments["observation"]],
        [*state["environments"]["actions"], state["environments"]["observation"]],
        strict=True,
    ):
        assert actual.dtype == expected.dtype
        assert actual.shape == expected.shape
        assert actual.tobytes() == expected.tobytes()
    assert (environments["mean"], environments["count"]) == (2.5, 3)
    assert type(environments["mean"]) is float
    assert type(environments["count"]) is int
    assert environments["is_started"] is True
    assert environments["nested"] == [{"deep": [np.array(7.0)]}, "text", None]


def test_a_saved_generator_draws_on_where_it_was(saved: Path) -> None:
    expected, restored = np.random.default_rng(), np.random.default_rng()
    expected.bit_generator.state = training_state()["algorithm"]["noise"]
    restored.bit_generator.state = checkpoints.load(saved)["algorithm"]["noise"]
    for draw in ("integers", "standard_normal", "standard_exponential"):
        keywords = {"high": 2**31, "dtype": np.uint32} if draw == "integers" else {}
        arguments = (0,) if draw == "integers" else ()
        np.testing.assert_array_equal(
            getattr(restored, draw)(*arguments, size=9, **keywords),
            getattr(expected, draw)(*arguments, size=9, **keywords),
        )


def test_saving_what_was_loaded_gives_the_same_again(saved: Path, tmp_path: Path) -> None:
    first = checkpoints.load(saved)
    checkpoints.save(tmp_path / "again.pt", first)
    np.testing.assert_equal(checkpoints.load(tmp_path / "again.pt"), first)


def test_a_checkpoint_is_an_ordinary_torch_file(saved: Path) -> None:
    state = torch.load(saved, weights_only=True)
    weight = state["algorithm"]["network"]["weight"]
    assert torch.equal(weight, training_state()["algorithm"]["network"]["weight"])


def test_views_of_one_buffer_are_stored_without_the_rest_of_it(tmp_path: Path) -> None:
    flat = torch.zeros(100_000)
    state = training_state()
    state["algorithm"] = {
        str(start): flat[start : start + 10_000] for start in range(0, 100_000, 10_000)
    }
    checkpoints.save(tmp_path / "views.pt", state)
    assert (tmp_path / "views.pt").stat().st_size < 1.5 * 4 * 100_000


def test_loaded_arrays_may_be_changed(saved: Path) -> None:
    checkpoints.load(saved)["environments"]["observation"][:] = 0.0


def refusal(path: Path) -> str:
    assert not checkpoints.is_valid(path)
    with pytest.raises(CheckpointError) as raised:
        checkpoints.load(path)
    assert str(path) in str(raised.value)
    return str(raised.value)


def test_a_whole_checkpoint_is_valid(saved: Path) -> None:
    assert checkpoints.is_valid(saved)


def test_every_sampled_truncation_is_refused(saved: Path) -> None:
    data = saved.read_bytes()
    for size in [*range(0, len(data), 97), len(data) - 1]:
        saved.write_bytes(data[:size])
        assert "truncated or damaged" in refusal(saved)


@pytest.mark.parametrize("offset", [0, 48])
def test_every_sampled_flipped_byte_is_refused(offset: int, saved: Path) -> None:
    data = saved.read_bytes()
    for position in range(offset, len(data), 97):
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        saved.write_bytes(damaged)
        assert "truncated or damaged" in refusal(saved)


def test_flipped_bits_in_the_archives_directory_are_refused(saved: Path) -> None:
    # torch ignores most of these fields, but follows a "directory" attribute to no data at all
    data = saved.read_bytes()
    directory = data.index(b"PK\x01\x02")
    for position in range(directory, len(data), 5):
        for bit in (0x01, 0x10):
            damaged = bytearray(data)
            damaged[position] ^= bit
            saved.write_bytes(damaged)
            refusal(saved)


def test_appended_bytes_are_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes() + b"\0")
    refusal(saved)


@pytest.mark.parametrize(
    "content", [b"", b"not a checkpoint", pickle.dumps({"format": 1}), b"\0" * 5000]
)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    path.write_bytes(content)
    assert "is no checkpoint" in refusal(path)


def test_other_zip_archives_and_torch_files_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive.pt", "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert "is no checkpoint" in refusal(tmp_path / "archive.pt")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "foreign.pt")
    assert "is no checkpoint" in refusal(tmp_path / "foreign.pt")


def test_missing_files_and_directories_are_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "missing.pt")
    assert "cannot be read" in refusal(tmp_path)


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def test_a_pickled_class_is_refused_and_not_executed(tmp_path: Path) -> None:
    proof, path = tmp_path / "executed", tmp_path / "trap.pt"
    pickle.loads(pickle.dumps(Trap(proof)))
    assert proof.exists()  # the trap works
    proof.unlink()
    # with a digest like any checkpoint's, as somebody who means harm would make it
    buffer = io.BytesIO()
    torch.save({**training_state(), "positions": Trap(proof)}, buffer)
    path.write_bytes(sealed(buffer.getvalue()))
    message = refusal(path)
    assert "other than tensors and plain containers" in message
    assert "nothing in it was executed" in message
    assert not proof.exists()


def test_a_pickle_renamed_to_a_checkpoint_is_not_executed(tmp_path: Path) -> None:
    proof, path = tmp_path / "executed", tmp_path / "trap.pt"
    path.write_bytes(pickle.dumps(Trap(proof)))
    refusal(path)
    buffer = io.BytesIO()
    torch.save({"x": Trap(proof)}, buffer)
    path.write_bytes(buffer.getvalue())
    refusal(path)
    assert not proof.exists()


@pytest.mark.parametrize("missing", [key for key in checkpoints.REQUIRED if key != "format"])
def test_a_state_without_a_part_is_refused(missing: str, tmp_path: Path) -> None:
    state = training_state()
    del state[missing]
    checkpoints.save(tmp_path / "part.pt", state)
    assert "is not a training state" in refusal(tmp_path / "part.pt")


@pytest.mark.parametrize("version", [checkpoints.FORMAT + 1, "2"])
def test_a_newer_format_asks_for_an_upgrade(version: Any, tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "newer.pt", {**training_state(), "format": version})
    message = refusal(tmp_path / "newer.pt")
    assert f"has format {version}" in message
    assert "upgrade axiomrl" in message
