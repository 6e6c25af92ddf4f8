"""Tables and how they are rendered."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.reports.cells import byte_count, clock
from axiomrl.reports.document import Document
from axiomrl.reports.renderers import FORMATS, render, render_document
from axiomrl.reports.table import Cell, Column, Table

COLUMNS = (
    Column("run", "run"),
    Column("directory", "directory", in_data_only=True),
    Column("env_id", "env", is_repeated=True),
    Column("env_steps", "steps", "integer"),
    Column("eval_return_mean", "final", "number"),
    Column("duration_s", "time", "seconds"),
)
TABLE = Table(
    COLUMNS,
    (
        ("first", "/runs/first", "CartPole-v1", 100_352, 487.25, 61.4),
        ("second", "/runs/second", "CartPole-v1", 0, None, None),
    ),
    ("runs/third: metadata.json cannot be read",),
)
EMPTY = Table(COLUMNS, ())


def test_text_is_aligned_and_hides_what_is_for_programs() -> None:
    assert render(TABLE, "text").splitlines() == [
        "run     env            steps   final  time",
        "first   CartPole-v1  100,352  487.25  1:01",
        "second  CartPole-v1        0       -     -",
    ]


def test_text_that_is_too_wide_drops_columns_that_others_repeat() -> None:
    assert render(TABLE, "text", width=40).splitlines()[0] == "run       steps   final  time"
    assert render(TABLE, "text", width=20).splitlines()[0] == "run      steps  final time"
    assert render(TABLE, "text", width=42).splitlines()[0].startswith("run     env ")


def test_columns_without_any_value_are_not_shown() -> None:
    table = Table(COLUMNS, (("only", "/runs/only", "Acrobot-v1", 5, None, 1.0),))
    assert render(table, "text").splitlines()[0] == "run   env         steps  time"
    assert render(table, "markdown").splitlines()[0] == "| run | env | steps | time |"


def test_markdown_is_a_pipe_table_with_escaped_pipes() -> None:
    table = Table((Column("run", "run"), Column("n", "n", "integer")), (("a|b", 3),))
    assert render(table, "markdown") == "| run | n |\n| --- | ---: |\n| a\\|b | 3 |\n"


def test_csv_has_every_column_by_key_and_blanks_for_nothing() -> None:
    assert render(TABLE, "csv") == (
        "run,directory,env_id,env_steps,eval_return_mean,duration_s\n"
        "first,/runs/first,CartPole-v1,100352,487.25,61.4\n"
        "second,/runs/second,CartPole-v1,0,,\n"
    )


def test_json_is_versioned_and_holds_problems() -> None:
    content = json.loads(render(TABLE, "json"))
    assert content["schema_version"] == 1
    assert content["columns"] == [column.key for column in COLUMNS]
    assert content["rows"][0] == {
        "run": "first",
        "directory": "/runs/first",
        "env_id": "CartPole-v1",
        "env_steps": 100_352,
        "eval_return_mean": 487.25,
        "duration_s": 61.4,
    }
    assert content["problems"] == ["runs/third: metadata.json cannot be read"]


def test_table_without_rows_still_has_its_head() -> None:
    assert render(EMPTY, "text") == "run  env  steps  final  time\n"
    assert render(EMPTY, "csv").startswith("run,directory,")
    assert json.loads(render(EMPTY, "json"))["rows"] == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("output_format", FORMATS)
def test_number_that_is_not_finite_is_rendered(output_format: str, value: float) -> None:
    row = ("first", "/runs/first", "CartPole-v1", 1, value, value)
    text = render(Table(COLUMNS, (row,)), output_format)
    if output_format == "json":
        assert json.loads(text)["rows"][0]["eval_return_mean"] is None
    elif output_format == "csv":
        assert text.splitlines()[1] == "first,/runs/first,CartPole-v1,1,,"
    else:
        assert str(value) in text


def test_control_characters_do_not_reach_the_terminal() -> None:
    table = Table((Column("run", "run"),), (("bad\x1b[2Jname\n",),))
    assert render(table, "text") == "run\nbad\\x1b[2Jname\\x0a\n"


def test_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells under 6 columns"):
        Table(COLUMNS, (("only",),))


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0:00"), (59.6, "1:00"), (750, "12:30"), (10_931, "3:02:11")]
)
def test_time_spans_read_like_a_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), min_size=1)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
rows = st.lists(st.tuples(texts, st.none() | st.integers(), numbers), max_size=3)
MIXED = (Column("run", "run"), Column("n", "n", "integer"), Column("x", "x", "number"))


@given(rows)
def test_parsed_json_is_the_table(content: list[tuple[Cell, ...]]) -> None:
    table = Table(MIXED, tuple(content))
    parsed = json.loads(render(table, "json"))
    assert parsed["rows"] == table.records()


@given(rows)
def test_parsed_csv_is_the_table(content: list[tuple[Cell, ...]]) -> None:
    header, *parsed = csv.reader(io.StringIO(render(Table(MIXED, tuple(content)), "csv")))
    assert header == ["run", "n", "x"]
    read = [
        (run, int(n) if n else None, float(x) if x else None)  # a blank is a missing value
        for run, n, x in parsed
    ]
    assert read == content


def test_byte_counts_have_a_unit() -> None:
    counts = (0, 999, 1000, 4_210, 999_940, 999_960, 1_300_000_000, 2 * 10**15)
    assert [byte_count(count) for count in counts] == [
        *("0 B", "999 B", "1.0 kB", "4.2 kB", "999.9 kB", "1.0 MB", "1.3 GB", "2,000.0 TB")
    ]


def test_json_of_a_document_survives_half_a_character() -> None:
    document = Document("report", (), TABLE, {"name": "a\ud800", "rows": [{"\udcff": 1.5}]})
    content = json.loads(render_document(document, "json"))
    assert content["name"] == "a\\ud800"
    assert content["rows"] == [{"\\udcff": 1.5}]
