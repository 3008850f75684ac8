"""The sources we ship, by the name users see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from skillopt_sleep.sources.base import Source
from skillopt_sleep.sources.claude_code import ClaudeCode
from skillopt_sleep.sources.codex import Codex
from skillopt_sleep.sources.copilot_cli import CopilotCli
from skillopt_sleep.sources.vscode_chat import VsCodeChat

SOURCES: MappingProxyType[str, Callable[[tuple[Path, ...]], Source]] = MappingProxyType(
    {
        "claude": ClaudeCode,
        "codex": Codex,
        "copilot": CopilotCli,
        "vscode": VsCodeChat,
    }
)
"""Each entry builds a source from the folders our own runs work in: `SOURCES["claude"](own_dirs)`."""
