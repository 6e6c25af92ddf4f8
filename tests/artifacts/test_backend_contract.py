"""The public contract suite, on every backend that comes with axiomrl."""

from __future__ import annotations

from pathlib import Path

import pytest

from axiomrl.artifacts import ArtifactBackend, FsspecBackend, LocalBackend
from axiomrl.artifacts.contract import ArtifactBackendContract


class TestLocalBackend(ArtifactBackendContract):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> ArtifactBackend:
        return LocalBackend(tmp_path / "not yet there" / "artifacts")


class TestMemory(ArtifactBackendContract):
    @pytest.fixture
    def backend(self, memory_url: str) -> ArtifactBackend:
        return FsspecBackend(memory_url)


class TestS3(ArtifactBackendContract):
    @pytest.fixture
    def backend(self, s3_backend: ArtifactBackend) -> ArtifactBackend:
        return s3_backend
