"""Tags that are put on a run, or taken off it, after it was started.

They lie in `tags.json` beside metadata.json, which only the run's own process writes: a run can be
tagged while it is trained. What the configuration says is never changed; the file says what was
added to it and what was removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from axiomrl.errors import InputError
from axiomrl.runs import files
from axiomrl.runs.locks import locked

TAGS = "tags.json"
SCHEMA_VERSION = 1
"""Version of tags.json; added keys do not change it."""

LOCKS = ".locks"
LONGEST_TAG = 64  # characters
_NO_TAG = re.compile(r"[\s,]")


def checked_tag(text: str) -> str:
    """The text, if it may be a tag; raises InputError that says why not."""
    reason = None
    if not text:
        reason = "is empty"
    elif len(text) > LONGEST_TAG:
        reason = f"has {len(text)} characters, at most {LONGEST_TAG} are allowed"
    elif text[0] in "+-":
        reason = "begins with + or -, which say what to do with a tag"
    elif _NO_TAG.search(text) or not text.isprintable():
        reason = "holds white space, a comma or a control character"
    if reason is not None:
        raise InputError(f"tag {text!r} {reason}")
    return text


def tags_of(
    directory: Path, metadata_tags: Iterable[str] | None, *, problems: list[str] | None = None
) -> tuple[str, ...]:
    """A run's tags: those of its configuration, without those removed, then those added.

    `metadata_tags` is `tags` of metadata.json. A damaged tags.json raises InputError, or counts
    as absent and becomes one of `problems` where these are collected.
    """
    try:
        added, removed = _read(directory / TAGS)
    except InputError as error:
        if problems is None:
            raise
        problems.append(error.message)
        added, removed = [], []
    return _combined(metadata_tags, added, removed)


def change_tags(
    directory: Path,
    metadata_tags: Iterable[str] | None,
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
) -> tuple[str, ...]:
    """Put tags on a run and take others off; the tags that it has then.

    Adding what is there, or removing what is not, changes nothing. Raises InputError for a text
    that is no tag, for one that is both added and removed, and for a damaged tags.json, which
    is left as it is.
    """
    for tag in (*add, *remove):
        checked_tag(tag)
    both = sorted(set(add) & set(remove))
    if both:
        raise InputError(f"tag {both[0]!r} is both added and removed")
    directory = directory.resolve()
    configured = list(metadata_tags or ())
    with locked(directory.parent / LOCKS / "tags.lock"):
        files.remove_stale_temporaries(directory, of=TAGS)
        before = _read(directory / TAGS)
        added = [tag for tag in before[0] if tag not in remove]
        added += [tag for tag in dict.fromkeys(add) if tag not in (*added, *configured)]
        removed = [tag for tag in before[1] if tag not in add]
        removed += [t for t in dict.fromkeys(remove) if t in configured and t not in removed]
        if (added, removed) != before:
            content = {"schema_version": SCHEMA_VERSION, "added": added, "removed": removed}
            files.write_json(directory / TAGS, content)
    return _combined(configured, added, removed)


def _combined(
    configured: Iterable[str] | None, added: Sequence[str], removed: Sequence[str]
) -> tuple[str, ...]:
    kept = [tag for tag in configured or () if tag not in removed]
    return tuple(dict.fromkeys([*kept, *added]))


def _read(path: Path) -> tuple[list[str], list[str]]:
    """What was added and what was removed; raises InputError for what is no such file."""
    try:
        content = files.read_json(path)
    except FileNotFoundError:
        return [], []
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if type(version) is not int or version < 1:
        raise InputError(f"{path}: is no list of tags: it has no schema_version")
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{path}: was written by a newer axiomrl (schema_version {version}, known here: "
            f"{SCHEMA_VERSION})"
        )
    return _texts(content, "added", path), _texts(content, "removed", path)


def _texts(content: dict[str, Any], key: str, path: Path) -> list[str]:
    texts = content.get(key, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{path}: {key} is no list of texts")
    return texts
