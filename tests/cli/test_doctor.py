"""`axiomrl doctor`: what works here."""

from __future__ import annotations

import json
import sys

import pytest

from axiomrl.cli import health

from .conftest import Command

FINE = {"env_id": "CartPole-v1", "status": "ok", "detail": None}


@pytest.fixture
def _no_families(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FAMILIES", health.FAMILIES[:1])


@pytest.mark.usefixtures("_no_families")
def test_json_is_versioned_and_tells_what_works(axiomrl: Command) -> None:
    outcome = axiomrl("doctor", "--output-format", "json")
    found = json.loads(outcome.stdout)
    assert (outcome.code, found["ok"], found["problems"]) == (0, True, [])
    assert found["schema_version"] == 1
    assert found["versions"]["torch"]
    assert found["devices"]["cpu_threads"] >= 1
    assert found["environments"]["classic-control"] == FINE
    assert found["runs_directory"]["is_writable"]


@pytest.mark.usefixtures("_no_families")
def test_text_fits_80_columns_but_for_names_of_hardware(axiomrl: Command) -> None:
    outcome = axiomrl("doctor")
    assert outcome.code == 0
    assert "\n  classic-control  ok       CartPole-v1\n" in outcome.stdout


@pytest.mark.usefixtures("_no_families")
def test_missing_core_library_exits_with_1(
    axiomrl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    outcome = axiomrl("doctor")
    assert outcome.code == 1
    assert "warning: psutil cannot be used" in outcome.stderr


def test_family_whose_library_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minigrid", None)
    family = next(each for each in health.FAMILIES if each.name == "minigrid")
    tried = health.try_family(family)
    assert tried["status"] == "missing"
    assert tried["detail"] == 'pip install "axiomrl[minigrid]"'


def test_family_that_fails_otherwise_is_broken() -> None:
    tried = health.try_family(health.Family("other", "NoSuchEnvironment-v0", extra="other"))
    assert tried["status"] == "broken"
    assert "NoSuchEnvironment" in str(tried["detail"])
