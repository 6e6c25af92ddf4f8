"""Behaviour that all commands share: help, usage errors, exit codes, streams."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import axiomrl as package
from axiomrl.cli.app import COMMANDS

from .conftest import Command


def test_version_is_printed_on_stdout(axiomrl: Command) -> None:
    outcome = axiomrl("--version")
    assert (outcome.code, outcome.stdout) == (0, f"axiomrl {package.__version__}\n")


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help_names_every_command(axiomrl: Command, words: tuple[str, ...]) -> None:
    outcome = axiomrl(*words)
    assert outcome.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in outcome.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_fits_80_columns_and_holds_an_example(
    axiomrl: Command, name: str
) -> None:
    outcome = axiomrl(name, "--help")
    assert outcome.code == 0
    assert "Examples:" in outcome.stdout
    assert f"    axiomrl {name}" in outcome.stdout
    assert max(map(len, outcome.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("trian",), "'train'"),
        (("train",), "--config"),
        (("train", "--config", "x.yaml", "--sed", "1"), "--sed"),
        (("eval",), "RUN_OR_CHECKPOINT"),
        (("zoo", "--format", "tabel"), "'report'"),
        (("doctor", "--output-format", "xml"), "'json'"),
        (("config", "surplus"), "surplus"),
    ],
)
def test_usage_error_takes_two_lines_and_exits_with_2(
    axiomrl: Command, words: tuple[str, ...], told: str
) -> None:
    outcome = axiomrl(*words)
    assert outcome.code == 2
    assert outcome.stdout == ""
    first, second = outcome.error_lines
    assert first.startswith("error: ")
    assert told in first
    assert "Value error" not in first
    assert second.startswith("       see: axiomrl")
    assert second.endswith("--help")


def test_bug_is_shown_with_its_traceback_and_called_one(
    axiomrl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("axiomrl.config.explain", fail)
    outcome = axiomrl("config", "--explain", "ppo")
    assert outcome.code == 1
    assert outcome.stderr.startswith("Traceback")
    assert "typer" not in outcome.stderr
    assert "error: unexpected ZeroDivisionError: by nothing\n       a bug in" in outcome.stderr


def test_refusal_by_the_machine_is_no_bug(
    axiomrl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "some.file")

    monkeypatch.setattr("axiomrl.config.explain", fail)
    outcome = axiomrl("config", "--explain", "ppo")
    assert (outcome.code, outcome.stderr) == (1, "error: some.file: No space left on device\n")


def test_keyboard_interrupt_exits_with_130(
    axiomrl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("axiomrl.config.explain", interrupt)
    outcome = axiomrl("config", "--explain", "ppo")
    assert (outcome.code, outcome.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize(
    "words",
    [
        ("--debug", "config", "--config", "none.yaml"),
        ("config", "--config", "none.yaml", "--debug"),
    ],
)
def test_debug_shows_the_traceback_wherever_it_stands(
    axiomrl: Command, words: tuple[str, ...]
) -> None:
    outcome = axiomrl(*words)
    assert outcome.code == 2
    assert outcome.stderr.startswith("Traceback")
    assert "\nerror: none.yaml" in outcome.stderr


def test_debug_can_be_asked_for_by_the_environment(
    axiomrl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AXIOMRL_DEBUG", "1")
    assert "Traceback" in axiomrl("config", "--config", "none.yaml").stderr
    monkeypatch.setenv("AXIOMRL_DEBUG", "0")
    assert "Traceback" not in axiomrl("config", "--config", "none.yaml").stderr


def test_colour_is_for_terminals_only_and_not_with_no_color(
    axiomrl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    words = ("config", "--config", "none.yaml")
    assert "\x1b[" not in axiomrl(*words).stderr
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert axiomrl(*words).stderr.startswith("\x1b[31;1merror:\x1b[0m none.yaml")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in axiomrl(*words).stderr


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from axiomrl.cli.app import main; main(['--help']); "
        "print({'torch', 'gymnasium', 'numpy', 'rich', 'yaml', 'msgspec'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_reader_that_goes_away_is_no_error() -> None:
    command = [sys.executable, "-m", "axiomrl", "config", "--explain", "ppo"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    complaints = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), complaints) == (1, b"")


def test_what_stdout_cannot_encode_is_written_as_an_escape() -> None:
    code = "from axiomrl.cli import terminal; terminal.data('a\\ud800 \\u2581')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.stdout, done.stderr) == (b"a\\ud800 \\u2581\n", b"")
