from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from axiomrl.errors import InputError, RunNotFoundError
from axiomrl.runs.store import RunStore

from .conftest import MakeConfig, text


def add_run(root: Path, name: str, **metadata: Any) -> Path:
    directory = root / name
    directory.mkdir(parents=True)
    (directory / "metadata.json").write_text(json.dumps({"status": "completed", **metadata}))
    return directory


def names(store: RunStore) -> list[str]:
    return [str(record.directory.relative_to(store.root)) for record in store.scan().records]


def test_created_run_is_in_the_store_and_found_again(
    tmp_path: Path, make_config: MakeConfig
) -> None:
    store = RunStore(tmp_path / "mine")
    with store.create(make_config(output_dir="elsewhere"), command=["x"]) as run:
        pass
    assert run.directory.parent == tmp_path / "mine"
    assert store.find(run.directory.name).metadata["command"] == ["x"]


def test_scan_finds_runs_at_any_depth_oldest_first(tmp_path: Path) -> None:
    add_run(tmp_path, "b", created_at_utc="2026-01-02")
    add_run(tmp_path, "deep/er/a", created_at_utc="2026-01-03")
    add_run(tmp_path, "c", created_at_utc="2026-01-01")
    add_run(tmp_path, ".hidden/d")
    add_run(tmp_path, "b/inner")  # within a run, so none
    (tmp_path / "empty").mkdir()
    (tmp_path / "README.md").write_text("")
    result = RunStore(tmp_path).scan()
    assert names(RunStore(tmp_path)) == ["c", "b", "deep/er/a"]
    assert result.problems == []


def test_scan_of_a_missing_folder_is_empty(tmp_path: Path) -> None:
    result = RunStore(tmp_path / "missing").scan()
    assert (result.records, result.problems) == ([], [])


def test_scan_of_a_run_is_that_run(tmp_path: Path) -> None:
    add_run(tmp_path, "a")
    assert names(RunStore(tmp_path / "a")) == ["."]


def test_links_are_followed_once_and_loops_never(tmp_path: Path) -> None:
    root = tmp_path / "root"
    add_run(root, "a")
    add_run(root, "sub/b")
    add_run(tmp_path, "outside/c")
    (root / "self").symlink_to("self")
    (root / "sub" / "up").symlink_to(root)
    (root / "sub" / "way_up").symlink_to(tmp_path.parent)
    (root / "again").symlink_to(root / "sub")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "broken").symlink_to(tmp_path / "missing")
    assert sorted(names(RunStore(root))) == ["a", "out/c", "sub/b"]
    assert RunStore(root).scan().problems == []


def test_root_may_be_a_link(tmp_path: Path) -> None:
    add_run(tmp_path, "real/a")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert names(RunStore(tmp_path / "link")) == ["a"]


def test_damaged_runs_are_problems_and_the_others_are_read(tmp_path: Path) -> None:
    add_run(tmp_path, "good")
    add_run(tmp_path, "partly", seed="three")
    (add_run(tmp_path, "empty") / "metadata.json").write_text("")
    folder = add_run(tmp_path, "folder") / "metadata.json"
    folder.unlink()
    folder.mkdir()
    result = RunStore(tmp_path).scan()
    assert sorted(record.directory.name for record in result.records) == ["good", "partly"]
    problems = sorted(str(problem) for problem in result.problems)
    assert len(problems) == 3
    assert problems[0].startswith(f"{tmp_path / 'empty' / 'metadata.json'}: is not JSON")
    assert problems[1].startswith(f"{folder}: ")
    assert problems[2].startswith(f"{tmp_path / 'partly'}: seed: ")


def test_run_is_found_by_path_prefix_id_and_file(
    tmp_path: Path, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path / "runs")
    with store.create(make_config(seed=1)) as run:
        checkpoint = run.save_checkpoint(0, text(""))
    add_run(store.root, "study/run_00_seed1", run_id="seed1-0")
    add_run(store.root, "study/run_01_seed2", run_id="seed2-0")
    monkeypatch.chdir(tmp_path)
    for name in (
        run.directory,
        f"runs/{run.directory.name}",
        run.directory.name,
        run.directory.name[:20],
        run.metadata["run_id"],
        checkpoint,
        run.directory / "metadata.json",
    ):
        assert store.find(name).directory.resolve() == run.directory
    assert store.find("study/run_00_seed1").metadata["run_id"] == "seed1-0"
    assert store.find("run_00_seed1").metadata["run_id"] == "seed1-0"
    assert store.find("seed2-0").directory.name == "run_01_seed2"


def test_whole_name_wins_over_names_that_it_begins(tmp_path: Path) -> None:
    add_run(tmp_path, "a")
    add_run(tmp_path, "deeper/ab")
    assert RunStore(tmp_path / "deeper" / "..").find("a").directory.name == "a"


@pytest.mark.parametrize("name", ["ppo__", "seed1-abc"])
def test_ambiguous_name_lists_candidates_newest_first(tmp_path: Path, name: str) -> None:
    for day in (1, 3, 2):
        add_run(tmp_path, f"ppo__{day}", run_id="seed1-abc", created_at_utc=f"2026-01-0{day}")
    with pytest.raises(RunNotFoundError) as raised:
        RunStore(tmp_path).find(name)
    lines = str(raised.value).splitlines()
    assert "means 3 runs" in lines[0]
    assert [line.split("__")[-1] for line in lines[1:4]] == [
        "3 (completed)", "2 (completed)", "1 (completed)",
    ]  # fmt: skip


def test_long_lists_of_candidates_are_cut(tmp_path: Path) -> None:
    for number in range(14):
        add_run(tmp_path, f"ppo__{number}")
    with pytest.raises(RunNotFoundError, match="and 4 more"):
        RunStore(tmp_path).find("ppo")


def test_unknown_name_gets_the_nearest(tmp_path: Path) -> None:
    add_run(tmp_path, "ppo__CartPole-v1__seed0__20260101", run_id="seed0-0123456789abcdef")
    with pytest.raises(RunNotFoundError, match="did you mean: ppo__CartPole-v1__seed0__20260101"):
        RunStore(tmp_path).find("ppo__CartPole-v1__seed1__20260101")
    with pytest.raises(RunNotFoundError, match="did you mean: seed0-0123456789abcdef"):
        RunStore(tmp_path).find("seed0-0123456789abcdee")


@pytest.mark.parametrize("name", ["xyz", "", "x" * 5000, "a\0b"])
def test_name_like_no_other_gets_a_way_to_list_them(tmp_path: Path, name: str) -> None:
    add_run(tmp_path / "runs", "ppo__CartPole-v1")
    (tmp_path / "runs" / "ppo__CartPole-v1").rename(tmp_path / "runs" / "ppo")
    root = tmp_path / "runs" / "sub"
    root.mkdir()
    with pytest.raises(RunNotFoundError):
        RunStore(root).find(name)


def test_folder_that_is_no_run_is_said_to_be_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunNotFoundError, match=r"folder: is not a run: it has no metadata\.json"):
        RunStore("runs").find("folder")


def test_run_whose_metadata_is_damaged_is_not_just_missing(tmp_path: Path) -> None:
    (add_run(tmp_path, "ppo__1") / "metadata.json").write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        RunStore(tmp_path).find("ppo__1")
    with pytest.raises(RunNotFoundError, match=r"cannot be read.*is not JSON"):
        RunStore(tmp_path).find("ppo")


def test_reading_runs_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    add_run(tmp_path, "a")
    code = (
        "import sys\nfrom axiomrl.runs.store import RunStore\n"
        "assert len(RunStore(sys.argv[1]).scan().records) == 1\n"
        "heavy = {'torch', 'gymnasium', 'pandas', 'matplotlib', 'psutil', 'tensorboard', 'yaml',\n"
        "         'numpy', 'axiomrl.config'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
