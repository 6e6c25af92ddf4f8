"""Who may run a study: one living process at a time.

The holder locks the study's folder, so that nothing lies around after it; runner_state.json names
its process and machine, and carries a heartbeat for runners on other machines.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from axiomrl.errors import InputError, RunAliveError
from axiomrl.runs.clock import Clock, timestamp
from axiomrl.runs.ownership import DirectoryLock, looks_dead
from axiomrl.runs.provenance import this_process
from axiomrl.study.plan import STATE, Plan, read_plan

PATIENCE_S = 1.0  # for a runner that has just begun to write down who it is
_PAUSE_S = 0.02


@contextmanager
def lease(folder: Path, *, now: Clock) -> Iterator[Plan | None]:
    """Hold a study's folder, which is made if missing, for a block; gives the plan in it.

    A lease ends with its process, however it ends. Raises RunAliveError, naming process and
    machine, while another holds it, and InputError if the folder cannot be made or its plan
    cannot be read. A folder that is still empty in the end goes again, if it was made here.
    """
    made = _make(folder)
    try:
        try:
            lock = DirectoryLock(folder)
        except RunAliveError as error:
            raise _busy(folder, _holder(folder, now)) from error
        try:
            plan = read_plan(folder)
            # on another machine, or where the file system has no locks
            if plan is not None and _is_alive(plan.runner, now()):
                raise _busy(folder, plan.runner)
            yield plan
        finally:
            lock.release()
    finally:
        for path in made:
            if os.path.isdir(path) and not os.listdir(path):
                path.rmdir()


def this_runner(now: datetime) -> dict[str, Any]:
    """Who runs a study, as `runner` in runner_state.json."""
    return {**this_process(), "hostname": socket.gethostname(), "heartbeat_utc": timestamp(now)}


def _make(folder: Path) -> list[Path]:
    """Make a folder; returns those that were missing, the innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"experiments_runner.output_base_dir: {folder} cannot be made: "
            f"{error.strerror or error}",
            hint="choose another folder",
        ) from error
    return missing


def _holder(folder: Path, now: Clock) -> Mapping[str, Any] | None:
    """Who has locked a folder; None if that does not become known within a moment."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        plan = read_plan(folder)
        if plan is not None and _is_alive(plan.runner, now()):
            return plan.runner
        if time.monotonic() > deadline:
            return None
        time.sleep(_PAUSE_S)


def _is_alive(runner: Mapping[str, Any] | None, now: datetime) -> bool:
    if runner is None:
        return False
    system = {"hostname": runner.get("hostname")}
    told = {"process": runner, "system": system, "heartbeat_utc": runner.get("heartbeat_utc")}
    return not looks_dead(told, now=now)


def _busy(folder: Path, runner: Mapping[str, Any] | None) -> RunAliveError:
    who = "another process"
    if runner is not None:
        who = f"process {runner.get('pid', '?')} on {runner.get('hostname') or 'another machine'}"
    return RunAliveError(
        f"{folder}: the study is being run by {who}",
        hint=f"wait for it, or stop it first; {STATE} says how far it is",
    )
