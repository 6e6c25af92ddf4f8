"""Run records as another writer may have left them: a folder with whichever files are given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from axiomrl.runs.record import RunRecord


def record_in(
    folder: Path,
    *,
    config: Mapping[str, Any] | str | None = None,
    rows: Sequence[Mapping[str, Any]] | str | None = None,
    **metadata: Any,
) -> RunRecord:
    """A run with these keys in metadata.json; config and rows as objects or as text."""
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text(json.dumps(metadata))
    if config is not None:
        text = config if isinstance(config, str) else json.dumps(config)
        (folder / "config.yaml").write_text(text)
    if rows is not None:
        text = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "metrics.jsonl").write_text(text)
    return RunRecord.read(folder)
