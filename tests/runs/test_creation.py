"""Run directories under a name that their user has chosen, and what a kill leaves of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from axiomrl.errors import InputError
from axiomrl.runs.creation import remove_torn_directory
from axiomrl.runs.record import RunRecord
from axiomrl.runs.run import Run

from .conftest import MakeConfig


def test_run_can_be_given_its_exact_directory(tmp_path: Path, make_config: MakeConfig) -> None:
    wanted = tmp_path / "study" / "run_00_seed7"
    with Run.create(make_config(seed=7), directory=wanted) as run:
        assert run.directory == wanted
    record = RunRecord.read(wanted)
    assert (record.status, record.metadata["output_dir"]) == ("completed", str(wanted))
    assert not (tmp_path / "runs").exists()


def test_exact_directory_that_is_taken_is_left_alone(
    tmp_path: Path, make_config: MakeConfig
) -> None:
    with Run.create(make_config(), directory=tmp_path / "mine"):
        pass
    before = (tmp_path / "mine" / "metadata.json").read_bytes()
    with pytest.raises(InputError, match=r"mine.*File exists"):
        Run.create(make_config(), directory=tmp_path / "mine")
    assert (tmp_path / "mine" / "metadata.json").read_bytes() == before


def torn(run: Path) -> Path:
    """A directory as a process killed while making it leaves it."""
    for name in ("checkpoints", "tensorboard"):
        (run / name).mkdir(parents=True)
    (run / "tensorboard" / "events.out.tfevents.1").write_bytes(b"x")
    for name in ("config.yaml", "diff.patch", "metrics.jsonl", ".metadata.json.12-3.tmp"):
        (run / name).write_text("" if name == "metrics.jsonl" else "{")
    return run


def test_what_a_kill_while_creating_leaves_is_removed(
    tmp_path: Path, make_config: MakeConfig
) -> None:
    remove_torn_directory(tmp_path / "run")  # nothing there: nothing to do
    remove_torn_directory(torn(tmp_path / "run"))
    with Run.create(make_config(), directory=tmp_path / "run"):
        pass


@pytest.mark.parametrize(
    "name", ["metadata.json", "notes.txt", "checkpoints/step_0.pt", "metrics.jsonl"]
)
def test_directory_that_holds_anything_else_is_not_removed(tmp_path: Path, name: str) -> None:
    (torn(tmp_path / "run") / name).write_text("precious")
    with pytest.raises(InputError, match=name.partition("/")[0]):
        remove_torn_directory(tmp_path / "run")
    assert (tmp_path / "run" / name).read_text() == "precious"
