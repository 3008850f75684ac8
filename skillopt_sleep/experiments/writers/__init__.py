"""Write transcripts as the real clients do: one script of a session, a file in the format of each client."""

from __future__ import annotations

from skillopt_sleep.experiments.writers.claude_code import fork_claude_code, write_claude_code
from skillopt_sleep.experiments.writers.codex import write_codex
from skillopt_sleep.experiments.writers.copilot_cli import write_copilot_cli
from skillopt_sleep.experiments.writers.script import (
    Compaction,
    Prompt,
    Queued,
    Said,
    Script,
    Slash,
    Step,
    Subagent,
    Tool,
)

__all__ = [
    "Compaction",
    "Prompt",
    "Queued",
    "Said",
    "Script",
    "Slash",
    "Step",
    "Subagent",
    "Tool",
    "fork_claude_code",
    "write_claude_code",
    "write_codex",
    "write_copilot_cli",
]
