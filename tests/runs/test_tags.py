"""Tags beside metadata.json: added, removed, kept apart from what the configuration says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axiomrl.errors import InputError
from axiomrl.runs.tags import change_tags, checked_tag, tags_of

from .conftest import StartPython
from .run_folders import names_in, snapshot, write_run

NAMES = st.sampled_from(["a", "b", "c", "d"])


def test_run_without_a_file_of_tags_has_those_of_its_configuration(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    assert tags_of(run, ["x", "y", "x"]) == ("x", "y")
    assert tags_of(run, None) == ()


def test_added_and_removed_tags_are_kept_and_metadata_stays_as_it_is(tmp_path: Path) -> None:
    run = write_run(tmp_path, tags=["x", "y"])
    before = snapshot(run)
    assert change_tags(run, ["x", "y"], add=["new"], remove=["x"]) == ("y", "new")
    assert tags_of(run, ["x", "y"]) == ("y", "new")
    after = snapshot(run)
    assert json.loads(after.pop("tags.json")) == {
        "schema_version": 1,
        "added": ["new"],
        "removed": ["x"],
    }
    assert after == before


def test_removed_tag_comes_back_when_it_is_added_again(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    change_tags(run, ["x"], remove=["x"])
    assert change_tags(run, ["x"], add=["x"]) == ("x",)
    assert json.loads((run / "tags.json").read_text())["added"] == []


def test_changing_nothing_writes_nothing(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    assert change_tags(run, ["x"], add=["x"], remove=["never"]) == ("x",)
    assert "tags.json" not in names_in(run)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    configured=st.lists(NAMES, unique=True),
    changes=st.lists(st.tuples(st.booleans(), NAMES), max_size=6),
)
def test_tags_are_what_the_last_change_of_each_says(
    tmp_path: Path, configured: list[str], changes: list[tuple[bool, str]]
) -> None:
    (tmp_path / "tags.json").unlink(missing_ok=True)
    expected = set(configured)
    for is_added, tag in changes:
        if is_added:
            change_tags(tmp_path, configured, add=[tag])
            expected.add(tag)
        else:
            change_tags(tmp_path, configured, remove=[tag])
            expected.discard(tag)
    tags = tags_of(tmp_path, configured)
    assert set(tags) == expected
    assert len(tags) == len(expected)


@pytest.mark.parametrize("text", ["", "a b", "a,b", "a\nb", "+a", "-a", "\x1b[31m", "a" * 65])
def test_what_cannot_be_a_tag_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^tag "):
        checked_tag(text)
    with pytest.raises(InputError, match=r"^tag "):
        change_tags(tmp_path, [], add=["good", text])
    assert names_in(tmp_path) == set()


@pytest.mark.parametrize("text", ["a", "paper:table-2", "größer", "<b>", "a" * 64, "v1.0+cu12"])
def test_what_can_be_a_tag_is_taken(text: str) -> None:
    assert checked_tag(text) == text


def test_tag_that_is_both_added_and_removed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'x' is both"):
        change_tags(tmp_path, [], add=["x"], remove=["x"])


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"schema_version": 2}', '{"schema_version": 1, "added": [1]}', "\xff"],
)
def test_damaged_file_is_a_problem_for_readers_and_never_overwritten(
    content: str, tmp_path: Path
) -> None:
    run = write_run(tmp_path)
    (run / "tags.json").write_text(content, encoding="latin-1")
    problems: list[str] = []
    assert tags_of(run, ["x"], problems=problems) == ("x",)
    assert len(problems) == 1
    assert "tags.json" in problems[0]
    with pytest.raises(InputError, match=r"tags\.json"):
        tags_of(run, ["x"])
    with pytest.raises(InputError, match=r"tags\.json"):
        change_tags(run, ["x"], add=["y"])
    assert (run / "tags.json").read_text(encoding="latin-1") == content


def test_what_a_killed_tagger_left_is_removed_and_no_lock_stays_in_the_run(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    before = names_in(run)
    (run / ".tags.json.123-4.tmp").write_text("{")
    change_tags(run, [], add=["x"])
    assert names_in(run) == before | {"tags.json"}
    assert names_in(tmp_path) == {run.name, ".locks"}


ADD_MANY = """
from axiomrl.runs.tags import change_tags
for number in range(10):
    change_tags(Path(sys.argv[1]), [], add=[f"{sys.argv[2]}{number}"])
"""


def test_taggers_at_the_same_time_lose_nothing(tmp_path: Path, start_python: StartPython) -> None:
    run = write_run(tmp_path)
    link = tmp_path / "other" / "link"
    link.parent.mkdir()
    link.symlink_to(run)  # another way to the same run
    taggers = [start_python(ADD_MANY, run, "a"), start_python(ADD_MANY, link, "b")]
    for tagger in taggers:
        assert tagger.wait(60) == 0, tagger.stderr
    assert set(tags_of(run, [])) == {f"{who}{number}" for who in "ab" for number in range(10)}
