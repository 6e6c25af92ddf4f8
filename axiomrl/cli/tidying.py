"""The commands of `axiomrl runs` that change something: tag, rm, restore, gc."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from axiomrl.cli import terminal
from axiomrl.cli.options import RunsDir
from axiomrl.cli.output import show
from axiomrl.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from datetime import timedelta

    from axiomrl.reports.document import Document
    from axiomrl.runs.record import RunRecord
    from axiomrl.runs.removal import Removed

Runs = Annotated[list[str], typer.Argument(metavar="RUN", hidden=True)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before something is deleted.")]


def tag_runs(
    names: Runs,
    add: Annotated[
        list[str] | None,
        typer.Option("--add", metavar="TAG", help="Put a tag on; +TAG is short for it."),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="TAG", help="Take a tag off; -TAG is short for it."),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Put tags on runs and take tags off.

    Runs may be tagged while they are running. The tags that each then has are printed. A tag is
    a word of at most 64 characters without commas. Words that begin with + or - are tags wherever
    they stand; write --remove h for a tag called h, and ./+x for a run called +x.
    """
    from axiomrl.runs.tags import change_tags, checked_tag

    if not add and not remove:
        raise InputError("no tag is given", hint="write +TAG to put one on, -TAG to take it off")
    for tag in (*(add or ()), *(remove or ())):
        checked_tag(tag)
    for record in _found(names, runs_dir):
        configured = record.metadata.get("tags")
        tags = change_tags(record.directory, configured, add=add or (), remove=remove or ())
        terminal.data(f"{record.directory.name}: {', '.join(tags) or '-'}")


def remove(
    names: Runs,
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete for good instead. Asks first.")
    ] = False,
    yes: Yes = False,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Move runs to the trash: the folder .trash in the folder of runs.

    Where each of them lies then is printed. Nothing is moved if one of them is being written.
    --purge asks first; without a terminal to ask at, it needs --yes.
    """
    from axiomrl.runs.removal import remove_runs, require_removable

    records = _found(names, runs_dir)
    require_removable(records, purge=purge)
    _warn_of_children(records, runs_dir)
    if purge:
        count = f"{len(records)} runs" if len(records) > 1 else records[0].directory.name
        _confirm(f"delete {count} for good?", is_confirmed=yes)
    for removed in remove_runs(records, runs_dir, purge=purge):
        terminal.data(terminal.short_path(removed.directory if purge else removed.entry))
        _tell(removed, is_purged=purge)


def restore_runs(names: Runs, runs_dir: RunsDir = Path("runs")) -> None:
    """Move runs from the trash back to where they were.

    RUN is the name of a directory in the trash, a unique prefix of it, or a path to it.
    """
    from axiomrl.runs.removal import restore

    for name in names:
        terminal.data(terminal.short_path(restore(name, runs_dir)))


def collect_garbage(
    names: Annotated[list[str] | None, typer.Argument(metavar="RUN", hidden=True)] = None,
    keep: Annotated[
        str,
        typer.Option(
            "--keep", metavar="best,latest|all", help="Which checkpoints of finished runs stay."
        ),
    ] = "best,latest",
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="TIME", help="Only what is older than that: 12h, 7d, 2w."
        ),
    ] = None,
    trash: Annotated[
        bool, typer.Option("--trash", help="Empty the trash, and do nothing else. Asks first.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed; remove nothing.")
    ] = False,
    yes: Yes = False,
    runs_dir: RunsDir = Path("runs"),
    output_format: Annotated[
        Literal["text", "json"],
        typer.Option("--output-format", metavar="text|json", help="How it is printed."),
    ] = "text",
) -> None:
    """Remove checkpoints and leftovers that nothing needs.

    Leftovers are what killed processes have left half-written. Without a RUN, all runs below
    --runs-dir are tidied up. `best` keeps best.pt, `latest` the newest checkpoint with its replay
    rows, `all` every checkpoint. Unfinished runs keep both, whatever --keep says; runs that are
    being written are left alone, and no run loses its last checkpoint.
    """
    from axiomrl.runs.pruning import time_span

    span = None if older_than is None else time_span(older_than)
    if trash:
        if names:
            raise InputError("--trash empties the whole trash, so that no RUN can be given")
        document, is_whole = _empty(runs_dir, span, dry_run, yes), True
    else:
        document, is_whole = _prune(names or [], _kept(keep), span, dry_run, runs_dir)
    show(document, output_format)
    for problem in document.flat.problems:
        terminal.warn(problem)
    if not is_whole:
        raise typer.Exit(1)


def _found(names: Sequence[str], runs_dir: Path) -> list[RunRecord]:
    """The runs that the names mean, each once; all of them exist before anything is done."""
    from axiomrl.runs.store import RunStore

    store = RunStore(runs_dir)
    records = [store.find(name) for name in names]
    return list({record.directory.absolute(): record for record in records}.values())


def _kept(text: str) -> list[str]:
    from axiomrl.runs.pruning import KEEPABLE

    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in KEEPABLE:
            known = f"it takes {', '.join(KEEPABLE)}, separated by commas"
            raise InputError(
                f"--keep: {name!r} is unknown", hint=did_you_mean(name, KEEPABLE) or known
            )
    return names


def _prune(
    names: Sequence[str], keep: Sequence[str], span: timedelta | None, dry_run: bool, runs_dir: Path
) -> tuple[Document, bool]:
    """What was removed from runs, and whether everything could be."""
    from axiomrl.reports.freed import Freed, freed_report
    from axiomrl.runs.clock import utc_now
    from axiomrl.runs.ownership import refuse_if_alive
    from axiomrl.runs.pruning import needed_by_children, prune_all
    from axiomrl.runs.store import RunStore

    named = _found(names, runs_dir)
    for record in named:
        refuse_if_alive(record.directory, record.metadata, now=utc_now())
    if not names and not runs_dir.is_dir():
        raise InputError(f"--runs-dir {runs_dir}: no such folder")
    scanned = RunStore(runs_dir).scan()
    done = prune_all(
        named or scanned.records,
        keep,
        needed=needed_by_children([*scanned.records, *named]),
        older_than=span,
        dry_run=dry_run,
    )
    problems = [problem for each in done.pruned for problem in each.problems] + done.failed
    if not names:
        problems = [*map(str, scanned.problems), *problems]
    notes = [f"{path.name} is being written and was left alone" for path in done.alive]
    freed = [Freed(each.directory, each.removed, each.use, each.kept) for each in done.pruned]
    document = freed_report(freed, dry_run=dry_run, notes=notes, problems=problems)
    return document, not done.failed


def _empty(runs_dir: Path, span: timedelta | None, dry_run: bool, yes: bool) -> Document:
    from axiomrl.reports.freed import Freed, freed_report
    from axiomrl.runs.removal import empty_trash

    if not dry_run:
        found = len(list(empty_trash(runs_dir, older_than=span, dry_run=True)))
        if found:
            _confirm(f"delete {found} runs in the trash for good?", is_confirmed=yes)
    emptied = empty_trash(runs_dir, older_than=span, dry_run=dry_run)
    freed = [Freed(entry.path, (entry.path,), use) for entry, use in emptied]
    return freed_report(freed, dry_run=dry_run)


def _confirm(question: str, *, is_confirmed: bool) -> None:
    """Ask at the terminal; raises InputError where there is none, Exit if the answer is no."""
    if is_confirmed:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError(
            f"{question.removesuffix('?')}: not without being asked, and this is no terminal",
            hint="say so with --yes",
        )
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        terminal.note("nothing was deleted")
        raise typer.Exit(1)


def _warn_of_children(records: Sequence[RunRecord], runs_dir: Path) -> None:
    from axiomrl.runs.removal import children_of
    from axiomrl.runs.store import RunStore

    going = {record.directory.resolve() for record in records}
    others = [r for r in RunStore(runs_dir).scan().records if r.directory.resolve() not in going]
    for record in records:
        for child in children_of(record.directory, others):
            terminal.warn(f"{child.directory.name} continues {record.directory.name}")


def _tell(removed: Removed, *, is_purged: bool) -> None:
    from axiomrl.reports.cells import byte_count

    if is_purged:
        terminal.note(f"deleted: {byte_count(removed.use.bytes)} in {removed.use.files:,} files")
        return
    root = terminal.short_path(removed.entry.parent.parent)
    where = () if root == "runs" else ("--runs-dir", root)
    command = terminal.quoted("axiomrl", "runs", "restore", removed.entry.name, *where)
    terminal.note(f"to get it back: {command}")
