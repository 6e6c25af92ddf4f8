from __future__ import annotations

import numpy as np
import pytest

from axiomrl.training.buffers import ALIGNMENT, aligned_zeros, round_up


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.bool_])
@pytest.mark.parametrize("shape", [1, 7, (3, 5), (2, 3, 4)])
def test_buffers_are_zero_contiguous_and_start_at_a_cache_line(
    shape: int | tuple[int, ...], dtype: type
) -> None:
    kept = [aligned_zeros(shape, dtype) for _ in range(20)]
    for array in kept:
        assert array.shape == ((shape,) if isinstance(shape, int) else shape)
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.ctypes.data % ALIGNMENT == 0
        assert not array.any()


def test_buffers_do_not_overlap() -> None:
    first, second = aligned_zeros(16), aligned_zeros(16)
    first[:] = 1.0
    assert not second.any()


@pytest.mark.parametrize(
    ("count", "itemsize", "expected"), [(0, 4, 0), (1, 4, 16), (16, 4, 16), (17, 4, 32), (9, 8, 16)]
)
def test_round_up_fills_whole_lines(count: int, itemsize: int, expected: int) -> None:
    assert round_up(count, itemsize) == expected
