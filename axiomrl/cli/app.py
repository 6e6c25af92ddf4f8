"""The `axiomrl` command: parses arguments, runs one subcommand, turns errors into exit codes.

Exit codes: 0 done, 1 the work failed, 2 bad input, 130 interrupted (143 by SIGTERM).
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.main import get_command

import axiomrl
from axiomrl.cli import terminal
from axiomrl.cli.command import Command, Group
from axiomrl.cli.terminal import Invocation
from axiomrl.errors import InputError

# The base of typer's usage errors. Its module moved between versions (click, typer._click),
# so it is reached through the public subclass.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

# Matrix libraries read these once, when they are loaded. Small networks are fastest on one
# thread; `threads` in a configuration raises the number later.
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

EXAMPLES = """\b
Examples:
  axiomrl train --config configs/ppo/cartpole.yaml
  axiomrl zoo --format report
  axiomrl config --explain ppo
"""

COMMANDS = (
    "train",
    "eval",
    "resume",
    "reproduce",
    "study",
    "tune",
    "config",
    "zoo",
    "report",
    "leaderboard",
    "plot",
    "runs",
    "artifacts",
    "watch",
    "history",
    "doctor",
)
"""Every command; each is the module of its name."""

HELP_NAMES = {"help_option_names": ["--help", "-h"]}


@functools.cache
def command_line(names: tuple[str, ...] = COMMANDS) -> Any:
    """`axiomrl` with some of its commands: typer takes 2 ms to read the signature of each."""
    app = typer.Typer(
        name="axiomrl",
        cls=Group,
        add_completion=False,
        rich_markup_mode=None,  # help in rich's boxes takes three times as long to appear
        pretty_exceptions_enable=False,
        context_settings=HELP_NAMES,
    )
    app.callback(invoke_without_command=True, epilog=EXAMPLES)(axiomrl_command)
    for name in names:
        _register(app, name, importlib.import_module(f"axiomrl.cli.{name}"))
    return get_command(app)


def _needed(arguments: Sequence[str]) -> tuple[str, ...]:
    """The one command that is named first, else all of them, to be listed or suggested."""
    return (arguments[0],) if arguments and arguments[0] in COMMANDS else COMMANDS


def _register(app: typer.Typer, name: str, module: Any) -> None:
    """Add a module's command, its `SUBCOMMANDS` below one name, or both.

    With both, the command is `WITHOUT_SUBCOMMAND`.
    """
    subcommands = getattr(module, "SUBCOMMANDS", None)
    if subcommands is None:
        app.command(name, cls=Command, epilog=module.EXAMPLES)(module.run)
        return
    group = typer.Typer(cls=Group, rich_markup_mode=None, context_settings=HELP_NAMES)
    classes = getattr(module, "COMMAND_CLASSES", {})
    for verb, (function, examples) in subcommands.items():
        group.command(verb, cls=classes.get(verb, Command), epilog=examples)(function)
    command = getattr(module, "WITHOUT_SUBCOMMAND", None)
    if command is None:
        app.add_typer(group, name=name, help=module.HELP, epilog=module.EXAMPLES)
        return
    group.callback(invoke_without_command=True, subcommand_metavar="[COMMAND [ARGS]...]")(
        _unless_subcommand(command)
    )
    app.add_typer(group, name=name, epilog=module.EXAMPLES)


def _unless_subcommand(command: Callable[..., int]) -> Callable[..., int]:
    """A command that leaves the work to the subcommand that is named behind it."""

    @functools.wraps(command)
    def run(context: typer.Context, **options: Any) -> int:
        verb = context.invoked_subcommand
        if verb is None:
            return command(context=context, **options)
        for parameter in context.command.params:
            source = context.get_parameter_source(parameter.name or "")
            if source is not None and source.name == "COMMANDLINE":
                raise InputError(
                    f"{parameter.opts[0]}: stands before {verb}, which it does not concern",
                    hint=f"options of {verb} stand behind it: {context.command_path} {verb} --help",
                )
        return 0

    return run


def axiomrl_command(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    debug: bool = typer.Option(
        False,
        "--debug",
        help="Show the traceback of every error. Also: AXIOMRL_DEBUG=1.",
    ),
) -> None:
    """Train reinforcement-learning agents fast, resume them exactly, compare them honestly."""
    if version:
        terminal.data(f"axiomrl {axiomrl.__version__}")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        terminal.data(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; nothing is raised but SystemExit."""
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")
    invocation = Invocation.from_arguments(sys.argv[1:] if arguments is None else arguments)
    with warnings.catch_warnings():
        warnings.showwarning = terminal.show_warning  # type: ignore[assignment]
        code = _run(invocation)
    return _flushed(code)


def _run(invocation: Invocation) -> int:
    try:
        code = command_line(_needed(invocation.arguments))(
            args=invocation.arguments,
            prog_name="axiomrl",
            standalone_mode=False,
            obj=invocation,
        )
    except UsageError as error:
        return terminal.report_usage_error(error)
    except Exception as error:
        return terminal.report_error(error, debug=invocation.debug)
    if code == 130:  # typer's answer to KeyboardInterrupt
        terminal.note("interrupted")
    return code if isinstance(code, int) else 0


def _flushed(code: int) -> int:
    """Deliver what is still buffered; a reader that went away is no error worth a message."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1  # as typer does when it is the command that notices
    return code
