"""`axiomrl watch`: what is drawn, when it ends, and that it only reads."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.cli.watch_frame import BLOCKS, frame, sparkline
from axiomrl.reports.watching import Curve, RunView

from .conftest import Command
from .written_runs import change, log, write_run

TIMEOUT_S = 60


def view(name: str = "a-run", status: str = "running", **changes: object) -> RunView:
    curve = Curve([0, 1, 2, 3], [1.0, 2.0, 3.0, 4.0])
    values: dict[str, object] = {
        "name": name,
        "status": status,
        "env_steps": 42_000,
        "total_timesteps": 100_000,
        "env_steps_per_s": 3512.4,
        "remaining_s": 16.4,
        "metric": "eval",
        "last": 123.44,
        "best": 150.0,
        "curve": curve,
        **changes,
    }
    return RunView(**values)  # type: ignore[arg-type]


def drawn(*views: RunView, width: int = 80, height: int | None = None) -> list[str]:
    lines = frame(views, width=width, height=height)
    return ["".join(text for text, _ in line) for line in lines]


# what is drawn


def test_frame_shows_status_returns_curve_and_how_far_it_is() -> None:
    heading, way = drawn(view())
    assert heading == "a-run  running  eval 123.4  best 150.0  ▁▃▆█"
    assert re.fullmatch(r"█+░+   42 %  42,000/100,000  3,512/s  eta 0:16", way)
    bar = way.partition(" ")[0]
    assert bar.count("█") == int(0.42 * len(bar))


def test_frame_leaves_out_what_is_not_known() -> None:
    nothing = dict.fromkeys(
        ("env_steps", "total_timesteps", "env_steps_per_s", "remaining_s", "metric", "last", "best")
    )
    heading, way = drawn(view(status="unknown", curve=Curve(), **nothing))
    assert heading == "a-run  unknown"
    assert way.endswith("  0 steps")


@given(st.integers(1, 120), st.text(max_size=40), st.integers(1, 10**12))
def test_no_line_is_wider_than_the_terminal(width: int, name: str, steps: int) -> None:
    lines = drawn(view(name, env_steps=steps), width=width)
    assert len(lines) == 2
    assert max(map(len, lines)) <= width


@given(st.integers(1, 12), st.integers(3, 30))
def test_running_runs_come_first_where_there_is_no_room_for_all(count: int, height: int) -> None:
    views = [view(f"run-{n}", "running" if n % 2 else "completed") for n in range(count)]
    lines = drawn(*views, height=height)
    assert len(lines) <= height
    shown = {line.split()[0] for line in lines if line.startswith("run-")}
    hidden = {each.name for each in views} - shown
    if hidden:
        assert lines[-1] == f"and {len(hidden)} more"
        running = {each.name for each in views if each.status == "running"}
        assert not hidden & running or shown <= running


@given(st.lists(st.none() | st.floats(-1e9, 1e9), max_size=30))
def test_sparkline_has_a_block_for_every_value(values: list[float | None]) -> None:
    line = sparkline(values)
    known = [value for value in values if value is not None]
    assert len(line) == (len(values) if known else 0)
    assert [each == " " for each in line] == [value is None for value in values if known]
    if known and max(known) > min(known):
        assert line[values.index(max(known))] == BLOCKS[-1]
        assert line[values.index(min(known))] == BLOCKS[0]


def test_terminal_without_block_characters_gets_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    lines = drawn(view("x" * 100))
    assert all(line.isascii() for line in lines)


# once, and without a terminal


def test_without_a_terminal_one_frame_is_printed(axiomrl: Command) -> None:
    progress = {"env_steps": 5, "total_timesteps": 10, "env_steps_per_s": 1.0}
    log(write_run("alive", status="running", progress=progress), {"step": 8, "eval_return_mean": 3})
    write_run("over")
    outcome = axiomrl("watch")
    assert (outcome.code, outcome.stderr) == (0, "")
    heading, way = outcome.stdout.splitlines()
    assert heading == "alive  running  eval 3.0  best 3.0"
    assert way.endswith(" 80 %  8/10  1/s  eta 0:02")
    assert axiomrl("watch", "runs", "--once").stdout == outcome.stdout


def test_run_that_is_named_is_shown_though_it_has_ended(axiomrl: Command) -> None:
    directory = write_run("over")
    for name in ("over", "seed0-over", str(directory)):
        assert axiomrl("watch", name).stdout.startswith("over  completed")


def test_folder_in_which_nothing_runs_says_so(axiomrl: Command) -> None:
    write_run("over")
    outcome = axiomrl("watch", "--once")
    assert (outcome.code, outcome.stdout) == (0, "")
    assert "no run is running in runs" in outcome.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "no run in runs is called 'nowhere'"),
        (("ppo",), "'ppo' means 2 runs"),
        (("--interval", "0"), "--interval is 0"),
        (("--interval", "nan"), "--interval is nan"),
        (("--interval", "soon"), "invalid value for '--interval'"),
        (("--runs-dir", "nowhere"), "--runs-dir nowhere: no such folder"),
    ],
)
def test_bad_input_is_refused(words: tuple[str, ...], said: str, axiomrl: Command) -> None:
    write_run("ppo-a")
    write_run("ppo-b")
    outcome = axiomrl("watch", *words)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert said in outcome.stderr


def test_watching_changes_no_file(axiomrl: Command) -> None:
    directory = write_run("alive", status="running")
    log(directory, {"step": 8, "eval_return_mean": 3})
    before = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*")}
    axiomrl("watch")
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*")} == before


# in a terminal


class Screen:
    """A process whose stdin, stdout and stderr are a terminal of 24 lines of 80 characters."""

    def __init__(self, *words: str) -> None:
        ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "axiomrl", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm", "PYTHONUTF8": "1"},
        )
        os.close(theirs)
        self._terminal = ours
        self.text = ""

    def read_until(self, pattern: str) -> str:
        """Everything written so far, once the pattern is in it."""
        while not re.search(pattern, self.text):
            assert self._read(), f"{pattern!r} was never written:\n{self.text}"
        return self.text

    def ended(self) -> int:
        """The exit code; the rest of what is written goes to `text`."""
        while self._read():
            pass
        return self.process.wait(TIMEOUT_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._terminal)

    def _read(self) -> bool:
        readable, _, _ = select.select([self._terminal], [], [], TIMEOUT_S)
        try:
            data = os.read(self._terminal, 65536) if readable else b""
        except OSError:  # what Linux says when the process has closed its side
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)


@pytest.fixture
def screen() -> Iterator[Callable[..., Screen]]:
    """`screen(*words)`: `axiomrl` in a terminal."""
    opened: list[Screen] = []

    def start(*words: str) -> Screen:
        opened.append(Screen(*words))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def test_terminal_is_redrawn_until_the_run_has_ended(screen: Callable[..., Screen]) -> None:
    hostile = write_run("[red]x[bold]\x1b]0;title\x07", status="running")
    log(hostile, {"step": 10, "eval_return_mean": 1.0})
    shown = screen("watch", str(hostile), "--interval", "0.1")
    first = shown.read_until("eval 1.0")
    assert "[red]x[bold]\\x1b]0;title\\x07" in first
    assert "\x1b]0;" not in first
    assert "\x1b[?25l" in first  # the cursor is hidden …
    log(hostile, {"step": 20, "eval_return_mean": 7.0})
    shown.read_until("eval 7.0")
    change(hostile, status="completed")
    assert shown.ended() == 0
    assert "completed" in shown.text
    assert shown.text.rindex("\x1b[?25h") > shown.text.rindex("\x1b[?25l")  # … and shown again


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_it_in_one_line_and_shows_the_cursor_again(
    number: signal.Signals, code: int, screen: Callable[..., Screen]
) -> None:
    write_run("alive", status="running")
    shown = screen("watch")
    shown.read_until("running")
    shown.process.send_signal(number)
    assert shown.ended() == code
    assert "Traceback" not in shown.text
    assert shown.text.rindex("\x1b[?25h") > shown.text.rindex("\x1b[?25l")


LONG = """\
algo: ppo
env_id: CartPole-v1
total_timesteps: 1000000
hyperparameters: {n_steps: 128, batch_size: 128, n_epochs: 1, hidden_sizes: [8]}
evaluation: {every: 256, episodes: 1}
"""


def test_real_training_is_followed_from_another_process_without_torch(
    axiomrl_process: Command, axiomrl: Command
) -> None:
    Path("long.yaml").write_text(LONG)
    command = [sys.executable, "-m", "axiomrl", "train", "--config", "long.yaml", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as training:
        try:
            seen = wait_for_rows(2)
            script = (
                "import sys; from axiomrl.cli.app import main; code = main(['watch', '--once']); "
                "sys.exit(code or bool({'torch', 'gymnasium'} & set(sys.modules)))"
            )
            done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        finally:
            training.send_signal(signal.SIGINT)
    assert done.returncode == 0, done.stderr
    heading, way = done.stdout.splitlines()
    assert heading.startswith("ppo__CartPole-v1__seed0")
    assert re.search(r"  running  eval \d+\.\d  best \d+\.\d  [▁▂▃▄▅▆▇█ ]+$", heading)
    steps = int(re.search(r"([\d,]+)/1,000,000", way)[1].replace(",", ""))  # type: ignore[index]
    assert steps >= seen
    ended = axiomrl("watch", "ppo__CartPole-v1__seed0")
    assert "  interrupted  " in ended.stdout


def wait_for_rows(count: int) -> int:
    """The step of the newest row, once metrics.jsonl of the run holds so many of them."""
    for _ in range(600):
        for path in Path("runs").glob("*/metrics.jsonl"):
            lines = path.read_text().splitlines()
            if len(lines) >= count and path.read_text().endswith("\n"):
                return int(json.loads(lines[-1])["step"])
        select.select([], [], [], 0.1)
    raise AssertionError("training wrote no rows")
