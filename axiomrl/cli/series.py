"""Training configurations one after another: what is shown, and what a failure means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from axiomrl.cli import terminal
from axiomrl.cli.progress import progress_display
from axiomrl.cli.summary import show_finished
from axiomrl.cli.terminal import Invocation
from axiomrl.errors import InputError, Interrupted

if TYPE_CHECKING:
    from axiomrl.config import TrainConfig
    from axiomrl.training.session import Finished


def train_each(
    configs: Sequence[TrainConfig],
    *,
    invocation: Invocation,
    imports: Sequence[str] = (),
    quiet: bool = False,
) -> int:
    """Train the configurations in turn and return the exit code.

    `imports` are the modules that were imported first: a resumed run needs them again.

    With a single one, its error propagates. With several, a failing seed is reported and
    the next one is trained; the code is 1 if any failed. An interrupt ends the series.
    """
    failed: list[int] = []
    for index, config in enumerate(configs):
        try:
            finished = _train(config, _title(configs, index), invocation, quiet)
            is_last = index == len(configs) - 1
            show_finished(finished, quiet=quiet, next_commands=is_last, imports=imports)
        except Interrupted as interruption:
            repeat_imports(interruption, imports)
            _tell_what_remains(interruption, configs[index + 1 :], invocation)
            raise
        except Exception as error:
            bad_input = isinstance(error, InputError) and index == 0
            if len(configs) == 1 or bad_input:
                raise
            terminal.report_error(error, debug=invocation.debug)
            failed.append(config.seed)
    if failed:
        seeds = ", ".join(map(str, failed))
        terminal.note(f"{len(failed)} of {len(configs)} seeds failed: {seeds}")
    return 1 if failed else 0


def repeat_imports(interruption: Interrupted, imports: Sequence[str]) -> None:
    """Add `--import` to the command that the message offers for going on."""
    if interruption.hint and imports:
        options = [word for name in imports for word in ("--import", name)]
        interruption.hint += " " + terminal.quoted(*options)


def _train(config: TrainConfig, title: str, invocation: Invocation, quiet: bool) -> Finished:
    from axiomrl.training import session

    with progress_display(title, quiet=quiet) as on_progress:
        return session.start(config, command=invocation.command, on_progress=on_progress)


def _title(configs: Sequence[TrainConfig], index: int) -> str:
    config = configs[index]
    position = f" ({index + 1} of {len(configs)})" if len(configs) > 1 else ""
    return f"{config.algo} on {config.env_id}, seed {config.seed}{position}"


def _tell_what_remains(
    interruption: Interrupted, remaining: Sequence[TrainConfig], invocation: Invocation
) -> None:
    """Add to the message how the seeds that were not reached can be trained."""
    if not remaining:
        return
    seeds = ",".join(str(config.seed) for config in remaining)
    command = terminal.quoted(*_with_seeds(invocation.command, seeds))
    interruption.hint = (
        f"{interruption.hint or ''}\nand for the seeds not started: {command}".lstrip("\n")
    )


def _with_seeds(command: Sequence[str], seeds: str) -> list[str]:
    words: list[str] = []
    for word in command:
        if words and words[-1] == "--seeds":
            words.append(seeds)
        elif word.startswith("--seeds="):
            words.append(f"--seeds={seeds}")
        else:
            words.append(word)
    return words
