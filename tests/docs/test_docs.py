"""Generated pages are up to date, nothing is missing from them, and every link leads somewhere."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import pytest

from axiomrl import ExperimentRecord
from axiomrl.algorithms import ALGORITHMS, algorithm_class
from axiomrl.algorithms.protocol import Algorithm
from axiomrl.cli.app import COMMANDS
from axiomrl.config import explain
from axiomrl.metrics import METRICS

from .pages import DOCS, PAGES, REPOSITORY, anchor, prose, table_under

REFERENCE = DOCS / "reference"


@pytest.fixture
def generate() -> ModuleType:
    """The script `docs/generate.py`."""
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_up_to_date(generate: ModuleType) -> None:
    assert generate.out_of_date() == [], "run `make docs`"


def test_check_names_the_pages_that_are_out_of_date(
    generate: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(generate, "REFERENCE", tmp_path)
    monkeypatch.setattr(generate.out_of_date, "__defaults__", (tmp_path,))
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "metrics.md").write_text("an older one\n")
    (tmp_path / "cli.md").unlink()
    capsys.readouterr()
    assert generate.main(["--check"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(";")[0] for line in told] == [
        "out of date: docs/reference/cli.md",
        "out of date: docs/reference/metrics.md",
    ]


def test_generated_pages_say_that_they_are(generate: ModuleType) -> None:
    for name in generate.pages():
        assert "generated" in (REFERENCE / name).read_text(encoding="utf-8").splitlines()[2]


def test_every_command_and_its_options_are_documented() -> None:
    page = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"## `axiomrl {name}`" in page


def test_every_setting_is_documented() -> None:
    page = (REFERENCE / "config.md").read_text(encoding="utf-8")
    for algo in ALGORITHMS:
        for setting in explain(algo):
            assert f"| `{setting.name}` |" in page
            assert setting.meaning.replace("|", "\\|") in page


def test_every_setting_says_what_it_means() -> None:
    for algo in ALGORITHMS:
        unexplained = [each.name for each in explain(algo) if not each.meaning.strip()]
        assert unexplained == []


def test_every_metric_is_documented() -> None:
    page = (REFERENCE / "metrics.md").read_text(encoding="utf-8")
    for name, info in METRICS.items():
        assert f"| `{name}` | {info.meaning} |" in page


def test_the_page_on_adding_an_algorithm_lists_the_parts_of_the_protocol() -> None:
    documented = table_under(DOCS / "how-to" / "add-an-algorithm.md", "## The class")
    methods = {
        name
        for name, part in vars(Algorithm).items()
        if name[0] != "_" and (callable(part) or isinstance(part, property))
    }
    parts = methods | set(get_type_hints(Algorithm))
    assert {name.partition("(")[0] for name in documented} == parts


def test_the_page_on_tracking_lists_what_a_version_holds() -> None:
    documented = table_under(DOCS / "how-to" / "track-your-own-loop.md", "## The file")
    names = {part.strip("` ") for names in documented for part in names.split(",")}
    assert names == {field.name for field in fields(ExperimentRecord)}


def test_the_page_on_ppo_names_every_setting_of_ppo() -> None:
    page = (DOCS / "explanation" / "ppo.md").read_text(encoding="utf-8")
    settings = {field.name for field in fields(algorithm_class("ppo").config_class)}
    # what explains itself; all of them are in the reference
    assert {name for name in settings if f"`{name}`" not in page} <= {"log_std_init"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_leads_to_a_page_and_a_heading(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("https://", "http://")):
            continue
        path, _, fragment = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if fragment:
            headings = re.findall(r"^#+ (.+)$", prose(linked), re.MULTILINE)
            assert fragment in {anchor(heading) for heading in headings}, target


def test_every_page_can_be_reached_from_the_map() -> None:
    reached, waiting = set(), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page.is_file() and page not in reached:
            reached.add(page)
            links = re.findall(r"\]\(([^)\s#]+\.md)", prose(page))
            waiting += [(page.parent / link).resolve() for link in links if "://" not in link]
    assert set(DOCS.rglob("*.md")) <= reached


def test_the_picture_is_of_a_run_that_ended_well() -> None:
    picture = (DOCS / "images" / "train.svg").read_text(encoding="utf-8")
    assert "configs/ppo/cartpole.yaml" in picture
    assert ">completed</text>" in picture
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
