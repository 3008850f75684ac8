"""Whether the program that an entry starts will still be there next month."""

from __future__ import annotations

import tempfile
from pathlib import Path

from skillopt_sleep.scope import git_root

_CACHED = ("archive-v0", "builds-v0", ".tox", ".nox")
"""Folders of tools that make environments for once."""


def may_vanish(program: Path) -> str:
    """Why the program may not be there for long, "" when nothing says so."""
    real = program.resolve()
    places = {Path(tempfile.gettempdir()).resolve(), Path("/tmp"), Path("/var/tmp")}  # noqa: S108
    for path in (program, real):
        if any(path.is_relative_to(place) for place in places):
            return f"{program} is in a folder for temporary files"
        if any(part in _CACHED for part in path.parts):
            return f"{program} is in an environment that was made for once"
    # (of the program as it is called: a link from elsewhere is where an installer keeps it)
    root = git_root(program.parent)
    return f"{program} belongs to the repository {root}" if root is not None else ""
