"""What works on this machine: versions, devices, environment families, write access."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import axiomrl

# Distribution name -> module, for everything axiomrl cannot do without.
REQUIRED = {
    "torch": "torch",
    "gymnasium": "gymnasium",
    "numpy": "numpy",
    "tensorboard": "tensorboard",
    "pyyaml": "yaml",
    "msgspec": "msgspec",
    "psutil": "psutil",
    "threadpoolctl": "threadpoolctl",
}


@dataclass(frozen=True)
class Family:
    """A family of environments, tried through one of its members."""

    name: str
    env_id: str
    registrar: str | None = None  # module whose import registers the environments
    extra: str | None = None  # what installs it; None: part of every installation


FAMILIES = (
    Family("classic-control", "CartPole-v1"),
    Family("box2d", "LunarLander-v3", extra="box2d"),
    Family("mujoco", "HalfCheetah-v5", extra="mujoco"),
    Family("atari", "ALE/Pong-v5", registrar="ale_py", extra="atari"),
    Family("minigrid", "MiniGrid-Empty-5x5-v0", registrar="minigrid", extra="minigrid"),
)


def examine(runs_dir: Path = Path("runs")) -> dict[str, Any]:
    """Everything `axiomrl doctor` tells, as plain containers.

    `problems` lists what is needed and broken; it is empty on a healthy machine. Takes
    seconds: the libraries are really imported, the environments really stepped.
    """
    problems: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        versions = _versions(problems)
        environments = {family.name: try_family(family) for family in FAMILIES}
        devices = _devices()
    needed = environments["classic-control"]
    if needed["status"] != "ok":
        problems.append(f"classic-control environments: {needed['detail']}")
    return {
        "schema_version": 1,
        "ok": not problems,
        "problems": problems,
        "versions": versions,
        "devices": devices,
        "environments": environments,
        "runs_directory": _write_access(runs_dir),
    }


def try_family(family: Family) -> dict[str, str | None]:
    """Make, reset and step one environment; `status` is ok, missing or broken.

    `detail` says what is wrong, and for a missing family what installs it.
    """
    result: dict[str, str | None] = {"env_id": family.env_id, "status": "ok", "detail": None}
    try:
        import gymnasium

        if family.extra == "mujoco":
            _silence_mujoco()
        if family.registrar:
            importlib.import_module(family.registrar)
        environment = gymnasium.make(family.env_id)
        try:
            environment.reset(seed=0)
            environment.action_space.seed(0)
            environment.step(environment.action_space.sample())
        finally:
            environment.close()
    except Exception as error:  # whatever it is, it is what the user needs to know
        missing = type(error).__name__ in ("ModuleNotFoundError", "DependencyNotInstalled")
        if missing and family.extra:
            result.update(status="missing", detail=f'pip install "axiomrl[{family.extra}]"')
        else:
            first_line = (str(error).strip().splitlines() or [""])[0]
            result.update(status="broken", detail=f"{type(error).__name__}: {first_line}")
    return result


def _silence_mujoco() -> None:
    """Keep its warnings (about Gymnasium's model files) out of the folder: it logs them there."""
    mujoco = importlib.import_module("mujoco")
    mujoco.set_mju_user_warning(lambda _: None)


def _versions(problems: list[str]) -> dict[str, str | None]:
    versions: dict[str, str | None] = {
        "axiomrl": axiomrl.__version__,
        "python": platform.python_version(),
    }
    for distribution, module in REQUIRED.items():
        versions[distribution] = None
        try:
            importlib.import_module(module)
            versions[distribution] = importlib.metadata.version(distribution)
        except Exception as error:  # a broken library may raise anything
            problems.append(f"{distribution} cannot be used: {type(error).__name__}: {error}")
    return versions


def _devices() -> dict[str, Any]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    devices: dict[str, Any] = {
        "platform": platform.platform(),
        "cpu": _processor(),
        "cpu_threads": usable,
        "cuda": [],
        "cuda_detail": None,
    }
    try:
        import torch

        devices["cuda"] = [
            torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())
        ]
        if not devices["cuda"]:
            built = torch.version.cuda
            devices["cuda_detail"] = (
                "no GPU visible" if built else "this torch is built without CUDA"
            )
    except Exception as error:  # a driver that does not fit, or no torch at all
        devices["cuda_detail"] = f"{type(error).__name__}: {error}"
    return devices


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _write_access(folder: Path) -> dict[str, Any]:
    """Whether a run could be written: tried with a real file, which is removed again."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            detail = None
    except OSError as error:
        detail = f"{error.strerror}: choose another folder with --output-dir"
    return {"path": str(folder.absolute()), "is_writable": detail is None, "detail": detail}
