"""What befalls a training process in these tests; it is told to `--import interruptions`.

Nothing of axiomrl is patched: signals come from Python's audit events (the process is about to
rename, truncate or remove a file) or from the environment's own steps. Environment variables say
what is to happen:

- INTERRUPTION: `<signal> <event> <name> [<count>]`, several separated by `;`. Events are `step`
  (name: how many environment steps, of training and evaluation together), `rename` (to that file
  name), `remove`, `truncate` and `change` (any of these or an appending; the name does not count).
  The signal comes at the `count`-th such event, just before it takes effect. The signal `WAIT`
  stops the process there instead, after a byte has been written to the FIFO named in READY.
- HEAP: a seed; so much memory is taken and given back that nothing lies where it did before.
- FILE_LIMIT: `<bytes> <name>`; from the first renaming to that name on, no file may grow beyond.
"""

from __future__ import annotations

import math
import os
import random
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

CHANGES = {
    "os.rename": "rename",
    "os.remove": "remove",
    "os.truncate": "truncate",
    "open": "append",  # as far as the file is opened for appending
}

_garbage: list[bytearray] = []
_at_step: dict[int, Callable[[], None]] = {}
_steps = 0


class NaNRewardCartPole(CartPoleEnv):
    """Gives a NaN as reward at its `nan_at`-th step, counted over all episodes."""

    def __init__(self, nan_at: int = 300, **options: Any) -> None:
        super().__init__(**options)
        self._left = nan_at

    def step(self, action: Any) -> Any:
        seen, reward, *rest = super().step(action)  # type: ignore[no-untyped-call]
        self._left -= 1
        return seen, reward if self._left else math.nan, *rest


class ForgetfulCartPole(CartPoleEnv):
    """Its gravity depends on how many episodes the object has played: a reset does not tell."""

    def reset(self, **options: Any) -> Any:
        self.gravity *= 1.01
        return super().reset(**options)


gymnasium.register("NaNRewardCartPole-v0", NaNRewardCartPole, max_episode_steps=500)
gymnasium.register(
    "ForgetfulCartPole-v0", lambda **o: ForgetfulCartPole(**o), max_episode_steps=500
)


def shift_heap(seed: int) -> None:
    """Take thousands of small and a few large blocks, and give back about half of them."""
    generator = random.Random(seed)
    for _ in range(3000):
        _garbage.append(bytearray(generator.randrange(1, 3000)))
    for _ in range(8):
        _garbage.append(bytearray(generator.randrange(1 << 17, 1 << 22)))
    generator.shuffle(_garbage)
    del _garbage[: generator.randrange(len(_garbage))]


def interrupt(text: str) -> None:
    """Arrange for what one part of INTERRUPTION says."""
    what, event, name, *rest = text.split()
    if event == "step":
        on_step(int(name), lambda: _strike(what))
        return
    on_audit_event(event, name, int(rest[0]) if rest else 1, lambda: _strike(what))


def _strike(what: str) -> None:
    if what != "WAIT":
        os.kill(os.getpid(), signal.Signals[what])
        return
    with open(os.environ["READY"], "wb") as ready:
        ready.write(b"!")
    signal.pause()


def on_step(number: int, then: Callable[[], None]) -> None:
    """Call `then` just before the environments' step of that number."""
    if not _at_step:
        _count_steps()
    _at_step[number] = then


def _count_steps() -> None:
    make = gymnasium.make

    def counting_make(*arguments: Any, **options: Any) -> Any:
        env = make(*arguments, **options)
        step = env.unwrapped.step

        def counted(action: Any) -> Any:
            global _steps
            _steps += 1
            if _steps in _at_step:
                _at_step[_steps]()
            return step(action)

        env.unwrapped.step = counted  # type: ignore[method-assign]
        return env

    gymnasium.make = counting_make


def on_audit_event(event: str, name: str, count: int, then: Callable[[], None]) -> None:
    """Call `then` just before the `count`-th such event on a file of that name."""
    left = count

    def hook(happening: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        change = CHANGES.get(happening)
        if change is None or (change == "append" and arguments[1] != "ab"):
            return
        if event not in ("change", change):
            return
        path = arguments[1] if event == "rename" else arguments[0]
        if event in ("rename", "remove") and Path(os.fsdecode(path)).name != name:
            return
        left -= 1
        if left == 0:
            then()

    sys.addaudithook(hook)


def limit_files(text: str) -> None:
    """Arrange for what FILE_LIMIT says; a longer file gives EFBIG, as a full disk gives ENOSPC."""
    size, name = text.split()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    bounds = (int(size), resource.RLIM_INFINITY)
    on_audit_event("rename", name, 1, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, bounds))


if "HEAP" in os.environ:
    shift_heap(int(os.environ["HEAP"]))
for part in filter(None, os.environ.get("INTERRUPTION", "").split(";")):
    interrupt(part)
if "FILE_LIMIT" in os.environ:
    limit_files(os.environ["FILE_LIMIT"])
