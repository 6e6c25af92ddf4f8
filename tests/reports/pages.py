"""Pages of leaderboards for tests, made and read as a user would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from axiomrl.cli.app import main

from .run_files import write_run

HOSTILE = (
    "<script>alert(1)</script>\"'&amp;\u2028</title><img src=x onerror=alert(2)>{{data}}\x00\x1b"
)


def make_page(file: Path, *words: str | Path) -> str:
    """`axiomrl leaderboard --output-file FILE --force`, and the file's text."""
    command = ["leaderboard", *map(str, words), "--output-file", str(file), "--force"]
    assert main(command) == 0
    return file.read_text(encoding="utf-8")


class Elements(HTMLParser):
    """A page taken apart: elements with attributes, and the text of each kind of element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open, data))

    def attributes(self, name: str) -> Iterator[str | None]:
        return (attributes[name] for _, attributes in self.tags if name in attributes)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.tags if found == tag]


def data_in(page: str) -> dict[str, Any]:
    """The data of a page, found without axiomrl's own reader."""
    opening = '<script type="application/json" id="axiomrl-data">'
    (_, rest) = page.split(opening)
    loaded: dict[str, Any] = json.loads(rest.partition("</script>")[0])
    return loaded


def write_hostile_runs(root: Path) -> None:
    """Runs whose every text is hostile; two groups with several seeds, a damaged and an old one."""
    text = HOSTILE
    for number, seed in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]:
        write_run(
            root / f"<b>run&{number}-{seed}",
            algo=f"{text}{number}",
            env_id=text,
            seed=seed,
            score=float(number + seed),
            config_hash=f"{text}{number}",
            run_id=text,
            status=text if seed else "completed",
            tags=[text],
            created_at_utc=text,
            curve=[(0, 0.0), (10, float(seed)), (20, float(number + seed))],
            config={text: {text: f"{text}{number}"}, "x": f"{number if seed < 2 else text}"},
            versions={"axiomrl": text, "torch": text},
            benchmark={"suite": text, "preset_name": f"{text}{number}"},
            best_checkpoint={"metric_name": text, "metric_value": 1.0, "path": text},
        )
    write_run(root / "again", algo=f"{text}0", env_id=text, seed=0, config_hash=f"{text}0")
    write_run(root / "unscored", algo=text, env_id=text, score=None, config_hash="f" * 16)
    (root / f"{'<i>' * 9}").mkdir()
    (root / f"{'<i>' * 9}" / "metadata.json").write_text(f'{{"algo": {json.dumps(text)}')
