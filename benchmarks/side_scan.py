"""One measured reading of a tree of runs, in a process of its own: `side_scan.py JOB`."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from timing import read_job, report, versions


def main() -> None:
    job = read_job()
    root = Path(job["root"])
    work = WORK[job["side"]](root)
    wall, cpu = time.perf_counter(), time.process_time()
    kept = work()
    report(
        {
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "runs": len(kept),
            "peak_mb": peak_mb(),
            "versions": versions("msgspec"),
        }
    )


def peak_mb() -> float:
    """The most memory that this process has held so far, in megabytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def plain_read(root: Path) -> Callable[[], list[object]]:
    """`json.loads` of every file; finding them is not counted."""
    paths = [os.path.join(root, name, "metadata.json") for name in os.listdir(root)]

    def work() -> list[object]:
        read: list[object] = []
        for path in paths:
            with open(path, "rb") as stream:
                read.append(json.loads(stream.read()))
        return read

    return work


def scan(root: Path) -> Callable[[], list[object]]:
    """Find, read and check every run; with the index, if the caller has left one."""
    from axiomrl.runs.store import RunStore

    return lambda: list(RunStore(root).scan().records)


def scan_and_build(root: Path) -> Callable[[], list[object]]:
    """The same, and build the mapping of every metadata.json."""
    from axiomrl.runs.store import RunStore

    return lambda: [record.metadata for record in RunStore(root).scan().records]


WORK = {
    "plain": plain_read,
    "cold": scan,
    "indexed": scan,
    "cold_built": scan_and_build,
    "indexed_built": scan_and_build,
}

if __name__ == "__main__":
    main()
