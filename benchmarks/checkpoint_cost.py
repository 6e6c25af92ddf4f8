"""What a checkpoint with a full replay buffer costs: `python benchmarks/checkpoint_cost.py`.

Protocol: SAC on HalfCheetah-v5 with a buffer of 1,000,000 transitions. The buffer is filled to the
brim and saved once; then 50,000 further transitions are added and saved, ten times over, each time
with the networks and optimizers, to files that are flushed to the disk. Printed are medians:
bytes and seconds of the rows appended and of the `.pt` file, against a dump of the whole buffer,
which is what a checkpoint would cost if each held its own copy.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

import gymnasium
import numpy as np

from axiomrl.algorithms.protocol import AlgorithmContext
from axiomrl.algorithms.sac import SAC, SACConfig
from axiomrl.training import checkpoints
from axiomrl.training.replay_files import ReplayFiles
from axiomrl.training.spaces import action_layout, observation_layout

ENV_ID = "HalfCheetah-v5"
CAPACITY = 1_000_000
ADDED = 50_000
ROUNDS = 10


def add(algorithm: SAC, count: int) -> None:
    """Put transitions of zeros into the buffer; what they hold does not matter here."""
    rows = algorithm.replay.rows
    observation = np.zeros((count, *rows["observation"].shape[1:]), dtype=np.float32)
    action = np.zeros((count, *rows["action"].shape[1:]), dtype=np.float32)
    zeros = np.zeros(count, dtype=np.float32)
    algorithm.replay.add(observation, observation, action, zeros, zeros)


def synced(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def main() -> None:
    env = gymnasium.make(ENV_ID)
    context = AlgorithmContext(
        observations=observation_layout(env.observation_space, ENV_ID),
        actions=action_layout(env.action_space, ENV_ID, "scale"),
        num_envs=1,
        normalizer=None,
        engine="mlp",
        device="cpu",
        seed=0,
    )
    algorithm = SAC(SACConfig(buffer_size=CAPACITY), context)
    row_bytes = algorithm.replay.rows.dtype.itemsize
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = ReplayFiles(folder, algorithm.replay)
        for _ in range(CAPACITY // ADDED):
            add(algorithm, ADDED)
        started = time.perf_counter()
        files.save()
        whole_s = time.perf_counter() - started
        row_s, state_s, state_bytes = [], [], 0
        for _ in range(ROUNDS):
            add(algorithm, ADDED)
            started = time.perf_counter()
            replay = files.save()
            row_s.append(time.perf_counter() - started)
            started = time.perf_counter()
            state = {"replay": replay, "algorithm": algorithm.state_dict()}
            checkpoints.save(folder / "step.pt", state)
            synced(folder / "step.pt")
            state_s.append(time.perf_counter() - started)
            state_bytes = (folder / "step.pt").stat().st_size
    print(f"{CAPACITY:,} transitions of {row_bytes} bytes: {CAPACITY * row_bytes / 1e6:.0f} MB")
    print(f"the whole buffer at once            {whole_s:.3f} s")
    print(
        f"rows added since ({ADDED:,})          {statistics.median(row_s):.3f} s, "
        f"{ADDED * row_bytes / 1e6:.1f} MB"
    )
    print(
        f"networks, optimizers, counters      {statistics.median(state_s):.3f} s, "
        f"{state_bytes / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    main()
