"""What is known of a stored artifact, and what every place that stores them can do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from axiomrl.artifacts.keys import check_key
from axiomrl.errors import InputError

_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRef:
    """Where an artifact was stored, and what it must be when it is fetched.

    Raises InputError for values that no stored artifact has.
    """

    url: str  # of the backend, without a password: `open_backend(url)` opens it again
    key: str  # below that url
    size: int  # bytes
    sha256: str  # of the content, 64 hex digits

    def __post_init__(self) -> None:
        check_key(self.key)
        if not isinstance(self.url, str) or not self.url:
            raise InputError(f"reference to {self.key}: url is {self.url!r}, but must be a text")
        if type(self.size) is not int or self.size < 0:
            raise InputError(f"reference to {self.key}: size is {self.size!r}, but must be >= 0")
        if not isinstance(self.sha256, str) or not _SHA256.fullmatch(self.sha256):
            raise InputError(
                f"reference to {self.key}: sha256 is {self.sha256!r}, but must be 64 hex digits"
            )

    @property
    def uri(self) -> str:
        """The artifact's full address."""
        return f"{self.url.rstrip('/')}/{self.key}"

    @property
    def path(self) -> Path | None:
        """The artifact's file, where it was stored in a folder of this machine."""
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        parts = urlsplit(self.url)
        return Path(url2pathname(parts.path)) / self.key if parts.scheme == "file" else None

    def to_mapping(self) -> dict[str, Any]:
        """The reference in JSON's types."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> ArtifactRef:
        """The reference that `to_mapping` described; unknown keys are left out.

        Raises InputError if something is missing or wrong.
        """
        names = ("url", "key", "size", "sha256")
        missing = [name for name in names if name not in values]
        if missing:
            raise InputError(f"reference to an artifact: {', '.join(missing)} is missing")
        return cls(**{name: values[name] for name in names})


class ArtifactBackend(Protocol):
    """A place that stores files under keys; `axiomrl.artifacts.contract` tests one.

    A key that `check_key` refuses raises InputError. What else goes wrong raises ArtifactError;
    its `__cause__` says whether trying again may help (`retry.is_transient`).
    """

    @property
    def url(self) -> str:
        """What references name, without a password; `open_backend(url)` opens the place again."""

    def put(self, key: str, source: Path, *, overwrite: bool = False) -> ArtifactRef:
        """Store a file; under its key there is nothing, or all of it, at any moment.

        The same content once more changes nothing. Where there is other content, raises
        ArtifactConflictError, unless `overwrite`. Folders and missing files raise InputError.
        """

    def fetch(self, ref: ArtifactRef, destination: Path) -> Path:
        """Make the file `destination` what was stored, and return it.

        Folders above it are made; a file there is replaced only once the content has proved
        right. Raises ArtifactNotFoundError, or ArtifactDamagedError if size or SHA-256 differ.
        Only the reference's key counts, so a copy of the place elsewhere serves as well.
        """

    def exists(self, ref: ArtifactRef) -> bool:
        """Whether there is an artifact of that key and size; its content is not read."""

    def delete(self, ref: ArtifactRef) -> None:
        """Remove what is under the reference's key; if there is nothing, nothing happens."""
