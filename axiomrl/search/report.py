"""A search as tables and JSON: its trials, the best of them, which settings mattered."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from axiomrl.reports.document import Document, Section
from axiomrl.reports.table import Cell, Column, Table
from axiomrl.search.description import Search
from axiomrl.search.journal import Trial, quiet
from axiomrl.search.outcome import best_of

SCHEMA_VERSION = 1
"""Version of the JSON output; added keys do not change it."""
_FEWEST = 4  # completed trials, under which importances would mean nothing


@dataclass(frozen=True)
class Importances:
    """How much of the score's variation each setting explains; None of them where unknown."""

    shares: Mapping[str, float]  # the largest first; they add up to 1
    reason: str | None = None  # why there are none


def report_document(search: Search, trials: Sequence[Trial], *, now: datetime) -> Document:
    """The trials of a search, as every output format but JSON shows them."""
    table = trials_table(search, trials)
    sections = [Section(_title(search, trials), table, tuple(_remarks(search, trials, now)))]
    found = importances(search, trials)
    if found.shares:
        rows = tuple((path, share) for path, share in found.shares.items())
        shares = Table((Column("setting", "setting"), Column("share", "share", "number")), rows)
        note = "PED-ANOVA over the completed trials: which settings tell good ones from the rest."
        sections.append(Section("importances", shares, (note,)))
    else:
        sections.append(Section("importances", None, (f"None: {found.reason}.",)))
    return Document("search", tuple(sections), table)


def report_json(search: Search, trials: Sequence[Trial]) -> str:
    """The same for programs."""
    ranked = best_of(search, trials)
    content = {
        "schema_version": SCHEMA_VERSION,
        "trials": [_as_mapping(trial) for trial in trials],
        "best": _as_mapping(ranked[0]) if ranked else None,
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def trials_table(search: Search, trials: Sequence[Trial]) -> Table:
    """One row per trial; the best one stands out."""
    labels = short_names(list(search.space))
    columns = [
        Column("number", "trial", "integer"),
        Column("state", "state"),
        Column("score", "score", "figure"),
        Column("n_seeds", "n", "integer"),
        Column("last_intermediate", "last intermediate", "figure"),
    ]
    for path in search.space:
        is_numeric = all(_is_number(trial.params.get(path)) for trial in trials)
        columns.append(Column(path, labels[path], "figure" if is_numeric else "text"))
    columns += [Column("is_base", "base"), Column("error", "error")]
    rows: list[tuple[Cell, ...]] = []
    for trial in trials:
        values = [trial.params.get(path) for path in search.space]
        shown: list[Cell] = [
            _cell(value, column) for value, column in zip(values, columns[5:], strict=False)
        ]
        rows.append(
            (
                trial.number,
                trial.state,
                trial.score,
                len(trial.scores) or None,
                trial.last_intermediate if trial.state == "pruned" else None,
                *shown,
                "base" if trial.is_base else None,
                trial.error,
            )
        )
    ranked = best_of(search, trials)
    emphasis = frozenset([ranked[0].number]) if ranked else frozenset()
    return Table(tuple(columns), tuple(rows), emphasis=emphasis)


def importances(search: Search, trials: Sequence[Trial]) -> Importances:
    """The importance of each setting, by PED-ANOVA (Watanabe et al. 2023) over completed trials.

    A base outside of the space has no part in it.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.storages import InMemoryStorage
    from optuna.study import Study, StudyDirection

    usable = [trial for trial in trials if trial.state == "completed" and trial.optuna.params]
    if len(usable) < _FEWEST:
        return Importances({}, f"it takes {_FEWEST} completed trials, and there are {len(usable)}")
    if len({trial.score for trial in usable}) == 1:
        return Importances({}, "all completed trials have the same score")
    way = "MAXIMIZE" if search.higher_is_better else "MINIMIZE"
    with quiet():
        storage = InMemoryStorage()
        storage.create_new_study([StudyDirection[way]], "importances")
        study = Study("importances", storage)
        study.add_trials([trial.optuna for trial in usable])
        evaluator = PedAnovaImportanceEvaluator()
        found = get_param_importances(study, evaluator=evaluator)
    shares = {path: float(share) for path, share in found.items()}
    if not shares or not all(math.isfinite(share) for share in shares.values()):
        return Importances({}, "the completed trials do not tell the settings apart")
    return Importances(dict(sorted(shares.items(), key=lambda each: -each[1])))


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """The last parts of dotted names, as many as it takes to tell them apart."""
    names = {}
    for path in paths:
        parts = path.split(".")
        # of a part of a setting, such as a schedule's start, the setting is named too
        for count in range(max(1, len(parts) - 1), len(parts) + 1):
            name = ".".join(parts[-count:])
            if sum(f".{other}".endswith(f".{name}") for other in paths) == 1:
                break
        names[path] = name
    return names


def score_words(search: Search) -> str:
    """What a trial's score is."""
    objective, count = search.config.objective, len(search.config.seeds)
    seeds = "1 seed" if count == 1 else f"{count} seeds"
    return f"{objective.statistic} over {seeds} of the {objective.reduce} {objective.metric}"


def shown_params(search: Search, params: Mapping[str, Any]) -> str:
    """A point in one line: `gamma=0.98, num_envs=8`."""
    labels = short_names(list(search.space))
    return ", ".join(f"{labels[path]}={shown_value(value)}" for path, value in params.items())


def shown_value(value: Any) -> str:
    """A value of a setting in a few characters."""
    if isinstance(value, Mapping) and "schedule" in value:
        ends = " to ".join(shown_value(value.get(end)) for end in ("start", "end"))
        return f"{value['schedule']} {ends}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def _title(search: Search, trials: Sequence[Trial]) -> str:
    counts = [
        f"{sum(trial.state == state for trial in trials)} {state}"
        for state in ("completed", "pruned", "failed", "running")
        if any(trial.state == state for trial in trials)
    ]
    limit = search.config.n_trials
    of_all = f" of {limit}" if limit is not None else ""
    return f"{search.config.name}: {len(trials)}{of_all} trials ({', '.join(counts) or 'none'})"


def _remarks(search: Search, trials: Sequence[Trial], now: datetime) -> list[str]:
    objective = search.config.objective
    remarks = [f"score: {score_words(search)}; {objective.direction}."]
    ranked = best_of(search, trials)
    if ranked:
        remarks.append(
            f"best: trial {ranked[0].number}. Its score is what it was selected by, and flatters "
            "it: axiomrl tune confirm measures it on fresh seeds."
        )
    left = [str(trial.number) for trial in trials if trial.is_abandoned(now)]
    if left:
        remarks.append(
            f"nobody is at work on trial {', '.join(left)}: axiomrl tune --resume goes on with it."
        )
    return remarks


def _as_mapping(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state,
        "params": dict(trial.params),
        "score": trial.score,
        "scores": {str(seed): score for seed, score in trial.scores.items()},
        "last_intermediate": trial.last_intermediate,
        "is_base": trial.is_base,
        "config_hash": trial.config_hash,
        "error": trial.error,
    }


def _cell(value: Any, column: Column) -> Cell:
    if value is None:
        return None
    if column.kind == "figure":
        return value if isinstance(value, int | float) else None
    return shown_value(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
