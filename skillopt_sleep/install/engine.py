"""The installed program itself: where it is, and where clients that were not told look it up."""

from __future__ import annotations

import os
from pathlib import Path

from skillopt.errors import ConfigError
from skillopt_sleep.home import StateHome
from skillopt_sleep.install.wiring import OwnFile

PROGRAM = "skillopt-sleep"
ENGINE_FILE = "engine"


def own_program(called_as: str, python: str) -> Path:
    """The absolute path of the program of this process, given its own name and that of its interpreter.

    Raises ConfigError when it was started in a way that leaves no program behind.
    """
    beside = Path(python).with_name(PROGRAM + Path(python).suffix)
    for path in (Path(called_as).absolute(), beside):
        if path.stem == PROGRAM and path.is_file() and os.access(path, os.X_OK) and str(path).isprintable():
            return path
    raise ConfigError(
        f"there is no program {PROGRAM} to tell the client of",
        why=f"this is {called_as}, and {beside} is not there",
        next=f"install the package, then run its own program: `{PROGRAM} install ...`",
    )


def engine_file(home: StateHome, program: Path) -> OwnFile:
    """What tells launchers where the program is: its path on one line."""
    return OwnFile(home.path / ENGINE_FILE, os.fsencode(program) + b"\n")


def recorded_program(home: StateHome) -> Path | None:
    """The program that was recorded, whether or not it is still there."""
    try:
        line = (home.path / ENGINE_FILE).read_text(encoding="utf-8", errors="surrogateescape").strip("\n")
    except OSError:
        return None
    return Path(line) if line.startswith(os.sep) or Path(line).is_absolute() else None
