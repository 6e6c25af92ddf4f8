"""A real TensorBoard server shows what a run has written."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from axiomrl.config import config_from_mapping
from axiomrl.training.session import start

DEADLINE_S = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(url: str, server: subprocess.Popen[bytes]) -> Any:
    """The JSON answer, once the server gives a non-empty one."""
    give_up = time.monotonic() + DEADLINE_S
    while time.monotonic() < give_up:
        assert server.poll() is None, "TensorBoard ended by itself"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                answer = json.load(response)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            answer = None
        if answer:
            return answer
        time.sleep(0.2)
    raise AssertionError(f"no answer from {url}")


def test_tensorboard_serves_the_scalars_of_a_run(tmp_path: Path) -> None:
    config = config_from_mapping(
        {
            "algo": "ppo",
            "env_id": "CartPole-v1",
            "total_timesteps": 512,
            "output_dir": str(tmp_path),
            "hyperparameters": {"n_steps": 128, "n_epochs": 1},
            "evaluation": {"every": 256, "episodes": 2},
            "logging": {"every": 128},
        }
    )
    run = start(config).directory
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    port = free_port()
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tensorboard.main",
            "--logdir",
            str(tmp_path),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--load_fast",
            "false",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ, PYTHONWARNINGS="ignore"),
    )
    try:
        base = f"http://127.0.0.1:{port}/data/plugin/scalars"
        tags = ask(f"{base}/tags", server)
        name = f"{run.name}/tensorboard"
        assert {"eval/return_mean", "train/policy_loss", "rollout/return_mean"} <= set(tags[name])
        for metric, tag in [("eval_return_mean", "eval/return_mean"), ("train_loss", "train/loss")]:
            points = ask(f"{base}/scalars?run={name}&tag={tag}", server)
            served = [(step, round(value, 4)) for _, step, value in points]
            written = [(row["step"], round(row[metric], 4)) for row in rows if metric in row]
            assert [step for step, _ in served] == [step for step, _ in written]
            for (_, got), (_, expected) in zip(served, written, strict=True):
                assert abs(got - expected) <= 1e-4 * max(1.0, abs(expected))
    finally:
        server.terminate()
        server.wait()
