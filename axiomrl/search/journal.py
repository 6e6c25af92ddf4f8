"""The trials of a search, kept by Optuna in `journal.log`: made, told about, read.

Several processes may work on one journal. Whoever makes or adopts a trial holds `turn()`; a trial
comes to be in one line of the file, with its parameters and its owner, so that a kill at any
moment leaves it there whole or not at all.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from axiomrl.errors import InputError
from axiomrl.runs.files import JsonLines
from axiomrl.runs.locks import locked
from axiomrl.runs.ownership import looks_dead
from axiomrl.search.description import Search
from axiomrl.search.folder import JOURNAL, lock_file

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.storages import JournalStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

State = Literal["running", "completed", "pruned", "failed"]
_STUDY = "search"  # the one study of the file


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial as the journal tells it."""

    number: int
    state: State
    params: Mapping[str, Any]  # by dotted name, as a configuration has them
    score: float | None  # of a completed one
    scores: Mapping[int, float]  # by seed, as far as they are known
    config_hash: str | None
    is_base: bool
    error: str | None  # of a failed one
    owner: Mapping[str, Any] | None  # the process that runs it
    intermediate: Mapping[int, float] = field(default_factory=dict)  # by step; see `pruning`
    optuna: FrozenTrial

    @property
    def last_intermediate(self) -> float | None:
        """What the pruner saw last."""
        return self.intermediate[max(self.intermediate)] if self.intermediate else None

    def is_abandoned(self, now: datetime) -> bool:
        """Whether it was begun, and nobody is at work on it."""
        if self.state != "running":
            return False
        owner = self.owner
        if owner is None:
            return True
        told = {"process": owner, "system": {"hostname": owner.get("hostname")}}
        return looks_dead({**told, "heartbeat_utc": owner.get("heartbeat_utc")}, now=now)


class Journal:
    """The journal of one search, open for reading and, with `is_writer`, for writing."""

    def __init__(self, folder: Path, search: Search, *, is_writer: bool) -> None:
        """Raises InputError if the journal is damaged, or missing where it is only read."""
        self._folder = folder
        self._path = folder / JOURNAL
        if not is_writer and not self._path.exists():
            raise InputError(f"{self._path}: is missing", hint="no trial was begun yet")
        with quiet():
            self._storage = self._opened(is_writer)
            with self.turn() if is_writer else nullcontext():
                self._study_id = self._study_of(search, is_writer)

    def turn(self) -> AbstractContextManager[None]:
        """Hold the right to make and adopt trials, for a block."""
        return locked(lock_file(self._folder, "turn"))

    def trials(self) -> list[Trial]:
        """Every trial, in the order of their numbers."""
        found = self._storage.get_all_trials(self._study_id, deepcopy=False)
        return [_trial(each) for each in found]

    def create(
        self,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        attributes: Mapping[str, Any],
        *,
        error: str | None = None,
    ) -> int:
        """Add a trial, running or (with an error) failed; returns its number.

        `params` are Optuna's values. The caller holds `turn()`.
        """
        from optuna.trial import FrozenTrial, TrialState

        now = datetime.now()
        failed = {} if error is None else {"error": error}
        template = FrozenTrial(
            number=-1,  # the journal gives it one
            trial_id=-1,
            state=TrialState.RUNNING if error is None else TrialState.FAIL,
            value=None,
            datetime_start=now,
            datetime_complete=None if error is None else now,
            params=dict(params),
            distributions=dict(distributions),
            user_attrs={**attributes, **failed},
            system_attrs={},
            intermediate_values={},
        )
        trial_id = self._storage.create_new_trial(self._study_id, template)
        return self._storage.get_trial_number_from_id(trial_id)

    def note(self, number: int, key: str, value: Any) -> None:
        """Write an attribute of a trial."""
        self._storage.set_trial_user_attr(self._id(number), key, value)

    def complete(self, number: int, score: float) -> None:
        """A trial has its score."""
        from optuna.trial import TrialState

        self._end(number, TrialState.COMPLETE, [score])

    def fail(self, number: int, error: str) -> None:
        """A trial has failed."""
        from optuna.trial import TrialState

        self.note(number, "error", error)
        self._end(number, TrialState.FAIL, None)

    def prune(self, number: int) -> None:
        """A trial was ended early; Optuna takes the last intermediate value for its own."""
        from optuna.trial import TrialState

        values = self._storage.get_trial(self._id(number)).intermediate_values
        self._end(number, TrialState.PRUNED, [values[max(values)]] if values else None)

    def report(self, number: int, step: int, value: float) -> None:
        """Write an intermediate value."""
        self._storage.set_trial_intermediate_value(self._id(number), step, value)

    def frozen(self, number: int) -> FrozenTrial:
        """A trial as Optuna has it."""
        return self._storage.get_trial(self._id(number))

    def study(self) -> Study:
        """The search as Optuna has it."""
        from optuna.study import Study

        return Study(_STUDY, self._storage)

    def _end(self, number: int, state: Any, values: list[float] | None) -> None:
        trial_id = self._id(number)
        if not self._storage.get_trial(trial_id).state.is_finished():
            self._storage.set_trial_state_values(trial_id, state, values)

    def _id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)

    def _opened(self, is_writer: bool) -> JournalStorage:
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        lock: Any = _JournalLock(self._folder)
        if is_writer:
            with locked(lock_file(self._folder, "journal")):
                JsonLines(self._path).close()  # drops what a killed writer left of a line
        try:
            return JournalStorage(JournalFileBackend(str(self._path), lock_obj=lock))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self._path}: is damaged: {error}",
                hint="restore it: without it nobody knows which trials there were",
            ) from error

    def _study_of(self, search: Search, is_writer: bool) -> int:
        from optuna.study import StudyDirection

        known = {study.study_name: study for study in self._storage.get_all_studies()}
        if _STUDY in known:
            return self._storage.get_study_id_from_name(_STUDY)
        if not is_writer:
            raise InputError(f"{self._path}: is empty", hint="no trial was begun yet")
        way = "MAXIMIZE" if search.higher_is_better else "MINIMIZE"
        return self._storage.create_new_study([StudyDirection[way]], _STUDY)


class _JournalLock:
    """Optuna's contract for a lock, with one that ends with its process, however it ends.

    Optuna's own locks are files that a killed process leaves behind, for others to wait for.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: list[AbstractContextManager[None]] = []

    def acquire(self) -> bool:
        """Wait for the lock."""
        lock = locked(lock_file(self._folder, "journal"))
        lock.__enter__()
        self._held.append(lock)
        return True

    def release(self) -> None:
        """Let others have it."""
        self._held.pop().__exit__(None, None, None)


def _trial(frozen: FrozenTrial) -> Trial:
    attributes = frozen.user_attrs
    state = _STATES[frozen.state.name]
    scores = attributes.get("scores") or {}
    return Trial(
        number=frozen.number,
        state=state,
        params=attributes.get("params") or {},
        score=frozen.value if state == "completed" else None,
        scores={int(seed): score for seed, score in scores.items()},
        config_hash=attributes.get("config_hash"),
        is_base=bool(attributes.get("is_base")),
        error=attributes.get("error"),
        owner=attributes.get("owner"),
        intermediate=frozen.intermediate_values,
        optuna=frozen,
    )


_STATES: dict[str, State] = {
    "RUNNING": "running",
    "WAITING": "running",
    "COMPLETE": "completed",
    "PRUNED": "pruned",
    "FAIL": "failed",
}


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from telling what axiomrl tells, for a block.

    Some of what is used here older versions call experimental.
    """
    import optuna
    from optuna.exceptions import ExperimentalWarning

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
