import dataclasses
import subprocess
import sys
from typing import Any

import pytest

from axiomrl.config import config_from_mapping, config_to_mapping, explain, reference_page
from axiomrl.errors import ConfigError

CONFIG = config_from_mapping({"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 1})
FREE = {"environment.kwargs", "environment.evaluation", "experiments_runner.launcher_options"}


def dotted_names(values: dict[str, Any], prefix: str = "") -> set[str]:
    names = set()
    for key, value in values.items():
        name = prefix + key
        if isinstance(value, dict) and name not in FREE:
            names |= dotted_names(value, name + ".")
        else:
            names.add(name)
    return names


def test_every_setting_is_explained_and_in_the_reference() -> None:
    explained = {setting.name for setting in explain("ppo")}
    names = dotted_names(config_to_mapping(CONFIG))
    assert names <= explained
    extra = explained - names
    assert all(name.startswith("benchmark.score_normalization.") for name in extra)
    page = reference_page()
    assert all(f"`{name}`" in page for name in explained)


def test_explanation_holds_type_default_range_and_meaning() -> None:
    settings = {setting.name: dataclasses.asdict(setting) for setting in explain("ppo")}
    assert settings["hyperparameters.gamma"] == {
        "name": "hyperparameters.gamma", "type": "number", "default": "0.99",
        "range": ">= 0 and <= 1", "meaning": "discount per step",
    }  # fmt: skip
    assert settings["algo"]["default"] == "required"
    assert settings["tags"]["type"] == "list of texts"
    assert settings["hyperparameters.clip_range_value"]["type"] == "number, schedule or null"
    assert settings["environment.fresh_each_episode"]["type"] == "true, false or null"
    assert settings["device"]["range"] == "one of auto, cpu, cuda"
    assert all(setting["meaning"] for setting in settings.values())


def test_unknown_algorithm_cannot_be_explained() -> None:
    with pytest.raises(ConfigError, match="not a known algorithm"):
        explain("pop")


def test_reference_names_what_the_hash_leaves_out() -> None:
    page = reference_page()
    assert "`seed`, `output_dir`, `device`, `engine`, `threads`, `tags`, `checkpoint`" in page
    assert page.endswith("\n")
    assert "\n\n\n" not in page


def test_importing_configurations_is_light() -> None:
    program = (
        "import sys, axiomrl.config, axiomrl.fingerprint\n"
        "print([n for n in ('torch', 'gymnasium', 'numpy', 'rich', 'yaml', 'typer')"
        " if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
