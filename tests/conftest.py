"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Indexes of the tests' runs do not land in the developer's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AXIOMRL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield
