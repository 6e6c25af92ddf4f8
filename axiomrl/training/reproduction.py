"""Training a run a second time, and whether the same comes out, bit for bit.

Compared are the rows of metrics (all but wall-clock values) and the training states of the
checkpoints that both runs have. On one machine and with the same versions nothing may differ.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from axiomrl.errors import InputError, Interrupted
from axiomrl.runs.creation import Parent
from axiomrl.runs.layout import checkpoint_files
from axiomrl.runs.record import RunRecord
from axiomrl.training import checkpoints, session
from axiomrl.training.recorded import config_of

if TYPE_CHECKING:
    from axiomrl.training.loop import OnProgress, TrainingProgress

LOOK_INTERVAL_S = 5.0  # between looks at what the second run has written so far
_UNIMPORTANT = {"hostname"}  # of `system` in metadata.json


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first value that is not the same."""

    step: int
    metric: str
    first: Any  # in the run; None: it has none
    second: Any  # in the second one


@dataclass(frozen=True, kw_only=True)
class Circumstance:
    """What was otherwise when the run was trained: a version, the machine, the commit."""

    name: str  # such as versions.torch
    first: Any
    second: Any


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """How a run and its second training compare."""

    run: Path
    directory: Path  # of the second one
    env_steps: int  # both were compared up to here
    rows: int  # of metrics, compared
    checkpoints: tuple[str, ...]  # compared, such as step_2048
    difference: Difference | None
    differing_checkpoints: tuple[str, ...]
    circumstances: tuple[Circumstance, ...]

    @property
    def is_identical(self) -> bool:
        """Whether nothing differs."""
        return self.difference is None and not self.differing_checkpoints


def reproduce(
    record: RunRecord,
    *,
    output_dir: Path | str,
    until: int | None = None,
    command: Sequence[str] | None = None,
    on_progress: OnProgress | None = None,
) -> Reproduction:
    """Train a run again, as a new run in `output_dir`, and compare the two.

    A finished run is trained to its end, any other to its last row of metrics; `until` is a
    number of env steps at which to end before that. A difference ends it, too. A run that
    continues another one begins at the checkpoint of that one.

    Raises InputError if there is nothing to compare or the configuration was changed,
    CheckpointError if the checkpoint of a parent is not there, and what `session.start` raises.
    """
    config = replace(config_of(record, device=None, threads=None), output_dir=str(output_dir))
    rows = [row for row in _rows(record) if until is None or row["step"] <= until]
    if not rows:
        upto = "" if until is None else f" up to step {until:,}"
        raise InputError(
            f"{record.directory}: has no metrics{upto} to compare",
            hint="train it first" if until is None else "compare more of it",
        )
    last = int(rows[-1]["step"])
    goes_to_its_end = record.status == "completed" and until is None
    watch = _Watch(rows, None if goes_to_its_end else last, on_progress)
    parent = record.metadata.get("parent")
    try:
        if parent is None:
            session.start(config, command=command, on_progress=watch)
        else:
            source = Path(parent["path"])
            state = checkpoints.load(source)
            session.start_child(config, _parent(parent), state, command=command, on_progress=watch)
    except Interrupted:
        if not watch.has_ended:
            raise
    except Exception:  # of any kind: what a run has failed with comes again
        if record.status != "failed" or watch.directory is None:
            raise
    assert watch.directory is not None, "a run was trained and has not said where"
    return compare(record, RunRecord.read(watch.directory), rows)


def compare(first: RunRecord, second: RunRecord, rows: Sequence[dict[str, Any]]) -> Reproduction:
    """Compare a run, of which these rows of metrics count, with its second training."""
    difference = _first_difference(rows, _rows(second))
    last = difference.step if difference is not None else int(rows[-1]["step"])
    saved, again = checkpoint_files(first.directory), checkpoint_files(second.directory)
    common = [
        step
        for step in sorted(set(saved) & set(again))
        if step <= last and checkpoints.is_valid(saved[step])
    ]
    return Reproduction(
        run=first.directory,
        directory=second.directory,
        env_steps=last,
        rows=len(rows),
        checkpoints=tuple(saved[step].stem for step in common),
        difference=difference,
        differing_checkpoints=tuple(
            saved[step].stem
            for step in common
            if not _is_same(_state(saved[step]), _state(again[step]))
        ),
        circumstances=tuple(_circumstances(first.metadata, second.metadata)),
    )


class _Watch:
    """Ends the second run where going on would tell nothing more."""

    def __init__(
        self, rows: Sequence[dict[str, Any]], last: int | None, on_progress: OnProgress | None
    ) -> None:
        self.directory: Path | None = None
        self.has_ended = False
        self._rows = rows
        self._on_progress = on_progress
        self._last = last  # env step to end at; None: where the run ends
        self._looked_at = time.monotonic()

    def __call__(self, progress: TrainingProgress) -> bool:
        """See OnProgress."""
        self.directory = progress.run_directory
        if self._last is not None and progress.env_steps >= self._last:
            self.has_ended = True
        elif time.monotonic() - self._looked_at > LOOK_INTERVAL_S:
            self.has_ended = self.has_ended or self._differs()
            self._looked_at = time.monotonic()
        is_asked_to_stop = self._on_progress is not None and self._on_progress(progress)
        return bool(is_asked_to_stop) or self.has_ended

    def _differs(self) -> bool:
        assert self.directory is not None, "nothing has been told yet"
        written = _rows(RunRecord.read(self.directory))
        return _first_difference(self._rows[: len(written)], written) is not None


def _parent(stored: Mapping[str, Any]) -> Parent:
    return Parent(
        path=str(stored["path"]),
        step=int(stored["step"]),
        config_hash=str(stored.get("config_hash") or ""),
        run_id=stored.get("run_id"),
    )


def _rows(record: RunRecord) -> list[dict[str, Any]]:
    """The rows of metrics without wall-clock values."""
    return [
        {name: value for name, value in row.items() if not name.startswith("time_")}
        for row in record.metrics()
    ]


def _first_difference(
    rows: Sequence[Mapping[str, Any]], again: Sequence[Mapping[str, Any]]
) -> Difference | None:
    """The first value of `rows` that `again` has not; what it has beyond them does not count."""
    for index, row in enumerate(rows):
        other = again[index] if index < len(again) else {}
        for name in ("step", *sorted({*row, *other} - {"step"})):
            first, second = row.get(name), other.get(name)
            if first != second:
                return Difference(step=int(row["step"]), metric=name, first=first, second=second)
    return None


def _state(path: Path) -> dict[str, Any]:
    """What in a checkpoint decides how training goes on."""
    state = checkpoints.load(path)
    counters = {name: value for name, value in state["counters"].items() if name != "duration_s"}
    kept = ("algorithm", "environments", "gradient_steps", "recent_episodes")
    return {"counters": counters, **{name: state[name] for name in kept}}


def _is_same(first: Any, second: Any) -> bool:
    """Whether two values of a checkpoint are equal, arrays bit for bit."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        a, b = np.asarray(first), np.asarray(second)
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            _is_same(first[name], second[name]) for name in first
        )
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_is_same, first, second))
    return bool(first == second)


def _circumstances(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Circumstance]:
    """In what the surroundings of two runs differ, as far as their metadata tells."""
    found = []
    for block in ("versions", "system", "git"):
        then, now = first.get(block) or {}, second.get(block) or {}
        for name in sorted({*then, *now} - _UNIMPORTANT):
            if then.get(name) != now.get(name):
                found.append(
                    Circumstance(name=f"{block}.{name}", first=then.get(name), second=now.get(name))
                )
    return found
