"""What several runs gave together, and which of them is best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from axiomrl.errors import InputError
from axiomrl.results.run_result import RunResult
from axiomrl.runs import files
from axiomrl.runs.json_values import to_json

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]

SCHEMA_VERSION = 1
"""Version of saved experiment results; added keys do not change it."""


class ExperimentResult:
    """Several results, and which of them is best; a sequence of `RunResult`s."""

    def __init__(
        self,
        hp_search_space: Any = None,
        run_results: Iterable[RunResult] = (),
        best_idx: int | None = None,
        name: str | None = None,
        client_id: str | None = None,
        higher_is_better: bool = True,
    ) -> None:
        """`best_idx` is kept if it is given; raises InputError if no result has that place."""
        self.hp_search_space = hp_search_space  # whatever describes what was searched
        self.run_results = list(run_results)
        self.name = name
        self.client_id = client_id
        self.higher_is_better = higher_is_better
        if best_idx is not None and best_idx not in range(len(self.run_results)):
            raise InputError(
                f"best_idx is {best_idx!r}, but there are {len(self.run_results)} results",
                hint="count from 0, or leave it out to have the best score looked up",
            )
        self._given_best = None if best_idx is None else int(best_idx)

    @property
    def best_idx(self) -> int | None:
        """The place of the best result, as given, else by score; None if there is none.

        Results without a finite score and failed ones never win; of equal ones the first does.
        """
        if self._given_best is not None:
            return self._given_best
        sign = 1 if self.higher_is_better else -1
        best: tuple[float, int] | None = None
        for place, result in enumerate(self.run_results):
            score = result.score
            if score is None or not math.isfinite(score) or result.is_failed:
                continue
            if best is None or sign * score > best[0]:
                best = (sign * score, place)
        return None if best is None else best[1]

    @property
    def best_run_result(self) -> RunResult | None:
        """The best result, or None if there is none."""
        place = self.best_idx
        return None if place is None else self.run_results[place]

    def to_df(self, include_metadata: bool = True) -> DataFrame:
        """One row per result: `score` (NaN without one), `param_<name>`, `metadata_<name>`."""
        import pandas

        rows = []
        for result in self.run_results:
            row: dict[str, Any] = {"score": math.nan if result.score is None else result.score}
            row.update({f"param_{name}": value for name, value in result.params.items()})
            rows.append(row)
        if include_metadata:
            for row, result in zip(rows, self.run_results, strict=True):
                row.update({f"metadata_{name}": each for name, each in result.metadata.items()})
        names = {name: None for row in rows for name in row}  # in order of first appearance
        kinds = ("score", "param_", "metadata_")
        ordered = [name for kind in kinds for name in names if name.startswith(kind)]
        return pandas.DataFrame(rows, columns=ordered or ["score"])

    def save(self, path: Path | str) -> Path:
        """Write everything to a JSON file, of which folders are made; returns its path.

        A result that was loaded says what was saved, with NaN as None and every value as JSON
        has it. Raises InputError for what JSON cannot hold, AxiomRLError if the file system
        refuses.
        """
        content = {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "client_id": self.client_id,
            "higher_is_better": self.higher_is_better,
            "best_idx": self._given_best,
            "hp_search_space": to_json(self.hp_search_space, "hp_search_space"),
            "run_results": [result.to_mapping() for result in self.run_results],
        }
        path = Path(path).expanduser()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise files.cannot_write(path, error) from error
        files.write_json(path, to_json(content, "experiment result"))
        return path

    @classmethod
    def load(cls, path: Path | str) -> ExperimentResult:
        """What `save` wrote; raises InputError if the file is missing, damaged or another."""
        path = Path(path).expanduser()
        try:
            saved = msgspec.convert(files.read_json(path), _Saved)
            if saved.schema_version > SCHEMA_VERSION:
                raise InputError(
                    f"it was written by a newer axiomrl (schema_version {saved.schema_version}, "
                    f"known here: {SCHEMA_VERSION})"
                )
            return cls(
                hp_search_space=saved.hp_search_space,
                run_results=[RunResult.from_mapping(each) for each in saved.run_results],
                best_idx=saved.best_idx,
                name=saved.name,
                client_id=saved.client_id,
                higher_is_better=saved.higher_is_better,
            )
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
        except InputError as error:
            raise InputError(f"{path}: holds no result to load: {error.message}") from error
        except (ValueError, RecursionError, msgspec.ValidationError) as error:
            raise InputError(f"{path}: holds no result to load: {error}") from error

    def __len__(self) -> int:
        return len(self.run_results)

    def __iter__(self) -> Iterator[RunResult]:
        return iter(self.run_results)

    def __getitem__(self, place: int) -> RunResult:
        return self.run_results[place]

    def __repr__(self) -> str:
        return f"ExperimentResult(name={self.name!r}, {len(self)} results, best {self.best_idx})"


class _Saved(msgspec.Struct):
    """Types of the keys of a saved experiment result."""

    schema_version: int
    run_results: list[dict[str, Any]]
    hp_search_space: Any = None
    best_idx: int | None = None
    name: str | None = None
    client_id: str | None = None
    higher_is_better: bool = True
