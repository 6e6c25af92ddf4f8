"""Leaderboards over run directories written by hand, for plots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from axiomrl.reports.filters import Filters
from axiomrl.reports.standings import Leaderboard, Question
from axiomrl.reports.zoo import build_leaderboard, select
from axiomrl.runs.cache import IntervalCache

from .run_files import write_run

Point = tuple[float, float]


def write_curves(root: Path, name: str, curves: Sequence[Sequence[Point]], **more: Any) -> None:
    """One run per curve, with seeds from 0; it scores its last value, and a step takes 0.01 s."""
    for seed, curve in enumerate(curves):
        options = {"seed": seed, "config_hash": name, "score": curve[-1][1], **more}
        folder = write_run(root / f"{name}-{seed}".replace("/", "-"), **options)
        rows = [{"step": x, "time_s": x / 100, "eval_return_mean": y} for x, y in curve]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "metrics.jsonl").write_text(text)


def rising(count: int, top: float = 100.0) -> list[list[Point]]:
    """Curves of five points; each rises a little higher than the one before."""
    return [
        [(100.0 * step, (top + 3 * run) * step / 4) for step in range(5)] for run in range(count)
    ]


def write_several(root: Path) -> None:
    """Two algorithms with five seeds in two environments, and one with two seeds in one."""
    for env_id, top in (("CartPole-v1", 400.0), ("Pendulum-v1", -300.0)):
        for algo, gain in (("ppo", 0.0), ("dqn", 20.0)):
            curves = rising(5, top + gain)
            write_curves(root, f"{algo}-{env_id}", curves, algo=algo, env_id=env_id)
    write_curves(root, "sac-few", rising(2, 300.0), algo="sac", env_id="CartPole-v1")


def board_of(root: Path, **question: Any) -> Leaderboard:
    selection = select([root], Filters(), use_index=False)
    return build_leaderboard(selection, Question(**question), cache=IntervalCache(None))
