"""What verifying a page found, for people and for programs."""

from __future__ import annotations

from typing import Any

from axiomrl.reports.document import Document, Section
from axiomrl.reports.table import Column, Table
from axiomrl.reports.verification import Check, Verification

COLUMNS = (
    Column("state", "state"),
    Column("kind", "kind", in_data_only=True),
    Column("place", "env or suite"),
    Column("name", "what"),
    Column("n_differences", "differences", "integer"),
    Column("n_missing", "missing", "integer"),
    Column("n_changed", "changed", "integer"),
    Column("n_new", "new", "integer"),
)
_MOST = 12  # lines about one check


def verification_document(found: Verification) -> Document:
    """One row per group, environment and entrant, and below it what does not hold."""
    rows = tuple(
        (
            check.state,
            check.key.kind,
            check.key.place,
            check.key.label,
            len(check.differences) or None,
            len(check.missing) or None,
            len(check.changed) or None,
            len(check.new) or None,
        )
        for check in found.checks
    )
    table = Table(COLUMNS, rows)
    sections = [Section(_title(found), table if rows else None)]
    for check in found.checks:
        if check.state != "holds":
            title = f"{check.key.label} ({check.key.place or '-'}): {check.state}"
            sections.append(Section(title, None, tuple(_lines(check))))
    sections.append(Section("", None, tuple(_verdict(found))))
    return Document("verification", tuple(sections), table, _data(found))


def _title(found: Verification) -> str:
    version = found.made["versions"]["axiomrl"]
    return f"{found.path}: made {found.made['at_utc']} by axiomrl {version}"


def _lines(check: Check) -> list[str]:
    lines = [f"{each.what}: {each.before} -> {each.now}" for each in check.differences]
    lines += [f"missing: {each}" for each in check.missing]
    lines += [f"changed since: {each}" for each in check.changed]
    lines += [f"would be included now: {each}" for each in check.new]
    if len(lines) > _MOST:
        lines[_MOST:] = [f"and {len(lines) - _MOST} more (--output-format json has all)"]
    return lines


def _verdict(found: Verification) -> list[str]:
    lines = []
    if found.is_edited:
        lines.append("the file was changed after it was made")
    if found.obstacle is not None:
        lines.append(f"nothing could be computed again: {found.obstacle}")
    groups = [check for check in found.checks if check.key.kind == "group"]
    holding = sum(check.state == "holds" for check in groups)
    lines.append(f"{holding} of {len(groups)} groups hold")
    return lines


def _data(found: Verification) -> dict[str, Any]:
    return {
        "page": str(found.path),
        "made": dict(found.made),
        "holds": found.holds,
        "is_edited": found.is_edited,
        "obstacle": found.obstacle,
        "checks": [
            {
                "state": check.state,
                "kind": check.key.kind,
                "place": check.key.place,
                "name": check.key.label,
                "differences": [
                    {"what": each.what, "before": each.before, "now": each.now}
                    for each in check.differences
                ],
                "missing": list(check.missing),
                "changed": list(check.changed),
                "new": list(check.new),
            }
            for check in found.checks
        ],
    }
