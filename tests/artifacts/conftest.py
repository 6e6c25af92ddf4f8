"""A real S3 server on this machine, and Python processes that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import axiomrl
from axiomrl.artifacts import FsspecBackend
from axiomrl.config import config_from_mapping
from axiomrl.runs.run import Run

StartPython = Callable[..., "subprocess.Popen[str]"]

CREDENTIALS = {"key": "a-key", "secret": "a-secret"}


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of moto's S3 server, which speaks HTTP on the loopback interface."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def s3_options(s3_endpoint: str) -> dict[str, Any]:
    """What a backend needs to reach that server."""
    return {"endpoint_url": s3_endpoint, **CREDENTIALS}


@pytest.fixture
def bucket(s3_options: dict[str, Any]) -> str:
    """A bucket of the test's own."""
    import s3fs

    name = f"bucket-{uuid.uuid4().hex}"
    s3fs.S3FileSystem(**s3_options).mkdir(name)
    return name


@pytest.fixture
def s3_backend(bucket: str, s3_options: dict[str, Any]) -> FsspecBackend:
    return FsspecBackend(f"s3://{bucket}/some/folder/", **s3_options)


@pytest.fixture
def memory_url() -> str:
    return f"memory://{uuid.uuid4().hex}"


@pytest.fixture
def start_python() -> Iterator[StartPython]:
    """`start_python(code, *arguments)`: a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(axiomrl.__file__).parents[1])},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The directory of a finished run with a best checkpoint, made without training."""
    values = {"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 200}
    values["output_dir"] = str(tmp_path / "runs")
    with Run.create(config_from_mapping(values), command=["axiomrl", "train"]) as made:
        for step in (0, 100, 200):
            made.log({"eval_return_mean": float(step)}, step=step, duration_s=1.0)
            checkpoint = made.save_checkpoint(step, _write(f"checkpoint {step}"))
        made.mark_best(checkpoint, step=200, metric="eval_return_mean", value=200.0)
    return made.directory


def _write(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(text)

    return write
