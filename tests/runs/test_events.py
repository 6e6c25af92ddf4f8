from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.runs.events import EventWriter, crc32c, event_file_name


def read_scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Tag -> (step, value) pairs, as TensorBoard itself reads them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        accumulator: Any = EventAccumulator(str(folder), size_guidance={"scalars": 0})
        accumulator.Reload()
        return {
            tag: [(event.step, event.value) for event in accumulator.Scalars(tag)]
            for tag in accumulator.Tags()["scalars"]
        }


def slow_crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"123456789", 0xE3069283),
        # RFC 3720, appendix B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"", 0),
    ],
)
def test_checksum_equals_published_values(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc


@given(st.binary(max_size=40) | st.builds(lambda b, n: b * n, st.binary(), st.integers(0, 90)))
def test_checksum_equals_its_bitwise_definition(data: bytes) -> None:
    assert crc32c(data[:1600]) == slow_crc32c(data[:1600])


@pytest.mark.parametrize("length", [*range(8), 510, 511, 512, 513, 515, 516, 1024, 1026])
def test_checksum_is_right_around_block_ends(length: int) -> None:
    data = bytes(i * 7 % 251 for i in range(length))
    assert crc32c(data) == slow_crc32c(data)


def test_tensorboard_reads_every_scalar(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / event_file_name(hostname="a host"))
    writer.append_scalars({"eval_return_mean": 1.5, "loss": -2.0}, step=0)
    writer.append_scalars({"eval_return_mean": 0.1, "n_left_out": None}, step=2**40)
    writer.append_scalars({f"train_{'x' * i}": float(i) for i in range(1, 60)}, step=300)
    writer.close()
    scalars = read_scalars(tmp_path)
    assert scalars["eval/return_mean"] == [(0, 1.5), (2**40, pytest.approx(0.1, rel=1e-7))]
    assert scalars["loss"] == [(0, -2.0)]
    assert scalars["train/" + "x" * 59] == [(300, 59.0)]
    assert len(scalars) == 61


def test_tensorboard_sees_what_is_not_finite_or_too_large(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / event_file_name(hostname="h"))
    for step, value in enumerate([math.nan, math.inf, -math.inf, 1e300, -1e300, 7]):
        writer.append_scalars({"a_b": value}, step=step)
    writer.close()
    values = [value for _, value in read_scalars(tmp_path)["a/b"]]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf, math.inf, -math.inf, 7.0]


def test_time_of_an_event_is_the_clocks(tmp_path: Path) -> None:
    from tensorboard.compat.proto.event_pb2 import Event

    writer = EventWriter(tmp_path / "events.out.tfevents.1", clock=lambda: 1234.5)
    writer.append_scalars({"a_b": 1.0}, step=3)
    writer.close()
    data = (tmp_path / "events.out.tfevents.1").read_bytes()
    first_length = int.from_bytes(data[:8], "little")
    first = Event.FromString(data[12 : 12 + first_length])
    assert (first.file_version, first.wall_time) == ("brain.Event:2", 1234.5)
    second = Event.FromString(data[16 + first_length + 12 : -4])
    assert (second.step, second.wall_time, second.summary.value[0].tag) == (3, 1234.5, "a/b")


def test_reopened_file_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    path = tmp_path / event_file_name(hostname="h")
    writer = EventWriter(path)
    writer.append_scalars({"a_b": 1.0}, step=1)
    kept = writer.length
    writer.append_scalars({"a_b": 2.0}, step=2)
    writer.close()
    writer = EventWriter(path)
    writer.truncate(kept)
    writer.append_scalars({"a_b": 3.0}, step=2)
    writer.close()
    assert read_scalars(tmp_path) == {"a/b": [(1, 1.0), (2, 3.0)]}


def test_restarted_file_holds_only_what_comes_after(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / event_file_name(hostname="h"))
    writer.append_scalars({"a_b": 1.0}, step=1)
    writer.flush()
    writer.restart()
    writer.append_scalars({"a_b": 2.0}, step=0)
    writer.close()
    assert read_scalars(tmp_path) == {"a/b": [(0, 2.0)]}
