"""An environment that ends the process at its first step, having noted when that was.

P10 measures the time from a command to the first env step with it: both sides train on
`first_step_env:FirstStep-v0` and neither knows of the other.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, NoReturn

import gymnasium
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from timing import MARKER_VARIABLE


class FirstStepEnv(CartPoleEnv):
    """CartPole up to its first step."""

    def step(self, action: Any) -> NoReturn:  # type: ignore[override]
        """Write the time to the marker file and leave, skipping all clean-up."""
        Path(os.environ[MARKER_VARIABLE]).write_text(repr(time.monotonic()), encoding="utf-8")
        os._exit(0)


gymnasium.register(id="FirstStep-v0", entry_point=FirstStepEnv, max_episode_steps=500)
