"""What the tests of training share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from threadpoolctl import threadpool_limits

from .resume_cases import Case
from .resume_harness import WholeRun, train_whole


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """As in training: for matrices this small, threads cost more than they save."""
    torch.set_num_threads(1)
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="session")
def whole(tmp_path_factory: Any) -> Callable[[Case], WholeRun]:
    """The uninterrupted run of a case, trained once."""
    trained: dict[str, WholeRun] = {}

    def of(case: Case) -> WholeRun:
        if case.name not in trained:
            trained[case.name] = train_whole(case.config, tmp_path_factory.mktemp(case.name))
        return trained[case.name]

    return of
