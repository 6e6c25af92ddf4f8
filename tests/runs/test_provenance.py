from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

import axiomrl
from axiomrl.runs import provenance

from .conftest import StartPython


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Somebody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "somebody@example.org")
    monkeypatch.delenv("GIT_DIR", raising=False)
    git(folder, "init", "-q")
    return folder


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder: Path, content: str) -> str:
    (folder / "a.py").write_text(content)
    git(folder, "add", "a.py")
    git(folder, "commit", "-q", "-m", "a")
    return git(folder, "rev-parse", "HEAD")


def test_clean_repository_gives_its_commit_and_no_diff(repository: Path) -> None:
    head = commit(repository, "x = 1\n")
    (repository / "inner").mkdir()
    (repository / "untracked").write_text("does not count")
    assert provenance.git(repository / "inner") == ({"commit": head, "is_dirty": False}, None)


def test_changed_repository_gives_a_masked_diff(repository: Path) -> None:
    head = commit(repository, "x = 1\n")
    (repository / "a.py").write_text('x = 2\napi_key = "abcdefgh12345678"\n')
    state, diff = provenance.git(repository)
    assert state == {"commit": head, "is_dirty": True}
    assert diff is not None
    assert "-x = 1\n+x = 2\n" in diff
    assert "abcdefgh" not in diff


def test_long_diff_is_cut(repository: Path) -> None:
    commit(repository, "x = 1\n")
    (repository / "a.py").write_text("y = 123456789\n" * 200_000)
    _, diff = provenance.git(repository)
    assert diff is not None
    assert len(diff) < provenance.DIFF_LIMIT + 100
    assert diff.endswith("[the rest of the diff is left out]\n")


def test_repository_without_commits_has_none(repository: Path) -> None:
    (repository / "a.py").write_text("x = 1\n")
    git(repository, "add", "a.py")
    assert provenance.git(repository) == ({"commit": None, "is_dirty": True}, None)


def test_outside_of_a_repository_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_DIR", raising=False)
    assert provenance.git(tmp_path) == ({"commit": None, "is_dirty": None}, None)


def test_without_git_installed_nothing_is_known(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repository, "x = 1\n")
    monkeypatch.setenv("PATH", str(repository))
    assert provenance.git(repository) == ({"commit": None, "is_dirty": None}, None)


def test_secrets_are_masked_in_the_command() -> None:
    command = provenance.masked_command(["axiomrl", "--api-key", "hunter2hunter2", "--seed", "3"])
    assert "hunter2hunter2" not in command
    assert command[-2:] == ["--seed", "3"]


def test_command_is_argv_and_always_valid_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["axiomrl", "train", "a\udcffb"])
    assert json.loads(json.dumps(provenance.masked_command()).encode("utf-8")) == [
        "axiomrl",
        "train",
        "a\\udcffb",
    ]


def test_versions_are_those_installed() -> None:
    versions = provenance.versions()
    assert versions["numpy"] == numpy.__version__
    assert versions["axiomrl"] == axiomrl.__version__
    assert set(versions) <= set(provenance.PACKAGES)


def test_system_names_machine_and_device() -> None:
    system = provenance.system(device="cuda", engine="torch")
    assert system["hostname"] == socket.gethostname()
    assert system["python_version"].startswith("3.")
    assert (system["device"], system["engine"]) == ("cuda", "torch")
    assert system["platform"]


def test_this_process_is_alive_and_known_to_psutil() -> None:
    import psutil

    process = provenance.this_process()
    assert provenance.is_alive(process)
    assert process["start_time"] == pytest.approx(psutil.Process().create_time(), abs=1.0)


@pytest.mark.parametrize(
    "change", [{"start_time": 12.0}, {"boot_id": "another"}, {"pid": None}, {"pid": "7"}]
)
def test_process_that_differs_in_anything_is_not_alive(change: dict[str, object]) -> None:
    assert not provenance.is_alive({**provenance.this_process(), **change})


def test_number_alone_is_compared_when_nothing_else_is_known() -> None:
    assert provenance.is_alive({"pid": os.getpid()})


def test_ended_process_is_not_alive_even_before_it_is_reaped(start_python: StartPython) -> None:
    child = start_python(
        "import json; from axiomrl.runs.provenance import this_process\n"
        "print(json.dumps(this_process()), flush=True)\nimport time; time.sleep(60)"
    )
    assert child.stdout is not None
    process = json.loads(child.stdout.readline())
    os.kill(child.pid, 9)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not provenance.is_alive(process)
    child.wait()
    assert not provenance.is_alive(process)
