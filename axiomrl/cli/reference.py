"""The reference page of the command line, rendered from the commands themselves."""

from __future__ import annotations

from typing import Any

import typer

from axiomrl.cli.app import COMMANDS, command_line

WIDTH = 80  # of the help texts, whatever terminal the page is made in

_INTRODUCTION = """\
# Command line

What a command computes goes to stdout; progress, warnings and errors go to stderr, so that
`DIR=$(axiomrl train --config …)` holds the run directory and nothing else. Colour appears only
on a terminal, and never when `NO_COLOR` is set. `python -m axiomrl` is the same command.

A **run** is named by its directory, by a unique prefix of the directory's name, or by its run id.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the work failed: training diverged, an environment raised an error, the disk is full |
| 2 | bad input: nothing was started, no run directory was made |
| 130, 143 | interrupted by SIGINT (Ctrl-C) or SIGTERM; training has been checkpointed |

| environment variable | meaning |
|---|---|
| `AXIOMRL_DEBUG` | `1`: show the traceback of every error, as `--debug` does |
| `NO_COLOR` | set to anything: no colour |
| `OPENBLAS_NUM_THREADS`, `OMP_NUM_THREADS`, `MKL_NUM_THREADS` | `1` unless they are set |
"""


def reference_page() -> str:
    """`docs/reference/cli.md`: exit codes, variables, and the help of every command."""
    group: Any = command_line()  # the class belongs to typer, and moves between versions
    sections = [_INTRODUCTION, _section("axiomrl", group)]
    for name in COMMANDS:
        sections += _sections(f"axiomrl {name}", group.commands[name])
    return "\n".join(sections)


def _sections(title: str, command: Any) -> list[str]:
    """The help of a command and of the commands below it."""
    sections = [_section(title, command)]
    for name, inner in getattr(command, "commands", {}).items():
        sections += _sections(f"{title} {name}", inner)
    return sections


def _section(title: str, command: Any) -> str:
    context = typer.Context(command, info_name=title, terminal_width=WIDTH)
    return f"## `{title}`\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
