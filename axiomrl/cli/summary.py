"""What is said at the end of training: a short table and the next useful commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axiomrl.cli import terminal
from axiomrl.cli.terminal import quoted, short_path

if TYPE_CHECKING:
    from axiomrl.training.session import Finished


def show_finished(finished: Finished, *, quiet: bool) -> None:
    """The run directory on stdout; table and next commands on stderr, unless quiet."""
    if not quiet:
        if finished.note:
            terminal.note(finished.note)
        _show_results(finished)
        _show_next_commands(finished)
    terminal.data(short_path(finished.directory))


def _show_results(finished: Finished) -> None:
    from axiomrl.runs.store import RunStore

    metadata = RunStore(finished.directory.parent).find(str(finished.directory)).metadata
    rows = result_rows(metadata, env_steps=finished.env_steps)
    width = max(len(name) for name, _ in rows)
    terminal.note()
    for name, value in rows:
        terminal.note(f"  {name:<{width}}  {value}")


def result_rows(metadata: dict[str, Any], *, env_steps: int) -> list[tuple[str, str]]:
    """The lines of the closing table: name and value."""
    latest = metadata.get("latest_metrics") or {}
    progress = metadata.get("progress") or {}
    best = metadata.get("best_checkpoint") or {}
    rows = [("status", str(metadata.get("status")))]
    if (final := latest.get("eval_return_mean")) is not None:
        rows.append(("final eval_return_mean", f"{final:.2f}"))
    if (value := best.get("metric_value")) is not None:
        rows.append((f"best {best['metric_name']}", f"{value:.2f} at step {best['step']:,}"))
    rows.append(("env steps", f"{env_steps:,}"))
    if (duration := progress.get("duration_s")) is not None:
        speed = progress.get("env_steps_per_s") or 0.0
        rows.append(("duration", f"{duration:,.1f} s ({speed:,.0f} steps/s)"))
    return rows


def _show_next_commands(finished: Finished) -> None:
    directory = short_path(finished.directory)
    runs = short_path(finished.directory.parent)
    elsewhere = () if runs == "runs" else ("--runs-dir", runs)
    longer = str(2 * finished.env_steps)
    terminal.note()
    terminal.note("next:")
    for command in (
        quoted("axiomrl", "eval", directory),
        quoted("tensorboard", "--logdir", runs),
        quoted("axiomrl", "resume", directory, "--total-timesteps", longer),
        quoted("axiomrl", "zoo", "--format", "report", *elsewhere),
    ):
        terminal.note(f"  {command}")
    terminal.note()
