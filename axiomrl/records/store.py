"""Keeps records in step with run directories; one process at a time works on a pair.

A pair is a configuration with a seed: a `TrainConfig`. Its run directories are the truth. A record
says again what they say, so that whatever a killed process left undone is done by the next one.
"""

from __future__ import annotations

import itertools
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axiomrl.artifacts import content
from axiomrl.artifacts.local import LocalBackend
from axiomrl.artifacts.reference import ArtifactBackend, ArtifactRef
from axiomrl.artifacts.sidecar import ArtifactRecords
from axiomrl.config.schema import TrainConfig
from axiomrl.config.secrets import mask_text
from axiomrl.errors import AxiomRLError, InputError, RunAliveError
from axiomrl.records.files import (
    config_content,
    masked_run_config,
    read_record,
    record_content,
    relative,
    require_config,
)
from axiomrl.records.layout import ARTIFACTS, CONFIG, Place, absolute
from axiomrl.results import RunResult
from axiomrl.runs import files, layout
from axiomrl.runs.locks import locked, locked_if_free
from axiomrl.runs.ownership import alive_error
from axiomrl.runs.record import RunRecord
from axiomrl.runs.scanning import ScanProblem

_log = logging.getLogger(__name__)
_BEST = f"{layout.CHECKPOINTS}/{layout.BEST}"


@dataclass(frozen=True)
class Attempts:
    """The run directories of a pair, oldest first, and those that cannot be read."""

    records: list[RunRecord]
    problems: list[ScanProblem]

    @property
    def newest(self) -> RunRecord | None:
        """The attempt that was made last."""
        return self.records[-1] if self.records else None

    @property
    def described(self) -> RunRecord | None:
        """The attempt that the record describes: the newest completed, else the newest failed."""
        for status in ("completed", "failed"):
            found = [record for record in self.records if record.status == status]
            if found:
                return found[-1]
        return None


class RecordStore:
    """The records, artifacts and runs below one folder."""

    def __init__(self, save_dir: Path | str, *, backend: ArtifactBackend | None = None) -> None:
        """Artifacts go to `artifacts/` in the folder, unless a backend is given."""
        self.save_dir = absolute(save_dir)
        self.backend = backend or LocalBackend(self.save_dir / ARTIFACTS)

    def place(self, config: TrainConfig) -> Place:
        """Where a configuration's files lie."""
        return Place.of(self.save_dir, config)

    @contextmanager
    def claimed(self, config: TrainConfig) -> Iterator[Place]:
        """Be the only one who works on a pair; what killed processes left of it is removed.

        Raises RunAliveError if somebody else does, and InputError if config.json is not that of
        this configuration.
        """
        place = self.place(config)
        with locked_if_free(place.lock(config.seed)) as is_ours:
            if not is_ours:
                raise self._busy(config)
            require_config(place, config)
            self._tidy(place, config.seed)
            yield place

    def attempts(self, config: TrainConfig) -> Attempts:
        """The run directories of a pair."""
        place = self.place(config)
        found = Attempts([], [])
        for directory in sorted(place.runs.iterdir()) if place.runs.is_dir() else ():
            if not place.is_for(directory, config.seed):
                continue
            try:
                record = RunRecord.read(directory)
            except (OSError, InputError) as error:
                found.problems.append(ScanProblem(directory, content.reason(error)))
                continue
            if record.metadata.get("run_id") == place.run_id(config.seed):
                found.records.append(record)
        found.records.sort(key=lambda record: record.created_at_utc)
        return found

    def is_finished(self, config: TrainConfig) -> bool:
        """Whether an attempt at a pair was completed, or its record says so; changes nothing."""
        described = self.attempts(config).described
        if described is not None:
            return described.status == "completed"
        recorded = self._recorded(self.place(config), config)
        return recorded is not None and recorded.metadata.get("status") == "completed"

    def free_directory(self, config: TrainConfig) -> Path:
        """The first directory for an attempt that is not there yet."""
        place = self.place(config)
        directories = (place.run_directory(config.seed, k) for k in itertools.count(1))
        return next(each for each in directories if not each.exists())

    def publish(self, config: TrainConfig) -> RunResult | None:
        """Bring the record of a pair in step with its run directories; returns what it says.

        The best checkpoint is stored before the record that names it. A backend that fails is no
        failure of the run: `metadata` has the message as `artifact_error`, artifacts.json of the
        run directory knows of it, and publishing again tries again. Without an attempt that has
        ended, the record stays as it is, and is returned if there is one. Raises InputError if
        that one is damaged, or config.json is not that of this configuration.
        """
        place = self.place(config)
        attempts = self.attempts(config)
        described = attempts.described
        if described is None:
            return self._recorded(place, config)
        result = RunResult.from_run(described)
        result.run_config = masked_run_config(config)
        self._write_config(place, config)
        if (described.directory / _BEST).is_file() and described.status == "completed":
            self._store_best(place, config, described, result)
        listed = [_listed(place, record) for record in attempts.records]
        self._write_record(place.record(config.seed), record_content(place, result, listed))
        return result

    def _recorded(self, place: Place, config: TrainConfig) -> RunResult | None:
        try:
            return read_record(place.record(config.seed), place, masked_run_config(config))
        except FileNotFoundError:
            return None

    def _write_config(self, place: Place, config: TrainConfig) -> None:
        with locked(place.lock()):
            content.make_folder(place.records)
            files.remove_stale_temporaries(place.records, of=CONFIG)
            if not require_config(place, config):
                files.write_json(place.config, config_content(place, config))

    def _write_record(self, path: Path, values: dict[str, Any]) -> None:
        try:
            is_same = files.read_json(path) == values
        except (OSError, ValueError):  # missing or damaged: it is made of run directories anew
            is_same = False
        if not is_same:
            files.write_json(path, values)

    def _store_best(
        self, place: Place, config: TrainConfig, record: RunRecord, result: RunResult
    ) -> None:
        """Store the best checkpoint; the result says where it is, or why it is nowhere."""
        key, source = place.artifact_key(config.seed), record.directory / _BEST
        before = self._stored_before(place, config, key)
        try:
            artifact = self.backend.put(key, source, overwrite=before is not None)
        except Exception as error:  # whatever a backend raises must not lose the run
            message = error.message if isinstance(error, AxiomRLError) else content.reason(error)
            result.metadata["artifact_error"] = mask_text(message)
            self._note_failure(record, error)
            if before is not None and content.file_matches(before, source):
                result.artifacts[layout.BEST] = before
        else:
            result.artifacts[layout.BEST] = artifact
            self._note_failure(record, None)

    def _note_failure(self, record: RunRecord, error: Exception | None) -> None:
        """Have artifacts.json know whether the best checkpoint could not be stored.

        So `axiomrl artifacts push` tries again. A damaged artifacts.json stays as it is.
        """
        known, url = ArtifactRecords(record.directory), self.backend.url
        try:
            noted = known.find(_BEST, url)
            if error is not None:
                known.record_failure(_BEST, url, error)
            elif noted is not None and noted.error is not None:
                known.forget_failure(_BEST, url)
        except AxiomRLError as problem:
            _log.warning("%s", problem)

    def _stored_before(self, place: Place, config: TrainConfig, key: str) -> ArtifactRef | None:
        """What the record says was stored: only our own older artifact may be replaced."""
        try:
            recorded = self._recorded(place, config)
        except InputError:  # damaged: it is made of run directories anew
            return None
        artifact = recorded.artifacts.get(layout.BEST) if recorded is not None else None
        is_own = artifact is not None and (artifact.url, artifact.key) == (self.backend.url, key)
        return artifact if is_own else None

    def _busy(self, config: TrainConfig) -> RunAliveError:
        """The error that says who works on a pair, as far as that is known."""
        newest = self.attempts(config).newest
        if newest is not None and newest.status == "running":
            return alive_error(newest.directory, newest.metadata)
        return RunAliveError(
            f"{self.place(config).run_directory(config.seed)}: another process is at work on it",
            hint="wait until it has ended, or stop it first",
        )

    def _tidy(self, place: Place, seed: int) -> None:
        """Remove what killed processes have left; only for whoever has claimed the pair."""
        if place.records.is_dir():
            files.remove_stale_temporaries(place.records, of=place.record(seed).name)
        artifact = self.save_dir / ARTIFACTS / place.artifact_key(seed)
        if artifact.parent.is_dir():
            files.remove_stale_temporaries(artifact.parent, of=artifact.name)
        for directory in list(place.runs.iterdir()) if place.runs.is_dir() else ():
            if place.is_for(directory, seed) and _is_half_made(directory):
                shutil.rmtree(directory)


def _is_half_made(directory: Path) -> bool:
    """Whether a directory belongs to a process that was killed before its run had begun."""
    if (directory / layout.METADATA).exists() or not directory.is_dir():
        return False
    rows, checkpoints = directory / layout.METRICS, directory / layout.CHECKPOINTS
    has_rows = rows.exists() and rows.stat().st_size > 0
    return not has_rows and not (checkpoints.is_dir() and any(checkpoints.iterdir()))


def _listed(place: Place, record: RunRecord) -> dict[str, Any]:
    """What a record says of each attempt."""
    metadata = record.metadata
    return {
        "run_directory": relative(place, record.directory),
        "status": record.status,
        "created_at_utc": metadata.get("created_at_utc"),
        "ended_at_utc": metadata.get("ended_at_utc"),
        "env_steps": (metadata.get("progress") or {}).get("env_steps"),
    }
