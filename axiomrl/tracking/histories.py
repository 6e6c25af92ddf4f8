"""Histories on disk: one `<experiment_id>.json` per experiment, with every version in it.

Every change is made under a lock of that experiment, to what the file holds at that moment, and
replaces the file as a whole. A file that cannot be understood is never written.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from axiomrl.errors import HistoryError, InputError, did_you_mean
from axiomrl.runs import files, provenance
from axiomrl.runs.clock import timestamp, utc_now
from axiomrl.runs.locks import locked
from axiomrl.runs.ownership import looks_dead
from axiomrl.tracking.names import id_for, is_valid_id
from axiomrl.tracking.record import ExperimentRecord

DEFAULT_FOLDER = "experiments/logs"
SCHEMA_VERSION = 1
"""Version of the files; added keys do not change it."""

Entry = dict[str, Any]  # one version, as it stands in the file


@dataclass(frozen=True)
class Found:
    """The histories of a folder by id, oldest version first, and what could not be read."""

    histories: dict[str, list[ExperimentRecord]]
    problems: list[str]

    def records(self) -> list[ExperimentRecord]:
        """Every version, oldest first."""
        records = [record for history in self.histories.values() for record in history]
        if len(self.histories) > 1:  # the versions of one are in order, whatever clocks said
            records.sort(key=lambda record: record.timestamp)
        return records


class HistoryFolder:
    """The histories in one folder, which need not exist before something is started."""

    def __init__(self, folder: Path, *, now: Callable[[], datetime] = utc_now) -> None:
        self.folder = folder
        self._now = now

    def ids(self) -> list[str]:
        """The ids that have a history, sorted."""
        if not self.folder.is_dir():
            return []
        stems = [path.name.removesuffix(".json") for path in self.folder.glob("*.json")]
        return sorted(stem for stem in stems if is_valid_id(stem))

    def read(self, experiment_id: str) -> list[ExperimentRecord]:
        """Every version of an experiment, oldest first; none if it was never started.

        Raises HistoryError if the file is damaged.
        """
        records = [_record(entry) for entry in self._content(experiment_id)["versions"]]
        for record in records:
            if record.status == "running" and self._is_dead(record):
                record.status = "dead"
        return sorted(records, key=lambda record: record.version)

    def read_all(self) -> Found:
        """Every history; damaged ones become problems."""
        histories: dict[str, list[ExperimentRecord]] = {}
        problems = []
        for experiment_id in self.ids():
            try:
                histories[experiment_id] = self.read(experiment_id)
            except HistoryError as error:
                problems.append(error.message)
        return Found(histories, problems)

    def find(self, name: str) -> Found:
        """What a name means: the experiment of that id, else all versions of that config_name.

        Nothing is found for a name that was never used. Raises HistoryError if the history of
        that id is damaged; other damaged ones become problems.
        """
        known = self.ids()  # as they are written: some file systems know a file by several names
        for experiment_id in (name, id_for(name)):
            if experiment_id in known:
                return Found({experiment_id: self.read(experiment_id)}, [])
        found = self.read_all()
        matching = {
            experiment_id: [record for record in records if record.config_name == name]
            for experiment_id, records in found.histories.items()
        }
        return Found({key: records for key, records in matching.items() if records}, found.problems)

    def unknown(self, name: str) -> InputError:
        """The error that says what there is, where `find` found nothing."""
        histories = self.read_all().histories
        used = {record.config_name for records in histories.values() for record in records}
        hint = did_you_mean(name, [*histories, *sorted(used - set(histories))], count=3)
        return InputError(
            f"{self.folder}: has no experiment called {name!r}",
            hint=hint or "list what there is with: axiomrl history list",
        )

    def start(
        self,
        experiment_id: str,
        config_name: str,
        hyperparameters: dict[str, Any],
        metadata: dict[str, Any],
    ) -> ExperimentRecord:
        """A new version, written down, with a number that nobody else has."""
        process = {**provenance.this_process(), "hostname": socket.gethostname()}
        with self._locked(experiment_id):
            content = self._content_to_change(experiment_id)
            numbers = [entry["version"] for entry in content["versions"]]
            record = ExperimentRecord(
                experiment_id=experiment_id,
                version=max(numbers, default=0) + 1,
                timestamp=timestamp(self._now()),
                config_name=config_name,
                hyperparameters=hyperparameters,
                metadata=metadata,
                process=process,
            )
            content["versions"].append(asdict(record))
            content["config_name"] = config_name
            path = self._path(experiment_id)
            files.write_json(path, content)
            files.remove_stale_temporaries(self.folder, of=path.name)
        return record

    def change(self, record: ExperimentRecord, change: Callable[[Entry], None]) -> None:
        """Apply a change to a version as it stands in the file; the record follows.

        A version whose file was removed meanwhile is written down again. Raises HistoryError,
        and changes nothing, if the file is damaged or the version is somebody else's by now.
        """
        with self._locked(record.experiment_id):
            content = self._content_to_change(record.experiment_id)
            entry = self._entry(content, record)
            change(entry)
            files.write_json(self._path(record.experiment_id), content)
            record.take_over(_record(entry))

    def _path(self, experiment_id: str) -> Path:
        return self.folder / f"{experiment_id}.json"

    def _locked(self, experiment_id: str) -> AbstractContextManager[None]:
        return locked(self.folder / ".locks" / f"{experiment_id}.lock")

    def _content(self, experiment_id: str) -> dict[str, Any]:
        """What the file of an experiment holds, checked; an empty history if there is none."""
        path = self._path(experiment_id)
        try:
            content = files.read_json(path)
        except FileNotFoundError:
            return {
                "schema_version": SCHEMA_VERSION,
                "experiment_id": experiment_id,
                "config_name": None,
                "versions": [],
            }
        except OSError as error:
            raise HistoryError(f"{path}: cannot be read: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:
            raise _damaged(path, f"it is not JSON: {error}") from error
        _check(content, experiment_id, path)
        checked: dict[str, Any] = content
        return checked

    def _content_to_change(self, experiment_id: str) -> dict[str, Any]:
        content = self._content(experiment_id)
        if content["schema_version"] > SCHEMA_VERSION:
            raise HistoryError(
                f"{self._path(experiment_id)}: was written by a newer axiomrl "
                f"(schema_version {content['schema_version']}, known here: {SCHEMA_VERSION})",
                hint="update axiomrl, or choose another experiment_id",
            )
        return content

    def _entry(self, content: dict[str, Any], record: ExperimentRecord) -> Entry:
        for entry in content["versions"]:
            if entry["version"] == record.version:
                if entry.get("timestamp") != record.timestamp:
                    raise HistoryError(
                        f"{self._path(record.experiment_id)}: version {record.version} is not the "
                        "one that this process started",
                        hint="the file was removed or replaced meanwhile; start another experiment",
                    )
                found: Entry = entry
                return found
        content["versions"].append(again := asdict(record))
        return again

    def _is_dead(self, record: ExperimentRecord) -> bool:
        system = {"hostname": record.process.get("hostname")}
        return looks_dead({"process": record.process, "system": system}, now=self._now())


class _Stored(msgspec.Struct):
    """Types of the known keys of a history file."""

    versions: list[ExperimentRecord]
    experiment_id: str
    schema_version: int


def _check(content: Any, experiment_id: str, path: Path) -> None:
    """Raises HistoryError unless the content is a history of that experiment."""
    try:
        stored = msgspec.convert(content, _Stored)
    except msgspec.ValidationError as error:
        raise _damaged(path, str(error)) from error
    if stored.experiment_id != experiment_id:
        raise HistoryError(
            f"{path}: holds the history of {stored.experiment_id!r}, not of {experiment_id!r}",
            hint="give the file its name back, or choose another experiment_id",
        )
    numbers = [record.version for record in stored.versions]
    if len(set(numbers)) < len(numbers):
        raise _damaged(path, f"some versions have the same number: {sorted(numbers)}")


def _record(entry: Entry) -> ExperimentRecord:
    return msgspec.convert(entry, ExperimentRecord)


def _damaged(path: Path, reason: str) -> HistoryError:
    return HistoryError(
        f"{path}: is no history that can be read: {reason}",
        hint="it has been left as it is: repair it, or move it away to begin a new history",
    )
