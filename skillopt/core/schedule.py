"""The edit budget of each step: the learning rate of text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from skillopt.errors import ConfigError


@dataclass(frozen=True, slots=True)
class EditBudget:
    """How many edits a step may make: `start` decaying to `end` over the run (`none`: as many as proposed;
    `autonomous`: the optimizer chooses, `start` at most).

    Raises ConfigError unless `start >= end >= 1`.
    """

    kind: Literal["cosine", "linear", "constant", "autonomous", "none"] = "cosine"
    start: int = 4
    end: int = 2

    def __post_init__(self) -> None:
        if self.kind not in (kinds := ("cosine", "linear", "constant", "autonomous", "none")):
            raise ConfigError(f"unknown schedule {self.kind}", next=f"use one of {', '.join(kinds)}")
        if not self.start >= self.end >= 1:
            raise ConfigError(
                f"an edit budget cannot go from {self.start} to {self.end}", next="use start >= end >= 1"
            )

    def at(self, step: int, n_steps: int) -> int | None:
        """The budget of `step` (from 0) of `n_steps`; None is no limit.

        The first step is already one step into the decay, the last one reaches `end`.
        """
        if self.kind == "none":
            return None
        if self.kind in ("constant", "autonomous"):
            return self.start
        progress = min(step + 1, n_steps) / max(n_steps, 1)
        left = (1 + math.cos(math.pi * progress)) / 2 if self.kind == "cosine" else 1 - progress
        # Halves round up, and the cosine's last digit must not decide.
        return math.floor(round(self.end + (self.start - self.end) * left, 9) + 0.5)
