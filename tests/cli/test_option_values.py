"""Values that are read without pydantic are those that typer would have read."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.main import get_command

from axiomrl.cli.app import COMMANDS, command_line
from axiomrl.cli.option_values import NotSimpleError, simple_value

coercion = pytest.importorskip("typer._coercion", reason="this typer converts without pydantic")


def command(
    text: str = "",
    whole: int = 0,
    decimal: float = 0.0,
    at_least_two: Annotated[int, typer.Option(min=2)] = 2,
    path: Path = Path(),
    folder: Annotated[Path, typer.Option(exists=True)] = Path(),
    word: Literal["one", "two"] = "one",
    several: Annotated[list[str] | None, typer.Option()] = None,
    numbers: Annotated[list[int] | None, typer.Option()] = None,
) -> None:
    """Has an option of every kind."""


def options() -> dict[str, Any]:
    sample = typer.Typer()
    sample.command()(command)
    return {each.name: each for each in get_command(sample).params}


OPTIONS = options()
CONTEXT = typer.Context(command_line())
KINDS = [name for name in OPTIONS if hasattr(OPTIONS[name], "type_descriptor")]
TEXTS = st.one_of(
    st.text(alphabet="019.-+eE_ xinfa,/\u0661", max_size=8),
    st.sampled_from(["one", "two", "On", "ONE", "nan", "1e3", "007", "-0", "1.", ".5", "1_000"]),
    st.integers().map(str),
    st.floats().map(str),
)


@functools.cache
def typers(name: str) -> Any:
    return coercion.build_runtime_param(OPTIONS[name].type_descriptor)


def converted_by_typer(name: str, value: Any) -> Any:
    return typers(name).coerce(value, param=OPTIONS[name], ctx=CONTEXT)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=50)
@given(text=TEXTS)
@example("1")
@example("-3.25e-2")
@example("no/such/path")
@example(os.curdir)
def test_what_is_read_here_is_what_typer_reads(name: str, text: str) -> None:
    value: Any = [text, text] if OPTIONS[name].multiple else text
    described = OPTIONS[name].type_descriptor
    try:
        read = simple_value(value, described.annotation, described)
    except NotSimpleError:
        return
    expected = converted_by_typer(name, value)
    assert (read, type(read)) == (expected, type(expected))
    if isinstance(read, list):
        assert list(map(type, read)) == list(map(type, expected))


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [("text", "a b", "a b"), ("whole", "-12", -12), ("decimal", "2.5e-3", 0.0025),
     ("path", "a/b", Path("a/b")), ("word", "two", "two"), ("several", ["x", "y"], ["x", "y"]),
     ("numbers", ("1", "2"), [1, 2])],
)  # fmt: skip
def test_plain_values_are_read_here(name: str, value: Any, read: Any) -> None:
    described = OPTIONS[name].type_descriptor
    assert simple_value(value, described.annotation, described) == read


@pytest.mark.parametrize(
    ("name", "value"),
    [("whole", "1.5"), ("decimal", "much"), ("at_least_two", "1"), ("folder", "no/such/folder"),
     ("word", "three"), ("numbers", ["1", "x"])],
)  # fmt: skip
def test_what_may_be_wrong_is_left_to_typer(name: str, value: Any) -> None:
    described = OPTIONS[name].type_descriptor
    with pytest.raises(NotSimpleError):
        simple_value(value, described.annotation, described)


def test_every_command_reads_its_values_here() -> None:
    group: Any = command_line()
    for name in COMMANDS:
        for parameter in group.commands[name].get_params(CONTEXT):
            assert type(parameter._runtime_param).__name__ == "_Conversion", (name, parameter.name)
