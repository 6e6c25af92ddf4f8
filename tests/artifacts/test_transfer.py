"""Pushing and pulling a run's artifacts, and what artifacts.json says of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from axiomrl.artifacts import (
    ArtifactBackend,
    ArtifactRecords,
    ArtifactRef,
    LocalBackend,
    open_backend,
    pull,
    push,
)
from axiomrl.artifacts.transfer import stored_references
from axiomrl.errors import ArtifactError, CheckpointError, InputError
from axiomrl.runs.store import RunStore

from .conftest import StartPython

BEST = "checkpoints/best.pt"
ALL = {
    "config.yaml",
    "metadata.json",
    "metrics.jsonl",
    BEST,
    "checkpoints/step_0.pt",
    "checkpoints/step_100.pt",
    "checkpoints/step_200.pt",
}


class BrokenBackend:
    """A local backend that refuses to store some names, with whatever exception it is given."""

    def __init__(self, backend: ArtifactBackend, broken: dict[str, Exception]) -> None:
        self.backend = backend
        self.broken = broken
        self.stored: list[str] = []

    @property
    def url(self) -> str:
        return self.backend.url

    def put(self, key: str, source: Path, *, overwrite: bool = False) -> ArtifactRef:
        if source.name in self.broken:
            raise self.broken[source.name]
        self.stored.append(source.name)
        return self.backend.put(key, source, overwrite=overwrite)

    def fetch(self, ref: ArtifactRef, destination: Path) -> Path:
        return self.backend.fetch(ref, destination)

    def exists(self, ref: ArtifactRef) -> bool:
        return self.backend.exists(ref)

    def delete(self, ref: ArtifactRef) -> None:
        self.backend.delete(ref)


@pytest.fixture
def backend(tmp_path: Path) -> BrokenBackend:
    return BrokenBackend(LocalBackend(tmp_path / "archive"), {})


def sidecar(run: Path) -> Any:
    return json.loads((run / "artifacts.json").read_text())


def states(outcomes: Any) -> dict[str, str]:
    return {outcome.name: outcome.state for outcome in outcomes}


def test_the_best_checkpoint_is_stored_and_recorded(run: Path, backend: BrokenBackend) -> None:
    metadata = (run / "metadata.json").read_bytes()
    (outcome,) = push(run, backend)
    assert (outcome.name, outcome.state, outcome.error) == (BEST, "stored", None)
    (entry,) = sidecar(run)["artifacts"]
    assert entry["name"] == BEST
    assert entry["url"] == backend.url
    assert entry["error"] is None
    ref = ArtifactRef.from_mapping(entry["reference"])
    assert ref == outcome.reference
    created = json.loads(metadata)["created_at_utc"]
    run_id = json.loads(metadata)["run_id"]
    stamp = "".join(filter(str.isdigit, created.partition("+")[0]))
    assert ref.key == f"ppo__CartPole-v1__{run_id}__{stamp}/{BEST}"
    assert (run / "metadata.json").read_bytes() == metadata


def test_all_of_a_run_comes_back_as_a_run(
    run: Path, backend: BrokenBackend, tmp_path: Path
) -> None:
    (run / "notes.txt").write_text("not of the run itself")
    (run / "checkpoints" / ".step_300.pt.1-0.tmp").write_text("half")
    stored = states(push(run, backend, everything=True))
    others = {path.relative_to(run).as_posix() for path in run.glob("tensorboard/*")}
    others |= {"diff.patch"} if (run / "diff.patch").exists() else set()
    assert stored == dict.fromkeys(ALL | others, "stored")
    copy = tmp_path / "copies" / "copy"
    outcomes = pull(stored_references(ArtifactRecords(run).read()), copy)
    assert set(states(outcomes).values()) == {"fetched"}
    assert all((copy / name).read_bytes() == (run / name).read_bytes() for name in stored)
    assert {path.name for path in copy.rglob("*") if path.is_file()} == {
        Path(name).name for name in stored
    }
    assert RunStore(tmp_path / "copies").find("copy").status == "completed"
    again = pull(stored_references(ArtifactRecords(run).read()), copy)
    assert set(states(again).values()) == {"unchanged"}


def test_a_push_that_failed_repeats_only_what_is_missing(run: Path, backend: BrokenBackend) -> None:
    backend.broken = {
        "step_100.pt": ConnectionResetError("reset by peer"),
        "metrics.jsonl": RuntimeError("a bug in a backend\nwith token=abcdefghijkl in it"),
    }
    found = states(push(run, backend, everything=True))
    assert {name for name, state in found.items() if state == "failed"} == {
        "checkpoints/step_100.pt",
        "metrics.jsonl",
    }
    errors = {entry["name"]: entry["error"] for entry in sidecar(run)["artifacts"]}
    assert errors["metrics.jsonl"]["type"] == "ArtifactError"
    assert errors["metrics.jsonl"]["message"].endswith("RuntimeError: a bug in a backend")
    assert "reset by peer" in errors["checkpoints/step_100.pt"]["message"]
    assert errors[BEST] is None
    backend.broken, backend.stored = {}, []
    assert states(push(run, backend)) == {
        BEST: "unchanged",
        "metrics.jsonl": "stored",
        "checkpoints/step_100.pt": "stored",
    }
    assert sorted(backend.stored) == ["metrics.jsonl", "step_100.pt"]
    assert all(entry["error"] is None for entry in sidecar(run)["artifacts"])


def test_what_was_deleted_from_the_backend_is_stored_again(
    run: Path, backend: BrokenBackend
) -> None:
    (outcome,) = push(run, backend)
    assert outcome.reference is not None
    backend.delete(outcome.reference)
    assert states(push(run, backend)) == {BEST: "stored"}
    assert backend.exists(outcome.reference)


def test_a_better_checkpoint_replaces_the_older_one(
    run: Path, backend: BrokenBackend, tmp_path: Path
) -> None:
    push(run, backend)
    (run / BEST).write_text("better")
    (outcome,) = push(run, backend)
    assert outcome.state == "stored"
    assert len(sidecar(run)["artifacts"]) == 1
    pull(stored_references(ArtifactRecords(run).read()), tmp_path / "copy")
    assert (tmp_path / "copy" / BEST).read_text() == "better"


def test_a_failed_replacement_keeps_what_is_known_of_the_older_one(
    run: Path, backend: BrokenBackend
) -> None:
    (first,) = push(run, backend)
    (run / BEST).write_text("better")
    backend.broken = {"best.pt": TimeoutError("no answer")}
    (second,) = push(run, backend)
    assert second.state == "failed"
    (entry,) = sidecar(run)["artifacts"]
    assert ArtifactRef.from_mapping(entry["reference"]) == first.reference
    assert "no answer" in entry["error"]["message"]


def test_what_another_run_directory_stored_is_not_replaced_unasked(
    run: Path, backend: BrokenBackend
) -> None:
    push(run, backend)
    copy = run.with_name("copy")
    shutil.copytree(run, copy)
    (copy / "artifacts.json").unlink()
    (copy / BEST).write_text("trained further elsewhere")
    (outcome,) = push(copy, backend)
    assert outcome.state == "failed"
    assert "--force" in str(outcome.error)
    assert states(push(copy, backend, overwrite=True)) == {BEST: "stored"}


def test_the_same_run_in_two_places_is_recorded_for_both(
    run: Path, backend: BrokenBackend, tmp_path: Path, memory_url: str
) -> None:
    push(run, backend)
    push(run, memory_url)
    records = ArtifactRecords(run).read()
    assert [record.url for record in records] == [backend.url, memory_url]
    newest = stored_references(records)[BEST]
    assert newest.url == memory_url
    assert stored_references(records, url=backend.url)[BEST].url == backend.url
    (outcome,) = pull({BEST: newest}, tmp_path / "copy")
    assert outcome.state == "fetched"


def test_a_failed_file_that_is_gone_is_forgotten(run: Path, backend: BrokenBackend) -> None:
    backend.broken = {"step_100.pt": TimeoutError()}
    push(run, backend, everything=True)
    (run / "checkpoints" / "step_100.pt").unlink()
    backend.broken = {}
    assert states(push(run, backend)) == {BEST: "unchanged"}
    assert "step_100" not in (run / "artifacts.json").read_text()


def test_a_run_without_a_best_checkpoint_says_so(run: Path, backend: BrokenBackend) -> None:
    (run / BEST).unlink()
    with pytest.raises(CheckpointError, match="has no checkpoint 'best'"):
        push(run, backend)
    with pytest.raises(InputError, match="is not a run"):
        push(run / "checkpoints", backend)


def test_a_pull_changes_no_file_unasked_and_tells_what_is_damaged(
    run: Path, backend: BrokenBackend, tmp_path: Path
) -> None:
    push(run, backend, everything=True)
    references = stored_references(ArtifactRecords(run).read())
    (run / "config.yaml").write_text("edited")
    (run / BEST).unlink()
    chosen = {name: references[name] for name in ("config.yaml", BEST, "metadata.json")}
    assert states(pull(chosen, run)) == {
        "config.yaml": "failed",
        BEST: "fetched",
        "metadata.json": "unchanged",
    }
    assert (run / "config.yaml").read_text() == "edited"
    assert states(pull(chosen, run, overwrite=True))["config.yaml"] == "fetched"
    assert (run / "config.yaml").read_text() != "edited"
    (tmp_path / "archive" / references[BEST].key).write_bytes(b"x" * references[BEST].size)
    (outcome,) = pull({BEST: references[BEST]}, tmp_path / "copy")
    assert "not what was stored" in str(outcome.error)
    assert not (tmp_path / "copy" / BEST).exists()


@pytest.mark.parametrize("name", ["../outside", "/outside", "checkpoints/../../outside", "link/x"])
def test_a_name_that_leads_out_of_the_folder_is_refused(
    run: Path, backend: BrokenBackend, tmp_path: Path, name: str
) -> None:
    """An artifacts.json may come from a stranger."""
    (outcome,) = push(run, backend)
    ref = outcome.reference
    assert ref is not None
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(InputError):
        pull({name: ref}, folder)
    content = sidecar(run)
    content["artifacts"].append(
        {"name": name, "url": backend.url, "error": {"type": "x", "message": "x"}}
    )
    (run / "artifacts.json").write_text(json.dumps(content))
    (run / "link").symlink_to(tmp_path)
    (tmp_path / "x").write_text("private")
    with pytest.raises(InputError):
        push(run, backend)
    assert "private" not in [
        path.read_text() for path in (tmp_path / "archive").rglob("*") if path.is_file()
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read"),
        ("[]", "holds no list"),
        ('{"artifacts": [1]}', "no object"),
        ('{"artifacts": [{"name": "a"}]}', "no name or no url"),
        ('{"artifacts": [{"name": "a", "url": "b", "reference": {}}]}', "missing"),
        ('{"schema_version": 99, "artifacts": []}', "newer axiomrl"),
    ],
)
def test_a_damaged_artifacts_json_is_told_and_left_alone(
    run: Path, backend: BrokenBackend, text: str, told: str
) -> None:
    (run / "artifacts.json").write_text(text)
    with pytest.raises(InputError, match=told):
        push(run, backend)
    assert (run / "artifacts.json").read_text() == text


def test_unknown_keys_of_artifacts_json_are_kept(run: Path, backend: BrokenBackend) -> None:
    push(run, backend)
    content = sidecar(run)
    content["note"] = "mine"
    content["artifacts"][0]["tier"] = "cold"
    (run / "artifacts.json").write_text(json.dumps(content))
    (run / BEST).write_text("better")
    push(run, backend)
    assert sidecar(run)["note"] == "mine"
    assert sidecar(run)["artifacts"][0]["tier"] == "cold"


def test_processes_that_push_at_once_lose_no_record(
    run: Path, tmp_path: Path, start_python: StartPython
) -> None:
    code = (
        "import sys\n"
        "from axiomrl.artifacts import push\n"
        "sys.stdin.readline()\n"
        "push(sys.argv[1], sys.argv[2], everything=True)\n"
    )
    places = [tmp_path / f"archive-{number}" for number in range(4)]
    processes = [start_python(code, run, place) for place in places]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    records = ArtifactRecords(run).read()
    assert len(records) == len(places) * len({record.name for record in records})
    assert {record.name for record in records} >= ALL


def test_references_that_no_artifact_has_are_refused() -> None:
    ref = ArtifactRef(url="file:///a", key="b", size=1, sha256="0" * 64)
    for changes in ({"key": "../b"}, {"size": -1}, {"size": True}, {"sha256": "0"}, {"url": ""}):
        with pytest.raises(InputError):
            replace(ref, **changes)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="size, sha256 is missing"):
        ArtifactRef.from_mapping({"url": "file:///a", "key": "b"})
    assert ArtifactRef.from_mapping({**ref.to_mapping(), "new": 1}) == ref


def test_a_server_that_is_away_fails_the_push_and_not_its_caller(run: Path) -> None:
    backend = BrokenBackend(open_backend("memory://away"), {"best.pt": ConnectionRefusedError()})
    (outcome,) = push(run, backend)
    assert isinstance(outcome.error, ArtifactError)
