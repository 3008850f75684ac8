"""What a night tells that a scheduler started: into a file of the home that never grows large."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

from skillopt.errors import StorageError
from skillopt.store.files import make_private_dir
from skillopt_sleep.home import StateHome

MOST_BYTES = 256 * 1024


def log_path(home: StateHome) -> Path:
    """Where it is told; what was there before is beside it, once."""
    return home.logs / "schedule.log"


def tell_to_log(home: StateHome, now: datetime) -> bool:
    """From here on this process tells everything to the log; whether that could be. Where it could not, it is
    told where it was, which schedulers keep or mail. A home that is gone is not made for it."""
    path = log_path(home)
    try:
        if not home.path.is_dir():
            return False
        make_private_dir(home.logs)
        if path.exists() and path.stat().st_size > MOST_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except (OSError, StorageError):
        return False
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        if stream is not None:
            stream.flush()
        os.dup2(file, number)
    os.write(file, f"{now:%Y-%m-%d %H:%M:%S} UTC\n".encode())
    os.close(file)
    return True
