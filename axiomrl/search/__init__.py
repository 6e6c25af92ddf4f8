"""Searches: several configurations, tried one after another or side by side, and compared.

from axiomrl import search

result = search.tune(
    base="configs/ppo/cartpole.yaml",
    space={"hyperparameters.gamma": search.choice([0.98, 0.99])},
    name="gamma", n_trials=10,
)
result.best_run_result.params
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axiomrl.search.space import choice, grid, loguniform, randint, uniform

if TYPE_CHECKING:
    from axiomrl.search.running import tune

__all__ = ["choice", "grid", "loguniform", "randint", "tune", "uniform"]


def __getattr__(name: str) -> Any:
    """`tune`, with what it needs, is imported on first use."""
    if name != "tune":
        raise AttributeError(f"module 'axiomrl.search' has no attribute {name!r}")
    from axiomrl.search.running import tune

    return tune
