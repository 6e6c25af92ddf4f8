"""Lock files: one holder at a time, whatever the platform."""

from __future__ import annotations

import errno
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from axiomrl.errors import AxiomRLError
from axiomrl.runs import locks
from axiomrl.runs.locks import locked, locked_if_free

from .conftest import StartPython

HOLD = """
from axiomrl.runs.locks import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read() if sys.argv[2] == "wait" else os._exit(0)
"""


def test_second_holder_waits_for_the_first(tmp_path: Path, start_python: StartPython) -> None:
    path = tmp_path / "locks" / "a.lock"
    other = start_python(HOLD, path, "wait", stdin=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == "locked\n"
    with pytest.raises(AxiomRLError, match=r"a\.lock: has been locked .* for 0\.01 seconds"):
        with_patience(path, 0.01)
    with_patience(path.with_name("b.lock"), 0.01)  # another one is free
    other.communicate("")
    with_patience(path, 0.01)


def test_lock_that_is_taken_only_if_it_is_free_is_not_waited_for(
    tmp_path: Path, start_python: StartPython
) -> None:
    path = tmp_path / "a.lock"
    other = start_python(HOLD, path, "wait", stdin=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == "locked\n"
    with locked_if_free(path) as is_held:
        assert not is_held
    other.communicate("")
    with locked_if_free(path) as is_held:
        assert is_held
        with locked_if_free(path) as is_held_twice:
            assert not is_held_twice
        with pytest.raises(AxiomRLError, match="has been locked"):
            with_patience(path, 0.01)
    with_patience(path, 0.01)


def test_lock_ends_with_its_process(tmp_path: Path, start_python: StartPython) -> None:
    path = tmp_path / "a.lock"
    start_python(HOLD, path, "die").communicate()
    with_patience(path, 0.01)
    assert path.read_bytes() == b""


FORK = """
from axiomrl.runs.locks import locked
with locked(Path(sys.argv[1])):
    if os.fork() == 0:
        sys.stdin.read()
        os._exit(0)
print("left", flush=True)
"""


def test_child_forked_meanwhile_does_not_keep_the_lock(
    tmp_path: Path, start_python: StartPython
) -> None:
    other = start_python(FORK, tmp_path / "a.lock", stdin=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == "left\n"
    with_patience(tmp_path / "a.lock", 0.01)
    other.communicate("")


def test_lock_ends_with_its_block_also_when_that_fails(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), locked(tmp_path / "a.lock"):
            raise ZeroDivisionError


def test_file_system_without_locks_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handle: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "_try_to_lock", refuse)
    with pytest.raises(AxiomRLError, match=r"a\.lock: cannot be locked: No locks available"):
        with_patience(tmp_path / "a.lock", 1)


class FakeMsvcrt(ModuleType):
    """Windows' locks as its documentation describes them: taken ones are refused access."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.refusals = 2
        self.calls: list[tuple[int, int]] = []

    def locking(self, handle: int, mode: int, count: int) -> None:
        self.calls.append((mode, count))
        if mode == self.LK_NBLCK and self.refusals:
            self.refusals -= 1
            raise PermissionError(errno.EACCES, "Permission denied")


@pytest.fixture
def msvcrt(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMsvcrt]:
    """`axiomrl.runs.locks` as it is loaded on Windows."""
    fake = FakeMsvcrt()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "msvcrt", fake)
        patch.setattr(sys, "platform", "win32")
        importlib.reload(locks)
    yield fake
    importlib.reload(locks)


def test_windows_locks_are_waited_for_and_given_back(tmp_path: Path, msvcrt: FakeMsvcrt) -> None:
    with locks.locked(tmp_path / "a.lock"):
        taken = [(msvcrt.LK_NBLCK, 1)] * 3  # refused twice
        assert msvcrt.calls == taken
    assert msvcrt.calls == [*taken, (msvcrt.LK_UNLCK, 1)]


def with_patience(path: Path, patience_s: float) -> None:
    """Take a lock and give it back."""
    with locked(path, patience_s=patience_s):
        pass
