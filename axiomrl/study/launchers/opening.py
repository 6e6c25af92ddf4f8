"""The launcher that a name stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axiomrl.errors import InputError, did_you_mean
from axiomrl.study.launchers.contract import Launcher

NAMES = ("inline", "process", "ray", "slurm")


def open_launcher(
    name: str, *, n_workers: int | None = None, options: Mapping[str, Any] | None = None
) -> Launcher:
    """The launcher called `name`; `options` are its own, such as Ray's `address`.

    `n_workers` jobs run at once; None leaves that to the launcher. Raises InputError for an
    unknown name or option, a number that is not at least 1, and a launcher whose extra is not
    installed.
    """
    if name not in NAMES:
        raise InputError(
            f"launcher: {name!r} is not one of {', '.join(NAMES)}", hint=did_you_mean(name, NAMES)
        )
    if n_workers is not None and (type(n_workers) is not int or n_workers < 1):
        raise InputError(f"n_workers is {n_workers!r}, but must be a whole number >= 1")
    if name == "process":
        from axiomrl.study.launchers.process import ProcessLauncher

        return ProcessLauncher(n_workers, options)
    if name == "ray":
        from axiomrl.study.launchers.ray import RayLauncher

        return RayLauncher(n_workers, options)
    if name == "slurm":
        from axiomrl.study.launchers.slurm import SlurmLauncher

        return SlurmLauncher(n_workers, options)
    from axiomrl.study.launchers.inline import InlineLauncher
    from axiomrl.study.launchers.settings import read_settings

    if n_workers not in (None, 1):
        raise InputError(
            f"n_workers is {n_workers}, but the launcher inline runs one job after another",
            hint="choose the launcher process",
        )
    read_settings("inline", options, {})
    return InlineLauncher()
