"""A report as a whole: sections for people, one table for spreadsheets, data for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from axiomrl.reports.table import Table

SCHEMA_VERSION = 1
"""Version of the JSON output; added keys do not change it."""


@dataclass(frozen=True)
class Section:
    """One table with a title above and sentences below; either may be empty."""

    title: str
    table: Table | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """What a command shows, complete for every output format."""

    kind: str  # "report", "leaderboard", …
    sections: tuple[Section, ...]  # text and Markdown
    flat: Table  # CSV
    data: Mapping[str, Any] = field(default_factory=dict)  # JSON, besides version and kind
    page: Mapping[str, Any] | None = None  # HTML, where it was asked for

    @property
    def json_object(self) -> dict[str, Any]:
        """The whole JSON output."""
        return {"schema_version": SCHEMA_VERSION, "kind": self.kind, **self.data}
