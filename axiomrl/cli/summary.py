"""What is said at the end of training: a short table and the next useful commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from axiomrl.cli import terminal
from axiomrl.cli.terminal import quoted, short_path

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord
    from axiomrl.training.session import Finished

WIDTH = 80  # longer commands are continued on a second line


def show_finished(
    finished: Finished,
    *,
    quiet: bool = False,
    next_commands: bool = True,
    imports: Sequence[str] = (),
) -> None:
    """The run directory on stdout; table and next commands on stderr, unless quiet.

    `imports` are the modules that the commands need to import again.
    """
    if not quiet:
        from axiomrl.runs.record import RunRecord

        record = RunRecord.read(finished.directory)
        if finished.note:
            terminal.note(finished.note)
        _show_results(record, env_steps=finished.env_steps)
        if next_commands:
            _show_next_commands(record, imports)
        terminal.note()
    terminal.data(short_path(finished.directory))


def _show_results(record: RunRecord, *, env_steps: int) -> None:
    episodes = (record.config().get("evaluation") or {}).get("episodes")
    rows = result_rows(record.metadata, env_steps=env_steps, episodes=episodes)
    width = max(len(name) for name, _ in rows)
    terminal.note()
    for name, value in rows:
        terminal.note(f"  {name:<{width}}  {value}")


def result_rows(
    metadata: dict[str, Any], *, env_steps: int, episodes: int | None
) -> list[tuple[str, str]]:
    """The lines of the closing table: name and value. `episodes` are those of one evaluation."""
    latest = metadata.get("latest_metrics") or {}
    progress = metadata.get("progress") or {}
    best = metadata.get("best_checkpoint") or {}
    rows = [("status", str(metadata.get("status")))]
    if (final := latest.get("eval_return_mean")) is not None:
        rows.append(("final eval_return_mean", f"{final:.2f} (n = {episodes} episodes)"))
    if (value := best.get("metric_value")) is not None:
        rows.append((f"best {best['metric_name']}", f"{value:.2f} at step {best['step']:,}"))
    if (tested := latest.get("test_return_mean")) is not None:
        count = latest.get("test_episodes") or 0
        rows.append(("test_return_mean", f"{tested:.2f} (n = {count:.0f} episodes)"))
    rows.append(("env steps", f"{env_steps:,}"))
    if (duration := progress.get("duration_s")) is not None:
        speed = progress.get("env_steps_per_s") or 0.0
        rows.append(("duration", f"{duration:,.1f} s ({speed:,.0f} steps/s)"))
    return rows


def _show_next_commands(record: RunRecord, imports: Sequence[str]) -> None:
    directory = short_path(record.directory)
    runs = short_path(record.directory.parent)
    longer = str(2 * (record.metadata.get("progress") or {}).get("total_timesteps", 0))
    elsewhere = () if runs == "runs" else ("--runs-dir", runs)
    again = [word for name in imports for word in ("--import", name)]
    terminal.note()
    terminal.note("next:")
    for command, options in (
        (("axiomrl", "eval", directory), (*again,)),
        (("tensorboard", "--logdir", runs), ()),
        (("axiomrl", "resume", directory), ("--total-timesteps", longer, *again)),
        (("axiomrl", "zoo", "--format", "report"), elsewhere),
    ):
        line = "  " + quoted(*command, *options)
        if len(line) > WIDTH and options:
            line = f"  {quoted(*command)} \\\n    {quoted(*options)}"
        terminal.note(line)
