"""How training's progress looks: a bar on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Union

from axiomrl.cli.terminal import short_path
from axiomrl.reports.cells import clock

if TYPE_CHECKING:
    from axiomrl.study.launchers.contract import JobProgress
    from axiomrl.training.session import TrainingProgress

State = Union["TrainingProgress", "JobProgress"]
"""How far a run is: one that is trained here, or a job of a launcher."""

OnProgress = Callable[[State], None]

REDRAW_S = 0.2  # seconds of training between two pictures of the bar
FIRST_SILENCE_S = 5.0  # longest time without a line; doubles with each line it caused
LONGEST_SILENCE_S = 60.0


@contextmanager
def progress_display(
    title: str, *, quiet: bool = False, stream: IO[str] | None = None
) -> Iterator[OnProgress | None]:
    """What to call with each state of training while the block runs; None shows nothing.

    A stream that cannot be written to any more ends the display, never the training.
    """
    stream = stream or sys.stderr
    if quiet:
        yield None
        return
    display = ProgressBar(title) if stream.isatty() else ProgressLines(title, stream)
    try:
        yield until_it_fails(display.show)
    finally:
        display.close()


def until_it_fails(show: OnProgress) -> OnProgress:
    """Show states until the stream cannot be written to any more, and from then on nothing."""
    is_working = True

    def guarded(progress: State) -> None:
        nonlocal is_working
        if is_working:
            try:
                show(progress)
            except OSError:
                is_working = False

    return guarded


class ProgressLines:
    """A line at every tenth of the way, and after a while of silence."""

    def __init__(self, title: str, stream: IO[str], *, prefix: str = "") -> None:
        self._title = title
        self._stream = stream
        self._prefix = prefix  # of every line but the first ones: which run it is of
        self._tenths: int | None = None  # of the way, when the last line was written
        self._shown_at_s = 0.0
        self._patience_s = FIRST_SILENCE_S

    def show(self, progress: State) -> None:
        """Write a line if one is due."""
        tenths = int(10 * fraction(progress))
        if self._tenths is None:
            self._write("\n".join([self._title, *introduction(progress)]))
            self._tenths, self._shown_at_s = tenths, progress.duration_s
            return
        silent_s = progress.duration_s - self._shown_at_s
        if tenths <= self._tenths and silent_s < self._patience_s:
            return
        if tenths <= self._tenths:
            self._patience_s = min(2 * self._patience_s, LONGEST_SILENCE_S)
        self._tenths, self._shown_at_s = tenths, progress.duration_s
        self._write(self._prefix + "  ".join(numbers(progress)))

    def close(self) -> None:
        """Nothing is open."""

    def _write(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


class ProgressBar:
    """A bar that is redrawn in place, by training's own thread: none is started for it."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._terminal: Any = None
        self._bar: Any = None
        self._task: Any = None
        self._drawn_at_s = float("-inf")

    def show(self, progress: State) -> None:
        """Draw the state, unless the last picture is very recent."""
        is_over = progress.env_steps >= progress.total_timesteps
        recent = progress.duration_s - self._drawn_at_s < REDRAW_S
        if self._bar is not None and recent and not is_over:
            return
        if self._bar is None:
            self._open(progress)
        # Room at the end of the line keeps the `^C` that a terminal echoes from wrapping.
        self._bar.console.width = max(20, self._terminal.width - 3)
        self._drawn_at_s = progress.duration_s
        self._bar.update(
            self._task,
            completed=min(progress.env_steps, progress.total_timesteps),
            total=progress.total_timesteps,
            numbers="  ".join(numbers(progress)),
        )
        self._bar.refresh()

    def close(self) -> None:
        """Leave the last picture standing."""
        if self._bar is not None:
            self._bar.stop()

    def _open(self, progress: State) -> None:
        # Imported at the first state, when training has begun: it takes a tenth of a second.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        self._terminal = Console(stderr=True)  # its width follows the window's
        console = Console(stderr=True, highlight=False)
        console.print(self._title, style="bold", markup=False)
        for line in introduction(progress):
            console.print(line, markup=False, soft_wrap=True)
        self._bar = Progress(
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
            TextColumn("{task.fields[numbers]}", table_column=Column(no_wrap=True)),
            console=console,
            auto_refresh=False,
            expand=True,
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=progress.total_timesteps, numbers="")


class ProgressBars:
    """A bar for each of several runs, below everything else that is written meanwhile."""

    def __init__(self) -> None:
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}

    def show(self, name: str, progress: State) -> None:
        """Draw the state of a run; `name` stands before its bar."""
        if self._bars is None:
            self._open()
        total = progress.total_timesteps
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=total, numbers="")
        self._bars.update(
            self._tasks[name],
            completed=min(progress.env_steps, total),
            total=total,
            numbers="  ".join(numbers(progress)),
        )
        self._bars.refresh()

    def remove(self, name: str) -> None:
        """The run has ended."""
        task = self._tasks.pop(name, None)
        if task is not None:
            self._bars.remove_task(task)
            self._bars.refresh()

    def close(self) -> None:
        """Leave the last picture standing."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        self._bars = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
            TextColumn("{task.fields[numbers]}", table_column=Column(no_wrap=True)),
            console=Console(stderr=True, highlight=False),
            auto_refresh=False,
            expand=True,
        )
        self._bars.start()


def introduction(progress: State) -> list[str]:
    """What is said once, when training begins: where the run is, and what memory replay takes."""
    lines = [short_path(progress.run_directory)]
    if progress.replay_bytes:
        lines.append(f"replay takes up to {progress.replay_bytes / 1e6:,.1f} MB of memory")
    return lines


def fraction(progress: State) -> float:
    """How much of the way is done, between 0 and 1."""
    return min(1.0, progress.env_steps / max(1, progress.total_timesteps))


def numbers(progress: State) -> list[str]:
    """The state in words: share, steps, speed, time left (or what is going on), returns."""
    parts = [
        f"{100 * fraction(progress):3.0f} %",
        f"{progress.env_steps:,} steps",
        f"{progress.env_steps_per_s:,.0f}/s",
        _what_goes_on(progress),
    ]
    last = progress.rollout_return_mean
    last = progress.eval_return_mean if last is None else last
    if last is not None:
        parts.append(f"return {compact(last)}")
    if progress.best is not None:
        parts.append(f"best {compact(progress.best)}")
    return parts


def _what_goes_on(progress: State) -> str:
    if progress.phase != "training":
        return progress.phase
    left = max(0, progress.total_timesteps - progress.env_steps)
    if progress.env_steps_per_s <= 0:
        return "eta -"
    return f"eta {clock(left / progress.env_steps_per_s)}"


def compact(value: float) -> str:
    """A score in about five characters."""
    return f"{value:.1f}" if abs(value) < 10_000 else f"{value:,.0f}"
