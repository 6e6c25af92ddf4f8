"""Arrays that start at a multiple of 64 bytes.

BLAS kernels may round differently when the same numbers lie at another alignment. Everything
that takes part in a matrix product is therefore allocated here, so that a resumed process
computes the same bits as the one that was killed.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

ALIGNMENT = 64  # bytes: one cache line, one AVX-512 register


def aligned_zeros(shape: int | tuple[int, ...], dtype: npt.DTypeLike = np.float32) -> Array:
    """A C-contiguous array of zeros whose first element lies at a multiple of 64 bytes."""
    kind = np.dtype(dtype)
    dimensions = (shape,) if isinstance(shape, int) else shape
    size = kind.itemsize * int(np.prod(dimensions))
    raw = np.zeros(size + ALIGNMENT, dtype=np.uint8)
    offset = -raw.ctypes.data % ALIGNMENT
    return raw[offset : offset + size].view(kind).reshape(dimensions)


def round_up(count: int, itemsize: int = 4) -> int:
    """The smallest number of items >= count that fills whole 64-byte lines."""
    line = ALIGNMENT // itemsize
    return -(-count // line) * line
