"""A folder of histories, and a clock that tests control."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from axiomrl import ExperimentManager


@pytest.fixture
def manager(tmp_path: Path) -> ExperimentManager:
    """A manager of tmp_path/logs, whose clock advances by one second with every look."""
    instant = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def now() -> datetime:
        nonlocal instant
        instant += timedelta(seconds=1)
        return instant

    return ExperimentManager(tmp_path / "logs", now=now)
