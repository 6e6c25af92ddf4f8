"""The reference page of the command line."""

from __future__ import annotations

import pytest

from axiomrl.cli.app import COMMANDS
from axiomrl.cli.reference import reference_page

from .conftest import Command


@pytest.mark.parametrize("name", COMMANDS)
def test_page_holds_what_help_says_of_every_command(axiomrl: Command, name: str) -> None:
    page = reference_page()
    assert f"## `axiomrl {name}`" in page
    for line in axiomrl(name, "--help").stdout.splitlines():
        option = line.split("  ")[1:2]
        if option and option[0].startswith("--"):
            assert option[0] in page


def test_page_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    narrow = reference_page()
    monkeypatch.setenv("COLUMNS", "200")
    assert reference_page() == narrow
