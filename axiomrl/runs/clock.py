"""Instants, and how run directories write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present, with its time zone."""
    return datetime.now(UTC)


def timestamp(instant: datetime) -> str:
    """ISO 8601 in UTC, always with microseconds, so that order as text is order in time."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")
