import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.config import (
    config_from_mapping,
    config_to_mapping,
    dump_config,
    load_config,
)
from axiomrl.config.dump import json_text
from axiomrl.config.yaml_files import parse_yaml

BASE = {"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 1000}

# Python texts may hold surrogates; two in a row that form a pair are one character in any file
TEXTS = st.text(st.characters(exclude_categories=())).map(
    lambda text: text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
)
AWKWARD = st.sampled_from(
    ["3e-4", "yes", "1:30", "2024-01-31", "~", "null", "<<", "=", "\x7f", "\x85", "\u2028",
     "\ufeff", "\ufffe", "\ud800", "\U0010ffff", "- a", "a: b #c", "\x00\t\r\n", " lead", "'\"\\/"]
)  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | AWKWARD
)
KEYS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20) | AWKWARD
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
)


def typed(value: Any) -> Any:
    """The value with its types spelled out: `1`, `1.0` and `True` are equal to Python."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value).__name__, repr(value)


@given(VALUES)
def test_json_and_yaml_readers_agree_on_the_text(value: Any) -> None:
    text = json_text(value)
    assert typed(json.loads(text)) == typed(value)
    assert typed(yaml.safe_load(text)) == typed(value)
    assert typed(parse_yaml(text, source="x")) == typed(value)


@given(VALUES)
def test_text_is_written_as_utf_8_and_holds_no_unprintable_character(value: Any) -> None:
    text = json_text(value)
    assert text.encode("utf-8").decode("utf-8") == text
    assert all(character == "\n" or character.isprintable() or ord(character) > 0x9F
               for character in text)  # fmt: skip
    assert not set(text) & set("\ufeff\u2028\u2029\x85\x7f")


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-5, "1.0e-05"), (1e16, "1.0e+16"), (2.5e-7, "2.5e-07"), (3.0, "3.0"), (-0.0, "-0.0")],
)
def test_floats_carry_a_point(value: float, text: str) -> None:
    assert json_text(value) == text


def test_printable_characters_stay_raw() -> None:
    assert json_text("Füße \N{GRINNING FACE}") == '"Füße \N{GRINNING FACE}"'
    assert json_text("\x7f\x9f\ufeff\ud800\n") == '"\\u007f\\u009f\\ufeff\\ud800\\n"'


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_number_that_json_lacks_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        json_text(value)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "seed": st.integers(0, 2**63),
            "tags": st.lists(TEXTS.filter(str.strip), max_size=3),
            "hyperparameters": st.fixed_dictionaries(
                {
                    "gamma": st.floats(0, 1),
                    "learning_rate": st.floats(0, 1)
                    | st.fixed_dictionaries(
                        {
                            "schedule": st.sampled_from(["constant", "linear", "cosine"]),
                            "start": st.just(0.5),
                            "end": st.just(0.5),
                        }
                    ),
                    "hidden_sizes": st.lists(st.integers(1, 512), max_size=3),
                }
            ),
            "environment": st.fixed_dictionaries(
                {
                    "kwargs": st.dictionaries(KEYS, VALUES, max_size=3),
                    "wrappers": st.just(["a.b:C", {"path": "d:E", "kwargs": {"x": [1.5]}}]),
                    "evaluation": st.just({"frame_stack": 2, "wrappers": ["f:G"]}),
                }
            ),
        },
    )
)
def test_mapping_and_text_give_an_equal_configuration_back(values: dict[str, Any]) -> None:
    config = config_from_mapping(BASE | values)
    mapping = config_to_mapping(config)
    assert config_from_mapping(mapping) == config
    text = dump_config(config, mask=False)
    assert json.loads(text) == yaml.safe_load(text) == mapping
    assert config_from_mapping(parse_yaml(text, source="config.yaml")) == config


def test_dumped_file_is_loaded_as_an_equal_configuration(tmp_path: Path) -> None:
    config = config_from_mapping(BASE | {"hyperparameters": {"learning_rate": 1e-5}})
    path = tmp_path / "config.yaml"
    path.write_text(dump_config(config), encoding="utf-8")
    assert load_config(path) == config


def test_every_setting_is_in_the_dump() -> None:
    dumped = json.loads(dump_config(config_from_mapping(BASE)))
    assert dumped["hyperparameters"]["gamma"] == 0.99
    assert dumped["environment"]["fresh_each_episode"] is None
    assert dumped["benchmark"]["best_metric"] == "eval_return_mean"


def test_secrets_are_masked_unless_asked_for() -> None:
    kwargs = {"api_key": "abc", "n_tokens": 3, "url": "https://me:pw@host/"}
    config = config_from_mapping(BASE | {"environment": {"kwargs": kwargs}})
    masked = json.loads(dump_config(config))["environment"]["kwargs"]
    assert masked == {"api_key": "***", "n_tokens": 3, "url": "https://***@host/"}
    assert json.loads(dump_config(config, mask=False))["environment"]["kwargs"] == kwargs
