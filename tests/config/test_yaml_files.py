import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.config.yaml_files import parse_value, parse_yaml, plain_scalar, read_yaml
from axiomrl.errors import ConfigError


def message_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, source="x.yaml")
    message = str(caught.value)
    assert len(message.splitlines()) <= 2
    return message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3e-4", 3e-4),
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0.0", 0.0),
        ("+12", 12),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-.INF", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("", None),
        ("~", None),
        ("Null", None),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    read = plain_scalar(text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    "text",
    ["yes", "no", "on", "off", "y", "2024-01-31", "1:30", "1_00", "0b1", "1e", "tRUE", "nan", "=",
     "2001-12-14t21:59:43.10-05:00", "0o9", "1.2.3", "ALE/Pong-v5", "pkg:Env-v0"],
)  # fmt: skip
def test_what_yaml_1_1_would_convert_stays_text(text: str) -> None:
    assert plain_scalar(text) == text
    assert parse_yaml(f"key: {text}", source="x") == {"key": text}


def test_digits_in_groups_of_three_are_an_integer() -> None:
    assert plain_scalar("10_000") == 10_000
    assert plain_scalar("-1_000_000") == -1_000_000


def test_not_a_number_is_read_as_such() -> None:
    assert math.isnan(parse_yaml("a: .nan", source="x")["a"])


def test_quotes_and_tags_decide_over_the_look_of_a_scalar() -> None:
    text = "{a: '3', b: \"true\", c: !!str 3, d: !!float 3, e: |\n  4\n}"
    assert parse_yaml("a: '3'\nb: \"true\"\nc: !!str 3\nd: !!float 3\ne: |\n  4\n", source="x") == {
        "a": "3", "b": "true", "c": "3", "d": 3.0, "e": "4\n",
    }  # fmt: skip
    assert "x.yaml:" in message_of(text)  # a block scalar has no place in a flow mapping


def test_an_escaped_surrogate_pair_is_one_character() -> None:
    assert parse_yaml(r'a: "\ud83d\ude00"', source="x") == {"a": "\N{GRINNING FACE}"}


@pytest.mark.parametrize(
    ("text", "line", "first"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1),
        ("a:\n  b: 1\n  c: 2\n  b: 1\n", 4, 2),
        ("- {x: 1,\n   x: 2}\n", 2, 1),
        ("a: 1\n'a': 2\n", 2, 1),
        ("x: &x {k: 1}\ny:\n  <<: *x\n  <<: *x\n", 4, 3),
    ],
)
def test_repeated_key_is_refused_with_its_line(text: str, line: int, first: int) -> None:
    message = message_of(text)
    assert message.startswith(f"x.yaml:{line}: ")
    assert f"is repeated, first on line {first}" in message


def test_merged_keys_yield_to_those_written_out() -> None:
    text = "base: &base {a: 1, b: 2}\nother: &other {b: 3, c: 4}\n"
    merged = parse_yaml(text + "x: {<<: *base, b: 9}\ny: {<<: [*base, *other]}", source="x")
    assert merged["x"] == {"a": 1, "b": 9}
    assert merged["y"] == {"a": 1, "b": 2, "c": 4}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [1, 2\nb: 3\n", "x.yaml:2: not valid YAML"),
        ("a: b: c\n", "x.yaml:1: not valid YAML"),
        ("a:\n\t- 1\n", "spaces instead of tabs"),
        ("a: *nowhere\n", "x.yaml:1: not valid YAML"),
        ("a: 'open\n", "not valid YAML"),
        ("a: \x00\n", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "x.yaml:3: a second document begins here"),
        ("a: !!python/object:os.system x\n", "x.yaml:1: the tag !!python/object:os.system"),
        ("a: !mine {b: 1}\n", "the tag !mine"),
        ("a: !!set {b, c}\n", "the tag !!set"),
        ("a: !!int true\n", "the tag !!int"),
        ("ok: 1\n3: 1\n", "x.yaml:2: the key 3 is not text"),
        ("true: 1\n", "the key True is not text"),
        ("? [a]\n: 1\n", "the key ['a'] is not text"),
        ("{" + "k" * 200 + ": 1}", "longer than 128"),
        ("a: {<<: 3}", "<< must be followed by a mapping"),
        ("a: " + "9" * 5000, "is too long"),
        ("[" * 3000, "nested too deeply"),
        ("a: &x [*x]", "nested too deeply"),
    ],
)
def test_broken_yaml_is_told_with_its_line(text: str, told: str) -> None:
    assert told in message_of(text)


def test_aliases_cannot_blow_up() -> None:
    doubling = "\n".join(f"k{i}: &k{i} [*k{i - 1}, *k{i - 1}]" for i in range(1, 40))
    assert "more than 100,000 values" in message_of("k0: &k0 [1]\n" + doubling)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b"# only a comment\n", "the file is empty"),
        (b"---\n", "the file is empty"),
        (b"- a\n- b\n", "holds a list, not settings"),
        (b"just words\n", "holds the single value 'just words'"),
        (b"a: \xff\n", "is not UTF-8 text (byte 3)"),
        (b"\x80\x04\x95", "is not UTF-8 text (byte 0)"),
    ],
)
def test_file_without_settings_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)


def test_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml(tmp_path / "missing.yaml")
    with pytest.raises(ConfigError, match="is a directory"):
        read_yaml(tmp_path)
    (tmp_path / "file").write_text("a: 1")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path / "file" / "config.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml("nul\0byte.yaml")


def test_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert read_yaml(path) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (" 3e-4 ", 3e-4),
        ("[a, 2, {b: no}]", ["a", 2, {"b": "no"}]),
        ("{schedule: linear, start: 1e-3}", {"schedule": "linear", "start": 1e-3}),
        ("'3'", "3"),
        ("a: b", "a: b"),
        ("#1", "#1"),
        ("x #1", "x #1"),
        ("@home", "@home"),
        ("", None),
    ],
)
def test_value_behind_an_equals_sign(text: str, value: object) -> None:
    assert parse_value(text, source="--set") == value


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_python_numbers_are_read_back(number: float) -> None:
    read = plain_scalar(repr(number))
    assert (read, type(read)) == (number, type(number))
