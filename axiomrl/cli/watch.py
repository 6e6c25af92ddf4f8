"""`axiomrl watch`: follow running runs in the terminal."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from axiomrl.cli import terminal
from axiomrl.cli.options import RunsDir
from axiomrl.errors import InputError, Interrupted

if TYPE_CHECKING:
    from axiomrl.cli.watch_frame import Line
    from axiomrl.reports.watching import Watcher
    from axiomrl.runs.record import RunRecord

EXAMPLES = """\b
Examples:
  axiomrl watch
  axiomrl watch ppo__CartPole-v1__seed0
  axiomrl watch /data/runs --interval 10
"""

SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 0.1, 3600.0


def run(
    name: Annotated[str | None, typer.Argument(metavar="RUN_OR_DIR", hidden=True)] = None,
    interval: Annotated[
        float, typer.Option("--interval", metavar="S", help="Seconds between two looks.")
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and print that.")] = False,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Follow running runs in the terminal until they have ended.

    RUN_OR_DIR is a run's directory, a unique prefix of its name, its run id, or a folder of runs;
    without it, --runs-dir is watched. Runs that begin appear, those that have ended stay. Files are
    only read. Where stdout is no terminal, the runs are looked at once. Ctrl-C ends it.
    """
    from axiomrl.reports.watching import Watcher

    if not SHORTEST_INTERVAL_S <= interval <= LONGEST_INTERVAL_S:
        raise InputError(
            f"--interval is {interval:g}, but must be between {SHORTEST_INTERVAL_S:g} and "
            f"{LONGEST_INTERVAL_S:g} seconds"
        )
    watcher = Watcher(_target(name, runs_dir))
    is_screen = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    is_empty = _show_once(watcher) if once or not is_screen else _follow(watcher, interval)
    if is_empty:
        terminal.note(f"no run is running in {name or runs_dir}")


def _target(name: str | None, runs_dir: Path) -> RunRecord | Path:
    """The run, or the folder of runs, that is meant; raises InputError if it is neither."""
    from axiomrl.runs import layout
    from axiomrl.runs.store import RunStore

    path = Path(name) if name is not None else runs_dir
    if path.is_dir() and not (path / layout.METADATA).is_file():
        return path
    if name is None:
        raise InputError(f"--runs-dir {runs_dir}: no such folder")
    return RunStore(runs_dir).find(name)


def _show_once(watcher: Watcher) -> bool:
    """Print how the runs stand; whether there are none."""
    from axiomrl.cli.watch_frame import frame

    views = watcher.refresh()
    lines = frame(views, width=shutil.get_terminal_size().columns)
    if lines:
        terminal.data("\n".join("".join(text for text, _ in line).rstrip() for line in lines))
    return not views


def _follow(watcher: Watcher, interval_s: float) -> bool:
    """Redraw how the runs stand until they have ended; whether there are none."""
    from rich.console import Console
    from rich.live import Live

    from axiomrl.cli.watch_frame import frame

    console = Console(highlight=False)
    views = watcher.refresh()
    if not views:
        return True
    live = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
    size = console.size
    with _ended_by_sigterm(), live:
        while True:
            if size != console.size:  # what was drawn may be wrapped now, and cannot be found
                console.clear()
            size = width, height = console.size
            # The last line stays free for the cursor, and its end for the `^C` that is echoed.
            lines = frame(views, width=width - 3, height=height - 1)
            live.update(_drawn(lines), refresh=True)
            if watcher.is_over:
                return False
            time.sleep(interval_s)
            views = watcher.refresh()


def _drawn(lines: Sequence[Line]) -> Any:
    """Lines for rich; nothing in their texts is taken for markup."""
    from rich.text import Text

    texts = [Text.assemble(*line, no_wrap=True, overflow="crop", end="") for line in lines]
    return Text("\n").join(texts)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the block as an exception, so that the cursor is shown again."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Interrupted("ended by SIGTERM", signal_number=number)

    previous = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
