"""Scores that properties are tried on."""

from __future__ import annotations

from hypothesis import strategies as st

# Multiples of 1/8: sums of them are exact, and they tie often.
SCORES = st.lists(st.integers(-80, 80).map(lambda n: n / 8), min_size=1, max_size=7)
TASKS = st.lists(SCORES, min_size=1, max_size=4)
