"""Every snippet of the documentation parses or runs."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from axiomrl.cli.app import COMMANDS, command_line
from axiomrl.config import load_config
from axiomrl.metrics import METRICS
from axiomrl.search.description import load_search
from axiomrl.suites import load_manifest

from .pages import PAGES, REPOSITORY, all_snippets, commands, prose, snippets

NAMES = {page: str(page.relative_to(REPOSITORY)) for page in PAGES}
PLAIN = {"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 1000}
GROUP: Any = command_line()


def options_of(command: str) -> set[str]:
    """The options of a command, or of all commands of a group."""
    found = GROUP.commands[command]
    members = [found, *getattr(found, "commands", {}).values()]
    return {option for member in members for each in member.params for option in each.opts}


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=NAMES.get)
def test_every_shell_command_is_one_that_works(page: Path) -> None:
    for place, words in commands(page):
        program = words[0].removeprefix(".venv/bin/")
        check = CHECKS.get(program)
        assert check is not None, f"{place}: {program} is not known to this test"
        check(words[1:])


def check_axiomrl(words: list[str]) -> None:
    """The command exists, takes these options, and the settings that it is given are valid."""
    group, (command, *arguments) = GROUP, words
    while arguments and arguments[0] in getattr(group.commands[command], "commands", {}):
        group, (command, *arguments) = group.commands[command], arguments
    context = group.commands[command].make_context(command, arguments)
    config = context.params.get("config")
    if command == "tune" and str(config).startswith("configs/"):
        load_search(REPOSITORY / config, overrides=context.params["settings"] or ())
    elif config is not None and str(config).startswith("configs/"):
        flags = {name: context.params.get(name) for name in ("seed", "total_timesteps")}
        given = {name: 1 if text == "$seed" else int(text) for name, text in flags.items() if text}
        load_config(REPOSITORY / config, overrides=context.params["settings"] or (), flags=given)


def check_make(words: list[str]) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in words:
        assert re.search(f"^{target}:", makefile, re.MULTILINE), f"make {target}"


def check_pip(words: list[str]) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    for extra in re.findall(r"\[(\w+)\]", " ".join(words)):
        assert extra in project["project"]["optional-dependencies"]


def check_python(words: list[str]) -> None:
    assert words[0] == "-m" or (REPOSITORY / words[0]).is_file()


def check_nothing(words: list[str]) -> None:
    """A program that is not axiomrl's."""


CHECKS = {
    "axiomrl": check_axiomrl,
    "make": check_make,
    "pip": check_pip,
    "python": check_python,
    "python3": check_python,
    "source": check_nothing,
    "tensorboard": check_nothing,
}


@pytest.mark.parametrize("page", PAGES, ids=NAMES.get)
def test_commands_and_options_named_in_sentences_exist(page: Path) -> None:
    every_option = set().union(*map(options_of, COMMANDS), {"--debug", "--version", "--help"})
    elsewhere = {"--logdir", "--constraint", "--editable", "--check", "--write-docs"}
    for code in re.findall(r"`([^`\n]+)`", prose(page)):
        words = code.split()
        options = {word for word in words if re.fullmatch("--[a-z-]+", word)}
        if words[:1] == ["axiomrl"] and len(words) > 1 and words[1] in COMMANDS:
            assert options <= options_of(words[1]), code
        else:
            is_command = words[:1] == ["axiomrl"] and words[1:]
            assert not is_command or words[1].startswith("-"), code
            assert options <= every_option | elsewhere, code


@pytest.mark.parametrize("snippet", all_snippets("yaml"), ids=str)
def test_every_configuration_is_valid(snippet: Any, tmp_path: Path, folder: Path) -> None:
    values = yaml.safe_load(snippet.text)
    path = tmp_path / "snippet.yaml"
    if "presets" in values:
        path.write_text(snippet.text, encoding="utf-8")
        assert load_manifest(path).fingerprint
        return
    if values.get("mode") == "tune":
        path.write_text(snippet.text, encoding="utf-8")
        assert load_search(path).config.name
        return
    if snippet.file is not None and values["algo"] != "ppo":
        return  # an algorithm that its page adds: trained in test_examples
    text = snippet.text
    if "algo" not in values:
        text += "".join(f"\n{key}: {value}" for key, value in PLAIN.items() if key not in values)
    path.write_text(text, encoding="utf-8")
    load_config(path)


@pytest.mark.parametrize("snippet", all_snippets("json"), ids=str)
def test_every_example_row_of_metrics_is_one(snippet: Any) -> None:
    for line in snippet.text.splitlines():
        assert set(json.loads(line)) <= {"step", *METRICS}


PYTHON_PAGES = [page for page in PAGES if any(not each.file for each in snippets(page, "python"))]


@pytest.mark.parametrize("page", PYTHON_PAGES, ids=NAMES.get)
def test_every_python_snippet_runs(page: Path, folder: Path) -> None:
    (folder / "report.csv").write_text("run_id,eval_return_mean\nseed0-0123,10\nseed1-0123,20\n")
    namespace: dict[str, Any] = {}
    for snippet in snippets(page, "python"):
        if snippet.file is None:
            exec(compile(snippet.text, str(snippet), "exec"), namespace)
