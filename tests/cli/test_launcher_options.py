"""`--launcher-option KEY=VALUE`, as several commands take it."""

from __future__ import annotations

import pytest

from axiomrl.cli.options import launcher_options
from axiomrl.errors import InputError


def test_options_are_split_at_the_first_equals_sign() -> None:
    assert launcher_options(["address=ray://host:1", " memory = a=b "]) == {
        "address": "ray://host:1",
        "memory": "a=b",
    }
    assert launcher_options(None) == {}


@pytest.mark.parametrize("texts", [["address"], ["=auto"], ["a=1", "a=2"]])
def test_an_option_that_cannot_be_meant_is_refused(texts: list[str]) -> None:
    with pytest.raises(InputError, match="--launcher-option"):
        launcher_options(texts)
