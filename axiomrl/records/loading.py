"""Reads every record below a folder of results; what cannot be read is told."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from axiomrl.errors import InputError
from axiomrl.records.files import read_config, read_record
from axiomrl.records.layout import CONFIG, RECORDS, Place, absolute
from axiomrl.results import RunResult
from axiomrl.runs.scanning import ScanProblem

_RECORD = re.compile(r"seed\d+\.json")


@dataclass(frozen=True)
class LoadedRecords:
    """What records say, and which of them could not be read."""

    by_configuration: dict[str, list[RunResult]]  # config_hash -> results in the order of seeds
    problems: list[ScanProblem]

    @property
    def results(self) -> list[RunResult]:
        """Every result, configuration after configuration."""
        return [result for results in self.by_configuration.values() for result in results]


def load_records(save_dir: Path | str) -> LoadedRecords:
    """The results that experiments have left in a folder, grouped by configuration.

    Damaged records become problems, and so does a configuration that does not match its hash;
    files of other kinds are passed over. A folder that is not there holds none.
    """
    save_dir = absolute(save_dir)
    loaded = LoadedRecords({}, [])
    for folder in _folders(save_dir / RECORDS, depth=3):
        results = _load_configuration(save_dir, folder, loaded.problems)
        if results:
            loaded.by_configuration[folder.name] = results
    return loaded


def _load_configuration(
    save_dir: Path, folder: Path, problems: list[ScanProblem]
) -> list[RunResult]:
    paths = sorted(path for path in _entries(folder) if _RECORD.fullmatch(path.name))
    config = folder / CONFIG
    try:
        content = read_config(config)
    except FileNotFoundError:
        if paths:
            problems.append(ScanProblem(config, "is missing; the records beside it are left out"))
        return []
    except InputError as error:
        problems.append(_problem(config, error))
        return []
    place = Place(
        save_dir=save_dir,
        algo=content["algo"],
        env_id=content["env_id"],
        config_hash=content["config_hash"],
    )
    if place.records != folder:
        problems.append(ScanProblem(config, f"belongs in {place.records}"))
        return []
    results = []
    for path in paths:
        try:
            results.append(read_record(path, place, content["run_config"]))
        except FileNotFoundError:  # removed meanwhile
            continue
        except InputError as error:
            problems.append(_problem(path, error))
    return sorted(results, key=lambda result: result.seed or 0)


def _folders(root: Path, *, depth: int) -> Iterator[Path]:
    """The folders so many levels below another, in order; hidden ones are left out."""
    for path in sorted(_entries(root)):
        if path.is_dir() and not path.name.startswith("."):
            if depth == 1:
                yield path
            else:
                yield from _folders(path, depth=depth - 1)


def _entries(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder)]
    except FileNotFoundError:  # there are no records, or they were removed meanwhile
        return []


def _problem(path: Path, error: InputError) -> ScanProblem:
    return ScanProblem(path, error.message.removeprefix(f"{path}: "))
