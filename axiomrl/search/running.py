"""Beginning a search, going on with one, and doing either from Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from axiomrl.config.resolve import config_from_mapping, load_config
from axiomrl.config.schema import TrainConfig
from axiomrl.errors import InputError
from axiomrl.results import ExperimentResult
from axiomrl.runs.clock import Clock, timestamp, utc_now
from axiomrl.runs.locks import locked
from axiomrl.runs.provenance import masked_command
from axiomrl.search.description import Search, search_from_values
from axiomrl.search.engine import Display, Engine
from axiomrl.search.folder import (
    DESCRIPTION,
    changed_parts,
    lock_file,
    read_description,
    write_description,
    write_n_trials,
)
from axiomrl.search.journal import Journal, Trial
from axiomrl.search.outcome import result_of
from axiomrl.search.space import Dimension
from axiomrl.study.launchers.contract import Launcher
from axiomrl.study.launchers.opening import open_launcher


def begin(search: Search, *, command: Sequence[str] | None = None, now: Clock = utc_now) -> Path:
    """Make the folder of a search that has not begun, and write down what it is.

    Raises InputError if there is a search already, or the folder cannot be made.
    """
    folder = search.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"search.output_dir: {folder} cannot be made: {error.strerror or error}",
            hint="choose another folder",
        ) from error
    with locked(lock_file(folder, "turn")):
        if (folder / DESCRIPTION).exists():
            raise InputError(
                f"{folder}: already holds a search",
                hint=f"go on with it: axiomrl tune --resume {folder}\n"
                "or begin another one with another search.name",
            )
        write_description(
            folder, search, command=masked_command(command), created_at_utc=timestamp(now())
        )
    return folder


def extend(folder: Path, n_trials: int) -> None:
    """Change how many trials there are to be in the search in a folder.

    The trials so far stay, and those that follow are what they would have been, had it been begun
    with that many. Processes at work on the search go on to the number they have read. Raises
    InputError for a folder without a search, and for fewer trials than there are already.
    """
    search = read_description(folder)
    if n_trials == search.config.n_trials:
        return
    journal = Journal(folder, search, is_writer=True)
    with journal.turn():
        count = len(journal.trials())
        if n_trials < count:
            raise InputError(
                f"{folder}: has {count} trials, so it cannot end with {n_trials}",
                hint=f"trials are kept: ask for {count} or more",
            )
        write_n_trials(folder, n_trials)


def run_search(
    folder: Path,
    launcher: Launcher,
    *,
    command: Sequence[str] | None = None,
    imports: Sequence[str] = (),
    display: Display | None = None,
    now: Clock = utc_now,
) -> tuple[Search, list[Trial]]:
    """Bring the search in a folder to its end; gives every trial.

    Finished trials are kept; those that a process had begun which is no more are continued. What
    other processes are at work on is left to them. Raises InputError for a folder without a
    search, and Interrupted after a signal.
    """
    search = read_description(folder, for_running=True)
    engine = Engine(
        folder, search, launcher, command=command, imports=imports, display=display, now=now
    )
    return search, engine.run()


def tune(
    base: TrainConfig | Mapping[str, Any] | Path | str,
    space: Mapping[str, Dimension | Mapping[str, Any]],
    *,
    name: str,
    output_dir: Path | str = "searches",
    n_trials: int | None = None,
    seeds: Iterable[int] = (1, 2, 3),
    objective: Mapping[str, Any] | None = None,
    sampler: str = "tpe",
    sampler_seed: int = 0,
    pruner: str | Mapping[str, Any] = "none",
    include_base: bool = True,
    resume: bool = False,
    launcher: str | Launcher = "inline",
    n_workers: int | None = None,
    launcher_options: Mapping[str, str] | None = None,
    display: Display | None = None,
) -> ExperimentResult:
    """Search for settings that are better than those of a base configuration.

    `base` is a configuration, its settings or a file. The other parameters are those of a search
    file, in `space` with dimensions such as `search.uniform(0, 1)`. With `resume`, a search that
    was begun in the folder goes on; it must be the same one, of which there may be more trials.

    The result holds one `RunResult` per trial, of which only completed ones have a score. Raises
    InputError before anything is trained for what cannot be searched, and for a search that is
    there already; Interrupted after a signal.
    """
    chosen = {
        "name": name,
        "output_dir": str(output_dir),
        "n_trials": n_trials,
        "seeds": list(seeds),
        "objective": dict(objective or {}),
        "sampler": sampler,
        "sampler_seed": sampler_seed,
        "pruner": dict(pruner) if isinstance(pruner, Mapping) else pruner,
        "include_base": include_base,
        "space": dict(space),
    }
    wanted = search_from_values(chosen, _config(base), source="tune")
    opened = (
        open_launcher(launcher, n_workers=n_workers, options=launcher_options)
        if isinstance(launcher, str)
        else launcher
    )
    folder = wanted.folder
    if resume and (folder / DESCRIPTION).exists():
        _require_same(wanted, folder)
        if n_trials is not None:
            extend(folder, n_trials)
    else:
        begin(wanted)
    search, trials = run_search(folder, opened, display=display)
    return result_of(search, trials)


def _config(base: TrainConfig | Mapping[str, Any] | Path | str) -> TrainConfig:
    if isinstance(base, TrainConfig):
        return base
    if isinstance(base, Mapping):
        return config_from_mapping(base, source="tune: base")
    return load_config(base)


def _require_same(search: Search, folder: Path) -> None:
    changed = changed_parts(folder, search)
    if changed:
        raise InputError(
            f"{folder}: holds another search: {', '.join(changed)} differs",
            hint="undo that, or begin another search with another name",
        )
