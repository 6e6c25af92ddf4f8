"""A table: what every report computes and every renderer prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Cell = str | int | float | None
Kind = Literal["text", "integer", "number", "seconds", "figure"]
"""`number` has a scale that two decimals suit; `figure` may be of any magnitude."""


@dataclass(frozen=True)
class Column:
    """One column: `key` names it for programs, `title` for readers."""

    key: str
    title: str
    kind: Kind = "text"
    in_data_only: bool = False  # in JSON and CSV, not in what people read
    is_repeated: bool = False  # another column says it too: left out first where space is short


@dataclass(frozen=True)
class Table:
    """Rows of cells under columns; None is a cell without a value.

    `problems` are sentences about what could not be read on the way to the table.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    problems: tuple[str, ...] = ()
    emphasis: frozenset[int] = frozenset()  # numbers of the rows that stand out

    def __post_init__(self) -> None:
        """Raises ValueError for a row that does not have one cell per column."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{len(row)} cells under {len(self.columns)} columns: {row}")

    def records(self) -> list[dict[str, Any]]:
        """The rows as mappings by column key."""
        keys = [column.key for column in self.columns]
        return [dict(zip(keys, row, strict=True)) for row in self.rows]

    def only(self, columns: list[Column]) -> Table:
        """The same rows with some of the columns."""
        places = [self.columns.index(column) for column in columns]
        rows = tuple(tuple(row[place] for place in places) for row in self.rows)
        return Table(tuple(columns), rows, self.problems, self.emphasis)

    def for_readers(self) -> Table:
        """Without the columns meant for programs and those that hold nothing."""
        return self.only(
            [
                column
                for place, column in enumerate(self.columns)
                if not column.in_data_only
                and (not self.rows or any(row[place] is not None for row in self.rows))
            ]
        )
