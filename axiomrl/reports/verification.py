"""Whether what a page says still holds: all of it computed again from the run directories."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axiomrl.errors import AxiomRLError, InputError
from axiomrl.reports.html_data import KIND, PAGE_VERSION, Origin, page_data
from axiomrl.reports.leaderboard_document import leaderboard_document
from axiomrl.reports.page_facts import Difference, Key, differences, facts_of
from axiomrl.reports.recipe import Recipe
from axiomrl.reports.renderers.html_format import data_of, is_edited
from axiomrl.reports.zoo import build_leaderboard, select
from axiomrl.runs import layout
from axiomrl.runs.cache import IntervalCache
from axiomrl.runs.clock import utc_now
from axiomrl.runs.digests import digests_of

if TYPE_CHECKING:
    from axiomrl.suites import Manifest

LARGEST_PAGE = 1 << 28  # bytes


@dataclass(frozen=True)
class Check:
    """One thing that a page speaks of: a group, an environment, an entrant of a suite."""

    key: Key
    differences: tuple[Difference, ...] = ()
    missing: tuple[str, ...] = ()  # runs that are not where they were
    changed: tuple[str, ...] = ()  # runs whose files are not what they were
    new: tuple[str, ...] = ()  # runs that would be in it now
    is_new: bool = False  # the page does not know it

    @property
    def state(self) -> str:
        """The first that applies; the other fields tell the rest."""
        found = (
            ("new group", self.is_new),
            ("runs missing", bool(self.missing)),
            ("differs", bool(self.differences)),
            ("runs changed", bool(self.changed)),
            ("new runs", bool(self.new)),
        )
        return next((name for name, applies in found if applies), "holds")


@dataclass(frozen=True)
class Verification:
    """What became of a page's statements."""

    path: Path
    made: Mapping[str, Any]
    is_edited: bool
    obstacle: str | None  # why nothing could be computed again
    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        """Whether everything is as the page says."""
        is_as_made = not self.is_edited and self.obstacle is None
        return is_as_made and all(check.state == "holds" for check in self.checks)


def verify(path: Path, runs_dirs: Sequence[Path] = ()) -> Verification:
    """Compute a page again, from its own folders of runs or from those given.

    Raises InputError for a file that is no such page, and for a given folder that is not there.
    """
    text, page = read_page(path)
    recipe = Recipe.from_mapping(page["recipe"])
    found = [each.found_from(path.parent) for each in recipe.runs_dirs]
    roots = [str(each) for each in runs_dirs] or [each for each in found if each is not None]
    by_place = [[root] for root in roots]
    if not runs_dirs:
        by_place = [[root] if root is not None else [] for root in found]
    elif len(runs_dirs) != len(found):
        by_place = [roots] * len(found)
    fresh, obstacle = _computed_again(recipe, roots, path.parent)
    checks = _checks(page, fresh, by_place) if fresh is not None else _file_checks(page, by_place)
    return Verification(path, page["made"], is_edited(text), obstacle, tuple(checks))


def read_page(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a page and its data; raises InputError for a file that is no such page."""
    hint = "a page is made by: axiomrl leaderboard --output-file board.html"
    try:
        if path.stat().st_size > LARGEST_PAGE:
            raise InputError(f"{path}: is too large for a page of a leaderboard", hint=hint)
        text = path.read_text(encoding="utf-8")
        page = data_of(text)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no page of a leaderboard: {error}", hint=hint) from error
    if not isinstance(page, dict) or page.get("kind") != KIND:
        raise InputError(f"{path}: is no page of a leaderboard", hint=hint)
    if page.get("page_version") != PAGE_VERSION:
        version = page.get("page_version")
        raise InputError(
            f"{path}: has version {version!r} of the format, known here: {PAGE_VERSION}",
            hint="use the version of axiomrl that made it",
        )
    try:
        Recipe.from_mapping(page.get("recipe"))
        facts_of(page)
        _ = [(run["root"], run["path"], run["sha256"].get) for run in _runs(page)]
        _ = page["made"]["at_utc"], page["made"]["versions"]["axiomrl"]
    except InputError as error:
        raise InputError(f"{path}: {error.message}") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path}: its data is damaged: {error!r}") from error
    return text, page


def _computed_again(
    recipe: Recipe, roots: Sequence[str], folder: Path
) -> tuple[dict[str, Any] | None, str | None]:
    """The page's data as it would be made now, or why it cannot be."""
    from axiomrl.suites import load_manifest, shipped_manifests

    def manifests() -> list[Manifest]:
        if recipe.manifest is None:
            return shipped_manifests()
        return [load_manifest(Path(recipe.manifest.found_from(folder) or recipe.manifest.absolute))]

    if not roots:
        return None, "none of its folders of runs is there; say where: --runs-dir DIR"
    for root in roots:
        if not os.path.isdir(root):
            raise InputError(f"--runs-dir {root}: no such folder")
    try:
        paths = [Path(root) for root in roots]
        filters = recipe.filters.parsed()
        selection = select(paths, filters, use_index=False, manifests=manifests)
        board = build_leaderboard(selection, recipe.question, cache=IntervalCache(None))
    except AxiomRLError as error:
        return None, error.message
    origin = Origin(recipe, tuple(map(os.path.abspath, roots)), (), utc_now())
    return page_data(board, leaderboard_document(board).json_object, origin, text=""), None


def _checks(
    page: dict[str, Any], fresh: dict[str, Any], by_place: Sequence[Sequence[str]]
) -> list[Check]:
    located = {run["directory"]: _located(run, by_place) for run in _runs(page)}
    before, now = facts_of(page, located), facts_of(fresh)
    runs_now = {
        _key(group): [run["directory"] for run in group["runs"]] for group in fresh["groups"]
    }
    known = set(filter(None, located.values()))
    groups = {_key(group): group for group in page["groups"]}
    checks = []
    for key in [*before, *(key for key in now if key not in before)]:
        group = groups.get(key)
        missing, changed = _files(group, located) if group is not None else ((), ())
        new = tuple(each for each in runs_now.get(key, ()) if each not in known)
        is_new = key not in before
        found: Sequence[Difference] = ()
        if not is_new:
            found = differences(before[key], now.get(key))
        checks.append(Check(key, tuple(found), missing, changed, new, is_new))
    return checks


def _file_checks(page: dict[str, Any], by_place: Sequence[Sequence[str]]) -> list[Check]:
    """What can be said of the files where nothing can be computed."""
    located = {run["directory"]: _located(run, by_place) for run in _runs(page)}
    checks = []
    for group in page["groups"]:
        missing, changed = _files(group, located)
        checks.append(Check(_key(group), missing=missing, changed=changed))
    return checks


def _files(
    group: Mapping[str, Any], located: Mapping[str, str | None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The runs of a group that are missing, and those whose files have changed."""
    missing, changed = [], []
    for run in group["runs"]:
        place = located[run["directory"]]
        if place is None:
            missing.append(run["directory"])
            continue
        now = digests_of(place)
        names = [name for name, digest in run["sha256"].items() if now.get(name) != digest]
        if names:
            changed.append(f"{place} ({', '.join(names)})")
    return tuple(missing), tuple(changed)


def _located(run: Mapping[str, Any], by_place: Sequence[Sequence[str]]) -> str | None:
    """Where a run of the page is now."""
    root = run["root"]
    candidates = [run["path"]]
    if isinstance(root, int) and 0 <= root < len(by_place):
        candidates = [os.path.join(folder, run["path"]) for folder in by_place[root]]
    found = (os.path.abspath(each) for each in candidates)
    return next(
        (each for each in found if os.path.isfile(os.path.join(each, layout.METADATA))), None
    )


def _runs(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [run for group in page["groups"] for run in group["runs"]]


def _key(group: Mapping[str, Any]) -> Key:
    return Key("group", group["env_id"], group["key"], group["group"])
