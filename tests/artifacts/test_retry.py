"""Retries: what is tried again, how often, and how long is waited in between."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from axiomrl.artifacts import ArtifactBackend, ArtifactRef, LocalBackend, Retry, RetryingBackend
from axiomrl.artifacts.retry import is_transient
from axiomrl.errors import ArtifactConflictError, ArtifactError, ArtifactNotFoundError, InputError

Result = TypeVar("Result")


class FlakyBackend:
    """Fails some times before it lets a call through, or after the call was carried out."""

    def __init__(
        self, backend: ArtifactBackend, failures: list[Exception], *, after: bool = False
    ) -> None:
        self.backend = backend
        self.failures = failures
        self.after = after
        self.calls = 0

    @property
    def url(self) -> str:
        return self.backend.url

    def put(self, key: str, source: Path, *, overwrite: bool = False) -> ArtifactRef:
        return self._flaky(lambda: self.backend.put(key, source, overwrite=overwrite))

    def fetch(self, ref: ArtifactRef, destination: Path) -> Path:
        return self._flaky(lambda: self.backend.fetch(ref, destination))

    def exists(self, ref: ArtifactRef) -> bool:
        return self._flaky(lambda: self.backend.exists(ref))

    def delete(self, ref: ArtifactRef) -> None:
        self._flaky(lambda: self.backend.delete(ref))

    def _flaky(self, call: Callable[[], Result]) -> Result:
        self.calls += 1
        result = call() if self.after else None
        if self.failures:
            raise self.failures.pop(0)
        return call() if result is None else result


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"one")
    return path


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def retry(waits: list[float]) -> Retry:
    return Retry(attempts=4, sleep=waits.append, jitter=lambda: 0.0)


def resets(count: int) -> list[Exception]:
    return [ConnectionResetError("reset by peer") for _ in range(count)]


@pytest.mark.parametrize("after", [False, True])
def test_what_fails_for_a_while_is_tried_again(
    tmp_path: Path, source: Path, retry: Retry, waits: list[float], after: bool
) -> None:
    flaky = FlakyBackend(LocalBackend(tmp_path / "root"), resets(3), after=after)
    backend = RetryingBackend(flaky, retry)
    ref = backend.put("a", source)
    assert flaky.calls == 4
    assert waits == [0.5, 1.0, 2.0]
    for call in (
        lambda: backend.exists(ref),
        lambda: backend.fetch(ref, tmp_path / "copy").read_bytes() == b"one",
        lambda: backend.delete(ref) is None and not backend.exists(ref),
    ):
        flaky.failures = resets(2)
        assert call()


def test_what_goes_on_failing_is_told_with_its_cause(
    tmp_path: Path, source: Path, retry: Retry, waits: list[float]
) -> None:
    flaky = FlakyBackend(LocalBackend(tmp_path / "root"), resets(10))
    with pytest.raises(ArtifactError, match=r"root/a: cannot be stored: reset by peer") as caught:
        RetryingBackend(flaky, retry).put("a", source)
    assert flaky.calls == 4
    assert len(waits) == 3
    assert "tried 4 times" in str(caught.value.hint)
    assert isinstance(caught.value.__cause__, ConnectionResetError)


@pytest.mark.parametrize(
    "failure",
    [
        PermissionError("not yours"),
        OSError(errno.ENOSPC, "No space left on device"),
        ArtifactConflictError("taken"),
        ArtifactNotFoundError("gone"),
        InputError("no key"),
        ValueError("a bug"),
    ],
)
def test_what_will_fail_again_is_not_tried_again(
    tmp_path: Path, source: Path, retry: Retry, waits: list[float], failure: Exception
) -> None:
    flaky = FlakyBackend(LocalBackend(tmp_path / "root"), [failure])
    with pytest.raises((ArtifactError, InputError)):
        RetryingBackend(flaky, retry).put("a", source)
    assert (flaky.calls, waits) == (1, [])


def test_delays_double_up_to_a_limit_and_are_shortened_by_chance() -> None:
    waits: list[float] = []
    chances = iter([0.0, 0.5, 1.0, 0.0, 0.0])
    retry = Retry(
        attempts=6,
        first_delay_s=1.0,
        longest_delay_s=5.0,
        sleep=waits.append,
        jitter=lambda: next(chances),
    )

    def fail() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        retry(fail)
    assert waits == [1.0, 1.5, 2.0, 5.0, 5.0]


def test_an_interrupt_is_not_tried_again(retry: Retry, waits: list[float]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retry(interrupt)
    assert waits == []


def caused_by(error: Exception) -> ArtifactError:
    raised = ArtifactError("cannot be stored")
    raised.__cause__ = error
    return raised


def botocore_failures() -> list[Exception]:
    from aiohttp import ServerDisconnectedError
    from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

    return [
        ServerDisconnectedError(),
        ConnectTimeoutError(endpoint_url="x"),
        EndpointConnectionError(endpoint_url="x"),
        ReadTimeoutError(endpoint_url="x"),
    ]


def test_which_failures_may_pass() -> None:
    passing = [
        ConnectionRefusedError(),
        TimeoutError(),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        OSError("a server said something"),
        OSError(errno.EBUSY, "Please reduce your request rate."),
        caused_by(ConnectionRefusedError()),
        *botocore_failures(),
    ]
    assert [error for error in passing if not is_transient(error)] == []


def test_which_failures_will_not_pass() -> None:
    from botocore.exceptions import NoCredentialsError

    lasting = [
        FileNotFoundError("no such bucket"),
        PermissionError("The AWS Access Key Id you provided does not exist in our records."),
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        OSError(errno.EINVAL, "invalid"),
        NoCredentialsError(),
        KeyError("a bug"),
        ArtifactError("without a cause"),
        caused_by(PermissionError()),
    ]
    assert [error for error in lasting if is_transient(error)] == []
