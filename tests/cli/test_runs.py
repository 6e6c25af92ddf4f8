"""`axiomrl runs`: list, show, diff, tag, rm, restore and gc."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import Command
from .written_runs import change, write_run


@pytest.fixture
def three_runs() -> list[Path]:
    """Three runs, from the oldest to the newest; the last one is alive."""
    dates = [f"2026-01-0{day}T00:00:00.000000+00:00" for day in (1, 2, 3)]
    return [
        write_run("ppo-a", created_at_utc=dates[0], tags=["paper", "old"]),
        write_run("dqn-b", created_at_utc=dates[1], algo="dqn", env_id="Acrobot-v1"),
        write_run("ppo-c", created_at_utc=dates[2], status="running", tags=["paper"]),
    ]


def names(stdout: str) -> list[str]:
    return [row["run"] for row in json.loads(stdout)["rows"]]


# list


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), ["ppo-a", "dqn-b", "ppo-c"]),
        (("--newest-first",), ["ppo-c", "dqn-b", "ppo-a"]),
        (("--status", "running"), ["ppo-c"]),
        (("--status", "running", "--status", "completed", "--algo", "ppo"), ["ppo-a", "ppo-c"]),
        (("--algo", "d*"), ["dqn-b"]),
        (("--env-id", "Acro*", "--env-id", "Cart?ole-v1"), ["ppo-a", "dqn-b", "ppo-c"]),
        (("--tag", "paper"), ["ppo-a", "ppo-c"]),
        (("--tag", "paper", "--tag", "old"), ["ppo-a"]),
    ],
)
def test_list_shows_the_runs_that_are_asked_for(
    words: tuple[str, ...], expected: list[str], axiomrl: Command, three_runs: list[Path]
) -> None:
    outcome = axiomrl("runs", "list", *words, "--output-format", "json")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert names(outcome.stdout) == expected


def test_list_has_every_format_and_knows_tags(axiomrl: Command, three_runs: list[Path]) -> None:
    assert axiomrl("runs", "tag", "dqn-b", "+new").code == 0
    rows = list(
        csv.DictReader(axiomrl("runs", "list", "--output-format", "csv").stdout.splitlines())
    )
    assert [row["tags"] for row in rows] == ["paper, old", "new", "paper"]
    assert axiomrl("runs", "list").stdout.splitlines()[0].split()[:2] == ["run", "status"]
    assert axiomrl("runs", "list", "--output-format", "markdown").stdout.startswith("| run |")


def test_list_reads_several_folders_and_names_what_it_cannot_read(
    axiomrl: Command, three_runs: list[Path]
) -> None:
    shutil.copytree("runs/ppo-a", "other/ppo-a")
    Path("runs/ppo-a/tags.json").write_text("{")
    words = ("--runs-dir", "runs", "--runs-dir", "other", "--tag", "paper")
    outcome = axiomrl("runs", "list", *words, "--output-format", "json")
    assert names(outcome.stdout) == ["ppo-a", "ppo-a", "ppo-c"]
    assert ["tags.json" in problem for problem in json.loads(outcome.stdout)["problems"]] == [True]
    assert outcome.stderr.startswith("warning: ")
    missing = axiomrl("runs", "list", "--runs-dir", "nowhere")
    assert (missing.code, len(missing.error_lines)) == (2, 1)


def test_list_of_nothing_says_so(axiomrl: Command) -> None:
    assert "no runs found" in axiomrl("runs", "list").stderr
    write_run("one")
    assert "none of the 1 runs is like that" in axiomrl("runs", "list", "--algo", "x").stderr


# show and diff


def test_show_tells_what_a_run_is(axiomrl: Command, run_directory: Path) -> None:
    axiomrl("runs", "tag", run_directory.name, "+paper")
    outcome = axiomrl("runs", "show", run_directory.name[:20], "--output-format", "json")
    assert (outcome.code, outcome.stderr) == (0, "")
    run = json.loads(outcome.stdout)["run"]
    stored = json.loads((run_directory / "metadata.json").read_text())
    for key in ("run_id", "algo", "seed", "status", "progress", "versions", "git", "command"):
        assert run[key] == stored[key]
    assert run["tags"] == ["paper"]
    files = [path for path in run_directory.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    assert run["disk_use"] == {"files": len(files), "bytes": size}
    sizes = {p.name: p.stat().st_size for p in (run_directory / "checkpoints").iterdir()}
    assert {each["name"]: each["bytes"] for each in run["checkpoints"]} == sizes
    assert run["problems"] == []
    text = axiomrl("runs", "show", run_directory).stdout
    for part in ("seed0-", "256 of 256 (100 %)", "best.pt", "paper", "torch "):
        assert part in text


def test_show_and_diff_survive_whatever_metadata_holds(axiomrl: Command) -> None:
    hostile = "[red]\x1b[31m<script>\ud800"
    run = write_run("one", algo=hostile, seed="x", error={"type": hostile, "message": None})
    other = write_run("two", tags=[hostile], git=7, versions={hostile: [1]})
    (run / "config.yaml").write_text("{")
    for words in (("show", run), ("show", other), ("diff", run, other)):
        text = axiomrl("runs", *words)
        assert text.code == 0, text.stderr
        assert "\x1b" not in text.stdout
        data = axiomrl("runs", *words, "--output-format", "json")
        assert json.loads(data.stdout)["schema_version"] == 1
    assert "seed" in axiomrl("runs", "show", run).stdout.rpartition("problems")[2]


def diff(axiomrl: Command, *runs: Path) -> dict[str, Any]:
    outcome = axiomrl("runs", "diff", *runs, "--output-format", "json")
    assert outcome.code == 0, outcome.stderr
    content: dict[str, Any] = json.loads(outcome.stdout)
    return content


def test_diff_of_a_run_and_its_repetition_says_that_they_are_identical(
    axiomrl: Command, run_directory: Path, config_file: Path
) -> None:
    again = Path(axiomrl("train", "--config", config_file, "--quiet").stdout.strip())
    content = diff(axiomrl, run_directory, again)
    assert (content["is_identical"], content["differences"]) == (True, {})
    text = axiomrl("runs", "diff", run_directory, again)
    assert (text.code, "do not differ" in text.stdout) == (0, True)


def test_diff_shows_only_what_differs_in_its_section(axiomrl: Command) -> None:
    one = write_run(
        "one",
        git={"commit": "abc", "is_dirty": True},
        versions={"torch": "2.0", "numpy": "2.1"},
        system={"hostname": "here", "cpu": None},
        latest_metrics={"eval_return_mean": 1.0, "time_s": 5.0, "train_loss": None},
        progress={"env_steps": 100, "duration_s": 3.0},
    )
    two = write_run(
        "two",
        git={"commit": "abc", "is_dirty": False},
        versions={"torch": "2.0", "scipy": "1.0"},
        system={"hostname": "here", "cpu": "fast"},
        latest_metrics={"eval_return_mean": 1.0000000001, "time_s": 6.0, "train_loss": None},
        progress={"env_steps": 100, "duration_s": 9.0},
    )
    (one / "config.yaml").write_text('{"a": {"b": 1, "c": [1]}, "d": true, "e": null}')
    (two / "config.yaml").write_text('{"a": {"b": 1.0, "c": [2]}, "d": 1, "f": null}')
    (one / "diff.patch").write_text(
        "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n-old\n+new\n"
    )
    differences = diff(axiomrl, one, two)["differences"]
    patch = differences["code"].pop(1)
    assert patch["key"] == "diff.patch"
    assert patch["a"].startswith("sha256 ")
    (file,) = differences["code"][1:]
    assert file["key"] == "diff.patch x.py"
    assert file["a"].startswith("+1 -1 (")
    differences["code"].remove(file)
    assert differences == {
        "config": [
            {"key": "a.c", "a": [1], "b": [2]},
            {"key": "d", "a": True, "b": 1},
            {"key": "e", "a": None},
            {"key": "f", "b": None},
        ],
        "code": [{"key": "git.is_dirty", "a": True, "b": False}],
        "versions": [{"key": "numpy", "a": "2.1"}, {"key": "scipy", "b": "1.0"}],
        "system": [{"key": "cpu", "a": None, "b": "fast"}],
        "metrics": [{"key": "eval_return_mean", "a": 1.0, "b": 1.0000000001}],
    }


def test_diff_tells_patches_of_one_size_apart_by_file(axiomrl: Command) -> None:
    runs = [write_run("one"), write_run("two")]
    for run, changed in zip(runs, ("1", "2"), strict=True):
        (run / "config.yaml").write_text("{}")
        (run / "diff.patch").write_text(
            "diff --git a/same.py b/same.py\n+x\n"
            f"diff --git a/other name.py b/other name.py\n+{changed}\n"
        )
    code = diff(axiomrl, *runs)["differences"]["code"]
    assert [each["key"] for each in code] == ["diff.patch", "diff.patch other name.py"]


def test_diff_names_a_configuration_that_it_cannot_read(axiomrl: Command) -> None:
    content = diff(axiomrl, write_run("one"), write_run("two"))
    assert content["is_identical"] is False
    assert all("config.yaml" in problem for problem in content["problems"])


# tag


def test_tag_adds_and_removes_in_any_order_of_words(
    axiomrl: Command, three_runs: list[Path]
) -> None:
    before = (three_runs[0] / "metadata.json").read_bytes()
    outcome = axiomrl("runs", "tag", "+new", "ppo-a", "-old", "ppo-c", "--add", "h", "+a=b")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.stdout == "ppo-a: paper, new, h, a=b\nppo-c: paper, new, h, a=b\n"
    assert (three_runs[0] / "metadata.json").read_bytes() == before
    removed = axiomrl("runs", "tag", "ppo-c", "--remove", "h", "-new", "-a=b", "-paper")
    assert removed.stdout == "ppo-c: -\n"


@pytest.mark.parametrize(
    "words",
    [
        ("ppo-a",),
        ("ppo-a", "+a b"),
        ("ppo-a", "+"),
        ("ppo-a", "-"),
        ("ppo-a", "++x"),
        ("ppo-a", "+x", "-x"),
        ("+x",),
        ("ppo-a", "nowhere", "+x"),
    ],
)
def test_tag_refuses_bad_input_and_changes_nothing(
    words: tuple[str, ...], axiomrl: Command, three_runs: list[Path]
) -> None:
    outcome = axiomrl("runs", "tag", *words)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert 1 <= len(outcome.error_lines) <= 2
    assert not (three_runs[0] / "tags.json").exists()


def test_dash_h_of_tag_is_help_and_two_dashes_end_its_signs(
    axiomrl: Command, three_runs: list[Path]
) -> None:
    assert axiomrl("runs", "tag", "-h").stdout.startswith("Usage: axiomrl runs tag")
    write_run("+odd")
    assert axiomrl("runs", "tag", "+x", "--", "+odd").stdout == "+odd: x\n"


# rm and restore


def test_rm_moves_to_the_trash_and_restore_moves_back(
    axiomrl: Command, three_runs: list[Path]
) -> None:
    outcome = axiomrl("runs", "rm", "ppo-a", "dqn-b")
    assert (outcome.code, outcome.stdout) == (0, "runs/.trash/ppo-a\nruns/.trash/dqn-b\n")
    assert "axiomrl runs restore ppo-a" in outcome.stderr
    assert names(axiomrl("runs", "list", "--output-format", "json").stdout) == ["ppo-c"]
    trash = axiomrl("runs", "list", "--runs-dir", "runs/.trash", "--output-format", "json")
    assert names(trash.stdout) == ["ppo-a", "dqn-b"]
    outcome = axiomrl("runs", "restore", "ppo-a", "runs/.trash/dqn-b")
    assert (outcome.code, outcome.stdout) == (0, "runs/ppo-a\nruns/dqn-b\n")
    assert len(names(axiomrl("runs", "list", "--output-format", "json").stdout)) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rm", "nowhere"), "no run in runs is called 'nowhere'"),
        (("rm", "dqn-b", "ppo"), "'ppo' means 2 runs"),
        (("rm", "dqn-b", "ppo-c"), "is being written by process"),
        (("rm", "dqn-b", "ppo-c", "--purge", "--yes"), "is being written by process"),
        (("rm", "dqn-b", "--purge"), "this is no terminal"),
        (("restore", "dqn-b"), "no run in runs/.trash is called 'dqn-b'"),
        (("gc", "ppo-c"), "is being written by process"),
        (("gc", "--keep", "bset"), "'bset' is unknown"),
        (("gc", "--older-than", "soon"), "'soon' is no time span"),
        (("gc", "--runs-dir", "nowhere"), "no such folder"),
        (("gc", "ppo-a", "--trash"), "no RUN can be given"),
        (("show", "nowhere"), "no run in runs is called 'nowhere'"),
        (("diff", "ppo-a", "nowhere"), "no run in runs is called 'nowhere'"),
    ],
)
def test_bad_input_is_refused_before_anything_is_changed(
    words: tuple[str, ...], said: str, axiomrl: Command, three_runs: list[Path]
) -> None:
    outcome = axiomrl("runs", *words)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert said in outcome.stderr
    candidates = 2 if "means 2 runs" in said else 0
    assert len(outcome.error_lines) <= 2 + candidates
    assert "Traceback" not in outcome.stderr
    assert all(run.exists() for run in three_runs)


def test_run_of_a_living_process_cannot_be_removed_until_it_is_dead(
    axiomrl: Command, three_runs: list[Path]
) -> None:
    assert axiomrl("runs", "rm", "ppo-c").code == 2
    change(three_runs[2], process={"pid": 2**22 + 1, "start_time": 1.0, "boot_id": None})
    assert axiomrl("runs", "rm", "ppo-c").code == 0


def test_rm_warns_of_runs_that_continue_the_one_removed(axiomrl: Command) -> None:
    run = write_run("parent")
    path = str((run / "checkpoints" / "step_5.pt").absolute())
    write_run("child", parent={"path": path, "step": 5})
    outcome = axiomrl("runs", "rm", "parent")
    assert outcome.code == 0
    assert outcome.error_lines[0] == "warning: child continues parent"
    assert axiomrl("runs", "rm", "child").error_lines[0].startswith("to get it back")


def test_purge_deletes_without_asking_when_it_is_told_yes(
    axiomrl: Command, three_runs: list[Path]
) -> None:
    outcome = axiomrl("runs", "rm", "ppo-a", "--purge", "--yes")
    assert (outcome.code, outcome.stdout) == (0, "runs/ppo-a\n")
    assert os.listdir("runs/.trash") == []


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_purge_asks_at_a_terminal(
    answer: str,
    code: int,
    axiomrl: Command,
    three_runs: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", Answer(answer))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    outcome = axiomrl("runs", "rm", "ppo-a", "--purge")
    assert outcome.code == code
    assert "delete ppo-a for good? [y/N]" in outcome.stderr
    assert three_runs[0].exists() == (code == 1)


def test_purge_of_a_living_run_is_refused_without_asking(
    axiomrl: Command, three_runs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Answer("y\n"))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    outcome = axiomrl("runs", "rm", "ppo-a", "ppo-c", "--purge")
    assert (outcome.code, "[y/N]" in outcome.stderr) == (2, False)


class Answer:
    """A terminal at which one line is typed."""

    def __init__(self, text: str) -> None:
        self._text = text

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return self._text


# gc


def checkpoint_names(run: Path) -> set[str]:
    return {path.name for path in (run / "checkpoints").iterdir()}


def test_gc_says_what_it_frees_and_a_dry_run_frees_nothing(
    axiomrl: Command, run_directory: Path
) -> None:
    before = checkpoint_names(run_directory)
    words = ("runs", "gc", "--output-format", "json")
    told = json.loads(axiomrl(*words, "--dry-run").stdout)
    assert checkpoint_names(run_directory) == before
    done = axiomrl(*words)
    assert (done.code, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {**told, "dry_run": False}
    (run,) = told["runs"]
    left = checkpoint_names(run_directory)
    assert {f"checkpoints/{name}" for name in before - left} == set(run["removed"])
    assert left == {"best.pt", "step_256.pt"} == set(run["kept"])
    assert told["files"] == len(before - left) > 0
    assert told["bytes"] == run["bytes"] > 0
    assert axiomrl("eval", run_directory, "--episodes", "1").code == 0
    again = axiomrl("runs", "gc", "--dry-run")
    assert again.stdout == "  would free 0 B in 0 files of 0 runs\n"


def test_gc_leaves_running_and_younger_runs_alone(axiomrl: Command) -> None:
    runs = {
        "old": write_run("old", ended_at_utc="2026-01-01T00:00:00+00:00"),
        "new": write_run("new", ended_at_utc="2999-01-01T00:00:00+00:00"),
        "alive": write_run("alive", status="running", created_at_utc="2026-01-01T00:00:00+00:00"),
    }
    for run in runs.values():
        (run / ".config.yaml.1-2.tmp").write_text("left over")
    outcome = axiomrl("runs", "gc", "--older-than", "1d")
    assert outcome.code == 0
    assert "alive is being written and was left alone" in outcome.stdout
    left = {name for name, run in runs.items() if (run / ".config.yaml.1-2.tmp").exists()}
    assert left == {"new", "alive"}
    assert axiomrl("runs", "gc", "new").code == 0
    assert not (runs["new"] / ".config.yaml.1-2.tmp").exists()


def test_gc_of_the_trash_deletes_only_there_and_not_without_a_yes(
    axiomrl: Command, run_directory: Path
) -> None:
    write_run("gone")
    axiomrl("runs", "rm", "gone")
    before = checkpoint_names(run_directory)
    assert axiomrl("runs", "gc", "--trash").code == 2
    dry = axiomrl("runs", "gc", "--trash", "--dry-run")
    assert (dry.code, "would free" in dry.stdout) == (0, True)
    assert axiomrl("runs", "gc", "--trash", "--older-than", "1d").code == 0  # it is younger
    assert Path("runs/.trash/gone").exists()
    assert axiomrl("runs", "gc", "--trash", "--yes").code == 0
    assert os.listdir("runs/.trash") == []
    assert checkpoint_names(run_directory) == before


def test_gc_reports_what_it_could_not_remove_and_goes_on(
    axiomrl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (write_run(name) / ".config.yaml.1-2.tmp").write_text("left over")
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.parent.name == "one":
            raise PermissionError(1, "Operation not permitted")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    outcome = axiomrl("runs", "gc")
    assert outcome.code == 1
    assert "one/.config.yaml.1-2.tmp: cannot be removed" in outcome.stderr
    assert not Path("runs/two/.config.yaml.1-2.tmp").exists()
