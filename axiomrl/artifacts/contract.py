"""What every artifact backend must do, as a suite of pytest tests for anybody's own.

Subclass it in a test file and give it a fixture that makes an empty place::

    class TestMyBackend(ArtifactBackendContract):
        @pytest.fixture
        def backend(self) -> ArtifactBackend:
            return MyBackend(...)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from axiomrl.artifacts.reference import ArtifactBackend, ArtifactRef
from axiomrl.errors import (
    ArtifactConflictError,
    ArtifactDamagedError,
    ArtifactError,
    ArtifactNotFoundError,
    InputError,
)

HOSTILE_KEYS = (
    "", ".", "..", "../a", "a/../b", "a/..", "/a", "//a", "a//b", "a/", "./a", "a/.", ".a", "a/.b",
    "..\\a", "a\\b", "\\\\host\\a", "C:\\a", "C:a", "c:/a", "a\0b", "a\nb", "a b", "~", "~/a",
    "$HOME", "*", "a?", "[a]", "a%2f..%2fb", "file:///a", "s3://bucket/a", "NUL", "a/con.pt", "ä",
    "a" * 300, "a/" * 500 + "a",
)  # fmt: skip

KEY = "a/b/some.file-1_2+3=4@5,6.pt"
LARGE = (32 << 20) + 12345  # more than one part of an upload to an object store


class ArtifactBackendContract:
    """The suite; `backend` is the place under test, empty, and of the test's own."""

    @pytest.fixture
    def backend(self) -> ArtifactBackend:
        raise NotImplementedError("give the suite a fixture `backend`")

    @pytest.fixture
    def file(self, tmp_path: Path) -> Callable[[bytes], Path]:
        """`file(content)`: a local file with that content, each one another."""
        folder = tmp_path / "sources"
        folder.mkdir()

        def make(content: bytes) -> Path:
            path = folder / f"source-{len(list(folder.iterdir()))}"
            path.write_bytes(content)
            return path

        return make

    @pytest.mark.parametrize("content", [b"", b"one", bytes(range(256)) * 5000])
    def test_what_is_put_is_fetched_equal(
        self,
        backend: ArtifactBackend,
        file: Callable[[bytes], Path],
        tmp_path: Path,
        content: bytes,
    ) -> None:
        ref = backend.put(KEY, file(content))
        assert ref == ArtifactRef(
            url=backend.url,
            key=KEY,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        destination = tmp_path / "new" / "folders" / "copy.pt"
        assert backend.fetch(ref, destination) == destination
        assert destination.read_bytes() == content
        assert [path.name for path in destination.parent.iterdir()] == ["copy.pt"]

    def test_a_file_of_several_parts_is_fetched_equal(
        self, backend: ArtifactBackend, tmp_path: Path
    ) -> None:
        source = tmp_path / "large"
        with source.open("wb") as stream:
            for number in range(LARGE // (1 << 20)):
                stream.write(number.to_bytes(4, "big") * (1 << 18))
            stream.write(b"x" * (LARGE % (1 << 20)))
        ref = backend.put("large", source)
        assert ref.size == LARGE
        assert backend.exists(ref)
        backend.fetch(ref, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == source.read_bytes()

    def test_a_reference_survives_json(
        self, backend: ArtifactBackend, file: Callable[[bytes], Path], tmp_path: Path
    ) -> None:
        import json

        ref = backend.put(KEY, file(b"one"))
        again = ArtifactRef.from_mapping(json.loads(json.dumps(ref.to_mapping())))
        assert again == ref
        assert backend.fetch(again, tmp_path / "copy").read_bytes() == b"one"

    def test_what_is_there_exists_until_it_is_deleted(
        self, backend: ArtifactBackend, file: Callable[[bytes], Path], tmp_path: Path
    ) -> None:
        ref = backend.put(KEY, file(b"one"))
        other = backend.put("a/b/other", file(b"two"))
        assert backend.exists(ref)
        assert not backend.exists(replace(ref, size=2))
        assert not backend.exists(replace(ref, key="a/b"))
        assert not backend.exists(replace(ref, key="a/b/some.file"))
        backend.delete(ref)
        assert not backend.exists(ref)
        assert backend.exists(other)
        backend.delete(ref)
        with pytest.raises(ArtifactNotFoundError, match=KEY.replace("+", r"\+")):
            backend.fetch(ref, tmp_path / "copy")
        assert not (tmp_path / "copy").exists()

    def test_the_same_content_may_be_put_again(
        self, backend: ArtifactBackend, file: Callable[[bytes], Path]
    ) -> None:
        assert backend.put(KEY, file(b"one")) == backend.put(KEY, file(b"one"))

    @pytest.mark.parametrize("other", [b"two", b"longer"])
    def test_other_content_is_refused_and_changes_nothing(
        self, backend: ArtifactBackend, file: Callable[[bytes], Path], tmp_path: Path, other: bytes
    ) -> None:
        ref = backend.put(KEY, file(b"one"))
        with pytest.raises(ArtifactConflictError, match="already"):
            backend.put(KEY, file(other))
        assert backend.fetch(ref, tmp_path / "copy").read_bytes() == b"one"

    def test_other_content_replaces_what_is_there_if_that_is_asked_for(
        self, backend: ArtifactBackend, file: Callable[[bytes], Path], tmp_path: Path
    ) -> None:
        old = backend.put(KEY, file(b"one"))
        new = backend.put(KEY, file(b"two"), overwrite=True)
        assert backend.fetch(new, tmp_path / "copy").read_bytes() == b"two"
        with pytest.raises(ArtifactDamagedError, match="not what was stored"):
            backend.fetch(old, tmp_path / "older")
        assert not (tmp_path / "older").exists()

    @pytest.mark.parametrize("change", ["longer", "sha256"])
    def test_content_that_is_not_what_was_stored_leaves_the_destination_alone(
        self, backend: ArtifactBackend, file: Callable[[bytes], Path], tmp_path: Path, change: str
    ) -> None:
        ref = backend.put(KEY, file(b"one"))
        expected = replace(ref, size=2) if change == "longer" else replace(ref, sha256="0" * 64)
        destination = tmp_path / "copies" / "copy"
        destination.parent.mkdir()
        destination.write_bytes(b"mine")
        with pytest.raises(ArtifactDamagedError):
            backend.fetch(expected, destination)
        assert destination.read_bytes() == b"mine"
        assert list(destination.parent.iterdir()) == [destination]

    def test_a_fetch_replaces_an_older_file(
        self, backend: ArtifactBackend, file: Callable[[bytes], Path], tmp_path: Path
    ) -> None:
        ref = backend.put(KEY, file(b"one"))
        (tmp_path / "copy").write_bytes(b"an older and longer one")
        assert backend.fetch(ref, tmp_path / "copy").read_bytes() == b"one"

    def test_only_files_can_be_put_and_only_to_files_fetched(
        self, backend: ArtifactBackend, file: Callable[[bytes], Path], tmp_path: Path
    ) -> None:
        with pytest.raises(InputError, match="is a folder"):
            backend.put("folder", tmp_path)
        with pytest.raises(InputError, match="cannot be read"):
            backend.put("missing", tmp_path / "missing")
        ref = backend.put(KEY, file(b"one"))
        with pytest.raises(InputError, match="is a folder"):
            backend.fetch(ref, tmp_path)

    def test_a_key_that_could_lead_elsewhere_is_refused(
        self, backend: ArtifactBackend, file: Callable[[bytes], Path]
    ) -> None:
        source = file(b"one")
        for key in HOSTILE_KEYS:
            with pytest.raises(InputError, match="cannot be the key"):
                backend.put(key, source)

    def test_the_same_content_may_be_put_by_many_at_once(
        self, backend: ArtifactBackend, file: Callable[[bytes], Path], tmp_path: Path
    ) -> None:
        source = file(b"one" * 100_000)
        with ThreadPoolExecutor(8) as pool:
            refs = set(pool.map(lambda _: backend.put(KEY, source), range(8)))
        assert len(refs) == 1
        assert backend.fetch(refs.pop(), tmp_path / "copy").read_bytes() == source.read_bytes()

    def test_of_different_content_put_at_once_one_is_kept_whole(
        self, backend: ArtifactBackend, file: Callable[[bytes], Path], tmp_path: Path
    ) -> None:
        sources = [file(bytes([number]) * 300_000) for number in range(6)]

        def put(source: Path) -> ArtifactRef | None:
            try:
                return backend.put(KEY, source)
            except ArtifactConflictError:
                return None

        with ThreadPoolExecutor(6) as pool:
            refs = [ref for ref in pool.map(put, sources) if ref is not None]
        kept = 0
        for number, ref in enumerate(refs):
            try:
                path = backend.fetch(ref, tmp_path / f"copy-{number}")
            except ArtifactError:
                continue  # another one replaced it: said, not hidden
            assert path.read_bytes() in [source.read_bytes() for source in sources]
            kept += 1
        assert kept == 1
