"""`axiomrl leaderboard`: the short form of `axiomrl zoo --format leaderboard`."""

from __future__ import annotations

from axiomrl.cli.zoo import short_form

EXAMPLES = """\b
Examples:
  axiomrl leaderboard
  axiomrl leaderboard --env-id 'CartPole*' \\
    --group-by algo,hyperparameters.gamma
  axiomrl leaderboard --baseline ppo --min-seeds 3 --output-file board.json
"""
run = short_form(
    "leaderboard",
    """Rank groups of runs within each environment, and over suites.

    The same as axiomrl zoo --format leaderboard. A rank is 1 + the number of groups that are
    better in at least 97.5 % of the bootstrap resamples, so groups that cannot be told apart
    share one; beside it stand the places that the group may have.
    """,
)
