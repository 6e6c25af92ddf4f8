"""Which runs a report is about: by algorithm, environment, status, tags, age and `--where`."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from axiomrl.errors import InputError, did_you_mean
from axiomrl.reports.lookup import Lookup, created_at, tags_of
from axiomrl.reports.where import Expression, parse

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord

STATUSES = ("completed", "running", "failed", "interrupted", "dead", "unknown")

_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What a run must fulfil; what is empty or None asks for nothing."""

    algos: tuple[str, ...] = ()  # globs, one of which must match
    env_ids: tuple[str, ...] = ()  # likewise
    statuses: frozenset[str] = frozenset()  # of STATUSES
    tags: tuple[str, ...] = ()  # all of them must be there
    since: datetime | None = None  # with a time zone; made then or later
    where: Expression | None = None
    lookup: Lookup = field(default_factory=Lookup, compare=False)  # finds the values for `where`

    def keep(self, record: RunRecord) -> bool:
        """Whether the run fulfils all of it; a value that is missing fulfils nothing."""
        return (
            (not self.algos or _is_like(record.metadata.get("algo"), self.algos))
            and (not self.env_ids or _is_like(record.metadata.get("env_id"), self.env_ids))
            and (not self.statuses or _known_status(record) in self.statuses)
            and (not self.tags or set(self.tags) <= set(tags_of(record)))
            and (self.since is None or _is_made_since(record, self.since))
            and (self.where is None or self.where.matches(self.lookup.values_of(record)))
        )

    def check(self, records: Sequence[RunRecord]) -> None:
        """Raise InputError if `where` names a value that no run at all has: a slip of the pen."""
        if self.where is not None:
            self.lookup.check_names(self.where.names, records, option="--where")


def parse_filters(
    *,
    algos: Sequence[str] = (),
    env_ids: Sequence[str] = (),
    statuses: Sequence[str] = (),
    tags: Sequence[str] = (),
    since: str | None = None,
    where: str | None = None,
    now: Callable[[], datetime],
    lookup: Lookup | None = None,
) -> Filters:
    """Filters from the texts of the command line; each list may hold lists with commas.

    Raises InputError that names the option and what it takes.
    """
    return Filters(
        algos=_words(algos, "--algo", "a name or glob such as 'ppo' or 'd*'"),
        env_ids=_words(env_ids, "--env-id", "a name or glob such as 'CartPole-v1' or 'ALE/*'"),
        statuses=parse_statuses(statuses),
        tags=_words(tags, "--tag", "a tag"),
        since=None if since is None else parse_since(since, now=now),
        where=None if where is None else parse(where),
        lookup=lookup or Lookup(),
    )


def parse_statuses(texts: Sequence[str]) -> frozenset[str]:
    """The statuses in texts such as `completed,unknown`; raises InputError for another word."""
    words = _words(texts, "--status", f"some of {', '.join(STATUSES)}")
    for word in words:
        if word not in STATUSES:
            near = did_you_mean(word, STATUSES)
            choices = f"choose from {', '.join(STATUSES)}"
            raise InputError(
                f"--status: {word!r} is no status", hint=f"{near}; {choices}" if near else choices
            )
    return frozenset(words)


def parse_since(text: str, *, now: Callable[[], datetime]) -> datetime:
    """The time that `2026-03-01`, `2026-03-01T12:30+01:00` or a span back such as `7d` means.

    A time without a zone is UTC, as in run directories. Raises InputError for anything else.
    """
    written = text.strip()
    try:
        span = _SPAN.fullmatch(written)
        if span is not None:
            return now() - timedelta(**{_UNITS[span[2]]: float(span[1])})
        since = datetime.fromisoformat(written)
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"--since: {text!r} is no time",
            hint="give a date or time such as 2026-03-01 or 2026-03-01T12:30+01:00 (UTC without "
            "a zone), or a span back from now such as 30m, 12h, 7d or 2w",
        ) from error
    return since if since.tzinfo is not None else since.replace(tzinfo=UTC)


def _words(texts: Sequence[str], option: str, expected: str) -> tuple[str, ...]:
    words = [word.strip() for text in texts for word in text.split(",")]
    if not all(words):
        raise InputError(f"{option}: {','.join(texts)!r} holds an empty word", hint=expected)
    return tuple(words)


def _is_like(value: str | None, globs: Sequence[str]) -> bool:
    return value is not None and any(fnmatch.fnmatchcase(value, glob) for glob in globs)


def _known_status(record: RunRecord) -> str:
    """The status; what another writer calls by another word is as good as unknown."""
    return record.status if record.status in STATUSES else "unknown"


def _is_made_since(record: RunRecord, since: datetime) -> bool:
    created = created_at(record)
    return created is not None and created >= since
