"""Copies of what runs produce, in folders and object stores, verified when they come back."""

from axiomrl.artifacts.fsspec_backend import FsspecBackend
from axiomrl.artifacts.keys import check_key
from axiomrl.artifacts.local import LocalBackend
from axiomrl.artifacts.opening import open_backend
from axiomrl.artifacts.reference import ArtifactBackend, ArtifactRef
from axiomrl.artifacts.retry import Retry, RetryingBackend
from axiomrl.artifacts.sidecar import ArtifactRecord, ArtifactRecords
from axiomrl.artifacts.transfer import Outcome, pull, push

__all__ = [
    "ArtifactBackend",
    "ArtifactRecord",
    "ArtifactRecords",
    "ArtifactRef",
    "FsspecBackend",
    "LocalBackend",
    "Outcome",
    "Retry",
    "RetryingBackend",
    "check_key",
    "open_backend",
    "pull",
    "push",
]
