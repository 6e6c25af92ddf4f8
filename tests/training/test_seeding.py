from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import axiomrl
from axiomrl import set_training_seed
from axiomrl.training.seeding import Stream, episode_seed, generator

SEEDS = st.integers(0, 2**40)
INDICES = st.integers(0, 10_000)
STREAMS = st.sampled_from(list(Stream))


@given(run_seed=SEEDS, stream=STREAMS, index=INDICES, episode=INDICES)
@settings(deadline=None)
def test_an_episodes_seed_is_always_the_same_31_bit_number(
    run_seed: int, stream: Stream, index: int, episode: int
) -> None:
    seed = episode_seed(run_seed, stream, index, episode)
    assert seed == episode_seed(run_seed, stream, index, episode)
    assert 0 <= seed < 2**31
    assert type(seed) is int


@given(
    first=st.tuples(SEEDS, STREAMS, INDICES, INDICES),
    second=st.tuples(SEEDS, STREAMS, INDICES, INDICES),
)
@settings(deadline=None)
def test_training_evaluation_and_scoring_never_share_a_seed(
    first: tuple[int, Stream, int, int], second: tuple[int, Stream, int, int]
) -> None:
    same_stream = first[1] == second[1]
    assert same_stream or episode_seed(*first) != episode_seed(*second)
    assert Stream(episode_seed(*first) & 3) is first[1]


def test_seeds_differ_between_runs_environments_and_episodes() -> None:
    seeds = {
        episode_seed(run, stream, index, episode)
        for run in range(5)
        for stream in Stream
        for index in range(8)
        for episode in range(25)
    }
    assert len(seeds) == 5 * 3 * 8 * 25


def test_seeds_of_fixed_arguments_do_not_change() -> None:
    # golden values: others would make every earlier run irreproducible
    assert episode_seed(0, Stream.TRAINING, 0, 0) == 2033838900
    assert episode_seed(7, Stream.EVALUATION, 1, 2) == 1358509701
    assert episode_seed(7, Stream.SCORING, 1, 2) == 1408200314


def test_generators_of_different_purposes_are_independent_and_reproducible() -> None:
    draws = {
        purpose: tuple(generator(3, *purpose).integers(2**62, size=4).tolist())
        for purpose in [(0,), (1,), (2,), (1, 0), (1, 1), (10, 0)]
    }
    assert len(set(draws.values())) == len(draws)
    for purpose, drawn in draws.items():
        assert tuple(generator(3, *purpose).integers(2**62, size=4).tolist()) == drawn
        assert tuple(generator(4, *purpose).integers(2**62, size=4).tolist()) != drawn


def test_set_training_seed_makes_global_generators_reproducible() -> None:
    drawn = []
    for _ in range(2):
        set_training_seed(11)
        drawn.append((random.random(), np.random.random(), torch.rand(()).item()))
    assert drawn[0] == drawn[1]
    set_training_seed(12)
    assert (random.random(), np.random.random(), torch.rand(()).item()) != drawn[0]


def test_a_run_seed_of_more_than_32_bits_is_fine() -> None:
    set_training_seed(2**40 + 1)
    assert generator(2**40 + 1, 0).random() != generator(1, 0).random()


class Draws(torch.utils.data.Dataset[list[float]]):
    """What the three generators of a worker give."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> list[float]:
        return [random.random(), np.random.random(), torch.rand(()).item()]


def test_workers_are_seeded_differently_each_and_equally_in_every_repetition() -> None:
    repetitions = []
    for _ in range(2):
        init = set_training_seed(5)
        loader = torch.utils.data.DataLoader(
            Draws(), batch_size=None, num_workers=2, worker_init_fn=init
        )
        repetitions.append([[tuple(draws) for draws in loader] for _ in range(2)])
    first, again = repetitions
    assert first == again
    everything = [value for epoch in first for draws in epoch for value in draws]
    assert len(set(everything)) == len(everything) == 2 * 4 * 3


@pytest.fixture
def _torch_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("_torch_settings")
def test_deterministic_kernels_are_asked_for_on_request_only() -> None:
    set_training_seed(1)
    assert not torch.are_deterministic_algorithms_enabled()
    set_training_seed(1, deterministic=True)
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_torch_is_seeded_even_where_it_was_not_loaded_yet() -> None:
    code = (
        "import sys, axiomrl; loaded = 'torch' in sys.modules; axiomrl.set_training_seed(3); "
        "import torch; print(loaded, torch.initial_seed())"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(axiomrl.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "3"]
