"""`axiomrl eval`: score a run or a checkpoint on fresh episodes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from axiomrl.cli import terminal
from axiomrl.cli.options import Imports, RunName, RunsDir, find_run, import_modules, whole_number
from axiomrl.errors import InputError

if TYPE_CHECKING:
    from axiomrl.training.session import Scores

SCHEMA_VERSION = 1

EXAMPLES = """\b
Examples:
  axiomrl eval ppo__CartPole-v1__seed0
  axiomrl eval runs/ppo__CartPole-v1__seed0__20260101-120000-000000 \\
    --checkpoint final --episodes 20 --output-format json
"""


def run(
    name: RunName,
    episodes: Annotated[
        str, typer.Option("--episodes", metavar="N", help="Episodes to play.")
    ] = "100",
    seed: Annotated[
        str | None,
        typer.Option("--seed", metavar="N", help="Seed of the episodes; else the run decides."),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint",
            metavar="best|final|step_N",
            help="Which checkpoint of the run.  [default: best]",
        ),
    ] = None,
    output_format: Annotated[
        Literal["text", "json"],
        typer.Option("--output-format", metavar="text|json", help="How the scores are printed."),
    ] = "text",
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
) -> None:
    """Score a run's best checkpoint (or another one) on fresh episodes.

    RUN_OR_CHECKPOINT is a run's directory, a unique prefix of its name, its run id, or a
    checkpoint file.
    """
    import_modules(imports)
    count = whole_number("--episodes", episodes, low=1) or 1
    first_seed = whole_number("--seed", seed, low=0)
    record, file = find_run(name, runs_dir)
    if file is not None and checkpoint is not None:
        raise InputError(
            f"--checkpoint {checkpoint}: {name} is already a checkpoint",
            hint="name a run, or leave out --checkpoint",
        )
    from axiomrl.training import session

    scores = session.score(
        record, checkpoint=file or checkpoint or "best", episodes=count, seed=first_seed
    )
    if scores.note:
        terminal.note(scores.note)
    result = scores_as_mapping(scores, record.metadata, run=str(record.directory.absolute()))
    if output_format == "json":
        import json

        terminal.data(json.dumps(result, indent=2, allow_nan=False))
    else:
        terminal.data(scores_as_text(result))


def scores_as_mapping(scores: Scores, metadata: dict[str, Any], *, run: str) -> dict[str, Any]:
    """What `--output-format json` prints; a return that is not finite is null."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run": run,
        "checkpoint": str(scores.checkpoint.absolute()),
        "env_id": metadata.get("env_id"),
        "algo": metadata.get("algo"),
        "seed": scores.seed,
        "eval_return_mean": _finite(scores.return_mean),
        "eval_return_std": _finite(scores.return_std),
        "eval_length_mean": _finite(scores.length_mean),
        "episodes": len(scores.returns),
        "returns": [_finite(each) for each in scores.returns],
    }


def scores_as_text(result: dict[str, Any]) -> str:
    """Three lines for a reader."""

    def shown(key: str) -> str:
        return "nan" if result[key] is None else f"{result[key]:.2f}"

    return "\n".join(
        (
            f"{result['algo']} on {result['env_id']}: {terminal.short_path(result['checkpoint'])}",
            f"  eval_return_mean  {shown('eval_return_mean')}  (std {shown('eval_return_std')}, "
            f"n = {result['episodes']} episodes, seed {result['seed']})",
            f"  eval_length_mean  {shown('eval_length_mean')}",
        )
    )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
