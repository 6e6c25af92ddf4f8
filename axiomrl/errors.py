"""Every exception that axiomrl raises on purpose.

The command line prints them without a traceback and exits with `exit_code`:
1 the work failed, 2 bad input, 130/143 interrupted by a signal.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_HINT = "\n       "  # what stands between message and hint


class AxiomRLError(Exception):
    """Base of all errors raised on purpose: what is wrong, where, and (`hint`) what to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}{_HINT}{self.hint}" if self.hint else self.message


class InputError(AxiomRLError):
    """Something the user typed or wrote cannot be used; nothing has been started."""

    exit_code = 2


class ConfigError(InputError):
    """A configuration (file, `--set` or flag) is wrong: names source, key, value and remedy."""


class RelationError(ConfigError):
    """Settings that are possible one by one do not go together."""


class UnusableEnvironmentError(InputError):
    """An environment is unknown, not installed, or has spaces that the algorithm cannot use."""


class RunNotFoundError(InputError):
    """No run, or more than one, answers to the name given."""


class RunAliveError(InputError):
    """The run is being written by a living process."""


class CheckpointError(InputError):
    """A checkpoint is missing, damaged, or holds something other than tensors and containers."""


class HistoryError(InputError):
    """A history of experiments is damaged or belongs to another experiment; it is left alone."""


class ResumeMismatchError(AxiomRLError):
    """An environment did not replay to the state it was saved in; resuming would not be exact."""


class ArtifactError(AxiomRLError):
    """An artifact could not be stored, fetched or deleted."""


class ArtifactNotFoundError(ArtifactError):
    """There is no artifact where a reference says there is one."""


class ArtifactConflictError(ArtifactError):
    """Something else stands where an artifact was to be written, and was left as it is."""


class ArtifactDamagedError(ArtifactError):
    """What was fetched is not what was stored: its size or its SHA-256 differs."""


class DivergedError(AxiomRLError):
    """Training produced a NaN or an infinity; says at which step it began."""


class WorkerLostError(AxiomRLError):
    """Worker processes ended again and again before they had finished a run."""


class Interrupted(AxiomRLError):
    """A signal asked training to stop; the run has been checkpointed."""

    def __init__(self, message: str, *, signal_number: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number


def did_you_mean(name: str, known: Iterable[str], *, count: int = 1) -> str | None:
    """`did you mean: …` with the nearest of the known names, or None if nothing is near."""
    near = difflib.get_close_matches(str(name), list(known), n=count, cutoff=0.5)
    return f"did you mean: {', '.join(near)}" if near else None


def error_named(name: str, text: str) -> AxiomRLError | None:
    """An error that is known by its class's name and its text; None if it is none of these."""
    kind = globals().get(name)
    if not (isinstance(kind, type) and issubclass(kind, AxiomRLError)) or kind is Interrupted:
        return None
    message, _, hint = text.partition(_HINT)
    return kind(message, hint=hint or None)
