"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

# How long an example takes depends on what else the machine does: no test judges by the clock.
settings.register_profile("axiomrl", deadline=None)
settings.load_profile("axiomrl")


@pytest.fixture(autouse=True, scope="session")
def _own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Indexes of the tests' runs do not land in the developer's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AXIOMRL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield
