"""What a study is going to run, and how far it is: `runner_state.json`.

The file is written before the first run and after each one. It is the plan; what a run has
reached stands in its own directory, which counts where the two differ.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from axiomrl import fingerprint
from axiomrl.config import config_from_mapping, config_to_mapping
from axiomrl.config.schema import ExperimentsRunnerConfig, TrainConfig
from axiomrl.config.secrets import MASK, mask_mapping
from axiomrl.errors import InputError
from axiomrl.runs import files, layout
from axiomrl.runs.metadata import LIMIT
from axiomrl.runs.record import RunRecord

STATE = "runner_state.json"
SUMMARY = "summary.csv"
SCHEMA_VERSION = 1
"""Version of runner_state.json; added keys do not change it."""


@dataclass(kw_only=True)
class PlannedRun:
    """One run of a study."""

    run: int  # its number, from 0
    seed: int
    directory: str  # its name within the study's folder
    state: str = "pending"  # pending, running, completed, failed or interrupted
    config_hash: str | None = None  # of the configuration it was begun with
    error: dict[str, Any] | None = None  # type, message and traceback of a failed one


@dataclass(kw_only=True)
class Plan:
    """The content of runner_state.json."""

    schema_version: int = SCHEMA_VERSION
    created_at_utc: str = ""
    command: list[str] = field(default_factory=list)
    runner: dict[str, Any] | None = None  # the process that runs the study now
    config_hash: str
    config_hash_scheme: int = fingerprint.SCHEME
    config: dict[str, Any]  # every setting, secrets masked
    runs: list[PlannedRun]

    @property
    def seeds(self) -> list[int]:
        """The seed of every run, in their order."""
        return [run.seed for run in self.runs]


def new_plan(config: TrainConfig, *, command: Sequence[str], created_at_utc: str) -> Plan:
    """The plan of a study that has not begun; seeds that are not given are drawn."""
    runner = config.experiments_runner
    seeds = list(runner.seeds) or draw_seeds(runner.n_runs or 1)
    return Plan(
        config=mask_mapping(config_to_mapping(config)),
        config_hash=fingerprint.config_hash(config),
        runs=planned_runs(seeds),
        created_at_utc=created_at_utc,
        command=list(command),
    )


def planned_runs(seeds: Sequence[int], *, first: int = 0) -> list[PlannedRun]:
    """A run for each seed; `first` is the number of the first one."""
    return [
        PlannedRun(run=number, seed=seed, directory=f"run_{number:02}_seed{seed}")
        for number, seed in enumerate(seeds, first)
    ]


def draw_seeds(count: int, *, besides: Sequence[int] = ()) -> list[int]:
    """Distinct 31-bit seeds from the operating system's cryptographic source."""
    drawn: list[int] = []
    while len(drawn) < count:
        seed = secrets.randbelow(2**31)
        if seed not in drawn and seed not in besides:
            drawn.append(seed)
    return drawn


def read_plan(folder: Path) -> Plan | None:
    """The plan in a study's folder; None if there is none.

    Raises InputError if it cannot be understood: it is never replaced by another then.
    """
    path = folder / STATE
    try:
        data, _ = files.read_regular_file(str(path), limit=LIMIT)
        content = msgspec.json.decode(data)
        version = content.get("schema_version") if isinstance(content, dict) else None
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise InputError(
                f"was written by a newer axiomrl (schema_version {version}, known here: "
                f"{SCHEMA_VERSION})",
                hint="go on with the version that wrote it",
            )
        plan = msgspec.convert(content, Plan)
        for run in plan.runs:
            if run.directory != Path(run.directory).name:
                raise InputError(f"runs[{run.run}].directory leads out of the study's folder")
        return plan
    except (FileNotFoundError, NotADirectoryError):
        return None
    except InputError as error:
        raise InputError(f"{path}: {error.message}", hint=error.hint) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"{path}: is no plan of a study that can be read: {error}",
            hint="it has been left as it is: restore it, or choose another output_base_dir",
        ) from error


def write_plan(folder: Path, plan: Plan) -> None:
    """Replace runner_state.json."""
    content = asdict(plan)
    runs = content.pop("runs")
    files.write_json(folder / STATE, {**content, "seeds": plan.seeds, "runs": runs})


def stored_config(folder: Path, plan: Plan) -> TrainConfig:
    """The configuration that a plan was made from.

    Raises InputError if it holds a masked secret, without which nothing can be run.
    """
    path = folder / STATE
    config = config_from_mapping(plan.config, source=str(path))
    if fingerprint.config_hash(config) != plan.config_hash and MASK in str(plan.config):
        raise InputError(
            f"{path}: the configuration in it holds a masked secret ({MASK})",
            hint="name the configuration file instead of the folder",
        )
    return config


def config_of_run(config: TrainConfig, run: PlannedRun, folder: Path) -> TrainConfig:
    """The configuration of one run of a study: a plain run's, with its seed."""
    return replace(
        config,
        mode="train",
        experiments_runner=ExperimentsRunnerConfig(),
        seed=run.seed,
        output_dir=str(folder),
    )


def state_of(folder: Path, run: PlannedRun) -> tuple[str, RunRecord | None]:
    """How a run stands, and its record if its directory can be read.

    The directory counts: a kill may have come between the end of a run and the note of it in the
    plan. Without one that can be read, a run is still to be made, unless that is what failed.
    """
    record = RunRecord.read_if_any(folder / run.directory)
    if record is None:
        return "failed" if run.state == "failed" else "pending", None
    could_not_go_on = run.state == "failed" and record.status in ("interrupted", "dead")
    return "failed" if could_not_go_on else record.status, record


def stray_run(folder: Path) -> Path | None:
    """A run directory that a study left in a folder; None if there is none."""
    found = sorted(folder.glob(f"run_*_seed*/{layout.METADATA}"))
    return found[0].parent if found else None
