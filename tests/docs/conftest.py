"""A folder like the one a reader works in, and commands run in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from axiomrl import algorithms
from axiomrl.cli.app import main

from .pages import REPOSITORY

Command = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder with `configs/`, which is the current one; modules in it can be imported.

    What is imported or registered by a test is forgotten afterwards.
    """
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.setattr(algorithms, "ALGORITHMS", dict(algorithms.ALGORITHMS))
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    before = set(sys.modules)
    with threadpool_limits(limits=1):  # the variables come too late for what is loaded already
        yield tmp_path
    for name in set(sys.modules) - before:
        path = getattr(sys.modules[name], "__file__", None)
        if path and Path(path).is_relative_to(tmp_path):
            del sys.modules[name]


@pytest.fixture
def axiomrl(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """`axiomrl(*words)`: its standard output; the command must succeed."""

    def call(*words: str | Path) -> str:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        assert code == 0, f"axiomrl {' '.join(map(str, words))}\n{captured.err}"
        return captured.out

    return call
