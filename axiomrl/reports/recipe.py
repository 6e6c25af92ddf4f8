"""What a page was made from and how: enough to make it again, in JSON's own types."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from axiomrl.errors import InputError
from axiomrl.reports.filters import Filters, parse_filters
from axiomrl.reports.standings import Question
from axiomrl.runs.clock import utc_now


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A folder or file, found again if it is moved together with the page."""

    relative: str | None  # to the page's folder, with `/`; None across drives
    absolute: str

    @classmethod
    def of(cls, path: str | Path, page_folder: str | Path) -> Place:
        """The place of a path as it is seen from the page's folder."""
        absolute = os.path.abspath(path)
        try:
            relative = os.path.relpath(absolute, os.path.abspath(page_folder))
        except ValueError:
            return cls(relative=None, absolute=absolute)
        return cls(relative=relative.replace(os.sep, "/"), absolute=absolute)

    def found_from(self, page_folder: str | Path) -> str | None:
        """Where it is now; None if it is at neither of its two paths."""
        candidates = [self.absolute]
        if self.relative is not None:
            candidates.insert(0, os.path.join(os.path.abspath(page_folder), self.relative))
        return next((os.path.normpath(each) for each in candidates if os.path.exists(each)), None)


class FilterTexts(msgspec.Struct, frozen=True, kw_only=True):
    """Filters as they were typed, `since` as a point in time."""

    algos: tuple[str, ...] = ()
    env_ids: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    since: str | None = None
    where: str | None = None

    @classmethod
    def of(cls, filters: Filters) -> FilterTexts:
        """The texts that `parsed` makes the same filters of."""
        return cls(
            algos=filters.algos,
            env_ids=filters.env_ids,
            statuses=tuple(sorted(filters.statuses)),
            tags=filters.tags,
            since=filters.since.isoformat() if filters.since is not None else None,
            where=filters.where.text if filters.where is not None else None,
        )

    def parsed(self) -> Filters:
        """The filters; raises InputError for what cannot be understood."""
        return parse_filters(
            algos=self.algos,
            env_ids=self.env_ids,
            statuses=self.statuses,
            tags=self.tags,
            since=self.since,
            where=self.where,
            now=utc_now,
        )


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Folders, filters, question and suite of a leaderboard."""

    runs_dirs: tuple[Place, ...]
    filters: FilterTexts
    question: Question
    manifest: Place | None = None  # None: the suites that come with axiomrl

    @classmethod
    def of(
        cls,
        roots: Sequence[str | Path],
        filters: Filters,
        question: Question,
        *,
        manifest: Path | None,
        page_folder: Path,
    ) -> Recipe:
        """The recipe of a page that lies in a folder."""
        return cls(
            runs_dirs=tuple(Place.of(root, page_folder) for root in roots),
            filters=FilterTexts.of(filters),
            question=question,
            manifest=Place.of(manifest, page_folder) if manifest is not None else None,
        )

    @classmethod
    def from_mapping(cls, value: Any) -> Recipe:
        """The recipe in a page; raises InputError, with the reason alone, if it is none."""
        try:
            return msgspec.convert(value, cls)
        except msgspec.ValidationError as error:
            raise InputError(f"its settings are damaged: {error}") from error

    def to_mapping(self) -> dict[str, Any]:
        """The recipe as it is written into a page."""
        mapping: dict[str, Any] = msgspec.to_builtins(self)
        return {**mapping, "question": asdict(self.question)}
