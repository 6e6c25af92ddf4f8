"""Runs as they go on: read again and again from their files, as little of them as possible."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from axiomrl.errors import InputError
from axiomrl.reports.report import unique_prefixes
from axiomrl.runs import layout
from axiomrl.runs.record import RunRecord
from axiomrl.runs.store import RunStore

SETTLE_S = 3.0  # a folder is watched so much longer after its last run: the next seed may begin
MOST_POINTS = 4096  # of a curve; beyond, every second one is dropped
_REMEMBERED = 128  # bytes before the place read up to, by which a rewritten file is noticed


class Row(msgspec.Struct):
    """What of a row of metrics.jsonl is shown."""

    step: float | None = None
    eval_return_mean: float | None = None
    rollout_return_mean: float | None = None
    time_env_steps_per_s: float | None = None


@dataclass
class MetricsTail:
    """The rows of a metrics.jsonl that grows; each byte is read once.

    A file that was cut off and written on (by resuming), or replaced, is read from its beginning.
    """

    path: Path
    _offset: int = 0
    _before: bytes = b""  # the last bytes before the offset

    def read(self) -> tuple[list[Row], bool]:
        """The rows that are new since the last call, and whether they are all rows again.

        A last line that is still being written waits for the next call; what is no row is left
        out. Raises OSError, but not for a file that is not there (yet).
        """
        try:
            with open(self.path, "rb", buffering=0) as stream:
                is_again = not self._is_as_it_was(stream.fileno())
                if is_again:
                    self._offset, self._before = 0, b""
                stream.seek(self._offset)
                whole = stream.read()
        except FileNotFoundError:
            is_again, self._offset, self._before = self._offset > 0, 0, b""
            return [], is_again
        whole = whole[: whole.rfind(b"\n") + 1]
        self._offset += len(whole)
        self._before = (self._before + whole)[-_REMEMBERED:]
        rows = [_decoded(line) for line in whole.splitlines()]
        return [row for row in rows if row is not None], is_again

    def _is_as_it_was(self, handle: int) -> bool:
        length = len(self._before)
        return os.pread(handle, length, self._offset - length) == self._before


@dataclass
class Curve:
    """Values over env steps, thinned out when there are very many."""

    steps: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, step: float, value: float) -> None:
        """One more point."""
        self.steps.append(step)
        self.values.append(value)
        if len(self.steps) > MOST_POINTS:
            del self.steps[1::2], self.values[1::2]

    def resampled(self, count: int) -> list[float | None]:
        """Mean value in each of `count` equal parts of the steps so far; None where there is none.

        With fewer points than parts there is one value per point.
        """
        if len(self.steps) <= count:
            return list(self.values)
        low, high = min(self.steps), max(self.steps)
        parts: list[list[float]] = [[] for _ in range(count)]
        for step, value in zip(self.steps, self.values, strict=True):
            share = (step - low) / (high - low) if high > low else 0.0
            parts[min(int(share * count), count - 1)].append(value)
        return [sum(part) / len(part) if part else None for part in parts]


@dataclass(frozen=True)
class RunView:
    """A run as it is shown at one moment; None where something is not known."""

    name: str
    status: str
    env_steps: int | None
    total_timesteps: int | None
    env_steps_per_s: float | None
    remaining_s: float | None  # None unless it is running
    metric: str | None  # "eval" or "rollout": what `last` and the curve are
    last: float | None
    best: float | None
    curve: Curve


class WatchedRun:
    """One run, and what has been read of it so far."""

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self._tail = MetricsTail(record.directory / layout.METRICS)
        self._clear()
        self.update(record)

    def update(self, record: RunRecord | None) -> None:
        """Take in what has been written since; without a record, the run has been removed."""
        if record is None:
            self.record.status = "removed"
            return
        self.record = record
        rows, is_again = self._tail.read()
        if is_again:
            self._clear()
        for row in rows:
            self._take(row)

    @property
    def is_running(self) -> bool:
        """Whether it is being written."""
        return self.record.status == "running"

    def view(self, name: str) -> RunView:
        """How the run stands, under that name."""
        progress = self.record.metadata.get("progress") or {}
        total, pace = progress.get("total_timesteps"), progress.get("env_steps_per_s")
        known = [each for each in (progress.get("env_steps"), self._step) if each is not None]
        steps = max(known, default=None)
        remaining = None
        if self.is_running and steps is not None and total and pace:
            remaining = max(total - steps, 0) / pace
        metric = "eval" if self._evaluations.values else "rollout"
        curve = self._evaluations if metric == "eval" else self._rollouts
        best = self.record.best_eval_return_mean
        if best is None:
            best = max(self._evaluations.values, default=None)
        return RunView(
            name=name,
            status=self.record.status,
            env_steps=steps,
            total_timesteps=total,
            env_steps_per_s=self._speed if self.is_running and self._speed else pace,
            remaining_s=remaining,
            metric=metric if curve.values else None,
            last=curve.values[-1] if curve.values else None,
            best=best,
            curve=curve,
        )

    def _clear(self) -> None:
        self._evaluations, self._rollouts = Curve(), Curve()
        self._step: int | None = None
        self._speed: float | None = None

    def _take(self, row: Row) -> None:
        if row.step is None:
            return
        self._step = int(row.step)
        if row.time_env_steps_per_s is not None:
            self._speed = row.time_env_steps_per_s
        if row.eval_return_mean is not None:
            self._evaluations.add(row.step, row.eval_return_mean)
        if row.rollout_return_mean is not None:
            self._rollouts.add(row.step, row.rollout_return_mean)


class Watcher:
    """One run, or all runs below a folder that are running or were while it was watched."""

    def __init__(
        self, target: RunRecord | Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`target` is the run or the folder."""
        self._target = target
        self._clock = clock
        self._watched: dict[Path, WatchedRun] = {}
        self._last_running: float | None = None  # when a run was last seen running

    def refresh(self) -> list[RunView]:
        """Read what has changed; how every run stands, the oldest first."""
        records = self._records()
        for directory, record in records.items():
            if directory in self._watched:
                self._watched[directory].update(record)
            elif record.status == "running" or isinstance(self._target, RunRecord):
                self._watched[directory] = WatchedRun(record)
        for directory in self._watched.keys() - records.keys():
            self._watched[directory].update(None)
        if any(run.is_running for run in self._watched.values()):
            self._last_running = self._clock()
        names = unique_prefixes([directory.name for directory in self._watched])
        runs = self._watched.values()
        return [run.view(name) for run, name in zip(runs, names, strict=True)]

    @property
    def is_over(self) -> bool:
        """Whether no run is running any more, and none is about to begin."""
        if any(run.is_running for run in self._watched.values()):
            return False
        if isinstance(self._target, RunRecord) or self._last_running is None:
            return True
        return self._clock() - self._last_running > SETTLE_S

    def _records(self) -> dict[Path, RunRecord]:
        if isinstance(self._target, Path):
            found: Sequence[RunRecord] = RunStore(self._target).scan().records
            return {record.directory: record for record in found}
        directory = self._target.directory
        try:
            return {directory: RunRecord.read(directory)}
        except FileNotFoundError:
            return {}
        except (OSError, InputError) as error:
            raise InputError(f"{directory}: cannot be read any more: {error}") from error


def _decoded(line: bytes) -> Row | None:
    try:
        return _decode_row(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


_decode_row = msgspec.json.Decoder(Row).decode
