"""An environment that raises at its first step."""

from __future__ import annotations

from typing import Any

import gymnasium


class Broken(gymnasium.Wrapper[Any, Any, Any, Any]):
    def step(self, action: Any) -> Any:
        raise ZeroDivisionError("an unlucky step")
