"""The page on the expressions of `--where` against the code that reads them."""

from __future__ import annotations

import re

import pytest

from axiomrl.reports.filters import STATUSES
from axiomrl.reports.lookup import NAMED
from axiomrl.reports.where import parse

from .pages import DOCS, prose, table_under

PAGE = DOCS / "reference" / "where.md"
EXAMPLES = list(table_under(PAGE, "## Examples"))


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_can_be_read(example: str) -> None:
    assert parse(example).names


def test_the_example_of_a_command_can_be_read() -> None:
    commands = re.findall(r"--where '(.+)'", PAGE.read_text(encoding="utf-8"))
    assert [parse(each).names for each in commands] == [("hyperparameters.gamma", "seed")]


def test_every_name_that_all_runs_answer_to_is_documented() -> None:
    rows = re.findall(r"^ +\| (`.+?`) \|", prose(PAGE), re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == set(NAMED)


def test_every_status_is_documented() -> None:
    row = next(line for line in prose(PAGE).splitlines() if line.strip().startswith("| `status`"))
    assert set(re.findall(r"`(\w+)`", row)) == {"status", *STATUSES}
