"""What is shown of a study whose runs are computed side by side."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from axiomrl.cli.study_display import TerminalDisplay
from axiomrl.cli.terminal import Invocation
from axiomrl.study.launchers.contract import JobProgress
from axiomrl.study.plan import Plan, planned_runs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


PLAN = Plan(
    config={"algo": "ppo", "env_id": "CartPole-v1"}, config_hash="", runs=planned_runs([7, 8])
)
FAILED: dict[str, Any] = {"type": "ZeroDivisionError", "message": "unlucky", "traceback": "T\n"}


def progress(env_steps: int) -> JobProgress:
    return JobProgress(
        env_steps=env_steps,
        total_timesteps=100,
        env_steps_per_s=10.0,
        phase="training",
        run_directory=Path("there"),
    )


def shown(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, *, quiet: bool = False) -> str:
    """Two runs side by side, of which the first one fails."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    display = TerminalDisplay(Invocation([], debug=False), quiet=quiet)
    display.begun(PLAN, 2)
    first, second = PLAN.runs
    for env_steps in (0, 50):
        display.progressed(PLAN, first, progress(env_steps))
        display.progressed(PLAN, second, progress(env_steps + 20))
    display.ended(PLAN, first, FAILED)
    display.progressed(PLAN, second, progress(90))
    display.close()
    return stream.getvalue()


def test_lines_say_which_run_they_are_of(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(io.StringIO(), monkeypatch).splitlines()
    assert lines[:4] == [
        "run 1 of 2: ppo on CartPole-v1, seed 7", "there",
        "run 2 of 2: ppo on CartPole-v1, seed 8", "there",
    ]  # fmt: skip
    assert lines[4:6] == [
        "run 1 of 2:  50 %  50 steps  10/s  eta 0:05",
        "run 2 of 2:  70 %  70 steps  10/s  eta 0:03",
    ]
    assert lines[6:8] == ["T", "error: unexpected ZeroDivisionError: unlucky"]
    assert lines[-1] == "run 2 of 2:  90 %  90 steps  10/s  eta 0:01"


def test_a_terminal_shows_a_bar_for_each_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(Terminal(), monkeypatch)
    assert "run 1 of 2" in text
    assert "70 %  70 steps" in text
    *_, last = text.split("unlucky")
    assert "run 2 of 2" in last
    assert "90 %  90 steps" in last
    assert "50 %" not in last  # the bar of the run that has ended is gone


def test_errors_are_told_even_when_all_else_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(io.StringIO(), monkeypatch, quiet=True).splitlines()
    assert lines[:2] == ["T", "error: unexpected ZeroDivisionError: unlucky"]
    assert len(lines) == 3  # and what to make of it
