"""TensorBoard event files, written without torch, protobuf or tensorboard.

An event file is a sequence of records (TensorFlow's record format): the length of the data as
8 little-endian bytes, the masked CRC-32C of these, the data, and the masked CRC-32C of the data.
The data are `Event` messages in protocol-buffer encoding: a time, a step, and k scalars.
"""

from __future__ import annotations

import functools
import os
import re
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from axiomrl.runs.files import AppendFile

_CRC_BLOCK = 512  # bytes whose checksum is gathered at once
_POLYNOMIAL = 0x82F63B78  # Castagnoli, bits reversed

_float_bytes = struct.Struct("<f").pack
_header_bytes = struct.Struct("<Q").pack
_crc_bytes = struct.Struct("<I").pack
_time_bytes = struct.Struct("<Bd").pack


class EventWriter(AppendFile):
    """Appends scalars to one event file; an empty file is given its version record first."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(path)
        self._clock = clock
        self.is_new = not self.length
        if self.is_new:
            self._append_version()

    def restart(self) -> None:
        """Drop every scalar."""
        self.truncate(0)
        self._append_version()

    def append_scalars(self, metrics: Mapping[str, float | None], *, step: int) -> None:
        """One event that holds every metric; the tag of `eval_return_mean` is `eval/return_mean`.

        NaN and infinities are kept, None is left out.
        """
        values = [
            _scalar_prefix(name) + _as_float32(value)
            for name, value in metrics.items()
            if value is not None
        ]
        summary = b"".join(values)
        self._append_event(
            b"\x10" + _varint(step) + b"\x2a" + _varint(len(summary)) + summary
        )  # field 2: step, field 5: summary

    def _append_version(self) -> None:
        version = b"brain.Event:2"
        self._append_event(b"\x1a" + _varint(len(version)) + version)  # field 3: file_version

    def _append_event(self, fields: bytes) -> None:
        data = _time_bytes(0x09, self._clock()) + fields  # field 1: wall_time
        header = _header_bytes(len(data))
        self.append(header + _length_crc(header) + data + _crc_bytes(masked_crc32c(data)))


def event_file_name(*, hostname: str, clock: Callable[[], float] = time.time) -> str:
    """A name that TensorBoard recognises: `events.out.tfevents.<seconds>.<host>.<pid>.0`."""
    host = re.sub(r"[^A-Za-z0-9.-]", "-", hostname) or "localhost"
    return f"events.out.tfevents.{int(clock()):010d}.{host}.{os.getpid()}.0"


def masked_crc32c(data: bytes) -> int:
    """CRC-32C rotated and offset, as records store it."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli), as of RFC 3720.

    The checksum is linear over XOR: every byte contributes a word that depends on its value and
    on how many bytes follow it, so a block costs one gather from a table and one reduction.
    """
    crc = 0xFFFFFFFF
    rest = len(data)
    for start in range(0, len(data), _CRC_BLOCK):
        # The register is folded into the first four bytes of a block, so none may be shorter.
        length = min(_CRC_BLOCK, rest)
        if length < 4 or 0 < rest - length < 4:
            return _bytewise_crc32c(data[start:], crc)
        block = np.frombuffer(data, np.uint8, length, start).astype(np.intp)
        block[:4] ^= (crc & 0xFF, crc >> 8 & 0xFF, crc >> 16 & 0xFF, crc >> 24)
        block += _offsets(length)
        crc = int(np.bitwise_xor.reduce(_contributions().take(block)))
        rest -= length
    return crc ^ 0xFFFFFFFF


def _bytewise_crc32c(data: bytes, crc: int) -> int:
    table = _contributions()
    for byte in data:
        crc = int(table[(crc ^ byte) & 0xFF]) ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@functools.cache
def _contributions() -> np.ndarray[Any, np.dtype[np.uint32]]:
    """[block * 256] words: what byte value b contributes with d bytes after it, at 256 * d + b."""
    table = np.empty((_CRC_BLOCK, 256), np.uint32)
    first = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        first = np.where(first & 1, first >> 1 ^ np.uint32(_POLYNOMIAL), first >> 1)
    table[0] = first
    for distance in range(1, _CRC_BLOCK):
        before = table[distance - 1]
        table[distance] = first[before & 0xFF] ^ before >> 8
    return table.reshape(-1)


@functools.lru_cache(maxsize=_CRC_BLOCK)
def _offsets(length: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    return np.arange(length - 1, -1, -1, dtype=np.intp) * 256


@functools.lru_cache(maxsize=256)
def _length_crc(header: bytes) -> bytes:
    return _crc_bytes(masked_crc32c(header))


@functools.lru_cache(maxsize=4096)
def _scalar_prefix(name: str) -> bytes:
    """Everything of a Summary.Value message but the four bytes of its number."""
    tag = name.replace("_", "/", 1).encode()
    value = b"\x0a" + _varint(len(tag)) + tag + b"\x15"  # field 1: tag, field 2: simple_value
    return b"\x0a" + _varint(len(value) + 4) + value


def _as_float32(value: float) -> bytes:
    try:
        return _float_bytes(value)
    except OverflowError:
        return _float_bytes(float("inf") if value > 0 else float("-inf"))


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
