"""Replay's ring buffer and its n-step returns; how it is sampled is in test_sampling.py."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axiomrl.errors import InputError
from axiomrl.training import checkpoints
from axiomrl.training.environments import Transitions
from axiomrl.training.replay import FREE_MEMORY_SHARE, NStep, Replay

ROW_BYTES = (2 + 2 + 1 + 1 + 1) * 4  # both observations of two numbers, action, reward, discount


def replay_of(capacity: int, **changes: Any) -> Replay:
    shape = {"observation_size": 2, "action_shape": (), "action_dtype": np.int32}
    return Replay(capacity, **{**shape, **changes})


def add(replay: Replay, *numbers: float) -> list[int]:
    """Append one row for each number, with that number in all its fields; the places taken."""
    value = np.array(numbers, dtype=np.float32)
    seen = np.stack([value, -value], axis=1)
    places = replay.add(seen, seen + 0.5, value.astype(np.int64), 2 * value, value / 4)
    return [int(place) for place in places]


def numbers_in(rows: np.ndarray) -> list[float]:
    """The numbers that `add` was given, after a look at every field."""
    value = rows["observation"][:, 0]
    np.testing.assert_array_equal(rows["observation"][:, 1], -value)
    np.testing.assert_array_equal(rows["next_observation"], rows["observation"] + 0.5)
    np.testing.assert_array_equal(rows["action"], value)
    np.testing.assert_array_equal(rows["reward"], 2 * value)
    np.testing.assert_array_equal(rows["discount"], value / 4)
    return [float(number) for number in value]


# The ring


def test_rows_are_kept_in_the_order_they_came() -> None:
    replay = replay_of(5)
    assert (replay.size, replay.count) == (0, 0)
    assert add(replay, 1, 2, 3) == [0, 1, 2]
    assert (replay.size, replay.count) == (3, 3)
    assert numbers_in(replay.rows[:3]) == [1, 2, 3]


def test_a_full_buffer_overwrites_its_oldest_rows() -> None:
    replay = replay_of(5)
    add(replay, 1, 2, 3)
    assert add(replay, 4, 5, 6, 7) == [3, 4, 0, 1]
    assert (replay.size, replay.count) == (5, 7)
    assert numbers_in(replay.rows) == [6, 7, 3, 4, 5]


def test_of_more_rows_than_fit_the_newest_stay() -> None:
    replay = replay_of(3)
    add(replay, 1)
    add(replay, *range(2, 10))
    assert (replay.size, replay.count) == (3, 9)
    assert numbers_in(replay.between(6, 9)) == [7, 8, 9]


def test_nothing_can_be_added() -> None:
    replay = replay_of(3)
    assert add(replay) == []
    assert replay.count == 0


@given(st.integers(1, 9), st.lists(st.integers(0, 13), max_size=8))
@settings(deadline=None, max_examples=50)
def test_rows_between_two_numbers_are_the_newest_ones(capacity: int, blocks: list[int]) -> None:
    replay, added = replay_of(capacity), 0
    for block in blocks:
        add(replay, *range(added, added + block))
        added += block
    oldest = max(added - capacity, 0)
    assert numbers_in(replay.between(oldest, added)) == list(range(oldest, added))


def test_rows_put_back_continue_the_ring() -> None:
    original, copy = replay_of(4), replay_of(4)
    add(original, *range(7))
    copy.count = original.count
    copy.restore(3, original.between(3, 7))
    for replay in (original, copy):
        assert add(replay, 7, 8) == [3, 0]
    assert copy.rows.tobytes() == original.rows.tobytes()


def test_rows_between_are_a_copy() -> None:
    replay = replay_of(3)
    add(replay, 1, 2, 3)
    kept = replay.between(0, 3)
    add(replay, 9)
    assert numbers_in(kept) == [1, 2, 3]


def test_a_row_is_one_contiguous_record() -> None:
    replay = replay_of(10)
    assert replay.rows.dtype.itemsize == ROW_BYTES
    assert replay.nbytes == 10 * ROW_BYTES
    assert replay.rows.flags.c_contiguous


def test_image_bytes_stay_bytes() -> None:
    replay = replay_of(4, observation_size=12, observation_dtype=np.uint8)
    picture = np.arange(24, dtype=np.uint8).reshape(2, 12) * 10
    replay.add(picture, picture + 1, np.zeros(2), np.zeros(2), np.zeros(2))
    assert replay.rows["observation"].dtype == np.uint8
    np.testing.assert_array_equal(replay.rows["observation"][:2], picture)
    np.testing.assert_array_equal(replay.rows["next_observation"][:2], picture + 1)
    assert replay.rows.dtype.itemsize == 12 + 12 + 3 * 4


def test_continuous_actions_keep_their_shape() -> None:
    replay = replay_of(4, action_shape=(3,), action_dtype=np.float32)
    action = np.array([[0.1, -0.2, 0.3]], dtype=np.float32)
    replay.add(np.zeros((1, 2)), np.zeros((1, 2)), action, np.zeros(1), np.zeros(1))
    np.testing.assert_array_equal(replay.rows["action"][:1], action)


# Memory


def free_memory(monkeypatch: pytest.MonkeyPatch, nbytes: int) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=nbytes))


def test_a_buffer_larger_than_the_free_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    free_memory(monkeypatch, 2**30)
    with pytest.raises(InputError) as raised:
        replay_of(100_000_000)
    message = str(raised.value)
    assert "hyperparameters.buffer_size: 100,000,000 transitions of 28 bytes" in message
    assert "2.6 GiB" in message
    assert "1.0 GiB are free" in message
    assert raised.value.exit_code == 2


def test_the_size_that_is_said_to_fit_does(monkeypatch: pytest.MonkeyPatch) -> None:
    free_memory(monkeypatch, 123_456)
    with pytest.raises(InputError) as raised:
        replay_of(100_000)
    found = re.search(r"at most ([\d,]+) fit", str(raised.value))
    assert found is not None
    most = int(found[1].replace(",", ""))
    assert replay_of(most).nbytes <= FREE_MEMORY_SHARE * 123_456
    with pytest.raises(InputError):
        replay_of(most + 1)


# n-step returns


def blocks_of(
    seed: int, sizes: list[int], envs: int, *, end_probability: float
) -> list[Transitions]:
    """Consecutive blocks; the observations say where a step is: (step, environment).

    The next observation of a step is its own plus a half, whether or not the episode ends there.
    """
    generator, blocks, begun = np.random.default_rng(seed), [], 0
    for steps in sizes:
        step = np.arange(begun, begun + steps)[:, None] * np.ones((1, envs))
        seen = np.stack([step, np.ones((steps, 1)) * np.arange(envs)], axis=2).astype(np.float32)
        terminated = generator.random((steps, envs)) < end_probability / 2
        truncated = (generator.random((steps, envs)) < end_probability / 2) & ~terminated
        blocks.append(
            Transitions(
                observation=np.full_like(seen, np.nan),  # as the policy saw it: not for replay
                next_observation=np.full_like(seen, np.nan),
                raw_observation=seen,
                raw_next_observation=seen + 0.5,
                action=generator.integers(9, size=(steps, envs)),
                reward=generator.normal(size=(steps, envs)).astype(np.float32),
                terminated=terminated,
                truncated=truncated,
            )
        )
        begun += steps
    return blocks


def joined(blocks: list[Transitions]) -> dict[str, np.ndarray]:
    names = [field.name for field in fields(Transitions)]
    return {name: np.concatenate([getattr(block, name) for block in blocks]) for name in names}


def expected_rows(
    blocks: list[Transitions], n: int, gamma: float
) -> dict[int, list[tuple[Any, ...]]]:
    """By the step at which they are complete, the transitions of all starts, one at a time."""
    whole = joined(blocks)
    steps, envs = whole["reward"].shape
    rows: dict[int, list[tuple[Any, ...]]] = {}
    for start in range(steps):
        for env in range(envs):
            total, last, is_over = 0.0, start, False
            for last in range(start, min(start + n, steps)):
                total += gamma ** (last - start) * float(whole["reward"][last, env])
                is_over = bool(whole["terminated"][last, env] or whole["truncated"][last, env])
                if is_over:
                    break
            length = last - start + 1
            if not is_over and length < n:
                continue  # the future is not known yet
            discount = 0.0 if whole["terminated"][last, env] else gamma**length
            row = (start, env, last + 0.5, int(whole["action"][start, env]), total, discount)
            rows.setdefault(last, []).append(row)
    return rows


def pushed_rows(pushed: tuple[np.ndarray, ...]) -> list[tuple[Any, ...]]:
    observation, following, action, reward, discount = pushed
    assert reward.dtype == discount.dtype == np.float32
    assert (following[:, 1] == observation[:, 1] + 0.5).all()
    columns = (observation[:, 0], observation[:, 1], following[:, 0], action, reward, discount)
    return list(zip(*(column.tolist() for column in columns), strict=True))


GAMMA = 0.9


def check_against_reference(blocks: list[Transitions], n: int, *, restarts: bool) -> None:
    expected, begun, n_step = expected_rows(blocks, n, GAMMA), 0, NStep(n, GAMMA)
    for block in blocks:
        if restarts:
            saved, n_step = n_step.state_dict(), NStep(n, GAMMA)
            n_step.load_state_dict(saved)
        rows = pushed_rows(n_step.push(block))
        ended = begun + len(block.reward)
        due = sorted(row for step in range(begun, ended) for row in expected.pop(step, []))
        assert [row[:4] for row in rows] == [row[:4] for row in due]
        returns, discounts = [row[4] for row in rows], [row[5] for row in rows]
        np.testing.assert_allclose(returns, [row[4] for row in due], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(discounts, [row[5] for row in due], rtol=1e-6)
        begun = ended
    assert expected == {}


@given(
    seed=st.integers(0, 2**16),
    sizes=st.lists(st.integers(1, 8), min_size=1, max_size=8),
    envs=st.integers(1, 3),
    n=st.integers(1, 7),
    end_probability=st.sampled_from([0.0, 0.1, 0.3, 0.8]),
    restarts=st.booleans(),
)
@settings(deadline=None, max_examples=150)
def test_n_step_returns_equal_a_slow_reference(
    seed: int, sizes: list[int], envs: int, n: int, end_probability: float, restarts: bool
) -> None:
    blocks = blocks_of(seed, sizes, envs, end_probability=end_probability)
    check_against_reference(blocks, n, restarts=restarts)


@pytest.mark.parametrize("n", [4, 5, 9])
@pytest.mark.parametrize("steps", [1, 2])
def test_blocks_may_be_much_shorter_than_n(n: int, steps: int) -> None:
    blocks = blocks_of(0, [steps] * 12, 2, end_probability=0.15)
    check_against_reference(blocks, n, restarts=False)


def one_environment(rewards: list[float], *, terminated: int = -1, truncated: int = -1) -> Any:
    """One block of one environment, observing 0, 1, 2, … and ending at most once."""
    steps = np.arange(len(rewards))
    (block,) = blocks_of(0, [len(rewards)], 1, end_probability=0.0)
    block.reward[:, 0] = rewards
    block.terminated[:, 0] = steps == terminated
    block.truncated[:, 0] = steps == truncated
    return block


def test_three_steps_by_hand() -> None:
    # gamma 0.5: 1 + 2/2 + 4/4 = 3, then 2 + 4/2 + 8/4 = 6; what follows counts 0.5^3
    rows = pushed_rows(NStep(3, 0.5).push(one_environment([1, 2, 4, 8])))
    assert [(row[0], row[2], row[4], row[5]) for row in rows] == [
        (0.0, 2.5, 3.0, 0.125),
        (1.0, 3.5, 6.0, 0.125),
    ]


def test_a_termination_ends_the_sum_and_nothing_follows() -> None:
    rows = pushed_rows(NStep(3, 0.5).push(one_environment([1, 2, 4, 8], terminated=1)))
    assert [(row[0], row[2], row[4], row[5]) for row in rows] == [
        (0.0, 1.5, 2.0, 0.0),
        (1.0, 1.5, 2.0, 0.0),
    ]


def test_a_truncation_ends_the_sum_and_bootstraps_from_its_own_final_observation() -> None:
    rows = pushed_rows(NStep(3, 0.5).push(one_environment([1, 2, 4, 8], truncated=1)))
    assert [(row[0], row[2], row[4], row[5]) for row in rows] == [
        (0.0, 1.5, 2.0, 0.25),
        (1.0, 1.5, 2.0, 0.5),
    ]


@pytest.mark.parametrize("n", [1, 3])
def test_an_end_on_the_last_step_of_a_block_completes_what_was_pending(n: int) -> None:
    n_step = NStep(n, 0.5)
    n_step.push(one_environment([1, 1, 1], terminated=2))
    rows = pushed_rows(n_step.push(one_environment([16, 0, 0])))
    assert rows[0][4] == 16.0  # the first return of the new episode holds none of the old one


def test_pending_steps_survive_a_checkpoint_file(tmp_path: Path) -> None:
    blocks = blocks_of(1, [3, 2, 4], 2, end_probability=0.1)
    original, restored = NStep(4, GAMMA), NStep(4, GAMMA)
    original.push(blocks[0])
    rest = dict.fromkeys(("algo", "env_id", "counters", "environments", "positions"))
    checkpoints.save(tmp_path / "state.pt", {**rest, "algorithm": original.state_dict()})
    restored.load_state_dict(checkpoints.load(tmp_path / "state.pt")["algorithm"])
    for block in blocks[1:]:
        for one, other in zip(original.push(block), restored.push(block), strict=True):
            assert one.dtype == other.dtype
            assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("n", [1, 3])
def test_the_next_block_may_overwrite_this_one(n: int) -> None:
    first, second = blocks_of(2, [4, 4], 2, end_probability=0.0)
    n_step = NStep(n, GAMMA)
    n_step.push(first)
    first.raw_observation[:] = first.raw_next_observation[:] = -1.0
    first.reward[:] = np.nan
    first.action[:] = -1
    rows = pushed_rows(n_step.push(second))
    assert all(row[0] >= 0 and row[3] >= 0 and np.isfinite(row[4]) for row in rows)
