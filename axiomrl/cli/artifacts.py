"""`axiomrl artifacts`: store what runs produced elsewhere, and fetch it back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from axiomrl.cli import terminal
from axiomrl.cli.options import RunsDir
from axiomrl.errors import ArtifactError, InputError, did_you_mean

if TYPE_CHECKING:
    from axiomrl.artifacts import ArtifactRecord, ArtifactRef, Outcome

SCHEMA_VERSION = 1

HELP = "Store what runs produced elsewhere, and fetch it back."

EXAMPLES = """\b
Examples:
  axiomrl artifacts push ppo__CartPole-v1__seed0 --to s3://bucket/runs
  axiomrl artifacts list ppo__CartPole-v1__seed0
  axiomrl artifacts pull ppo__CartPole-v1__seed0 --to copies
"""

LIST_EXAMPLES = """\b
Examples:
  axiomrl artifacts list ppo__CartPole-v1__seed0
  axiomrl artifacts list ppo__CartPole-v1__seed0 --output-format json
"""

PUSH_EXAMPLES = """\b
Examples:
  axiomrl artifacts push ppo__CartPole-v1__seed0 --to s3://bucket/runs
  axiomrl artifacts push ppo__CartPole-v1__seed0
  axiomrl artifacts push ppo__CartPole-v1__seed0 --to /mnt/archive --all
"""

PULL_EXAMPLES = """\b
Examples:
  axiomrl artifacts pull ppo__CartPole-v1__seed0
  axiomrl artifacts pull ppo__CartPole-v1__seed0 --to copies \\
    --only checkpoints/best.pt
"""

RunName = Annotated[str, typer.Argument(metavar="RUN", hidden=True)]
OutputFormat = Annotated[
    Literal["text", "json"],
    typer.Option("--output-format", metavar="text|json", help="How the result is printed."),
]


def list_artifacts(
    name: RunName, runs_dir: RunsDir = Path("runs"), output_format: OutputFormat = "text"
) -> None:
    """Show what of a run is stored where, and what failed.

    RUN is a run's directory, a unique prefix of its name, its run id, or an artifacts.json.
    """
    records = _records(name, runs_dir)[1]
    rows = [_record_as_mapping(record) for record in records]
    if output_format == "json":
        _print_json({"artifacts": rows})
        return
    for record in records:
        terminal.data(_record_as_text(record))
    if not records:
        terminal.note("nothing was stored yet; store it: axiomrl artifacts push RUN --to URL")


def push(
    name: RunName,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="URL",
            help="Folder, s3://BUCKET/PATH, or another URL. Repeatable.  [default: wherever "
            "artifacts of this run were pushed before]",
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="All of the run, so that it can be resumed from the copy."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace other content under the same keys.")
    ] = False,
    runs_dir: RunsDir = Path("runs"),
    output_format: OutputFormat = "text",
) -> None:
    """Store a run's best checkpoint, and what failed before.

    RUN is a run's directory, a unique prefix of its name, or its run id. What is stored already
    is left alone; results are recorded in the run's artifacts.json.
    """
    from axiomrl.artifacts import ArtifactRecords, open_backend
    from axiomrl.artifacts import push as push_artifacts
    from axiomrl.runs.store import RunStore

    run = RunStore(runs_dir).find(name)
    known = {record.url for record in ArtifactRecords(run.directory).read()}
    places = to or sorted(known)
    if not places:
        raise InputError(
            f"{run.directory}: none of its artifacts was pushed before",
            hint="say where to: --to FOLDER, or --to s3://BUCKET/PATH",
        )
    backends = [open_backend(place) for place in places]
    outcomes = []
    for backend in backends:
        outcomes += push_artifacts(run, backend, everything=everything, overwrite=force)
    _print_outcomes(outcomes, output_format)
    _fail_if_any_failed(outcomes, "stored", again=f"axiomrl artifacts push {name}")


def pull(
    name: RunName,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Where they go.  [default: the run directory]"),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="Of several backends, the one to use."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="An artifact, as list shows it. Repeatable."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that differ from what was stored.")
    ] = False,
    runs_dir: RunsDir = Path("runs"),
    output_format: OutputFormat = "text",
) -> None:
    """Fetch a run's stored artifacts, verified by SHA-256.

    RUN is a run's directory, a unique prefix of its name, its run id, or an artifacts.json.
    """
    from axiomrl.artifacts import pull as pull_artifacts

    directory, records = _records(name, runs_dir)
    references = _chosen(name, records, source, only)
    outcomes = pull_artifacts(references, to or directory, overwrite=force)
    _print_outcomes(outcomes, output_format)
    _fail_if_any_failed(outcomes, "fetched", again=None)


SUBCOMMANDS = {
    "list": (list_artifacts, LIST_EXAMPLES),
    "push": (push, PUSH_EXAMPLES),
    "pull": (pull, PULL_EXAMPLES),
}


def _records(name: str, runs_dir: Path) -> tuple[Path, list[ArtifactRecord]]:
    """A run's directory and records; a lone artifacts.json stands for the run it is of."""
    from axiomrl.artifacts import ArtifactRecords
    from axiomrl.artifacts.sidecar import ARTIFACTS
    from axiomrl.runs.store import RunStore

    path = Path(name)
    if path.name == ARTIFACTS and path.is_file():
        return path.parent, ArtifactRecords(path).read()
    directory = RunStore(runs_dir).find(name).directory
    return directory, ArtifactRecords(directory).read()


def _chosen(
    name: str, records: Sequence[ArtifactRecord], source: str | None, only: Sequence[str] | None
) -> Mapping[str, ArtifactRef]:
    from axiomrl.artifacts import open_backend
    from axiomrl.artifacts.transfer import stored_references

    url = open_backend(source).url if source is not None else None
    references = stored_references(records, url=url)
    if not references:
        where = f" in {source}" if source is not None else ""
        remedy = (
            terminal.quoted("axiomrl", "artifacts", "list", name)
            if any(record.reference is not None for record in records)
            else terminal.quoted("axiomrl", "artifacts", "push", name, "--to", source or "PLACE")
        )
        raise InputError(f"nothing of this run is stored{where}", hint=remedy)
    for wanted in only or ():
        if wanted not in references:
            raise InputError(
                f"--only {wanted}: no stored artifact of this run is called that",
                hint=did_you_mean(wanted, references) or f"there are: {', '.join(references)}",
            )
    return {each: ref for each, ref in references.items() if only is None or each in only}


def _record_as_mapping(record: ArtifactRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "url": record.url,
        "state": "failed" if record.error is not None else "stored",
        "reference": record.reference.to_mapping() if record.reference is not None else None,
        "stored_at_utc": record.stored_at_utc,
        "error": record.error,
    }


def _record_as_text(record: ArtifactRecord) -> str:
    lines = []
    if record.reference is not None:
        size = _size(record.reference.size)
        lines.append(f"stored  {record.name}  {size}  {record.reference.uri}")
    if record.error is not None:
        lines.append(f"failed  {record.name}  {record.error.get('message')}")
    return "\n".join(lines)


def _print_outcomes(outcomes: Sequence[Outcome], output_format: str) -> None:
    if output_format == "json":
        _print_json({"artifacts": [_outcome_as_mapping(outcome) for outcome in outcomes]})
        return
    for outcome in outcomes:
        if outcome.error is None and outcome.reference is not None:
            there = terminal.short_path(outcome.path) if outcome.path is not None else ""
            place = there if outcome.state == "fetched" else outcome.reference.uri
            size = _size(outcome.reference.size)
            terminal.data(f"{outcome.state:<9}  {outcome.name}  {size}  {place}")


def _outcome_as_mapping(outcome: Outcome) -> dict[str, Any]:
    error = outcome.error
    return {
        "name": outcome.name,
        "state": outcome.state,
        "path": str(outcome.path.absolute()) if outcome.path is not None else None,
        "reference": outcome.reference.to_mapping() if outcome.reference is not None else None,
        "error": {"type": type(error).__name__, "message": error.message} if error else None,
    }


def _fail_if_any_failed(outcomes: Sequence[Outcome], done: str, *, again: str | None) -> None:
    """Raises the error of the one that failed, or names all of them first."""
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    if len(errors) == 1:
        raise errors[0]
    for error in errors:
        terminal.warn(error.message)
    if errors:
        hint = f"repeat what failed with: {again}" if again is not None else errors[0].hint
        raise ArtifactError(
            f"{len(errors)} of {len(outcomes)} artifacts could not be {done}", hint=hint
        )


def _print_json(content: dict[str, Any]) -> None:
    terminal.data(json.dumps({"schema_version": SCHEMA_VERSION, **content}, indent=2))


def _size(count: int) -> str:
    """A number of bytes for people."""
    amount, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while amount >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{amount:.0f} {units[0]}" if units[0] == "B" else f"{amount:.1f} {units[0]}"
