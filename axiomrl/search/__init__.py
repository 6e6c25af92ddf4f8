"""Searches: several configurations, tried one after another or side by side, and compared.

from axiomrl import search

result = search.tune(
    base="configs/ppo/cartpole.yaml",
    space={"hyperparameters.gamma": search.choice([0.98, 0.99])},
    name="gamma", n_trials=10,
)
result.best_run_result.params
"""

from axiomrl.search.space import choice, grid, loguniform, randint, uniform

__all__ = ["choice", "grid", "loguniform", "randint", "uniform"]
