"""`axiomrl reproduce`: answers, exit codes, and what is kept."""

from __future__ import annotations

import json
import signal
import tempfile
from pathlib import Path

import pytest

from axiomrl.errors import Interrupted

from .conftest import Command


@pytest.fixture(autouse=True)
def _temporary_folders_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


def damage(run: Path) -> None:
    """Write another first evaluation into the metrics."""
    path = run / "metrics.jsonl"
    first, *others = path.read_text().splitlines(keepends=True)
    row = json.loads(first)
    row["eval_return_mean"] = -1.0
    path.write_text("".join([json.dumps(row) + "\n", *others]))


def test_a_run_that_comes_out_the_same(axiomrl: Command, run_directory: Path) -> None:
    outcome = axiomrl("reproduce", run_directory.name)
    assert outcome.code == 0, outcome.stderr
    told = outcome.stdout.splitlines()
    assert told[0] == "identical up to step 256"
    assert told[1].startswith("  compared: 3 rows of metrics; checkpoints: step_0")
    assert len(told) == 2
    assert f"again: {run_directory.name}" in outcome.stderr
    assert list(Path("tmp").iterdir()) == []
    assert axiomrl("reproduce", run_directory, "--quiet").stderr == ""


def test_a_run_that_differs_exits_with_1_and_is_kept(axiomrl: Command, run_directory: Path) -> None:
    damage(run_directory)
    outcome = axiomrl("reproduce", run_directory, "--quiet")
    assert outcome.code == 1
    told = outcome.stdout.splitlines()
    assert told[0].startswith("differs at step 0: eval_return_mean was -1.0, is ")
    assert told[2] == "  versions, machine and commit are the same"
    kept = Path(told[3].removeprefix("  the second run: "))
    assert (kept / "metrics.jsonl").is_file()


def test_as_json(axiomrl: Command, run_directory: Path) -> None:
    words = ("--output-format", "json", "--quiet", "--output-dir", "again")
    told = json.loads(axiomrl("reproduce", run_directory, *words, "--until", "128").stdout)
    assert told["schema_version"] == 1
    assert told["is_identical"] is True
    assert told["env_steps"] == 128
    assert told["difference"] is None
    assert told["run"] == str(run_directory)
    assert Path(told["directory"]).parent == Path("again").absolute()
    damage(run_directory)
    told = json.loads(axiomrl("reproduce", run_directory, *words).stdout)
    assert told["is_identical"] is False
    assert told["difference"]["metric"] == "eval_return_mean"


def test_an_interrupted_one_is_given_up(
    axiomrl: Command, run_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise Interrupted("the run is saved", signal_number=signal.SIGINT, hint="axiomrl resume")

    monkeypatch.setattr("axiomrl.training.session.start", interrupted)
    outcome = axiomrl("reproduce", run_directory, "--quiet")
    assert (outcome.code, outcome.stdout) == (130, "")
    assert outcome.error_lines == ["interrupted; the second run is given up"]
    assert list(Path("tmp").iterdir()) == []


def test_bad_input_leaves_nothing_behind(axiomrl: Command, run_directory: Path) -> None:
    checkpoint = next((run_directory / "checkpoints").glob("step_*.pt"))
    for words, told in (
        (("no-such-run",), "no-such-run"),
        ((run_directory, "--until", "-1"), "--until"),
        ((run_directory, "--until", "soon"), "--until"),
        ((checkpoint,), "is a checkpoint"),
    ):
        outcome = axiomrl("reproduce", *words)
        assert (outcome.code, outcome.stdout) == (2, "")
        assert told in outcome.error_lines[0]
        assert len(outcome.error_lines) <= 2
    (run_directory / "metrics.jsonl").unlink()
    outcome = axiomrl("reproduce", run_directory)
    assert outcome.code == 2
    assert "has no metrics to compare" in outcome.stderr
    assert list(Path("tmp").iterdir()) == []
