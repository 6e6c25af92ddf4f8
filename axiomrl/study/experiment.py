"""`Experiment`: one configuration, trained with several seeds from Python."""

from __future__ import annotations

import copy
import dataclasses
import functools
import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from axiomrl import fingerprint
from axiomrl.config.dump import config_to_mapping
from axiomrl.config.resolve import config_from_mapping, load_config
from axiomrl.config.schema import TrainConfig
from axiomrl.errors import InputError
from axiomrl.records.layout import absolute
from axiomrl.records.store import RecordStore
from axiomrl.results import RunResult
from axiomrl.runs.files import plain_number
from axiomrl.study.launchers.contract import Job, JobProgress, Launcher
from axiomrl.study.launchers.inline import InlineLauncher
from axiomrl.study.launchers.opening import open_launcher
from axiomrl.study.launchers.worker import execute
from axiomrl.study.pairs import checked_if_exists, finished_error, run_pairs

if TYPE_CHECKING:
    from axiomrl.artifacts.reference import ArtifactBackend
    from axiomrl.training.session import OnProgress

DEFAULT_FOLDER = "./results"
_NOT_SETTINGS = {
    "seed": "give seeds to run(seeds=[…])",
    "output_dir": "save_dir says where results go",
}
_log = logging.getLogger(__name__)


class Experiment:
    """One configuration whose results are kept below `save_dir`, a record per seed.

    Settings are those of a configuration file; what is not given has the default of
    `TrainConfig`, never a preset's. Raises ConfigError for settings that cannot be used.
    """

    def __init__(
        self,
        algo: str,
        env_id: str,
        total_timesteps: int = 100_000,
        *,
        save_dir: Path | str = DEFAULT_FOLDER,
        **settings: Any,
    ) -> None:
        values = {"algo": algo, "env_id": env_id, "total_timesteps": total_timesteps, **settings}
        self.config = _resolved(values)  # its seed and output_dir do not matter
        self.save_dir = absolute(save_dir)
        self.backend: ArtifactBackend | None = None  # None: `artifacts/` in save_dir

    @classmethod
    def from_config(
        cls,
        path: Path | str,
        *,
        overrides: Sequence[str] = (),
        save_dir: Path | str = DEFAULT_FOLDER,
    ) -> Self:
        """The experiment that a configuration file describes, such as a preset.

        `overrides` are `key.path=value` texts; the file's `seed` and `output_dir` do not matter.
        """
        values = config_to_mapping(load_config(path, overrides=overrides))
        settings = {name: value for name, value in values.items() if name not in _NOT_SETTINGS}
        return cls(**settings, save_dir=save_dir)

    @property
    def config_hash(self) -> str:
        """What its records, artifacts and runs are filed under."""
        return fingerprint.config_hash(self.config)

    def with_local(self, path: Path | str) -> Self:
        """The same experiment with its results, artifacts included, in another folder."""
        other = copy.copy(self)
        other.save_dir, other.backend = absolute(path), None
        return other

    def with_backend(self, backend: ArtifactBackend | str | Path) -> Self:
        """The same experiment with its best checkpoints stored elsewhere: a backend, URL or folder.

        Records and runs stay in `save_dir`.
        """
        if isinstance(backend, str | Path):
            from axiomrl.artifacts.opening import open_backend

            backend = open_backend(backend)
        other = copy.copy(self)
        other.backend = backend
        return other

    def run(
        self,
        seeds: Iterable[int],
        *,
        if_exists: str = "skip",
        launcher: str = "inline",
        n_workers: int | None = None,
        launcher_options: Mapping[str, Any] | None = None,
        on_progress: OnProgress | None = None,
    ) -> list[RunResult]:
        """Train with each seed; the results in the order of the seeds.

        They are trained one after another, or `n_workers` at once by another `launcher`
        (`process`, `ray` or `slurm`), which has `launcher_options` of its own.

        The result of a finished seed is reused (`if_exists="skip"`, which is logged as a
        warning), trained again in a directory of its own ("new-attempt"), or refused ("error").
        A run that was killed, interrupted or has failed is continued from its newest checkpoint.

        A run that fails does not end the series: its result has the status `failed` and the
        error in `metadata`, and no score. `on_progress` is told how a run stands, by runs that are
        trained here about ten times a second, by others about once; true from it ends that run
        early, whose result then has the status `interrupted`.

        Raises InputError for bad input, RunAliveError if another process is at work on a seed,
        Interrupted after a signal; what was finished before is on the disk, and calling `run`
        again goes on from there.
        """
        configs = [replace(self.config, seed=seed) for seed in _checked_seeds(seeds)]
        return _run_all(
            configs,
            RecordStore(self.save_dir, backend=self.backend),
            if_exists=if_exists,
            launcher=_opened(launcher, n_workers, launcher_options),
            on_progress=on_progress,
        )

    @classmethod
    def grid(
        cls,
        *,
        algos: Iterable[str],
        env_ids: Iterable[str],
        seeds: Iterable[int],
        hyperparameters: Mapping[str, Any] | None = None,
        save_dir: Path | str = DEFAULT_FOLDER,
        backend: ArtifactBackend | str | Path | None = None,
        if_exists: str = "skip",
        launcher: str = "inline",
        n_workers: int | None = None,
        launcher_options: Mapping[str, Any] | None = None,
        on_progress: OnProgress | None = None,
        **settings: Any,
    ) -> list[RunResult]:
        """Train every combination of algorithm, environment, hyperparameters and seed.

        `hyperparameters` gives a list of values to try for each name (a value that is no list is
        used throughout); `settings` are those of an `Experiment`. Results come in the order of
        algorithms, environments, values in the order given, seeds; `config_hash` tells which
        belong together. Every configuration is checked before the first run starts. The rest is
        as for `run`.
        """
        experiments = [
            cls(
                algo=algo,
                env_id=env_id,
                save_dir=save_dir,
                hyperparameters=point,
                **settings,
            )
            for algo in _several("algos", algos)
            for env_id in _several("env_ids", env_ids)
            for point in _points(hyperparameters or {})
        ]
        if backend is not None:
            experiments = [experiment.with_backend(backend) for experiment in experiments]
        _require_distinct(experiments)
        numbers = _checked_seeds(seeds)
        return _run_all(
            [replace(each.config, seed=seed) for each in experiments for seed in numbers],
            RecordStore(experiments[0].save_dir, backend=experiments[0].backend),
            if_exists=if_exists,
            launcher=_opened(launcher, n_workers, launcher_options),
            on_progress=on_progress,
        )

    def __repr__(self) -> str:
        config = self.config
        return (
            f"Experiment(algo={config.algo!r}, env_id={config.env_id!r}, "
            f"total_timesteps={config.total_timesteps}, save_dir={str(self.save_dir)!r})"
        )


def _run_all(
    configs: Sequence[TrainConfig],
    store: RecordStore,
    *,
    if_exists: str,
    launcher: Launcher,
    on_progress: OnProgress | None,
) -> list[RunResult]:
    choice = checked_if_exists(if_exists)
    if choice == "error":  # before anything is trained
        for config in configs:
            if store.is_finished(config):
                raise finished_error(store, config)
    configs = [replace(each, output_dir=str(store.place(each).runs)) for each in configs]
    results: dict[int, RunResult] = {}

    def told(job: Job, progress: JobProgress) -> bool | None:
        # it has everything that the progress of a run which is trained here has
        state: Any = progress
        return None if on_progress is None else on_progress(state)

    for place, result, is_reused in run_pairs(
        store, configs, launcher, if_exists=choice, on_progress=told
    ):
        _tell(store, configs[place], result, is_reused)
        results[place] = result
    return [results[place] for place in range(len(configs))]


def _opened(name: str, n_workers: int | None, options: Mapping[str, Any] | None) -> Launcher:
    """The launcher; the one in this process tells of progress as often as `axiomrl.train`."""
    launcher = open_launcher(name, n_workers=n_workers, options=options)
    if isinstance(launcher, InlineLauncher):
        return InlineLauncher(functools.partial(execute, interval_s=0.0))
    return launcher


def _tell(store: RecordStore, config: TrainConfig, result: RunResult, is_reused: bool) -> None:
    """Log what the caller should know of a result."""
    name = f"{config.algo} on {config.env_id}, seed {config.seed}"
    if is_reused:
        _log.warning(
            '%s: finished already, %s is reused (if_exists="new-attempt" trains it again)',
            name, store.place(config).record(config.seed),
        )  # fmt: skip
    elif result.is_failed:
        error = result.metadata.get("error") or {}
        _log.warning("%s: failed: %s: %s", name, error.get("type"), error.get("message"))
    if "artifact_error" in result.metadata:
        _log.warning(
            "%s: the best checkpoint is not stored: %s", name, result.metadata["artifact_error"]
        )


def _resolved(settings: Mapping[str, Any]) -> TrainConfig:
    """The configuration; raises ConfigError for settings that are not the experiment's."""
    for name in _NOT_SETTINGS.keys() & settings.keys():
        raise InputError(
            f"Experiment: {name} is not a setting of an experiment", hint=_NOT_SETTINGS[name]
        )
    return config_from_mapping(_plain(settings), source="Experiment")


def _plain(value: Any) -> Any:
    """A value as a configuration file would give it: blocks as mappings, NumPy's numbers plain."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        block: Any = value
        return config_to_mapping(block)
    return plain_number(value)


def _checked_seeds(seeds: Iterable[int]) -> list[int]:
    """The seeds as plain numbers; raises InputError unless they are distinct ones, at least one."""
    if isinstance(seeds, str | bytes) or not isinstance(seeds, Iterable):
        raise InputError(
            f"seeds is {seeds!r}, but must be a list of whole numbers", hint="seeds=[1, 2, 3]"
        )
    checked: list[int] = []
    for seed in map(plain_number, seeds):
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise InputError(f"seeds: {seed!r} is not a whole number that is at least 0")
        if seed in checked:
            raise InputError(f"seeds: {seed} stands there twice")
        checked.append(seed)
    if not checked:
        raise InputError("seeds: there are none", hint="seeds=[1, 2, 3]")
    return checked


def _several(name: str, values: Iterable[str] | str) -> list[str]:
    listed = [values] if isinstance(values, str) else list(values)
    if not listed:
        raise InputError(f"{name}: there are none")
    return listed


def _points(hyperparameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of values, the last name's changing quickest."""
    choices = []
    for name, value in hyperparameters.items():
        values = value.tolist() if hasattr(value, "tolist") else value
        values = list(values) if isinstance(values, list | tuple | range) else [values]
        if not values:
            raise InputError(f"hyperparameters: {name} has no values to try")
        choices.append(values)
    for combination in itertools.product(*choices):
        yield dict(zip(hyperparameters, combination, strict=True))


def _require_distinct(experiments: Sequence[Experiment]) -> None:
    seen: dict[str, Experiment] = {}
    for experiment in experiments:
        other = seen.setdefault(experiment.config_hash, experiment)
        if other is not experiment:
            raise InputError(
                f"the grid has a configuration twice: {experiment.config.algo} on "
                f"{experiment.config.env_id} with {experiment.config.hyperparameters}",
                hint="give each value once; 1 and 1.0 are the same",
            )
