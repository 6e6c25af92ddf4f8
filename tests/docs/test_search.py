"""The pages on searches say what the code does."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from axiomrl.search.description import Objective, Pruner, SearchConfig

from .conftest import Command
from .pages import DOCS, commands, save_files, table_under

REFERENCE = DOCS / "reference" / "search-file.md"
HOW_TO = DOCS / "how-to" / "search.md"
FEW_STEPS = pytest.mark.filterwarnings("ignore:hyperparameters.batch_size:UserWarning")
SMALL = [
    *("--set", "total_timesteps=512", "--set", "evaluation={every: 256, episodes: 1}"),
    *("--set", "search.n_trials=5", "--set", "search.seeds=[1]", "--set", "search.pruner=none"),
]


def test_every_key_of_a_search_is_documented() -> None:
    for block, heading in (
        (SearchConfig, "## The block `search`"),
        (Objective, "## `search.objective`"),
        (Pruner, "## `search.pruner`"),
    ):
        documented = table_under(REFERENCE, heading)
        assert list(documented) == [field.name for field in fields(block)]


@FEW_STEPS
def test_the_search_of_the_example_is_run_reported_and_confirmed(
    axiomrl: Command, folder: Path
) -> None:
    assert save_files(HOW_TO, folder) == ["search.yaml"]
    followed = []
    for _, (program, *words) in commands(HOW_TO):
        if program != "axiomrl" or words[0] != "tune":
            continue
        if words[1] == "--config":
            if (folder / "searches").exists():
                continue  # other ways to begin the same search
            words += SMALL
        if "--n-trials" in words:
            words[-1] = "6"  # one more than before
        if words[1] == "confirm":
            words[-4:] = ["--top", "1", "--seeds", "2"]
        axiomrl(*words)
        followed.append(words[1])
    assert {"--config", "--resume", "report", "plot", "best", "confirm"} <= set(followed)
    told = json.loads(axiomrl("tune", "report", "searches/my-search", "--output-format", "json"))
    documented = table_under(REFERENCE, "## JSON of `axiomrl tune report`")
    assert list(told) == list(documented)
    listed = documented["trials"].partition(":")[2].replace("`", "").replace(" ", "").split(",")
    assert [list(trial) for trial in told["trials"]] == [listed] * 6


@FEW_STEPS
def test_the_folder_of_a_search_is_as_documented(axiomrl: Command, folder: Path) -> None:
    save_files(HOW_TO, folder)
    axiomrl("tune", "--config", "search.yaml", *SMALL)
    axiomrl("tune", "confirm", "searches/my-search", "--top", "1", "--seeds", "1")
    text = REFERENCE.read_text(encoding="utf-8")
    for path in (folder / "searches" / "my-search").iterdir():
        assert f"  {path.name}" in text, path.name
