"""What training's progress looks like on a terminal and elsewhere."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from axiomrl.cli.progress import progress_display
from axiomrl.training.session import TrainingProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class ClosedPipe(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def state(
    env_steps: int, duration_s: float, *, phase: str = "training", score: float | None = 20.0
) -> TrainingProgress:
    return TrainingProgress(
        env_steps=env_steps,
        total_timesteps=100_000,
        duration_s=duration_s,
        env_steps_per_s=1_000.0,
        phase=phase,
        rollout_return_mean=score,
        eval_return_mean=None,
        best=score,
        run_directory=Path("runs/a-run").absolute(),
    )


def lines_for(*states: TrainingProgress) -> list[str]:
    stream = io.StringIO()
    with progress_display("ppo on CartPole-v1", stream=stream) as on_progress:
        assert on_progress is not None
        for each in states:
            on_progress(each)
    return stream.getvalue().splitlines()


def test_first_line_says_what_is_trained_and_where() -> None:
    assert lines_for(state(0, 0.0)) == ["ppo on CartPole-v1", "runs/a-run"]


def test_line_holds_share_steps_speed_time_left_and_returns() -> None:
    *_, line = lines_for(state(0, 0.0), state(40_000, 1.0))
    assert line == " 40 %  40,000 steps  1,000/s  eta 1:00  return 20.0  best 20.0"


def test_line_leaves_out_what_is_not_known_yet() -> None:
    *_, line = lines_for(state(0, 0.0), state(40_000, 1.0, score=None, phase="evaluating"))
    assert line == " 40 %  40,000 steps  1,000/s  evaluating"


def test_each_tenth_of_the_way_gets_one_line() -> None:
    lines = lines_for(*(state(steps, steps / 1e5) for steps in range(0, 100_001, 500)))
    assert [line[:5] for line in lines[2:]] == [f"{share:3d} %" for share in range(10, 101, 10)]


def test_silence_is_broken_after_5_seconds_and_then_ever_later() -> None:
    states = [state(second, float(second)) for second in range(200)]
    told_at = [int(line.split()[2]) for line in lines_for(*states)[2:]]
    assert told_at == [5, 15, 35, 75, 135, 195]


def test_quiet_shows_nothing() -> None:
    stream = io.StringIO()
    with progress_display("title", quiet=True, stream=stream) as on_progress:
        assert on_progress is None
    assert stream.getvalue() == ""


def test_stream_that_is_gone_does_not_end_training() -> None:
    with progress_display("title", stream=ClosedPipe()) as on_progress:
        assert on_progress is not None
        on_progress(state(0, 0.0))
        on_progress(state(50_000, 1.0))


def test_terminal_gets_a_bar_that_ends_full(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with progress_display("ppo on CartPole-v1", stream=Terminal()) as on_progress:
        assert on_progress is not None
        on_progress(state(0, 0.0))
        on_progress(state(100_000, 1.0))
    shown = capsys.readouterr().err
    assert "ppo on CartPole-v1\nruns/a-run\n" in shown
    assert "100 %  100,000 steps  1,000/s  eta 0:00  return 20.0  best 20.0" in shown
