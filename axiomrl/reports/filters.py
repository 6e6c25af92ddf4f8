"""Which runs a report is about."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from axiomrl.errors import InputError, did_you_mean
from axiomrl.reports import where as where_language
from axiomrl.reports.lookup import MISSING, known_names, look_up, tags_of, value_of
from axiomrl.runs.clock import utc_now

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord

STATUSES = ("completed", "running", "failed", "interrupted", "dead", "unknown")
_SPAN = re.compile(r"(\d+)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SAMPLED = 200  # runs that are searched for names like one that no run has


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What runs have to be; everything that is given has to hold."""

    algo: tuple[str, ...] = ()  # globs, one of which has to match
    env_id: tuple[str, ...] = ()  # likewise
    status: tuple[str, ...] = ()  # none: any
    tags: tuple[str, ...] = ()  # all of which the run has to have
    since: datetime | None = None
    where: where_language.Expression | None = None

    @classmethod
    def parsed(
        cls,
        *,
        algo: Sequence[str] = (),
        env_id: Sequence[str] = (),
        status: str | None = None,
        tags: Sequence[str] = (),
        since: str | None = None,
        where: str | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> Filters:
        """Filters as they are typed; raises InputError for what cannot be understood."""
        return cls(
            algo=tuple(algo),
            env_id=tuple(env_id),
            status=_statuses(status),
            tags=tuple(tags),
            since=None if since is None else parse_since(since, now()),
            where=None if where is None else where_language.parse(where),
        )

    def keep(self, record: RunRecord) -> bool:
        """Whether a run is one that the report is about."""
        return (
            (not self.status or record.status in self.status)
            and (not self.algo or _matches(self.algo, record.metadata.get("algo")))
            and (not self.env_id or _matches(self.env_id, record.metadata.get("env_id")))
            and (not self.tags or set(self.tags) <= set(tags_of(record)))
            and (self.since is None or _is_since(record.created_at_utc, self.since))
            and (self.where is None or self.where.matches(lambda name: value_of(record, name)))
        )

    def require_known_names(self, records: Sequence[RunRecord]) -> None:
        """Raises InputError for a name in `where` that none of the runs has."""
        if self.where is None or not records:
            return
        for name in self.where.names:
            if all(look_up(record, name) is MISSING for record in records):
                known = set().union(*(known_names(each) for each in records[:_SAMPLED]))
                raise InputError(
                    f"--where: no run has {name!r}", hint=did_you_mean(name, known, count=3)
                )


def parse_since(text: str, now: datetime) -> datetime:
    """A point in time: a date, a date with time (UTC unless it says otherwise), or a span back.

    Raises InputError for anything else.
    """
    span = _SPAN.fullmatch(text.strip())
    try:
        if span is not None:
            return now - timedelta(seconds=int(span[1]) * _SECONDS[span[2]])
        point = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise InputError(
            f"--since {text!r}: is no point in time",
            hint="write 2026-01-31, 2026-01-31T12:00, or a span back from now such as 7d or 12h",
        ) from None
    return point if point.tzinfo is not None else point.replace(tzinfo=UTC)


def _statuses(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in STATUSES:
            raise InputError(
                f"--status {name!r}: must be one of {', '.join(STATUSES)}, or all",
                hint=did_you_mean(name, STATUSES),
            )
    return names


def _matches(globs: Iterable[str], value: str | None) -> bool:
    return any(fnmatch.fnmatchcase(value or "", glob) for glob in globs)


def _is_since(created: str, since: datetime) -> bool:
    try:
        point = datetime.fromisoformat(created)
    except ValueError:
        return False
    return (point if point.tzinfo is not None else point.replace(tzinfo=UTC)) >= since
