"""SIGINT and SIGTERM as a request to stop at the next block boundary."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from axiomrl.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class StopRequest:
    """Which signal asked training to stop, if one has."""

    signal_number: int | None = None

    def request(self) -> None:
        """Ask for what SIGTERM asks for, unless something was asked for already."""
        if self.signal_number is None:
            self.signal_number = signal.SIGTERM


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Note the first signal; the second one acts at once. Main thread only, else nothing."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    previous = {number: signal.getsignal(number) for number in SIGNALS}

    def note(number: int, frame: FrameType | None) -> None:
        if request.signal_number is not None:
            raise Interrupted(
                "interrupted twice, before the run could be saved",
                signal_number=number,
                hint="`axiomrl resume` continues it from its newest checkpoint",
            )
        request.signal_number = number

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
