"""`artifacts.json` of a run directory: what was stored where, and what could not be.

It stands beside metadata.json, which nobody but the training process writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from axiomrl.artifacts.content import reason
from axiomrl.artifacts.keys import check_key
from axiomrl.artifacts.reference import ArtifactRef
from axiomrl.config.secrets import mask_text
from axiomrl.errors import AxiomRLError, InputError
from axiomrl.runs import files, layout
from axiomrl.runs.clock import timestamp, utc_now

ARTIFACTS = "artifacts.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class ArtifactRecord:
    """What is known of one artifact of a run in one backend.

    `reference` is what was stored last; `error` is there if the newest attempt failed.
    """

    name: str  # path of the file in the run directory, with /
    url: str  # of the backend
    reference: ArtifactRef | None = None
    stored_at_utc: str | None = None
    error: dict[str, Any] | None = None  # type, message, at_utc

    @classmethod
    def from_mapping(cls, values: Any) -> ArtifactRecord:
        """One entry of artifacts.json; raises InputError if it is none."""
        if not isinstance(values, dict):
            raise InputError("an entry is no object")
        name, url = values.get("name"), values.get("url")
        if not isinstance(name, str) or not isinstance(url, str):
            raise InputError("an entry has no name or no url")
        check_key(name)  # it is used as a path
        reference, error = values.get("reference"), values.get("error")
        return cls(
            name=name,
            url=url,
            reference=ArtifactRef.from_mapping(reference) if isinstance(reference, dict) else None,
            stored_at_utc=values.get("stored_at_utc"),
            error=error if isinstance(error, dict) else None,
        )


class ArtifactRecords:
    """The records of one run; each change is on the disk when the call returns.

    Several processes may change records of one run at once. Keys that are not known are kept.
    """

    def __init__(self, path: Path, *, now: Callable[[], datetime] = utc_now) -> None:
        """`path` is a run directory or an artifacts.json."""
        self.path = path / ARTIFACTS if path.is_dir() else path
        self._now = now

    def read(self) -> list[ArtifactRecord]:
        """All records in their order; none if nothing was ever pushed.

        Raises InputError if the file cannot be understood.
        """
        try:
            return [ArtifactRecord.from_mapping(entry) for entry in self._content()["artifacts"]]
        except InputError as error:
            raise self._unusable(error.message) from error

    def find(self, name: str, url: str) -> ArtifactRecord | None:
        """The record of one artifact in one backend."""
        found = [each for each in self.read() if (each.name, each.url) == (name, url)]
        return found[0] if found else None

    def record_stored(self, name: str, reference: ArtifactRef) -> None:
        """Say that an artifact was stored; an earlier error is forgotten."""
        values = {
            "reference": reference.to_mapping(),
            "stored_at_utc": timestamp(self._now()),
            "error": None,
        }
        self._update(name, reference.url, values)

    def record_failure(self, name: str, url: str, error: BaseException) -> None:
        """Say why an artifact could not be stored; what was stored earlier stays known."""
        message = error.message if isinstance(error, AxiomRLError) else reason(error)
        failure = {
            "type": type(error).__name__,
            "message": mask_text(message),
            "at_utc": timestamp(self._now()),
        }
        self._update(name, url, {"error": failure})

    def forget_failure(self, name: str, url: str) -> None:
        """Drop the error of an artifact that is not there any more."""
        self._update(name, url, {"error": None})

    def _update(self, name: str, url: str, values: dict[str, Any]) -> None:
        with _only_writer(self.path.parent):
            content = self._content()
            entries = content["artifacts"]
            for entry in entries:
                if isinstance(entry, dict) and (entry.get("name"), entry.get("url")) == (name, url):
                    entry.update(values)
                    break
            else:
                fresh = {"name": name, "url": url, "reference": None, "stored_at_utc": None}
                entries.append({**fresh, **values})
            # an entry that says nothing any more
            content["artifacts"] = [
                entry
                for entry in entries
                if not isinstance(entry, dict) or entry.get("reference") or entry.get("error")
            ]
            files.write_json(self.path, content)

    def _content(self) -> dict[str, Any]:
        try:
            content = files.read_json(self.path)
        except FileNotFoundError:
            return {"schema_version": SCHEMA_VERSION, "artifacts": []}
        except (OSError, ValueError) as error:
            raise self._unusable(f"cannot be read: {reason(error)}") from error
        if not isinstance(content, dict) or not isinstance(content.get("artifacts"), list):
            raise self._unusable("holds no list of artifacts")
        version = content.get("schema_version")
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise self._unusable(f"was written by a newer axiomrl (schema_version {version})")
        return content

    def _unusable(self, fault: str) -> InputError:
        fault = fault.removeprefix(f"{self.path}: ")
        return InputError(
            f"{self.path}: {fault}",
            hint="without it, a push finds again what is stored already",
        )


@contextmanager
def _only_writer(directory: Path) -> Iterator[None]:
    """Within the block, no other process changes the records of this run.

    The lock is held on the folder of checkpoints (where there is one) and leaves nothing behind:
    the run directory itself is locked by the process that trains. Where the file system knows no
    locks, a lost record costs nothing but a comparison at the next push.
    """
    folder = directory / layout.CHECKPOINTS
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(folder if folder.is_dir() else directory, os.O_RDONLY)
    try:
        with suppress(OSError):  # no locks here
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
