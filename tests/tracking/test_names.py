"""Ids made of configuration names: readable, safe as file names, and never shared."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl import ExperimentManager
from axiomrl.errors import InputError
from axiomrl.tracking.names import checked_id, id_for

AWKWARD = [
    "a.b", "a/b", "a_b", "a-b", "a b", "a\\b", "a:b", "A.b", "A/b", "..", ".", "", " ", "../a",
    "/a", "~", "-a", ".a", "a.", "a..", "con", "CON", "con.x", "nul", "com1", "lpt9.txt", "a\0b",
    "a\nb", "é", "e\u0301", "日本", "日本語", "ß", "ss", "\udcff", "x" * 64, "x" * 65, "x" * 300,
    "x" * 301, "mlp", "Mlp", "MLP", id_for("a/b"), id_for("a/b").upper(), id_for(id_for("a/b")),
]  # fmt: skip


@pytest.mark.parametrize("name", ["mlp", "a.b", "a_b", "a-b", "resnet-50_v1.5", "0", "_x"])
def test_safe_name_is_its_own_id(name: str) -> None:
    assert id_for(name) == name


def test_id_of_another_name_begins_with_what_is_readable_of_it() -> None:
    assert id_for("a/b").startswith("a-b-")
    assert id_for("Mlp, big (2 layers)").startswith("Mlp-big-2-layers-")
    assert id_for("日本").startswith("experiment-")
    assert id_for("con.x").startswith("_con.x-")


@given(st.lists(st.text(max_size=8) | st.sampled_from(AWKWARD), unique=True, max_size=4))
def test_different_names_have_different_ids_also_where_case_is_ignored(names: list[str]) -> None:
    ids = [id_for(name).lower() for name in names]
    assert len(set(ids)) == len(ids)


def test_awkward_names_have_different_files_that_stay_in_the_folder(tmp_path: Path) -> None:
    manager = ExperimentManager(tmp_path / "logs")
    for name in AWKWARD:
        manager.start_experiment(name)
    files = [path.name.lower() for path in manager.log_dir.glob("*.json")]
    assert len(set(files)) == len(set(AWKWARD)) == len(AWKWARD)
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    for name in AWKWARD:
        assert [record.config_name for record in manager.read_history(id_for(name))] == [name]


@given(st.text())
def test_every_id_can_be_given_as_one(name: str) -> None:
    assert checked_id(id_for(name)) == id_for(name)
    assert len(id_for(name)) <= 100


@pytest.mark.parametrize("given_id", ["mlp", "Run_1.b-2", "0f8fad5b-d9cb-469f-a165-70867728950e"])
def test_given_id_is_used_as_it_is(tmp_path: Path, given_id: str) -> None:
    manager = ExperimentManager(tmp_path)
    assert manager.start_experiment("any", experiment_id=given_id).experiment_id == given_id
    assert (tmp_path / f"{given_id}.json").is_file()


@pytest.mark.parametrize(
    "given_id",
    ["", "a/b", "a\\b", "..", ".a", "-a", "a b", "a:b", "con", "NUL.x", "é", "x" * 101, "a\n", 3],
)
def test_unfit_id_is_refused_and_nothing_is_made(tmp_path: Path, given_id: str) -> None:
    manager = ExperimentManager(tmp_path)
    with pytest.raises(InputError, match="experiment_id is"):
        manager.start_experiment("mlp", experiment_id=given_id)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [None, 3, b"mlp", Path("mlp")])
def test_name_that_is_no_text_is_refused(tmp_path: Path, name: str) -> None:
    for arguments in ({}, {"experiment_id": "mlp"}):
        with pytest.raises(InputError, match="config_name is"):
            ExperimentManager(tmp_path).start_experiment(name, **arguments)


def test_golden_ids_hold() -> None:
    assert id_for("a/b") == "a-b-c14cddc033f6"  # begins the SHA-256 of the name
    assert id_for("") == "experiment-e3b0c44298fc"
