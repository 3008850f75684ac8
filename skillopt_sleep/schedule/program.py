"""Which program an entry starts, and whether it will still be there next month."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from skillopt.errors import ConfigError
from skillopt_sleep.scope import git_root

PROGRAM = "skillopt-sleep"
_CACHED = ("archive-v0", "builds-v0", ".tox", ".nox")
"""Folders of tools that make environments for once."""


def own_program(called_as: str, executable: str, cwd: Path) -> Path:
    """The installed command that runs now, as it was called or beside its Python. Links stay links, for an
    upgrade leads them elsewhere. Raises ConfigError when there is none."""
    called = cwd / called_as
    # (the name alone says nothing when Python was started with -m or -c)
    beside = Path(executable).with_name(PROGRAM)
    for path in (called, beside):
        name = path.name.removesuffix(".exe")
        if name == PROGRAM and path.is_file() and os.access(path, os.X_OK):
            return Path(os.path.normpath(path))
    raise ConfigError(
        f"there is no telling which {PROGRAM} is to run at night",
        why=f"this one was started as {called_as}, and there is none at {beside}",
        next=f"install it, for example with `uv tool install skillopt`, and run `{PROGRAM} schedule install`",
    )


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
