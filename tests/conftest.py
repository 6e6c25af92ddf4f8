"""What holds for every test."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

# Before a library that reads them is loaded: the processes that share the tests fill the cores.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# A run of the fast tests writes 40,000 small files, and a disk may take minutes to delete them.
MEMORY = Path("/dev/shm")
NEEDED = 4 << 30  # bytes
if "PYTEST_DEBUG_TEMPROOT" not in os.environ and os.access(MEMORY, os.W_OK):
    room = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
    if room > NEEDED:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)  # where pytest makes its folders

# How long an example takes depends on what else the machine does: no test judges by the clock.
settings.register_profile("axiomrl", deadline=None)
settings.load_profile("axiomrl")


def pytest_collection(session: pytest.Session) -> None:
    """Nothing that is imported or collected becomes garbage: do not look for any."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.set_threshold(20_000)
    gc.enable()


@pytest.fixture(autouse=True, scope="session")
def _no_power_cuts() -> Iterator[None]:
    """What a process wrote survives its end without waiting for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def _own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Indexes of the tests' runs do not land in the developer's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AXIOMRL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield
