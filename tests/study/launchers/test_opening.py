"""Launchers by name: what is refused, and how one finds out what is right."""

from __future__ import annotations

from typing import Any

import pytest

from axiomrl.errors import InputError
from axiomrl.study.launchers.opening import open_launcher


def refused(*arguments: Any, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        open_launcher(*arguments, **options)
    return caught.value


def test_an_unknown_launcher_is_refused_with_the_nearest_name() -> None:
    error = refused("proces")
    assert error.message == "launcher: 'proces' is not one of inline, process, ray, slurm"
    assert error.hint == "did you mean: process"


def test_an_unknown_option_is_refused_with_the_nearest_name() -> None:
    error = refused("process", options={"retrys": "1"})
    assert "'retrys' is not one of its options (retries, gpus" in error.message
    assert error.hint == "did you mean: retries"
    assert "is not one of its options (none)" in refused("inline", options={"a": "1"}).message


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"retries": "-1"}, "option retries is '-1', but must be a whole number >= 0"),
        ({"retries": "two"}, "must be a whole number >= 0"),
        ({"retries": 1.5}, "must be a whole number >= 0"),
        ({"gpus": "0,,1"}, "must be words with commas between them, or none"),
        ({"pin_cores": "maybe"}, "must be true or false"),
    ],
)
def test_a_bad_value_is_refused(options: dict[str, Any], told: str) -> None:
    assert told in refused("process", options=options).message


@pytest.mark.parametrize("n_workers", [0, -1, True, "2"])
def test_there_is_at_least_one_worker(n_workers: Any) -> None:
    assert "n_workers" in refused("process", n_workers=n_workers).message


def test_the_inline_launcher_has_one_worker() -> None:
    assert "one job after another" in refused("inline", n_workers=2).message
    assert open_launcher("inline", n_workers=1).n_workers == 1
