"""`axiomrl artifacts list|push|pull`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from axiomrl.config import config_from_mapping
from axiomrl.runs.run import Run

from .conftest import Command

BEST = "checkpoints/best.pt"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run below ./runs with a best checkpoint, made without training."""
    values = {"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 100}
    with Run.create(config_from_mapping(values), command=["axiomrl", "train"]) as made:
        checkpoint = made.save_checkpoint(100, lambda path: path.write_bytes(b"one") and None)
        made.mark_best(checkpoint, step=100, metric="eval_return_mean", value=1.0)
    return made.directory.absolute()


def test_what_is_pushed_is_listed_and_pulled_back(axiomrl: Command, run: Path) -> None:
    pushed = axiomrl("artifacts", "push", run.name, "--to", "archive", "--all")
    assert (pushed.code, pushed.stderr) == (0, "")
    assert pushed.stdout.startswith("stored     config.yaml")
    listed = axiomrl("artifacts", "list", run.name)
    assert listed.code == 0
    assert f"stored  {BEST}  3 B  file://" in listed.stdout
    shutil.rmtree(run / "checkpoints")
    pulled = axiomrl("artifacts", "pull", run.name)
    assert pulled.code == 0
    assert f"fetched    {BEST}  3 B  runs/{run.name}/{BEST}\n" in pulled.stdout
    assert "unchanged  config.yaml" in pulled.stdout
    assert (run / BEST).read_bytes() == b"one"


def test_json_is_versioned_and_complete(axiomrl: Command, run: Path) -> None:
    words = ("--output-format", "json")
    pushed = json.loads(axiomrl("artifacts", "push", run, "--to", "archive", *words).stdout)
    listed = json.loads(axiomrl("artifacts", "list", run, *words).stdout)
    pulled = json.loads(axiomrl("artifacts", "pull", run, "--to", "copy", *words).stdout)
    assert {each["schema_version"] for each in (pushed, listed, pulled)} == {1}
    assert [each["artifacts"][0]["state"] for each in (pushed, listed, pulled)] == [
        "stored",
        "stored",
        "fetched",
    ]
    references = [each["artifacts"][0]["reference"] for each in (pushed, listed, pulled)]
    assert references[0] == references[1] == references[2]
    assert pulled["artifacts"][0]["path"] == str(Path("copy", BEST).absolute())


def test_a_lone_artifacts_json_is_enough_to_pull(axiomrl: Command, run: Path) -> None:
    axiomrl("artifacts", "push", run, "--to", "archive", "--all")
    Path("elsewhere").mkdir()
    shutil.move(run / "artifacts.json", "elsewhere/artifacts.json")
    shutil.rmtree(run)
    words = ("artifacts", "pull", "elsewhere/artifacts.json", "--only", BEST)
    assert axiomrl(*words).code == 0
    assert Path("elsewhere", BEST).read_bytes() == b"one"
    assert axiomrl(*words, "--to", "there").code == 0
    assert [path.name for path in Path("there").rglob("*.pt")] == ["best.pt"]


def test_push_without_a_place_repeats_where_it_was_pushed_before(
    axiomrl: Command, run: Path
) -> None:
    first = axiomrl("artifacts", "push", run)
    assert first.code == 2
    assert "--to" in first.stderr
    axiomrl("artifacts", "push", run, "--to", "here", "--to", "there")
    shutil.rmtree("there")
    again = axiomrl("artifacts", "push", run)
    assert (again.code, again.stderr) == (0, "")
    assert sorted(line.split()[0] for line in again.stdout.splitlines()) == ["stored", "unchanged"]


def test_a_failed_push_exits_with_1_is_listed_and_can_be_repeated(
    axiomrl: Command, run: Path
) -> None:
    words = ("artifacts", "push", run, "--to", "archive")
    axiomrl(*words)
    (folder,) = Path("archive").iterdir()
    shutil.rmtree(folder)
    folder.write_text("in the way")
    failed = axiomrl(*words)
    assert (failed.code, failed.stdout) == (1, "")
    assert failed.error_lines[0].startswith("error: ")
    assert len(failed.error_lines) == 2
    assert f"\nfailed  {BEST}" in axiomrl("artifacts", "list", run).stdout
    several = axiomrl(*words, "--all")
    assert several.code == 1
    assert several.error_lines[-2].endswith("artifacts could not be stored")
    assert several.error_lines[-1].endswith(f"axiomrl artifacts push {run}")
    folder.unlink()
    assert axiomrl("artifacts", "push", run).code == 0
    assert "\nfailed" not in axiomrl("artifacts", "list", run).stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("push", "no-such-run", "--to", "archive"), "no-such-run"),
        (("push", "RUN", "--to", "s4://bucket"), "s4://"),
        (("push", "RUN", "--to", ""), "no place"),
        (("pull", "RUN"), "nothing of this run is stored"),
        (("list", "no-such-run"), "no-such-run"),
    ],
)
def test_bad_input_takes_two_lines_and_exits_with_2(
    axiomrl: Command, run: Path, words: tuple[str, ...], told: str
) -> None:
    outcome = axiomrl("artifacts", *(str(run) if word == "RUN" else word for word in words))
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.error_lines[0].startswith("error: ")
    assert told in outcome.error_lines[0]
    assert len(outcome.error_lines) <= 2


def test_where_nothing_is_stored_the_hint_is_what_helps(axiomrl: Command, run: Path) -> None:
    pulled = axiomrl("artifacts", "pull", run)
    assert pulled.error_lines[-1].endswith(f"axiomrl artifacts push {run} --to PLACE")
    axiomrl("artifacts", "push", run, "--to", "archive")
    elsewhere = axiomrl("artifacts", "pull", run, "--from", "elsewhere")
    assert elsewhere.error_lines[-1].endswith(f"axiomrl artifacts list {run}")


def test_a_wrong_name_of_an_artifact_is_told_with_the_nearest(axiomrl: Command, run: Path) -> None:
    axiomrl("artifacts", "push", run, "--to", "archive")
    outcome = axiomrl("artifacts", "pull", run, "--only", "checkpoints/bst.pt")
    assert outcome.code == 2
    assert f"did you mean: {BEST}" in outcome.stderr
    assert "in elsewhere" in axiomrl("artifacts", "pull", run, "--from", "elsewhere").stderr


def test_a_damaged_copy_is_told_and_changes_nothing(axiomrl: Command, run: Path) -> None:
    axiomrl("artifacts", "push", run, "--to", "archive")
    next(Path("archive").rglob("best.pt")).write_bytes(b"two")
    (run / BEST).unlink()
    outcome = axiomrl("artifacts", "pull", run)
    assert outcome.code == 1
    assert "is not what was stored" in outcome.error_lines[0]
    assert not (run / BEST).exists()


def test_nothing_pushed_yet_is_no_failure(axiomrl: Command, run: Path) -> None:
    outcome = axiomrl("artifacts", "list", run)
    assert (outcome.code, outcome.stdout) == (0, "")
    assert "nothing was stored yet" in outcome.stderr


@pytest.mark.parametrize("verb", ["list", "push", "pull"])
def test_help_fits_80_columns_and_holds_an_example(axiomrl: Command, verb: str) -> None:
    outcome = axiomrl("artifacts", verb, "--help")
    assert outcome.stdout.startswith(f"Usage: axiomrl artifacts {verb} [OPTIONS] RUN\n")
    assert f"    axiomrl artifacts {verb} " in outcome.stdout
    assert max(map(len, outcome.stdout.splitlines())) <= 80
