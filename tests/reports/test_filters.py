"""Which runs are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.errors import InputError
from axiomrl.reports.filters import STATUSES, Filters, parse_filters, parse_since, parse_statuses
from axiomrl.reports.lookup import Lookup
from axiomrl.runs.record import RunRecord

from .records import record_in

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
METADATA = {
    "algo": "ppo",
    "env_id": "ALE/Pong-v5",
    "seed": 3,
    "status": "completed",
    "tags": ["night", "ablation"],
    "created_at_utc": "2026-03-01T12:00:00.000000+00:00",
}


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    return record_in(tmp_path / "run", config={"num_envs": 8}, **METADATA)


def keeps(record: RunRecord, **texts: Any) -> bool:
    return parse_filters(**texts, now=lambda: NOW).keep(record)


def test_without_filters_every_run_is_kept(record: RunRecord, tmp_path: Path) -> None:
    assert keeps(record)
    assert keeps(record_in(tmp_path / "bare"))
    assert Filters().keep(record)


@pytest.mark.parametrize(
    "texts",
    [
        {"algos": ["ppo"]},
        {"algos": ["dqn", "p*"]},
        {"algos": ["dqn, pp?"]},
        {"env_ids": ["ALE/*"]},
        {"env_ids": ["*Pong*"]},
        {"statuses": ["completed"]},
        {"statuses": ["dead,completed", "failed"]},
        {"tags": ["night"]},
        {"tags": ["night", "ablation"]},
        {"tags": ["ablation,night"]},
        {"since": "2026-03-01"},
        {"since": "7d"},
        {"since": "2026-03-01T13:00+01:00"},
        {"where": "seed == 3 and num_envs == 8"},
        {"algos": ["ppo"], "env_ids": ["ALE/*"], "tags": ["night"], "since": "1w", "where": "true"},
    ],
)
def test_run_that_fulfils_every_filter_is_kept(record: RunRecord, texts: dict[str, Any]) -> None:
    assert keeps(record, **texts)


@pytest.mark.parametrize(
    "texts",
    [
        {"algos": ["pp"]},
        {"algos": ["PPO"]},
        {"env_ids": ["Pong*"]},
        {"statuses": ["failed,dead"]},
        {"tags": ["night", "day"]},
        {"tags": ["nigh*"]},
        {"since": "2026-03-02"},
        {"since": "167h"},
        {"since": "2026-03-01T12:00-01:00"},
        {"where": "seed == 4"},
        {"where": "hyperparameters.gamma != 4"},
        {"algos": ["ppo"], "where": "false"},
    ],
)
def test_run_that_fails_one_filter_is_left_out(record: RunRecord, texts: dict[str, Any]) -> None:
    assert not keeps(record, **texts)


@pytest.mark.parametrize(
    "texts",
    [
        {"algos": ["*"]},
        {"env_ids": ["*"]},
        {"tags": ["a"]},
        {"since": "2000w"},
        {"where": "seed > 0"},
    ],
)
def test_run_that_does_not_say_fulfils_nothing(tmp_path: Path, texts: dict[str, Any]) -> None:
    assert not keeps(record_in(tmp_path / "bare"), **texts)


def test_run_whose_status_is_no_word_of_ours_is_unknown(tmp_path: Path) -> None:
    for name, metadata in (("bare", {}), ("foreign", {"status": "finished"})):
        record = record_in(tmp_path / name, **metadata)
        assert keeps(record, statuses=["completed,unknown"])
        assert not keeps(record, statuses=["completed,failed"])


def test_statuses_are_read_from_lists() -> None:
    assert parse_statuses(["completed, unknown", "dead"]) == {"completed", "unknown", "dead"}
    assert parse_statuses([",".join(STATUSES)]) == set(STATUSES)
    assert parse_statuses([]) == frozenset()


@pytest.mark.parametrize(
    ("texts", "message", "hint"),
    [
        (
            {"statuses": ["complete"]},
            "--status: 'complete' is no status",
            f"did you mean: completed; choose from {', '.join(STATUSES)}",
        ),
        (
            {"statuses": ["failed,zzz"]},
            "--status: 'zzz' is no status",
            f"choose from {', '.join(STATUSES)}",
        ),
        ({"statuses": ["failed,"]}, "--status: 'failed,' holds an empty word", "some of completed"),
        ({"algos": [""]}, "--algo: '' holds an empty word", "a name or glob such as 'ppo'"),
        ({"env_ids": ["a,,b"]}, "--env-id: 'a,,b' holds an empty word", "a name or glob"),
        ({"tags": [" "]}, "--tag: ' ' holds an empty word", "a tag"),
        ({"since": "yesterday"}, "--since: 'yesterday' is no time", "give a date or time such as"),
        ({"where": "seed ="}, "--where: column 6: = means nothing here; write ==", "seed ="),
    ],
)
def test_filter_that_means_nothing_is_refused_with_the_choices(
    texts: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(InputError) as caught:
        parse_filters(**texts, now=lambda: NOW)
    assert caught.value.message == message
    assert (caught.value.hint or "").startswith(hint)


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("7d", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("12h", datetime(2026, 3, 8, tzinfo=UTC)),
        ("90m", datetime(2026, 3, 8, 10, 30, tzinfo=UTC)),
        ("2w", datetime(2026, 2, 22, 12, tzinfo=UTC)),
        ("0.5d", datetime(2026, 3, 8, tzinfo=UTC)),
        (" 2026-03-01 ", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T12:30", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01 12:30:15", datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)),
        ("2026-03-01T12:30+02:00", datetime(2026, 3, 1, 10, 30, tzinfo=UTC)),
        ("2026-03-01T12:30Z", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
    ],
)
def test_time_is_a_date_or_a_span_back_from_now(text: str, since: datetime) -> None:
    assert parse_since(text, now=lambda: NOW) == since


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "7y", "1e3d", "9" * 400 + "w", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no time"):
        parse_since(text, now=lambda: NOW)


@given(st.text("0123456789.:-+TZdhmw ", max_size=12))
def test_any_text_is_a_time_with_a_zone_or_refused(text: str) -> None:
    try:
        assert parse_since(text, now=lambda: NOW).utcoffset() is not None
    except InputError:
        return


@given(st.timedeltas(timedelta(), timedelta(days=3000)).map(lambda span: span.days))
def test_longer_span_leads_further_back(days: int) -> None:
    assert parse_since(f"{days}d", now=lambda: NOW) == NOW - timedelta(days=days)


def test_name_that_no_run_has_is_refused_before_anything_is_left_out(record: RunRecord) -> None:
    filters = parse_filters(where="seed == 3 and num_envz == 8", now=lambda: NOW)
    with pytest.raises(InputError, match="--where: no run has a value called num_envz"):
        filters.check([record])
    filters.check([])
    parse_filters(where="num_envs == 9", now=lambda: NOW).check([record])
    parse_filters(algos=["nothing"], now=lambda: NOW).check([record])


def test_config_is_not_read_for_a_run_that_other_filters_leave_out(record: RunRecord) -> None:
    (record.directory / "config.yaml").write_text("{ broken")
    texts = {"algos": ["dqn"], "where": "num_envs == 8"}
    assert not keeps(record, **texts)
    assert record.problems == []


def test_lookup_is_shared_with_whoever_asks_next(record: RunRecord) -> None:
    lookup = Lookup()
    filters = parse_filters(where="num_envs == 8", now=lambda: NOW, lookup=lookup)
    assert filters.keep(record)
    (record.directory / "config.yaml").unlink()
    assert lookup.value_of(record, "num_envs") == 8
