"""What lies where in a search's folder, and `search.json`: what the search is.

docs/reference/search-file.md describes the folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from axiomrl import fingerprint
from axiomrl.config.dump import config_to_mapping
from axiomrl.config.resolve import config_from_mapping
from axiomrl.config.secrets import MASK, mask_mapping
from axiomrl.errors import InputError
from axiomrl.runs import files
from axiomrl.runs.metadata import LIMIT
from axiomrl.search.description import Search, search_from_values
from axiomrl.search.space import space_to_mapping

DESCRIPTION = "search.json"
JOURNAL = "journal.log"
RESULT = "result.json"
TRIALS = "trials"
LOCKS = ".locks"
SCHEMA_VERSION = 1
"""Version of search.json; added keys do not change it."""


def run_directory(folder: Path, number: int, seed: int) -> Path:
    """Where the run of a trial with a seed lies."""
    return folder / TRIALS / f"{number:04}" / f"seed{seed}"


def lock_file(folder: Path, name: str) -> Path:
    """A file that processes lock to take turns; its folder is made if missing."""
    locks = folder / LOCKS
    locks.mkdir(exist_ok=True)
    return locks / name


@dataclass(kw_only=True)
class _Stored:
    """The content of search.json."""

    schema_version: int
    search: dict[str, Any]  # the block `search`, with every default
    base: dict[str, Any]  # every setting, secrets masked
    config_hash: str  # of the base
    config_hash_scheme: int = fingerprint.SCHEME
    created_at_utc: str = ""
    command: list[str] | None = None


def write_description(
    folder: Path, search: Search, *, command: Sequence[str], created_at_utc: str
) -> None:
    """Write search.json."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "created_at_utc": created_at_utc,
        "command": list(command),
        "config_hash": fingerprint.config_hash(search.base),
        "config_hash_scheme": fingerprint.SCHEME,
        "search": search.to_mapping(),
        "base": mask_mapping(config_to_mapping(search.base)),
    }
    files.write_json(folder / DESCRIPTION, content)


def write_n_trials(folder: Path, n_trials: int) -> None:
    """Change how many trials there are to be in search.json; everything else stays as it is."""
    path = folder / DESCRIPTION
    _read(path)  # is understood
    content = msgspec.json.decode(path.read_bytes())
    content["search"]["n_trials"] = n_trials
    files.write_json(path, content)


def read_description(folder: Path, *, for_running: bool = False) -> Search:
    """The search in a folder, which may have been moved.

    Raises InputError if there is none or it cannot be understood and, with `for_running`, if its
    base holds a masked secret, without which nothing can be trained.
    """
    path = folder / DESCRIPTION
    stored = _read(path)
    base = config_from_mapping(stored.base, source=f"{path}: base")
    if for_running and fingerprint.config_hash(base) != stored.config_hash:
        if MASK in str(stored.base):
            raise InputError(
                f"{path}: the configuration in it holds a masked secret ({MASK})",
                hint=f"write the value in place of {MASK} for the time of this command",
            )
        if stored.config_hash_scheme == fingerprint.SCHEME:
            raise InputError(
                f"{path}: the configuration in it is not the one the search began with",
                hint="restore the file, or begin another search",
            )
    return search_from_values(stored.search, base, source=str(path))


def _read(path: Path) -> _Stored:
    try:
        data, _ = files.read_regular_file(str(path), limit=LIMIT)
        stored = msgspec.json.decode(data, type=_Stored)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"{path.parent}: holds no search (there is no {DESCRIPTION})",
            hint="begin one with: axiomrl tune --config FILE",
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (InputError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: describes no search that can be read: {error}") from error
    if stored.schema_version > SCHEMA_VERSION:
        raise InputError(
            f"{path}: was written by a newer axiomrl (schema_version {stored.schema_version}, "
            f"known here: {SCHEMA_VERSION})",
            hint="go on with the version that wrote it",
        )
    return stored


def changed_parts(folder: Path, search: Search) -> list[str]:
    """What a search says otherwise than the one in a folder, by name.

    Where it lies may differ, and how many trials there are to be (see `running.extend`).
    """
    stored = _read(folder / DESCRIPTION)
    here = {"output_dir": None, "name": None, "n_trials": None}
    before = {**stored.search, **here}
    now: Mapping[str, Any] = {**search.to_mapping(), **here}
    changed = [f"search.{name}" for name in now if before.get(name) != now[name]]
    if fingerprint.config_hash(search.base) != stored.config_hash:
        changed.append("base")
    return changed


def space_of(search: Search) -> dict[str, Any]:
    """The space as `ExperimentResult.hp_search_space` has it."""
    return space_to_mapping(search.space)
