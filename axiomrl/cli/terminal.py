"""What reaches the user: data on stdout; notes, warnings and errors on stderr.

Colour only on a terminal, and never when NO_COLOR is set.
"""

from __future__ import annotations

import builtins
import errno
import os
import re
import shlex
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from axiomrl.errors import AxiomRLError, Interrupted, error_named

INDENT = "       "  # of the lines below `error: …`
RED, YELLOW = "31;1", "33;1"  # bold

# Failures of the machine rather than of the program: no traceback is needed to understand them.
_MACHINE_ERRORS = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EMFILE,
    errno.ENOSPC,
    errno.EPERM,
    errno.EROFS,
}
_A_BUG = "a bug in axiomrl, or in code it was given to run: the traceback above says where"
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Invocation:
    """One command line: the arguments of `axiomrl`, and whether tracebacks are wanted."""

    arguments: list[str]
    debug: bool

    @classmethod
    def from_arguments(cls, arguments: Sequence[str]) -> Invocation:
        """`--debug` counts wherever it stands, because it is most often appended."""
        kept = [argument for argument in arguments if argument != "--debug"]
        wanted = os.environ.get("AXIOMRL_DEBUG", "0") not in ("", "0")
        return cls(kept, debug=wanted or len(kept) < len(arguments))

    @property
    def command(self) -> list[str]:
        """The command line as it is recorded in a run."""
        return ["axiomrl", *self.arguments]


def uses_colour(stream: IO[Any]) -> bool:
    """Whether a stream is a terminal that shows colours, and the user wants them."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and stream.isatty()


def painted(text: str, style: str, stream: IO[Any]) -> str:
    """The text in a style (an SGR code), or as it is where colour is not wanted."""
    return f"\x1b[{style}m{text}\x1b[0m" if uses_colour(stream) else text


def data(text: str) -> None:
    """One piece of output on stdout; what its encoding cannot hold is written as an escape."""
    text = text if text.endswith("\n") else text + "\n"
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:  # raised before anything is written
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()  # so that what is read on both streams stands in its order


def note(text: str = "") -> None:
    """One message for the person at the terminal, on stderr."""
    sys.stderr.write(text + "\n")


def warn(message: str) -> None:
    """`warning: …` on stderr."""
    note(f"{painted('warning:', YELLOW, sys.stderr)} {message}")


def show_warning(message: Warning | str, category: type[Warning], *_: Any) -> None:
    """Stand in for `warnings.showwarning`: without file, line and source."""
    text = _ESCAPES.sub("", str(message)).strip().removeprefix("WARN: ")
    prefix = "" if issubclass(category, UserWarning) else f"{category.__name__}: "
    warn(prefix + text)


@contextmanager
def warnings_hidden(hidden: bool) -> Iterator[None]:
    """Within the block, no warning is shown if `hidden`."""
    with warnings.catch_warnings():
        if hidden:
            warnings.simplefilter("ignore")
        yield


def report_usage_error(error: Exception) -> int:
    """Show an error of the argument parser in two lines; returns the exit code, 2."""
    message = getattr(error, "format_message", error.__str__)().rstrip(".")
    message = message.replace("Value error, ", "")  # pydantic's words, in newer versions of typer
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "axiomrl"
    _print_error(message[:1].lower() + message[1:], f"see: {path} --help")
    return 2


def report_error(error: BaseException, *, debug: bool) -> int:
    """Show an error on stderr; returns the exit code.

    An error raised on purpose takes one or two lines. One that was not is shown with its
    traceback, as is any with `debug`.
    """
    machine_fault = _machine_fault(error)
    if debug or not (isinstance(error, AxiomRLError) or machine_fault):
        kept = error.with_traceback(_below_the_parser(error.__traceback__))
        sys.stderr.write("".join(traceback.format_exception(kept)))
    if isinstance(error, AxiomRLError):
        if isinstance(error, Interrupted):
            note("\n  ".join([error.message, *(error.hint or "").splitlines()]))
        else:
            _print_error(error.message, error.hint)
        return error.exit_code
    if machine_fault:
        _print_error(machine_fault, None)
        return 1
    _print_error(f"unexpected {type(error).__name__}: {error}", _A_BUG)
    return 1


def report_described_error(error: Mapping[str, Any], *, debug: bool) -> None:
    """Show an error that is known by its description only, as `report_error` would."""
    name, text = str(error["type"]), str(error["message"])
    meant = error_named(name, text)
    kind = getattr(builtins, name, None)
    is_machine_fault = isinstance(kind, type) and issubclass(kind, OSError)
    if debug or (meant is None and not is_machine_fault):
        sys.stderr.write(str(error["traceback"]))
    if meant is not None:
        _print_error(meant.message, meant.hint)
    elif is_machine_fault:
        _print_error(text, None)
    else:
        _print_error(f"unexpected {name}: {text}", _A_BUG)


def _print_error(message: str, hint: str | None) -> None:
    first, *others = (message.splitlines() or [""]) + (hint or "").splitlines()
    note(f"{painted('error:', RED, sys.stderr)} {first}")
    for line in others:
        note(line if line.startswith(INDENT) else INDENT + line)


def _below_the_parser(frames: TracebackType | None) -> TracebackType | None:
    """The traceback without the calls that lead from `main` to the command."""
    while frames and frames.tb_next:
        module = str(frames.tb_frame.f_globals.get("__name__"))
        if module != "axiomrl.cli.app" and module.partition(".")[0] not in ("typer", "click"):
            break
        frames = frames.tb_next
    return frames


def _machine_fault(error: BaseException) -> str | None:
    """What the machine refused (a full disk, a missing permission), if that is the error."""
    if not isinstance(error, OSError) or error.errno not in _MACHINE_ERRORS:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror}"


def short_path(path: Path | str) -> str:
    """A path as the user would type it: relative when it lies below the current folder."""
    absolute = Path(path).absolute()
    try:
        return str(absolute.relative_to(Path.cwd()))
    except ValueError:
        return str(absolute)


def quoted(*words: str) -> str:
    """Words as one line that a shell would read back as the same words."""
    return shlex.join(words)
