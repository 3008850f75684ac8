"""Fakes for every seam of the trainer: small, typed, deterministic, and honest (they hold no answers)."""

from skillopt.testing.fakes import (
    FaultyAgent,
    ListEnvironment,
    MemoryListener,
    RuleAgent,
    ScriptedOptimizer,
)

__all__ = ["FaultyAgent", "ListEnvironment", "MemoryListener", "RuleAgent", "ScriptedOptimizer"]
