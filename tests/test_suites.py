"""Manifests: what they may hold, and what their fingerprints stand for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from axiomrl.config import BenchmarkConfig
from axiomrl.config.locations import presets_folder
from axiomrl.errors import InputError
from axiomrl.suites import load_manifest, recorded_fingerprint, shipped_manifests

MINE: dict[str, Any] = {
    "schema_version": 1,
    "suite": "mine",
    "description": "two ways to balance a pole",
    "protocol": {"name": "short", "episodes": 10, "deterministic": True, "seeds": [0, 1]},
    "presets": [
        {"name": "ppo", "config": "pole-ppo.yaml"},
        {"name": "dqn", "config": "pole-dqn.yaml"},
    ],
    "normalization": {"CartPole-v1": {"random_score": 20, "human_score": 500}},
}
PRESETS = {
    "pole-ppo.yaml": "algo: ppo\nenv_id: CartPole-v1\ntotal_timesteps: 1000\n",
    "pole-dqn.yaml": "algo: dqn\nenv_id: CartPole-v1\ntotal_timesteps: 2000\n",
}
FINGERPRINT = "6bf87dbd71edb08f"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(**changes)`: the manifest MINE with other values, None leaving a key out."""
    for name, text in PRESETS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    def write_manifest(**changes: Any) -> Path:
        path = tmp_path / "mine.yaml"
        values = {key: value for key, value in {**MINE, **changes}.items() if value is not None}
        path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
        return path

    return write_manifest


def test_manifest_holds_what_its_file_says(write: Write) -> None:
    manifest = load_manifest(write(missing="zero"))
    assert (manifest.suite, manifest.missing) == ("mine", "zero")
    assert manifest.protocol.name == "short"
    assert manifest.protocol.seeds == (0, 1)
    assert list(manifest.presets) == ["ppo", "dqn"]
    assert manifest.presets["dqn"].resolved.algo == "dqn"
    assert manifest.normalization["CartPole-v1"].random_score == 20
    assert load_manifest(write()).missing == "exclude"


def test_shipped_manifests_are_called_like_their_files() -> None:
    names = [manifest.suite for manifest in shipped_manifests()]
    assert names == ["box2d", "classic-control", "mujoco"]
    assert names == [manifest.path.stem for manifest in shipped_manifests()]


def test_shipped_manifests_list_every_preset_once() -> None:
    folder = presets_folder()
    assert folder is not None
    others = ("suites", "search")
    files = {path for path in folder.glob("*/*.yaml") if path.parent.name not in others}
    listed = [preset.path for each in shipped_manifests() for preset in each.presets.values()]
    assert sorted(listed) == sorted(files)


@pytest.mark.parametrize("manifest", shipped_manifests(), ids=lambda manifest: manifest.suite)
def test_shipped_presets_agree_with_their_suite(manifest: Any) -> None:
    assert manifest.fingerprint  # it would be refused if their evaluation settings differed
    for preset in manifest.presets.values():
        block = preset.resolved.benchmark
        assert (block.suite, block.preset_name) == (manifest.suite, preset.name)
        assert block.protocol_name == manifest.protocol.name
        assert recorded_fingerprint(block) == manifest.preset_fingerprint(preset.name)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"suite": None, "suit": "mine"}, "suit is not a key of a manifest\n.*mean: suite"),
        ({"protocol": {"name": "p", "episode": 1}}, "protocol.episode is not a key.*\n.*episodes"),
        ({"presets": [{"name": "a", "confg": "x"}]}, r"presets\[0\].confg is not a key"),
        ({"presets": None}, "presets is missing"),
        ({"presets": []}, "presets: expected a list of length >= 1"),
        ({"presets": ["ppo"]}, r"presets\[0\]: expected a mapping, got text"),
        ({"protocol": {"name": "p"}}, "protocol.episodes is missing"),
        ({"protocol": {"name": "p", "episodes": 0}}, "protocol.episodes: expected an integer >= 1"),
        ({"protocol": {"name": 3, "episodes": 1}}, "protocol.name: expected text, got an integer"),
        ({"schema_version": 2}, "schema_version is 2, but must be 1"),
        ({"missing": "guess"}, "missing: .*'guess'\n.*exclude or zero"),
        (
            {"normalization": {"A-v0": {"human_score": 1}}},
            r"normalization.*random_score is missing",
        ),
        (
            {"normalization": {"A-v0": {"random_score": float("nan"), "human_score": 1}}},
            "normalization.A-v0.random_score is not a finite number",
        ),
        (
            {"normalization": {"A-v0": {"random_score": 1, "human_score": 1}}},
            "normalization.A-v0: random_score and human_score are equal",
        ),
    ],
)
def test_wrong_manifest_is_refused_with_the_key(
    write: Write, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=rf"mine\.yaml: (?s:{told})"):
        load_manifest(write(**changes))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the file is empty\n.*schema_version, suite, protocol and presets"),
        ("suite: a\nsuite: b\n", "suite is repeated"),
        ("- suite\n", "holds a list"),
    ],
)
def test_file_that_holds_no_manifest_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=told):
        load_manifest(path)


def test_missing_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_manifest(tmp_path / "none.yaml")


def test_missing_preset_file_is_refused_with_the_nearest_one(write: Write) -> None:
    presets = [{"name": "ppo", "config": "ppo/cartpol.yaml"}]
    with pytest.raises(InputError, match=r"no file ppo/cartpol.yaml.*\n.*: ppo/cartpole.yaml"):
        load_manifest(write(presets=presets))
    presets = [{"name": "ppo", "config": "pole-pppo.yaml"}]
    with pytest.raises(InputError, match=r"no file pole-pppo.yaml.*\n.*: pole-ppo.yaml"):
        load_manifest(write(presets=presets))


@pytest.mark.parametrize(
    ("again", "told"),
    [
        ({"name": "ppo", "config": "pole-dqn.yaml"}, "ppo is listed twice"),
        ({"name": "b", "config": "./pole-ppo.yaml"}, r"\./pole-ppo.yaml is listed twice"),
    ],
)
def test_preset_that_is_listed_twice_is_refused(
    write: Write, again: dict[str, str], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        load_manifest(write(presets=[MINE["presets"][0], again]))


def test_presets_beside_the_manifest_come_before_the_shipped_ones(
    write: Write, tmp_path: Path
) -> None:
    path = write(presets=[{"name": "ppo", "config": "ppo/cartpole.yaml"}])
    folder = presets_folder()
    assert folder is not None
    assert load_manifest(path).presets["ppo"].path == folder / "ppo" / "cartpole.yaml"
    (tmp_path / "ppo").mkdir()
    own = tmp_path / "ppo" / "cartpole.yaml"
    own.write_text(PRESETS["pole-ppo.yaml"])
    assert load_manifest(path).presets["ppo"].path == own


def test_preset_that_contradicts_the_protocol_is_refused(write: Write) -> None:
    manifest = load_manifest(write(protocol={"name": "long", "episodes": 100}))
    told = "protocol.episodes is 100, but .*pole-ppo.yaml says evaluation.episodes: 10"
    with pytest.raises(InputError, match=told):
        _ = manifest.fingerprint
    with pytest.raises(InputError, match=told):
        manifest.preset_fingerprint("ppo")


def test_fingerprint_of_a_fixed_manifest_stays(write: Write) -> None:
    manifest = load_manifest(write())
    hashes = {name: preset.config_hash for name, preset in manifest.presets.items()}
    text = (
        '{"normalization":{"CartPole-v1":["reference",20.0,500.0]},'
        f'"presets":{{"dqn":"{hashes["dqn"]}","ppo":"{hashes["ppo"]}"}},'
        '"protocol":{"deterministic":true,"episodes":10,"name":"short"},"suite":"mine"}'
    )
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == FINGERPRINT
    assert manifest.fingerprint == FINGERPRINT


@settings(max_examples=20, deadline=None)
@given(st.permutations(list(MINE)), st.permutations(MINE["presets"]))
def test_neither_order_nor_comments_nor_place_change_the_fingerprint(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str], presets: list[dict[str, str]]
) -> None:
    values = {key: MINE[key] for key in keys} | {"presets": presets}
    path = tmp_path_factory.mktemp("manifest") / "another name.yaml"
    path.write_text("# a comment\n" + yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    for name, text in PRESETS.items():
        (path.parent / name).write_text(f"# {name}\n{text}")
    assert load_manifest(path).fingerprint == FINGERPRINT


@pytest.mark.parametrize(
    "changes",
    [
        {"suite": "other"},
        {"protocol": {**MINE["protocol"], "name": "other"}},
        {"presets": MINE["presets"][:1]},
        {"presets": [{**MINE["presets"][0], "name": "other"}, MINE["presets"][1]]},
        {"normalization": None},
        {"normalization": {"CartPole-v1": {"random_score": 21, "human_score": 500}}},
    ],
)
def test_other_content_has_another_fingerprint(write: Write, changes: dict[str, Any]) -> None:
    assert load_manifest(write(**changes)).fingerprint != FINGERPRINT


@pytest.mark.parametrize(
    "changes",
    [
        {"description": "said otherwise"},
        {"protocol": {**MINE["protocol"], "seeds": [5]}},
        {"missing": "zero"},
    ],
)
def test_what_says_nothing_of_the_runs_leaves_the_fingerprint(
    write: Write, changes: dict[str, Any]
) -> None:
    assert load_manifest(write(**changes)).fingerprint == FINGERPRINT


def test_settings_of_a_preset_count_and_defaults_written_out_do_not(
    write: Write, tmp_path: Path
) -> None:
    path, preset = write(), tmp_path / "pole-ppo.yaml"
    preset.write_text(PRESETS["pole-ppo.yaml"] + "hyperparameters: {gamma: 0.99}\n")
    assert load_manifest(path).fingerprint == FINGERPRINT
    preset.write_text(PRESETS["pole-ppo.yaml"] + "hyperparameters: {gamma: 0.98}\n")
    assert load_manifest(path).fingerprint != FINGERPRINT


def test_fingerprint_of_a_preset_ignores_the_others(write: Write) -> None:
    before = load_manifest(write())
    anchors = {**MINE["normalization"], "Other-v0": {"random_score": 0, "human_score": 1}}
    after = load_manifest(write(presets=MINE["presets"][:1], normalization=anchors))
    assert after.preset_fingerprint("ppo") == before.preset_fingerprint("ppo")
    assert before.preset_fingerprint("dqn") != before.preset_fingerprint("ppo")
    bare = load_manifest(write(normalization=None))
    assert bare.preset_fingerprint("ppo") != before.preset_fingerprint("ppo")


def test_run_without_a_listed_preset_has_no_fingerprint() -> None:
    for block in (
        BenchmarkConfig(),
        BenchmarkConfig(suite="my own label", preset_name="ppo-cartpole"),
        BenchmarkConfig(suite="classic-control"),
        BenchmarkConfig(suite="classic-control", preset_name="my-own"),
        BenchmarkConfig(suite=os.path.join("..", "suites", "box2d"), preset_name="x"),
    ):
        assert recorded_fingerprint(block) is None


def test_manifest_that_was_asked_for_gives_the_fingerprint(write: Write) -> None:
    path = write()
    block = BenchmarkConfig(suite="mine", preset_name="dqn", manifest=str(path))
    assert recorded_fingerprint(block) == load_manifest(path).preset_fingerprint("dqn")


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({"suite": "other", "preset_name": "dqn"}, "suite is other, but .*of the suite mine"),
        ({"suite": "mine", "preset_name": "dqnn"}, "preset_name is dqnn, .*\n.*mean: dqn"),
        ({"suite": "mine"}, "preset_name is null, .*\n.*there are: ppo, dqn"),
    ],
)
def test_manifest_that_was_asked_for_must_list_the_run(
    write: Write, labels: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        recorded_fingerprint(BenchmarkConfig(manifest=str(write()), **labels))
