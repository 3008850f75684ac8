"""Fakes for every seam of the trainer: small, typed, deterministic, and honest (they hold no answers)."""

from skillopt.testing.fakes import (
    FaultyAgent,
    ListEnvironment,
    MemoryListener,
    RuleAgent,
    ScriptedOptimizer,
)
from skillopt.testing.models import ScriptedModel
from skillopt.testing.server import Answer, Fault, ModelServer, ServerRequest, ToolCall

__all__ = [
    "Answer",
    "Fault",
    "FaultyAgent",
    "ListEnvironment",
    "MemoryListener",
    "ModelServer",
    "RuleAgent",
    "ScriptedModel",
    "ScriptedOptimizer",
    "ServerRequest",
    "ToolCall",
]
