"""A leaderboard as one self-contained page: styles, script and data are inside, nothing else loads.

The data is JSON in a script element that is not executed; the page's script sets it as text. The
page's policy allows that script and those styles by their digests, and nothing besides.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from axiomrl.reports.document import Document

DATA_ID = "axiomrl-data"
_FOLDER = Path(__file__).resolve().parent / "html"
_SCRIPTS = ("elements.js", "tables.js", "curves.js", "groups.js", "page.js")  # in this order
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_UNSAFE = {ord(each): f"\\u{ord(each):04x}" for each in "<>&"}  # in JSON only within strings


@dataclass(frozen=True)
class Template:
    """The parts of a page that are the same in all of them."""

    page: str
    style: str
    script: str

    @property
    def policy(self) -> str:
        """What the browser may load and run: the page's own style and script."""
        return (
            f"default-src 'none'; script-src {_source(self.script)}; "
            f"style-src {_source(self.style)}; base-uri 'none'; form-action 'none'"
        )

    @property
    def digest(self) -> str:
        """Tells whether two pages were made with the same template."""
        parts = "\0".join((self.page, self.style, self.script))
        return hashlib.sha256(parts.encode()).hexdigest()


@functools.cache
def template() -> Template:
    """The template that comes with axiomrl."""
    page, style, *scripts = (
        (_FOLDER / name).read_text(encoding="utf-8")
        for name in ("page.html", "style.css", *_SCRIPTS)
    )
    return Template(page, style, "".join(scripts))


def render_document(document: Document) -> str:
    """The page of a document that has one; raises ValueError for any other."""
    if document.page is None:
        raise ValueError(f"a {document.kind} has no page")
    return render_page(document.page)


def render_page(data: Mapping[str, Any]) -> str:
    """The page that shows the mapping made by `page_data`."""
    made = template()
    content = embedded(data)
    parts = {
        "policy": html.escape(made.policy, quote=False),
        "template": made.digest,
        "seal": _seal(content),
        "title": html.escape(f"Leaderboard: {data['leaderboard']['metric']}"),
        "style": made.style,
        "script": made.script,
        "text": html.escape(data["text"]),
        "data": content,
    }
    return _PLACEHOLDER.sub(lambda found: parts[found[1]], made.page)


def embedded(data: Mapping[str, Any]) -> str:
    """JSON in ASCII that no parser of HTML takes for markup."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.translate(_UNSAFE)


def data_of(page: str) -> Any:
    """The mapping in a page; raises ValueError if there is none."""
    return json.loads(_content_of(page))


def is_edited(page: str) -> bool:
    """Whether a page is no longer as it was made, as far as that can be told.

    Of a page that another version of axiomrl made, that is only whether its data is as it was.
    Raises ValueError if there is no data.
    """
    content = _content_of(page)
    if _mark(page, "axiomrl-seal") != _seal(content):
        return True
    same_template = _mark(page, "axiomrl-template") == template().digest
    return same_template and render_page(json.loads(content)) != page


def _content_of(page: str) -> str:
    reader = _DataReader()
    reader.feed(page)
    if not reader.found:
        raise ValueError("holds no data of a leaderboard")
    return "".join(reader.parts)


def _mark(page: str, name: str) -> str | None:
    found = re.search(rf'<meta name="{name}" content="([0-9a-f]{{64}})">', page)
    return found[1] if found else None


def _seal(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


class _DataReader(HTMLParser):
    """Collects the text of the element that holds the data."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False
        self.parts: list[str] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by the parser."""
        self._is_inside = tag == "script" and ("id", DATA_ID) in attrs
        self.found = self.found or self._is_inside

    def handle_endtag(self, tag: str) -> None:
        """Called by the parser."""
        self._is_inside = False

    def handle_data(self, data: str) -> None:
        """Called by the parser."""
        if self._is_inside:
            self.parts.append(data)


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
