"""The page on records against real records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from axiomrl import Experiment

from .pages import DOCS, table_under

PAGE = DOCS / "reference" / "records.md"


def test_keys_of_records_are_documented(folder: Path) -> None:
    settings: dict[str, Any] = {"n_steps": 64, "n_epochs": 1, "hidden_sizes": [4]}
    (result,) = Experiment("ppo", "CartPole-v1", 64, hyperparameters=settings).run(seeds=[7])
    records = folder / "results" / "records" / "ppo" / "CartPole-v1" / str(result.config_hash)
    for name, heading in (("config.json", "`config.json`"), ("seed7.json", "`seed<N>.json`")):
        documented = table_under(PAGE, f"## {heading}")
        content = json.loads((records / name).read_text(encoding="utf-8"))
        assert list(content) == list(documented), name
    table = table_under(PAGE, "## `seed<N>.json`")
    for key in ("metadata", "attempts"):
        values = content[key][0] if key == "attempts" else content[key]
        assert all(f"`{name}`" in table[key] for name in values), key
