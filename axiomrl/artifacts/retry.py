"""Try again, later and later, what failed for a reason that may pass."""

from __future__ import annotations

import errno
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from axiomrl.artifacts.content import named_failures
from axiomrl.artifacts.reference import ArtifactBackend, ArtifactRef
from axiomrl.errors import ArtifactError, AxiomRLError

Result = TypeVar("Result")

_PERMANENT = (
    FileExistsError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
_PASSING = {
    getattr(errno, name)
    for name in (
        "EAGAIN", "EBUSY", "EINTR", "EIO", "EREMOTEIO", "ESTALE", "ETIMEDOUT", "EPIPE",
        "ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EHOSTDOWN", "EHOSTUNREACH",
        "ENETDOWN", "ENETRESET", "ENETUNREACH",
    )
    if hasattr(errno, name)
}  # fmt: skip
# What network libraries raise that is no OSError, by the name of a base class
_PASSING_NAMES = {
    ("aiohttp", "ClientConnectionError"),
    ("aiohttp", "ClientPayloadError"),
    ("botocore", "ConnectionError"),
    ("botocore", "HTTPClientError"),
    ("botocore", "ResponseParserError"),
    ("http", "IncompleteRead"),
}


def is_transient(error: BaseException) -> bool:
    """Whether what failed may work if it is tried again.

    Of an error that axiomrl raised, its cause decides.
    """
    if isinstance(error, AxiomRLError):
        return error.__cause__ is not None and is_transient(error.__cause__)
    if isinstance(error, _PERMANENT):
        return False
    if isinstance(error, ConnectionError | TimeoutError | EOFError):
        return True
    if isinstance(error, socket.gaierror):  # its numbers are not those of other OSErrors
        return error.errno == socket.EAI_AGAIN
    names = {(base.__module__.partition(".")[0], base.__name__) for base in type(error).__mro__}
    if names & _PASSING_NAMES:
        return True
    # remote file systems often raise an OSError with nothing but a text
    return isinstance(error, OSError) and (error.errno is None or error.errno in _PASSING)


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How often, and how long to wait: each delay is twice the one before, up to a limit.

    A delay is shortened by a random part, at most half of it, so that many processes that failed
    together do not come back together.
    """

    attempts: int = 5  # tries in all, >= 1
    first_delay_s: float = 0.5  # before the second try
    longest_delay_s: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    # numbers in [0, 1), never from a generator that training has seeded
    jitter: Callable[[], float] = random.SystemRandom().random

    def __call__(self, work: Callable[[], Result]) -> Result:
        """What `work` returns; raises what its last try raised."""
        delay = self.first_delay_s
        for _ in range(self.attempts - 1):
            try:
                return work()
            except Exception as error:
                if not is_transient(error):
                    raise
            self.sleep(min(delay, self.longest_delay_s) * (1 - self.jitter() / 2))
            delay *= 2
        return work()


class RetryingBackend:
    """A backend that tries again what failed for a reason that may pass.

    Every method of a backend may be repeated: `put` because the same content changes nothing,
    `fetch` because it starts afresh, `delete` because nothing may be there.
    """

    def __init__(self, backend: ArtifactBackend, retry: Retry) -> None:
        self.backend = backend
        self.retry = retry

    @property
    def url(self) -> str:
        """The url of the backend itself."""
        return self.backend.url

    def put(self, key: str, source: Path, *, overwrite: bool = False) -> ArtifactRef:
        """As the backend's `put`."""
        uri = f"{self.url.rstrip('/')}/{key}"
        return self._try("stored", uri, lambda: self.backend.put(key, source, overwrite=overwrite))

    def fetch(self, ref: ArtifactRef, destination: Path) -> Path:
        """As the backend's `fetch`."""
        return self._try("fetched", ref.uri, lambda: self.backend.fetch(ref, destination))

    def exists(self, ref: ArtifactRef) -> bool:
        """As the backend's `exists`."""
        return self._try("looked up", ref.uri, lambda: self.backend.exists(ref))

    def delete(self, ref: ArtifactRef) -> None:
        """As the backend's `delete`."""
        self._try("deleted", ref.uri, lambda: self.backend.delete(ref))

    def _try(self, done: str, uri: str, work: Callable[[], Result]) -> Result:
        try:
            with named_failures(uri, done):
                return self.retry(work)
        except ArtifactError as error:
            if is_transient(error) and error.hint is None:
                error.hint = f"tried {self.retry.attempts} times; try again later"
            raise
