"""Runs become groups, and some of them do not count."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.config import config_from_mapping
from axiomrl.errors import InputError
from axiomrl.reports.configurations import Configuration, configuration_of
from axiomrl.reports.grouping import Group, check_grouping, group_runs, grouping_names
from axiomrl.reports.lookup import Lookup
from axiomrl.runs.record import RunRecord
from axiomrl.runs.run import Run

from .records import record_in

HASH, OTHER = "0123456789abcdef", "fedcba9876543210"


def made(name: str, seed: int | None = 0, steps: int | None = 100, **metadata: Any) -> RunRecord:
    """A run that only its metadata is known of."""
    values = {"algo": "ppo", "env_id": "CartPole-v1", "config_hash": HASH, "seed": seed}
    progress = {"env_steps": steps} if steps is not None else {}
    return RunRecord(Path("runs", name), {**values, "progress": progress, **metadata}, [])


def names(records: Sequence[RunRecord]) -> list[str]:
    return [record.directory.name for record in records]


def summary(groups: Sequence[Group]) -> list[tuple[str, list[str], list[str]]]:
    return [
        (group.label, names(group.runs), names([each.run for each in group.superseded]))
        for group in groups
    ]


def test_runs_of_one_configuration_are_one_group() -> None:
    records = [made("c", 2), made("a", 0), made("b", 1), made("d", 0, config_hash=OTHER)]
    first, second = group_runs(records)
    assert (first.algo, first.env_id, first.config_hash) == ("ppo", "CartPole-v1", HASH)
    assert first.key == (("env_id", "CartPole-v1"), ("algo", "ppo"), ("config_hash", HASH))
    assert names(first.runs) == ["a", "b", "c"]
    assert (first.n_runs, first.n_seeds, first.seeds) == (3, 3, (0, 1, 2))
    assert first.superseded == ()
    assert (second.config_hash, names(second.runs)) == (OTHER, ["d"])


def test_one_hash_for_two_algorithms_or_environments_makes_two_groups() -> None:
    records = [made("a"), made("b", algo="dqn"), made("c", env_id="Acrobot-v1")]
    assert [(group.env_id, group.algo) for group in group_runs(records)] == [
        ("Acrobot-v1", "ppo"),
        ("CartPole-v1", "dqn"),
        ("CartPole-v1", "ppo"),
    ]


def test_of_runs_of_one_configuration_and_seed_the_longest_counts() -> None:
    records = [made("a", steps=100), made("b", steps=1200), made("c", steps=None), made("d", 1)]
    (group,) = group_runs(records)
    assert names(group.runs) == ["b", "d"]
    assert (group.n_runs, group.n_seeds) == (2, 2)
    same = "same configuration and seed as b, which "
    assert [(each.run.directory.name, each.reason) for each in group.superseded] == [
        ("a", same + "has more env steps (1,200 against 100)"),
        ("c", same + "says how many env steps it has"),
    ]


def test_of_equally_long_runs_the_newest_counts() -> None:
    records = [
        made("a", created_at_utc="2026-03-01T12:00:00.000000+00:00"),
        made("b", created_at_utc="2026-03-01T12:00:00+02:00"),
        made("c"),
    ]
    (group,) = group_runs(records)
    assert names(group.runs) == ["a"]
    assert [each.reason.rpartition("which ")[2] for each in group.superseded] == ["is newer"] * 2


def test_of_copies_the_last_directory_by_name_counts() -> None:
    (group,) = group_runs([made("b"), made("c"), made("a")])
    assert summary([group]) == [("ppo CartPole-v1", ["c"], ["a", "b"])]
    assert group.superseded[0].reason.endswith("which is as long and as new")


def test_runs_without_a_seed_all_count_but_add_no_seed() -> None:
    (group,) = group_runs([made("a", None), made("b", None), made("c", 7), made("d", 7)])
    assert names(group.runs) == ["d", "a", "b"]
    assert (group.n_runs, group.n_seeds, group.seeds) == (3, 1, (7,))
    (group,) = group_runs([made("a", None), made("b", None)])
    assert (group.n_runs, group.n_seeds, group.seeds) == (2, 1, ())


def test_repetitions_are_judged_by_configuration_in_wider_groups() -> None:
    records = [made("a", 0), made("b", 0, config_hash=OTHER), made("c", 1), made("d", 0)]
    (group,) = group_runs(records, by="algo-env")
    assert summary([group]) == [("ppo CartPole-v1", ["b", "d", "c"], ["a"])]
    assert (group.n_runs, group.n_seeds, group.config_hash) == (3, 2, None)


def test_continued_run_with_a_hash_of_its_own_stays_apart() -> None:
    records = [made("a"), made("b", config_hash=OTHER, parent={"config_hash": HASH, "step": 5})]
    assert len(group_runs(records)) == 2


@given(st.data())
def test_order_of_runs_makes_no_difference(data: st.DataObject) -> None:
    few = st.integers(0, 2)
    kinds = st.tuples(few, st.one_of(st.none(), few), few, st.sampled_from([HASH, OTHER, None]))
    drawn = data.draw(st.lists(kinds, max_size=12))
    records = [
        made(f"run{n}", seed, steps, config_hash=digits, env_id=f"E-v{env}", tags=["x"] * env)
        for n, (env, seed, steps, digits) in enumerate(drawn)
    ]
    by = data.draw(st.sampled_from(["config", "algo-env", "preset", "tags", "algo,config_hash"]))
    groups = group_runs(records, by=by)
    assert group_runs(data.draw(st.permutations(records)), by=by) == groups
    counted = [run for group in groups for run in group.runs]
    superseded = [each.run for group in groups for each in group.superseded]
    assert sorted(names(counted + superseded)) == sorted(names(records))
    assert len({group.label for group in groups}) == len(groups)
    assert len({group.identity for group in groups}) == len(groups)
    for group in groups:
        assert 1 <= group.n_seeds <= group.n_runs
        pairs = [(run.metadata["config_hash"], run.metadata["seed"]) for run in group.runs]
        seeded = [pair for pair in pairs if pair[1] is not None]
        assert len(set(seeded)) == len(seeded)


# Without a hash


def test_run_without_hash_is_grouped_by_what_its_configuration_says(tmp_path: Path) -> None:
    def run(name: str, **config: Any) -> RunRecord:
        base = {"total_timesteps": 100, "hyperparameters": {"gamma": 1.0}}
        metadata = {"algo": "ppo", "env_id": "E-v0", "seed": config.get("seed", 0)}
        return record_in(tmp_path / name, config={**base, **config}, **metadata)

    exempt = {"seed": 1, "output_dir": "x", "device": "cuda", "tags": ["t"]}
    local = {"engine": "torch", "threads": 8, "logging": {"every": 5}, "benchmark": {"suite": "s"}}
    records = [
        run("a"),
        run("b", **exempt),
        run("c", seed=2, **local, checkpoint={"every": 1}),
        run("d", seed=3, hyperparameters={"gamma": 1}),
        run("e", seed=4, hyperparameters={"gamma": 0.9}),
    ]
    same, different = sorted(group_runs(records), key=lambda group: -group.n_runs)
    assert names(same.runs) == ["a", "b", "c", "d"]
    assert names(different.runs) == ["e"]
    assert same.config_hash is None
    assert dict(same.key)["config_hash"] == configuration_of(records[0], Lookup()).digest


def test_settings_that_the_fingerprint_leaves_out_make_no_other_group(tmp_path: Path) -> None:
    values = {"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 10}
    changes: list[dict[str, Any]] = [{}, {"seed": 3, "threads": 2, "logging": {"every": 7}}]
    records = []
    for change in changes:
        config = config_from_mapping({**values, **change, "output_dir": str(tmp_path)})
        with Run.create(config) as run:
            pass
        record = RunRecord.read(run.directory)
        del record.metadata["config_hash"]
        records.append(record)
    assert len({configuration_of(record, Lookup()) for record in records}) == 1


def test_run_without_hash_and_configuration_is_grouped_by_algo_and_env(tmp_path: Path) -> None:
    metadata = {"algo": "ppo", "env_id": "E-v0"}
    records = [
        record_in(tmp_path / "a", seed=0, **metadata),
        record_in(tmp_path / "b", seed=1, config="{ broken", **metadata),
        record_in(tmp_path / "c", seed=2, config={"gamma": 1}, **metadata),
    ]
    groups = group_runs(records)
    assert sorted(names(group.runs) for group in groups) == [["a", "b"], ["c"]]
    assert len(records[1].problems) == 1
    assert configuration_of(records[0], Lookup()) == Configuration("ppo", "E-v0", None, None)
    assert len({group.label for group in groups}) == 2


def test_deep_or_odd_configurations_are_grouped_all_the_same(tmp_path: Path) -> None:
    deep = '{"a": ' * 480 + "1" + "}" * 480
    metadata = {"algo": "ppo", "env_id": "E-v0", "seed": 0}
    odd = "made: 2026-01-01\n1: {x: .nan, y: .inf}\nnone: ~\n"
    records = [
        record_in(tmp_path / "a", config=deep, **metadata),
        record_in(tmp_path / "b", config=odd, **metadata),
    ]
    assert [group.n_runs for group in group_runs(records)] == [1, 1]


def test_runs_that_say_nothing_are_one_group(tmp_path: Path) -> None:
    (group,) = group_runs([record_in(tmp_path / "a"), record_in(tmp_path / "b")])
    assert (group.algo, group.env_id, group.label, group.n_runs) == (None, None, "? ?", 2)


# Other groupings


def test_presets_group_runs_by_algorithm_and_environment_too() -> None:
    def run(name: str, preset: str | None, **metadata: Any) -> RunRecord:
        return made(name, benchmark={"preset_name": preset}, **metadata)

    groups = group_runs(
        [
            run("a", "p1"), run("b", "p1"), run("c", "p2"), run("d", "p2", env_id="E-v0"),
            run("e", None, config_hash=OTHER), made("f"),
        ],
        by="preset",
    )  # fmt: skip
    assert summary(groups) == [
        ("ppo CartPole-v1 without preset", ["e", "f"], []),
        ("p1", ["b"], ["a"]),
        ("p2 ppo CartPole-v1", ["c"], []),
        ("p2 ppo E-v0", ["d"], []),
    ]


def test_any_names_form_groups_within_an_environment(tmp_path: Path) -> None:
    def run(name: str, gamma: Any, **metadata: Any) -> RunRecord:
        config = {"hyperparameters": {"gamma": gamma}}
        values = {"algo": "ppo", "env_id": "E-v0", "config_hash": name, "seed": 0, **metadata}
        return record_in(tmp_path / name, config=config, **values)

    records = [
        run("a", 1), run("b", 1.0, algo="dqn"), run("c", True), run("d", None), run("e", "1"),
        run("f", 0.5), run("g", [1, 2]), run("h", 1, env_id="F-v0"),
        record_in(tmp_path / "i", algo="ppo", env_id="E-v0"),
    ]  # fmt: skip
    groups = group_runs(records, by="hyperparameters.gamma")
    assert [names(group.runs) for group in groups] == [
        ["d", "i"], ["c"], ["f"], ["a", "b"], ["e"], ["g"], ["h"]
    ]  # fmt: skip
    assert [group.env_id for group in groups] == ["E-v0"] * 6 + ["F-v0"]
    assert groups[3].algo is None
    assert [group.label for group in groups] == [
        "E-v0 gamma=null",
        "E-v0 gamma=true",
        "E-v0 gamma=0.5",
        'env_id="E-v0" hyperparameters.gamma=1',
        'env_id="E-v0" hyperparameters.gamma="1"',
        "E-v0 gamma=[1,2]",
        "F-v0 gamma=1",
    ]


def test_names_to_group_by_may_be_several() -> None:
    assert grouping_names("seed, git.commit") == ("seed", "git.commit")
    records = [made("a", 0), made("b", 0, config_hash=OTHER), made("c", 1)]
    groups = group_runs(records, by="env_id,seed,config_hash")
    assert [group.key[1:] for group in groups] == [
        (("seed", 0), ("config_hash", HASH)),
        (("seed", 0), ("config_hash", OTHER)),
        (("seed", 1), ("config_hash", HASH)),
    ]


@pytest.mark.parametrize(
    ("by", "name", "hint"),
    [
        ("", "", "choose from config, algo-env, preset, or list names"),
        ("seed,,algo", "", "choose from"),
        ("seed == 3", "seed == 3", "choose from"),
        ("presets!", "presets!", "did you mean: preset; choose from"),
        ("not", "not", "choose from"),
    ],
)
def test_what_is_no_name_cannot_be_grouped_by(by: str, name: str, hint: str) -> None:
    with pytest.raises(InputError, match="is nothing to group by") as caught:
        group_runs([], by=by)
    assert caught.value.message == f"--group-by: {name!r} is nothing to group by"
    assert (caught.value.hint or "").startswith(hint)


def test_name_that_no_run_has_cannot_be_grouped_by() -> None:
    records = [made("a")]
    for by in ("config", "algo-env", "preset", "seed,suite"):
        check_grouping(by, records, Lookup())
    with pytest.raises(InputError, match="--group-by: no run has a value called sed") as caught:
        check_grouping("algo,sed", records, Lookup())
    assert caught.value.hint == "did you mean: seed"


def test_configuration_files_are_not_read_where_hashes_are_known(tmp_path: Path) -> None:
    records = [
        record_in(tmp_path / str(n), config="{ broken", config_hash=f"{n % 3}" * 16, seed=n)
        for n in range(9)
    ]
    random.Random(0).shuffle(records)
    for by in ("config", "algo-env", "preset", "git.commit,seed"):
        group_runs(records, by=by)
    assert all(record.problems == [] for record in records)
