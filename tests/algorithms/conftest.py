"""What the tests of algorithms share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """As in training: for matrices this small, threads cost more than they save."""
    torch.set_num_threads(1)
    with threadpool_limits(limits=1):
        yield
