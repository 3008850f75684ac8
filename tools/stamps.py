"""The version of `pyproject.toml`, written wherever else a version stands: one number is changed by hand."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

STAMPED = (
    "skillopt/__init__.py",
    ".claude-plugin/marketplace.json",
    "plugins/claude-code/.claude-plugin/marketplace.json",
    "plugins/claude-code/.claude-plugin/plugin.json",
    "plugins/claude-code/.codex-plugin/plugin.json",
)
_VERSION = re.compile(r'^( *"version": |__version__ = )"[^"]*"', re.MULTILINE)


def stamped(root: Path) -> Iterator[tuple[Path, str]]:
    """Each file that bears the version, and its text with the version of the project."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name in STAMPED:
        path = root / name
        yield path, _VERSION.sub(rf'\g<1>"{project["version"]}"', path.read_text(encoding="utf-8"))
