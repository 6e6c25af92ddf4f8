"""Which runs there are: one row each, with its tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from axiomrl.reports.report import unique_prefixes
from axiomrl.reports.table import Cell, Column, Table
from axiomrl.runs.tags import tags_of

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord

COLUMNS = (
    Column("run", "run"),
    Column("directory", "directory", in_data_only=True),
    Column("run_id", "run id", in_data_only=True),
    Column("status", "status"),
    Column("algo", "algo", is_repeated=True),
    Column("env_id", "env", is_repeated=True),
    Column("seed", "seed", "integer", is_repeated=True),
    Column("tags", "tags"),
    Column("env_steps", "steps", "integer"),
    Column("eval_return_mean", "final", "number"),
    Column("best_metric_value", "best", "number"),
    Column("created_at_utc", "created", in_data_only=True),
)


@dataclass(frozen=True)
class Selection:
    """Which runs are listed: those that every part that is not empty takes.

    A run is taken by its status if that is one of `statuses`, by algorithm and environment if
    one of the patterns (`*`, `?`, `[…]`) matches, and by tags if it has all of them.
    """

    statuses: Sequence[str] = ()
    algos: Sequence[str] = ()
    env_ids: Sequence[str] = ()
    tags: Sequence[str] = ()

    def takes(self, record: RunRecord, tags: Sequence[str]) -> bool:
        """Whether a run with these tags is listed."""
        return (
            (not self.statuses or record.status in self.statuses)
            and _matches(record.metadata.get("algo"), self.algos)
            and _matches(record.metadata.get("env_id"), self.env_ids)
            and set(self.tags) <= set(tags)
        )


def run_list(
    records: Sequence[RunRecord],
    selection: Selection | None = None,
    *,
    problems: Sequence[str] = (),
    newest_first: bool = False,
    short_names: bool = False,
) -> Table:
    """One row per run that is selected, oldest first unless `newest_first`.

    With `short_names`, a run is called by a prefix of its directory's name that is unique among
    all `records`.
    """
    selection = selection or Selection()
    told = list(problems)
    ordered = sorted(records, key=_age, reverse=newest_first)
    names = [record.directory.name for record in ordered]
    if short_names:
        names = unique_prefixes(names)
    rows = []
    for record, name in zip(ordered, names, strict=True):
        tags = tags_of(record.directory, record.metadata.get("tags"), problems=told)
        if selection.takes(record, tags):
            rows.append(_row(record, name, tags))
    return Table(COLUMNS, tuple(rows), tuple(told))


def _matches(value: str | None, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(value or "", pattern) for pattern in patterns)


def _age(record: RunRecord) -> tuple[str, str]:
    return record.metadata.get("created_at_utc") or "", str(record.directory)


def _row(record: RunRecord, name: str, tags: Sequence[str]) -> tuple[Cell, ...]:
    metadata = record.metadata
    cells: dict[str, Any] = {
        "run": name,
        "directory": str(record.directory.absolute()),
        "status": record.status,
        "tags": ", ".join(tags) or None,
        "env_steps": (metadata.get("progress") or {}).get("env_steps"),
        "eval_return_mean": (metadata.get("latest_metrics") or {}).get("eval_return_mean"),
        "best_metric_value": (metadata.get("best_checkpoint") or {}).get("metric_value"),
        "created_at_utc": metadata.get("created_at_utc"),
    }
    return tuple(cells.get(each.key, metadata.get(each.key)) for each in COLUMNS)
