"""A browser for the session, and pages over runs to show in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..pages import make_page, write_hostile_runs
from ..run_files import write_group, write_run
from .chromium import Chromium, Page


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def tab(browser: Chromium) -> Iterator[Page]:
    """A tab of its own, as wide as a desktop; nothing in it may complain."""
    page = browser.page()
    page.resize(1280)
    yield page
    assert page.complaints == []
    assert page.events("Page.javascriptDialogOpening") == []
    page.close()


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine groups in two environments, with curves, intervals, and one without a rank."""
    folder = tmp_path_factory.mktemp("board")
    runs = folder / "runs"
    for number in range(7):
        config = {"hyperparameters": {"gamma": number / 10, "tau": 1}, "algo": "ppo"}
        curve = [(step * 100, number * 10 + step / 4) for step in range(1, 101)]
        more: dict[str, Any] = {"config_hash": f"{number:016x}", "config": config, "curve": curve}
        write_group(runs, f"ppo-{number}", [number * 10 + seed for seed in range(4)], **more)
    write_group(runs, "few", [3, 70], algo="dqn", config={"algo": "dqn"}, curve=[(100, 5.0)])
    write_group(runs, "sac", [1, 2, 3], algo="sac", env_id="Pendulum-v1", curve=[(0, 1), (50, 2)])
    write_run(runs / "none", algo="td3", env_id="Pendulum-v1", score=None)
    write_run(runs / "again", algo="sac", env_id="Pendulum-v1", progress={"env_steps": 1})
    file = folder / "board.html"
    make_page(file, "--runs-dir", runs)
    return file


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    write_hostile_runs(folder / "runs")
    make_page(folder / "board.html", "--runs-dir", folder / "runs", "--status", "all")
    return folder / "board.html"


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred groups of ten runs in one environment."""
    folder = tmp_path_factory.mktemp("large")
    for number in range(100):
        config = {"hyperparameters": {"gamma": number / 1000}}
        more: dict[str, Any] = {"config_hash": f"{number:016x}", "config": config}
        more["curve"] = [(step * 1000, number + step / 7) for step in range(80)]
        write_group(folder / "runs", f"g{number}", [number + s / 3 for s in range(10)], **more)
    make_page(folder / "board.html", "--runs-dir", folder / "runs")
    return folder / "board.html"
