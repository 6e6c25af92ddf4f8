"""The report: one row per run, and one per group of runs."""

from __future__ import annotations

import bisect
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from axiomrl.reports.document import Document, Section
from axiomrl.reports.run_rows import group_object, problem_objects, run_row
from axiomrl.reports.table import Cell, Column, Table

if TYPE_CHECKING:
    from axiomrl.reports.manifest import Alignment
    from axiomrl.reports.standings import Question, ScoredGroup
    from axiomrl.runs.record import RunRecord
    from axiomrl.runs.store import ScanProblem

COLUMNS = (
    Column("run", "run"),
    Column("directory", "directory", in_data_only=True),
    Column("run_id", "run id", in_data_only=True),
    Column("algo", "algo", is_repeated=True),
    Column("env_id", "env", is_repeated=True),
    Column("seed", "seed", "integer", is_repeated=True),
    Column("status", "status"),
    Column("suite_state", "suite"),
    Column("env_steps", "steps", "integer"),
    Column("eval_return_mean", "final", "number"),
    Column("best_metric_value", "best", "number"),
    Column("best_metric_name", "best metric", in_data_only=True),
    Column("duration_s", "time", "seconds"),
)
GROUP_COLUMNS = (
    Column("group", "group"),
    Column("env_id", "env", is_repeated=True),
    Column("n_runs", "runs", "integer"),
    Column("n_seeds", "seeds", "integer"),
    Column("mean", "mean", "number"),
    Column("std", "std", "number"),
    Column("min", "min", "number"),
    Column("max", "max", "number"),
)


def report_document(
    records: Iterable[RunRecord],
    groups: Sequence[ScoredGroup],
    question: Question,
    alignments: Mapping[int, Alignment],
    *,
    problems: Sequence[ScanProblem] = (),
    short_names: bool = False,
) -> Document:
    """One row per run, oldest first, and one per group.

    With `short_names`, a run is called by a unique prefix of its directory's name, which every
    command takes as its name. `alignments` are by the id of the record.
    """
    ordered = sorted(records, key=_age)
    names = [os.path.basename(record.path) for record in ordered]
    if short_names:
        names = unique_prefixes(names)
    rows = tuple(
        _row(record, name, alignments[id(record)])
        for record, name in zip(ordered, names, strict=True)
    )
    runs = Table(COLUMNS, rows)
    sections = [Section("", runs)]
    group_rows = tuple(_group_row(each) for each in groups)
    if any(each.group.n_runs > 1 for each in groups):
        title = f"groups: {question.metric}, {question.reduce}"
        sections.append(Section(title, Table(GROUP_COLUMNS, group_rows)))
    return Document(
        "report", tuple(sections), runs, _data(ordered, groups, question, alignments, problems)
    )


def _data(
    records: Sequence[RunRecord],
    groups: Sequence[ScoredGroup],
    question: Question,
    alignments: Mapping[int, Alignment],
    problems: Sequence[ScanProblem],
) -> dict[str, Any]:
    group_of = {id(run): each.label for each in groups for run in each.group.runs}
    superseded = {id(other.run): other.reason for each in groups for other in each.group.superseded}
    return {
        "metric": question.metric,
        "direction": question.direction,
        "reduce": question.reduce,
        "statistic": question.statistic,
        "group_by": question.group_by,
        "groups": [{**group_object(each), **_spread(each)} for each in groups if each.usable],
        "unranked": [
            {**group_object(each), "reason": f"no run has {question.metric}"}
            for each in groups
            if not each.usable
        ],
        "runs": [
            run_row(
                record,
                group=group_of.get(id(record)),
                superseded=superseded.get(id(record)),
                suite=alignments[id(record)].suite,
                suite_state=alignments[id(record)].state,
                suite_reasons=list(alignments[id(record)].reasons),
            )
            for record in records
        ],
        "problems": problem_objects(problems),
    }


def _spread(each: ScoredGroup) -> dict[str, Any]:
    scores = each.usable
    return {
        "estimate": statistics.fmean(scores),
        "std": statistics.stdev(scores) if len(scores) > 1 else None,
        "min": min(scores),
        "max": max(scores),
    }


def _group_row(each: ScoredGroup) -> tuple[Cell, ...]:
    group = each.group
    values = _spread(each) if each.usable else {}
    spread = (values.get(key) for key in ("estimate", "std", "min", "max"))
    return (each.label, group.env_id, group.n_runs, group.n_seeds, *spread)


def unique_prefixes(names: Sequence[str]) -> list[str]:
    """For each name the shortest of its beginnings that no other name shares.

    Names are cut only where a time stamp begins or at a `-` within it, so that what remains
    still says what the run is.
    """
    ordered = sorted(names)
    return [
        next((prefix for prefix in _prefixes(name) if _is_unique(prefix, ordered)), name)
        for name in names
    ]


def _prefixes(name: str) -> list[str]:
    stem, separator, stamp = name.rpartition("__")
    if not separator:
        return [name]
    parts = stamp.split("-")
    stamps = ["-".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return [stem, stem + separator, *(stem + separator + part for part in stamps)]


def _is_unique(prefix: str, ordered: Sequence[str]) -> bool:
    first = bisect.bisect_left(ordered, prefix)  # names that begin with it follow one another
    return not any(name.startswith(prefix) for name in ordered[first + 1 : first + 2])


def _age(record: RunRecord) -> tuple[str, str]:
    return str(record.metadata.get("created_at_utc") or ""), record.path


def _row(record: RunRecord, name: str, alignment: Alignment) -> tuple[Cell, ...]:
    state = None if alignment.state == "unlisted" else alignment.state
    cells = {**run_row(record), "run": name, "suite_state": state}
    return tuple(cells[column.key] for column in COLUMNS)
