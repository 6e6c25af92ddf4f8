"""A process that is killed just before each of its changes to files, one after another.

`python killing.py SOURCE FOLDER MODULE CODE`: for n = 1, 2, … a copy of the folder SOURCE is made
as FOLDER/n, and a child runs CODE there, in which `module` is MODULE, until it is about to rename
or remove something for the n-th time; then it kills itself. Printed is how many children were
killed before one came through.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
from itertools import count
from typing import Any

CHANGES = {"os.rename", "os.remove", "os.rmdir"}


def main(source: str, folder: str, module: str, code: str) -> int:
    """How many children were killed."""
    imported = importlib.import_module(module)
    for number in count(1):
        place = os.path.join(folder, str(number))
        shutil.copytree(source, place, symlinks=True)
        child = os.fork()
        if child == 0:
            os.chdir(place)
            _die_before_change(number)
            exec(code, {"module": imported})
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return number - 1
    raise AssertionError("there is always a next number")


def _die_before_change(number: int) -> None:
    left = number

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in CHANGES:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
