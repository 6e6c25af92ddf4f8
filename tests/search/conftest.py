"""What every test of searches needs."""

from __future__ import annotations

import os

import pytest

from axiomrl.runs import provenance


@pytest.fixture(autouse=True)
def _quick_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what every run would find out again, or wait for."""
    nothing = ({"commit": None, "is_dirty": None}, None)
    monkeypatch.setattr(provenance, "git", lambda folder=None: nothing)
    monkeypatch.setattr(os, "fsync", lambda handle: None)
