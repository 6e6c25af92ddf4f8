"""From a path or URL, as users write them, to a backend."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from axiomrl.artifacts.local import LocalBackend
from axiomrl.artifacts.reference import ArtifactBackend
from axiomrl.artifacts.retry import Retry, RetryingBackend
from axiomrl.errors import InputError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?=:)")  # one letter would be a drive


def open_backend(
    place: str | Path, *, retry: Retry | None = None, **options: Any
) -> ArtifactBackend:
    """The backend of a folder, a `file://` URL, or a URL that fsspec knows, with retries.

    `options` go to the file system of a URL (for S3: `endpoint_url`, `key`, `secret`…); without
    them credentials come from where its package looks for them. Nothing is connected to yet.
    Raises InputError for an unknown scheme or a missing package.
    """
    return RetryingBackend(_backend(place, options), retry or Retry())


def _backend(place: str | Path, options: dict[str, Any]) -> ArtifactBackend:
    text = str(place)
    if not text.strip() or "\0" in text:
        raise InputError(f"{text!r} is no place for artifacts: name a folder or a URL")
    scheme = _SCHEME.match(text)
    if isinstance(place, Path) or scheme is None:
        return LocalBackend(place)
    if not text.startswith(f"{scheme[0]}://"):
        raise InputError(
            f"{text!r} is neither a URL nor a plain folder",
            hint=f"write {scheme[0]}://… or ./{text}",
        )
    if scheme[0] in ("file", "local"):
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise InputError(
                f"{text}: names no folder of this machine", hint="write file:///absolute/path"
            )
        return LocalBackend(url2pathname(parts.path))
    from axiomrl.artifacts.fsspec_backend import FsspecBackend

    return FsspecBackend(text, **options)
