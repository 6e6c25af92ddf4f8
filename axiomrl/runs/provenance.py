"""Where a run came from: git, versions, machine and process.

Everything here is best effort and quick: what cannot be found out is None, never an error.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from axiomrl.config.secrets import mask_argv, mask_text

PACKAGES = (
    "axiomrl",
    "torch",
    "numpy",
    "gymnasium",
    "box2d",
    "box2d-py",
    "mujoco",
    "ale-py",
    "minigrid",
)
"""Distributions whose versions are written down where they are installed."""

DIFF_LIMIT = 1 << 18  # bytes of diff that are kept; masking them takes 60 ms
_GIT_TIMEOUT_S = 5.0
_START_TIME_TOLERANCE_S = 5.0  # the kernel's idea of the boot time moves when the clock is set


def masked_command(command: Sequence[str] | None = None) -> list[str]:
    """A command line (by default this process's own) without its secrets."""
    arguments = sys.argv if command is None else command
    return mask_argv([str(part).encode("utf-8", "backslashreplace").decode() for part in arguments])


def system(*, device: str, engine: str) -> dict[str, Any]:
    """Machine and interpreter, as `system` in metadata.json."""
    return {
        "python_version": platform.python_version(),
        # Not platform.platform(): that starts a process to ask for the processor's name.
        "platform": f"{platform.system()}-{platform.release()}-{platform.machine()}",
        "hostname": socket.gethostname(),
        "cpu": _cpu_name(),
        "cpu_count": os.cpu_count(),
        "device": device,
        "engine": engine,
    }


@functools.cache
def versions() -> dict[str, str]:
    """Version of each of `PACKAGES` that is installed, found without importing any."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    if "axiomrl" not in found:
        from axiomrl import __version__

        found["axiomrl"] = __version__
    return found


def git(folder: Path | None = None) -> tuple[dict[str, Any], str | None]:
    """The state of the repository around a folder (by default the working directory).

    Returns `git` of metadata.json (`commit`, `is_dirty`; both None outside of a repository or
    without git) and, when tracked files have changed, the masked diff against that commit.
    Files that git does not track do not make a tree dirty.
    """
    unknown: dict[str, Any] = {"commit": None, "is_dirty": None}
    folder = Path.cwd() if folder is None else folder
    if "GIT_DIR" not in os.environ and not _has_repository(folder):
        return unknown, None
    status = _git(folder, "status", "--porcelain=v2", "--branch", "--untracked-files=no")
    if status is None:
        return unknown, None
    lines = status.splitlines()
    commits = [line.split()[-1] for line in lines if line.startswith("# branch.oid ")]
    commit = commits[0] if commits and commits[0] != "(initial)" else None
    is_dirty = any(line and not line.startswith("#") for line in lines)
    diff = None
    if is_dirty and commit:
        diff = _git(folder, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD")
    return {"commit": commit, "is_dirty": is_dirty}, mask_text(diff) if diff else None


def described_error(error: BaseException) -> dict[str, str]:
    """What ended a run, without secrets, as `error` in metadata.json."""
    import traceback

    # The message is masked on its own: behind `ValueError:` its words may pass for a type.
    message, masked = str(error), mask_text(str(error))
    trace = "".join(traceback.format_exception(error))
    return {
        "type": type(error).__name__,
        "message": masked,
        "traceback": mask_text(trace.replace(message, masked) if message else trace),
    }


def this_process() -> dict[str, Any]:
    """What identifies this process beyond its number, as `process` in metadata.json."""
    pid = os.getpid()
    return {"pid": pid, "start_time": _start_time(pid), "boot_id": _boot_id()}


def is_alive(process: Mapping[str, Any]) -> bool:
    """Whether the process recorded as `process` in metadata.json runs on this machine now.

    The number alone does not prove it: numbers are given out again. What the record lacks is
    not compared.
    """
    pid, start_time, boot_id = (process.get(key) for key in ("pid", "start_time", "boot_id"))
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return False
    if boot_id is not None and _boot_id() is not None and boot_id != _boot_id():
        return False
    actual = _start_time(pid)
    if actual is None:
        return False
    if isinstance(start_time, int | float):
        return abs(start_time - actual) <= _START_TIME_TOLERANCE_S
    return True


def _has_repository(folder: Path) -> bool:
    return any((parent / ".git").exists() for parent in (folder, *folder.parents))


def _git(folder: Path, *arguments: str) -> str | None:
    """Output of a git command, at most DIFF_LIMIT bytes of it; None if it fails."""
    try:
        process = subprocess.Popen(
            ["git", *arguments],
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
    timer = threading.Timer(_GIT_TIMEOUT_S, process.kill)
    timer.start()
    with process:
        assert process.stdout is not None
        output = process.stdout.read(DIFF_LIMIT + 1)
        is_cut = len(output) > DIFF_LIMIT
        if is_cut:
            process.kill()
    timer.cancel()
    if process.returncode != 0 and not is_cut:
        return None
    text = output[:DIFF_LIMIT].decode("utf-8", "replace")
    return text + "\n[the rest of the diff is left out]\n" if is_cut else text


@functools.cache
def _cpu_name() -> str | None:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
            for line in stream:
                key, _, value = line.partition(":")
                if key.strip() in ("model name", "Hardware", "cpu model"):
                    return value.strip()
                if not line.strip():
                    break
    except OSError:
        pass  # not Linux
    return platform.processor() or None


@functools.cache
def _boot_id() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None


def _start_time(pid: int) -> float | None:
    """When a living process was started, in seconds since 1970; None if there is none."""
    if Path("/proc/self/stat").exists():  # as psutil does it on Linux, without its import
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            return None
        fields = stat[stat.rindex(b")") + 2 :].split()  # the name before may hold anything
        if fields[0] in (b"Z", b"X"):  # ended, though nobody has asked for its exit code yet
            return None
        return int(fields[19]) / os.sysconf("SC_CLK_TCK") + _boot_time()
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.NoSuchProcess:
        return None


@functools.cache
def _boot_time() -> float:
    with open("/proc/stat", "rb") as stream:
        for line in stream:
            if line.startswith(b"btime"):
                return float(line.split()[1])
    return 0.0
