"""The report: one row per run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from axiomrl.reports.report import unique_prefixes

STAMPS = ("20260101-120000-000000", "20260101-120000-500000", "20260102-080000-000000")


def test_run_that_is_alone_with_its_seed_loses_its_time_stamp() -> None:
    names = [f"ppo__CartPole-v1__seed{seed}__{STAMPS[0]}" for seed in (0, 1)]
    assert unique_prefixes(names) == ["ppo__CartPole-v1__seed0", "ppo__CartPole-v1__seed1"]


def test_seed_that_begins_another_one_keeps_its_separator() -> None:
    names = [f"ppo__CartPole-v1__seed{seed}__{STAMPS[0]}" for seed in (1, 10)]
    assert unique_prefixes(names) == ["ppo__CartPole-v1__seed1__", "ppo__CartPole-v1__seed10"]


def test_attempts_with_one_seed_keep_as_much_of_the_stamp_as_tells_them_apart() -> None:
    names = [f"ppo__CartPole-v1__seed0__{stamp}" for stamp in STAMPS]
    assert unique_prefixes(names) == [names[0], names[1], "ppo__CartPole-v1__seed0__20260102"]


def test_names_of_another_form_stay_whole() -> None:
    assert unique_prefixes(["a", "ab", "same", "same"]) == ["a", "ab", "same", "same"]


@given(st.lists(st.text("ab_-0", min_size=1), max_size=8, unique=True))
def test_short_names_begin_one_name_only_or_are_whole(names: list[str]) -> None:
    for name, short in zip(names, unique_prefixes(names), strict=True):
        assert name.startswith(short)
        assert short == name or [each for each in names if each.startswith(short)] == [name]


def test_reports_load_neither_torch_nor_gymnasium(tmp_path: Path) -> None:
    script = (
        "import sys; from axiomrl.cli.app import main; assert main(['zoo']) == 0; "
        "print({'torch', 'gymnasium', 'pandas', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1:] == ["set()"], done.stderr
