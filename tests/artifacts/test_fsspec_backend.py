"""URLs, missing packages, unreachable servers, and what S3 is asked to do."""

from __future__ import annotations

import builtins
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from axiomrl.artifacts import (
    ArtifactBackend,
    ArtifactRef,
    FsspecBackend,
    LocalBackend,
    Retry,
    open_backend,
    opening,
)
from axiomrl.artifacts.retry import RetryingBackend
from axiomrl.cli.app import main
from axiomrl.errors import ArtifactConflictError, ArtifactError, InputError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"one")
    return path


def opened(place: str | Path, **options: Any) -> ArtifactBackend:
    backend = open_backend(place, **options)
    assert isinstance(backend, RetryingBackend)
    return backend.backend


def test_folders_and_file_urls_are_local(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "a folder"
    for place in (folder, str(folder), "a folder", "./a folder", folder.as_uri()):
        backend = opened(place)
        assert isinstance(backend, LocalBackend)
        assert backend.root == folder
    assert opened(backend.url).url == backend.url
    assert opened("~/artifacts").url == (tmp_path / "home" / "artifacts").as_uri()
    assert not folder.exists()


def test_a_backend_can_be_opened_again_by_its_url(
    bucket: str, s3_options: dict[str, Any], source: Path, tmp_path: Path
) -> None:
    ref = opened(f"s3://{bucket}/runs/", **s3_options).put("a/b", source)
    assert ref.uri == f"s3://{bucket}/runs/a/b"
    again = opened(ref.url, **s3_options)
    assert again.fetch(ref, tmp_path / "copy").read_bytes() == b"one"
    whole_bucket = opened(f"s3://{bucket}", **s3_options)
    assert whole_bucket.exists(replace(ref, key="runs/a/b"))


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("", "no place"),
        ("a\0b", "no place"),
        ("s4://bucket", "did you mean: s3"),
        ("s3:/bucket", "neither a URL nor a plain folder"),
        ("s3://", "names no bucket"),
        ("file://host/folder", "no folder of this machine"),
        ("simplecache::s3://bucket", "neither a URL"),
        ("memory://a::s3://bucket", "chained"),
    ],
)
def test_what_is_no_place_is_said_to_be_none(place: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        open_backend(place)
    assert told in str(caught.value)


def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import_module = builtins.__import__

    def without(package: str) -> Callable[..., Any]:
        def load(name: str, *arguments: Any, **options: Any) -> Any:
            if name.partition(".")[0] == package:
                raise ImportError(f"No module named {package!r}")
            return import_module(name, *arguments, **options)

        return load

    monkeypatch.setattr(builtins, "__import__", without("fsspec"))
    with pytest.raises(InputError, match="fsspec") as caught:
        open_backend("memory://a")
    assert "axiomrl[cloud]" in str(caught.value.hint)
    monkeypatch.undo()

    def not_there(url: str, **options: Any) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", not_there)
    with pytest.raises(InputError, match="Install s3fs") as caught:
        open_backend("s3://bucket")
    assert "axiomrl[cloud]" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("memory://me:hunter2@host/folder", "memory://me@host/folder"),
        ("memory://:hunter2@host/folder", "memory://host/folder"),
        ("memory://folder/", "memory://folder"),
    ],
)
def test_passwords_are_not_part_of_references(url: str, shown: str, source: Path) -> None:
    ref = FsspecBackend(url).put("a", source)
    assert ref.url == shown
    assert "hunter2" not in str(ref.to_mapping())


def test_a_server_that_does_not_answer_is_tried_again_and_told(source: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"  # nobody listens there
        waits: list[float] = []
        backend = open_backend(
            "s3://bucket/runs",
            endpoint_url=endpoint,
            key="a",
            secret="b",
            retry=Retry(attempts=3, sleep=waits.append),
        )
        with pytest.raises(ArtifactError, match=r"cannot be stored: .*connect") as caught:
            backend.put("a", source)
    assert len(waits) == 2
    assert "tried 3 times" in str(caught.value.hint)
    assert len(caught.value.message.splitlines()) == 1


def test_a_bucket_that_is_not_there_is_told_at_once(
    s3_options: dict[str, Any], source: Path
) -> None:
    waits: list[float] = []
    retry = Retry(sleep=waits.append)
    backend = open_backend("s3://no-such-bucket", retry=retry, **s3_options)
    with pytest.raises(ArtifactError, match="bucket does not exist"):
        backend.put("a", source)
    assert waits == []


def test_s3_itself_refuses_to_replace_an_object(
    s3_backend: FsspecBackend, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if another had put its object between the look and the upload."""
    ref = s3_backend.put("a", source)
    (tmp_path / "other").write_bytes(b"two")
    looks = iter([None])
    size = s3_backend._size
    monkeypatch.setattr(s3_backend, "_size", lambda path: next(looks, size(path)))
    with pytest.raises(ArtifactConflictError):
        s3_backend.put("a", tmp_path / "other")
    assert s3_backend.fetch(ref, tmp_path / "copy").read_bytes() == b"one"
    looks = iter([None])
    assert s3_backend.put("a", source) == ref


def break_off(*_: object, **__: object) -> None:
    raise ConnectionResetError("reset by peer")


def test_an_upload_to_s3_that_breaks_off_leaves_nothing(
    s3_backend: FsspecBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(40 << 20)
    system = s3_backend._file_system
    call = system._call_s3

    async def break_off_at_the_second_part(method: str, *arguments: Any, **options: Any) -> Any:
        if options.get("PartNumber") == 2:
            break_off()
        return await call(method, *arguments, **options)

    with monkeypatch.context() as broken:
        broken.setattr(system, "_call_s3", break_off_at_the_second_part)
        with pytest.raises(ArtifactError, match="reset by peer"):
            s3_backend.put("large", large)
    system.invalidate_cache()
    assert system.find(s3_backend._root) == []
    assert system.list_multipart_uploads(s3_backend._root.partition("/")[0]) == []
    assert s3_backend.put("large", large).size == 40 << 20


def test_a_move_that_breaks_off_leaves_nothing(
    memory_url: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = FsspecBackend(memory_url)
    with monkeypatch.context() as broken:
        broken.setattr(backend._file_system, "mv", break_off)
        with pytest.raises(ArtifactError, match="reset by peer"):
            backend.put("a/b", source)
    assert backend._file_system.find(backend._root) == []
    assert backend.put("a/b", source).size == 3


def test_between_look_and_move_no_other_thread_moves(
    memory_url: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = FsspecBackend(memory_url)
    other = tmp_path / "other"
    other.write_bytes(b"two")
    move = backend._file_system.mv
    with ThreadPoolExecutor(1) as pool:
        rivals: list[Future[ArtifactRef]] = []

        def move_when_a_rival_came(*arguments: Any, **options: Any) -> None:
            if not rivals:
                rivals.append(pool.submit(backend.put, "a", other))
                wait(rivals, timeout=0.2)  # time enough to come first, if it could
            move(*arguments, **options)

        monkeypatch.setattr(backend._file_system, "mv", move_when_a_rival_came)
        ref = backend.put("a", source)
        with pytest.raises(ArtifactConflictError):
            rivals[0].result()
    assert backend.fetch(ref, tmp_path / "copy").read_bytes() == b"one"


def test_what_others_store_and_delete_is_seen_at_once(
    s3_backend: FsspecBackend, s3_options: dict[str, Any], source: Path
) -> None:
    other = FsspecBackend(s3_backend.url, skip_instance_cache=True, **s3_options)
    ref = s3_backend.put("a", source)
    assert len(other._file_system.ls(other._root)) == 1  # remembered by s3fs
    s3_backend.delete(ref)
    assert not other.exists(ref)
    assert other.put("a", source) == ref
    assert s3_backend.exists(ref)


def test_an_upload_of_a_file_that_changes_meanwhile_is_taken_back(
    memory_url: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = FsspecBackend(memory_url)
    upload = backend._file_system.put_file

    def change_and_upload(*arguments: Any, **options: Any) -> None:
        source.write_bytes(b"changed")
        upload(*arguments, **options)

    monkeypatch.setattr(backend._file_system, "put_file", change_and_upload)
    with pytest.raises(ArtifactError, match="has changed"):
        backend.put("a", source)
    assert backend._file_system.find(backend._root) == []


@pytest.fixture
def s3_settings(bucket: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A URL that the command line can use as it is: all else comes from the environment."""
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    s3fs.S3FileSystem.clear_instance_cache()
    return f"s3://{bucket}/runs"


def test_the_command_line_stores_on_s3_and_fetches_back(
    run: Path, s3_settings: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["artifacts", "push", str(run), "--to", s3_settings, "--all"]) == 0
    (run / "checkpoints" / "best.pt").unlink()
    (run / "config.yaml").unlink()
    assert main(["artifacts", "pull", str(run)]) == 0
    told = capsys.readouterr()
    assert f"stored     checkpoints/best.pt  14 B  {s3_settings}/ppo__CartPole-v1__" in told.out
    assert "fetched    config.yaml" in told.out
    assert told.err == ""
    assert (run / "checkpoints" / "best.pt").read_text() == "checkpoint 200"


def test_the_command_line_tells_a_server_that_is_away_in_two_lines_and_repeats_later(
    run: Path,
    s3_settings: str,
    s3_endpoint: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import s3fs

    monkeypatch.setattr(opening, "Retry", lambda: Retry(sleep=lambda delay: None))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", away)
        assert main(["artifacts", "push", str(run), "--to", s3_settings]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert [line[:7] for line in told.err.splitlines()] == ["error: ", "       "]
    assert "connect" in told.err
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    s3fs.S3FileSystem.clear_instance_cache()
    assert main(["artifacts", "push", str(run)]) == 0
    assert capsys.readouterr().out.startswith("stored     checkpoints/best.pt")
