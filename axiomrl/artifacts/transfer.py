"""A run's artifacts on their way to a backend and back.

What fails is recorded and reported, never raised: a run that trained well has not failed because
a server was away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from axiomrl.artifacts import content
from axiomrl.artifacts.keys import check_key, plain_segment
from axiomrl.artifacts.opening import open_backend
from axiomrl.artifacts.reference import ArtifactBackend, ArtifactRef
from axiomrl.artifacts.sidecar import ArtifactRecord, ArtifactRecords
from axiomrl.errors import ArtifactConflictError, ArtifactError, AxiomRLError, InputError
from axiomrl.runs import layout
from axiomrl.runs.clock import utc_now
from axiomrl.runs.record import RunRecord

_BEST = f"{layout.CHECKPOINTS}/{layout.BEST}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one artifact."""

    name: str
    state: Literal["stored", "fetched", "unchanged", "failed"]
    reference: ArtifactRef | None = None  # of a failed push: what was stored earlier, if anything
    path: Path | None = None  # of the file in the run directory, or that was written
    error: AxiomRLError | None = None


def push(
    run: RunRecord | Path | str,
    backend: ArtifactBackend | str,
    *,
    everything: bool = False,
    overwrite: bool = False,
    now: Callable[[], datetime] = utc_now,
) -> list[Outcome]:
    """Store a run's best checkpoint (or everything), and what failed before in this backend.

    What is stored already is left alone; what this run stored and has changed since replaces its
    older self; other content under a run's key is a failure, unless `overwrite`. Each outcome is
    recorded in the run's artifacts.json at once. Raises InputError only for a run or a backend
    that is none, or a run without a best checkpoint.
    """
    record = run if isinstance(run, RunRecord) else _read_run(Path(run))
    backend = open_backend(backend) if isinstance(backend, str) else backend
    records = ArtifactRecords(record.directory, now=now)
    known = {each.name: each for each in records.read() if each.url == backend.url}
    names = _everything(record.directory) if everything else _best(record)
    prefix = _key_prefix(record)
    outcomes = []
    for name in [*names, *(name for name in known if name not in names)]:
        before = known.get(name)
        path = _inside(record.directory, name) if name not in names else record.directory / name
        if name not in names and (before is None or before.error is None):
            continue  # an artifact of an earlier push that went well
        if name not in names and not path.is_file():
            records.forget_failure(name, backend.url)
            continue
        outcome = _push_one(name, path, f"{prefix}/{name}", backend, before, overwrite)
        _record(records, outcome, backend.url)
        outcomes.append(outcome)
    return outcomes


def pull(
    references: Mapping[str, ArtifactRef],
    destination: Path | str,
    *,
    backend: ArtifactBackend | None = None,
    overwrite: bool = False,
) -> list[Outcome]:
    """Fetch artifacts by name to `destination/<name>`, each verified.

    Without `backend`, each comes from the place that its reference names. A file that is what it
    should be is left alone; one that is not is a failure, unless `overwrite`. Raises InputError
    for names that lead out of the folder and for places that cannot be opened.
    """
    opened: dict[str, ArtifactBackend] = {}
    for ref in references.values():
        if ref.url not in opened:
            opened[ref.url] = backend or open_backend(ref.url)
    paths = {name: _inside(Path(destination), name) for name in references}
    return [
        _pull_one(name, ref, paths[name], opened[ref.url], overwrite)
        for name, ref in references.items()
    ]


def stored_references(
    records: Sequence[ArtifactRecord], *, url: str | None = None
) -> dict[str, ArtifactRef]:
    """What `pull` can fetch, by name: of several backends the one stored to last."""
    found = [each for each in records if each.reference is not None and url in (None, each.url)]
    found.sort(key=lambda each: each.stored_at_utc or "")
    return {each.name: each.reference for each in found if each.reference is not None}


def _read_run(directory: Path) -> RunRecord:
    try:
        return RunRecord.read(directory)
    except OSError as error:
        raise InputError(f"{directory}: is not a run: {content.reason(error)}") from error


def _best(record: RunRecord) -> list[str]:
    """The best checkpoint, which must lie in the directory itself."""
    if not (record.directory / _BEST).is_file():
        record.checkpoint("best")  # raises, naming the checkpoints that there are
        raise InputError(f"{record.directory}: its best checkpoint lies elsewhere")
    return [_BEST]


def _everything(directory: Path) -> list[str]:
    """The run's own files, as names; temporary and foreign ones are left out."""
    names = [layout.CONFIG, layout.METADATA, layout.METRICS, layout.DIFF]
    found = [name for name in names if (directory / name).is_file()]
    for folder, pattern in (
        (layout.CHECKPOINTS, "*.pt"),
        (layout.CHECKPOINTS, "replay_*.rows"),
        (layout.TENSORBOARD, "events.out.tfevents.*"),
    ):
        paths = sorted((directory / folder).glob(pattern))
        found += [f"{folder}/{path.name}" for path in paths if path.name[0] != "."]
    return found


def _key_prefix(record: RunRecord) -> str:
    """A name that no other run has and that stays when the directory is renamed."""
    metadata = record.metadata
    run_id, created = metadata.get("run_id"), metadata.get("created_at_utc")
    if not run_id or not created:
        return plain_segment(record.directory.absolute().name)
    stamp = "".join(character for character in created.partition("+")[0] if character.isdigit())
    parts = (metadata.get("algo"), metadata.get("env_id"), run_id, stamp)
    return plain_segment("__".join(str(part) for part in parts if part))


def _push_one(
    name: str,
    path: Path,
    key: str,
    backend: ArtifactBackend,
    before: ArtifactRecord | None,
    overwrite: bool,
) -> Outcome:
    reference = before.reference if before is not None else None
    try:
        if reference is not None and reference.key == key:
            if content.file_matches(reference, path) and backend.exists(reference):
                return Outcome(name=name, state="unchanged", reference=reference, path=path)
            overwrite = True  # it is our own older self that is replaced
        stored = backend.put(key, path, overwrite=overwrite)
    except ArtifactConflictError as error:
        error.hint = "it was not stored by this run directory; replace it with --force"
        return Outcome(name=name, state="failed", reference=reference, path=path, error=error)
    except Exception as error:  # whatever a backend raises must not end the others
        failed = _as_axiomrl(error, name)
        return Outcome(name=name, state="failed", reference=reference, path=path, error=failed)
    return Outcome(name=name, state="stored", reference=stored, path=path)


def _record(records: ArtifactRecords, outcome: Outcome, url: str) -> None:
    if outcome.error is not None:
        records.record_failure(outcome.name, url, outcome.error)
    elif outcome.reference is not None:
        records.record_stored(outcome.name, outcome.reference)


def _pull_one(
    name: str, ref: ArtifactRef, path: Path, backend: ArtifactBackend, overwrite: bool
) -> Outcome:
    try:
        if content.file_matches(ref, path):
            return Outcome(name=name, state="unchanged", reference=ref, path=path)
        if path.exists() and not overwrite:
            raise ArtifactConflictError(
                f"{path}: is there already and is not what was stored",
                hint="replace it with --force, or name another folder with --to",
            )
        backend.fetch(ref, path)
    except Exception as error:  # whatever a backend raises must not end the others
        failed = _as_axiomrl(error, name)
        return Outcome(name=name, state="failed", reference=ref, path=path, error=failed)
    return Outcome(name=name, state="fetched", reference=ref, path=path)


def _inside(folder: Path, name: str) -> Path:
    """Where an artifact is written; raises InputError if that is not inside the folder."""
    path = folder / check_key(name)
    root = folder.resolve()
    if not path.resolve().is_relative_to(root):
        raise InputError(f"{path}: leads out of {folder} through a link")
    return path


def _as_axiomrl(error: Exception, name: str) -> AxiomRLError:
    """The error itself, if axiomrl raised it on purpose, else one that names the artifact."""
    if isinstance(error, AxiomRLError):
        return error
    failed = ArtifactError(f"{name}: {type(error).__name__}: {content.reason(error)}")
    failed.__cause__ = error
    return failed
