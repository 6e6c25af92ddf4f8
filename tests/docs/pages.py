"""The documentation as the tests see it: pages, their snippets, tables and links."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]

_FENCE = re.compile(
    r"(?:<!-- file: (?P<file>\S+) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Snippet:
    """One fenced block; `file` names the file that the reader is told to save it as."""

    page: Path
    line: int
    language: str
    text: str
    file: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"


def snippets(page: Path, *languages: str) -> list[Snippet]:
    """The fenced blocks of a page in some languages, in their order."""
    text = page.read_text(encoding="utf-8")
    return [
        Snippet(
            page,
            text.count("\n", 0, found.start()) + 1,
            found["language"],
            re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
            found["file"],
        )
        for found in _FENCE.finditer(text)
        if found["language"] in languages
    ]


def all_snippets(*languages: str) -> list[Snippet]:
    return [each for page in PAGES for each in snippets(page, *languages)]


def prose(page: Path) -> str:
    """The text of a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def commands(page: Path) -> list[tuple[str, list[str]]]:
    """Every shell command of a page as words, with where it stands.

    Continued lines are joined; comments, a final `&` and the lines of loops are left out.
    """
    found = []
    for snippet in snippets(page, "bash", "sh"):
        for line in snippet.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            words = words[:-1] if words[-1:] == ["&"] else words
            if words and words[0] not in ("for", "done", "wait"):
                found.append((str(snippet), words))
    return found


def table_under(page: Path, heading: str) -> dict[str, str]:
    """The first table below a heading: what stands in backticks in column one, and column two."""
    _, _, below = page.read_text(encoding="utf-8").partition(f"\n{heading}\n")
    rows: dict[str, str] = {}
    for line in below.splitlines():
        if line.startswith("|"):
            name, meaning = [cell.strip() for cell in line.split("|")[1:3]]
            if name.startswith("`"):
                rows[name.strip("`")] = meaning
        elif rows:
            break
    return rows


def save_files(page: Path, folder: Path) -> list[str]:
    """Save the snippets of a page that the reader is told to save; returns their names."""
    names = []
    for snippet in snippets(page, "python", "yaml"):
        if snippet.file is not None:
            (folder / snippet.file).write_text(snippet.text, encoding="utf-8")
            names.append(snippet.file)
    return names


def anchor(heading: str) -> str:
    """The fragment that GitHub gives a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return kept.strip().replace(" ", "-")
