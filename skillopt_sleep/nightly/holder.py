"""One daemon for a home, and who it is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from skillopt.errors import LockHeldError
from skillopt.store.files import write_atomic
from skillopt.store.lockfile import held
from skillopt_sleep.home import StateHome


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that is the daemon of a home, and since when."""

    pid: int
    since: datetime


@contextmanager
def only_daemon(home: StateHome, now: datetime) -> Iterator[None]:
    """Be the daemon of a home. Raises LockHeldError, saying which process is, when another one is."""
    home.make()
    with held(home.daemon_lock, 0) as is_mine:
        if not is_mine:
            who = holder(home)
            told = (
                f"process {who.pid} is it, since {who.since:%Y-%m-%d %H:%M} UTC"
                if who
                else "it has just started"
            )
            raise LockHeldError(
                "a daemon of this home is running",
                why=told,
                next="skillopt-sleep status, or stop that process",
            )
        told = json.dumps({"pid": os.getpid(), "since": now.astimezone(UTC).isoformat(timespec="seconds")})
        write_atomic(home.daemon_holder, told.encode(), mode=0o600)
        try:
            yield
        finally:
            # (of a process that has ended it says nothing)
            with suppress(OSError):
                home.daemon_holder.unlink()


def holder(home: StateHome) -> Holder | None:
    """The daemon that is running, None when there is none. It is told by its number, no lock is tried: a
    daemon that starts meanwhile would be refused."""
    try:
        who = json.loads(home.daemon_holder.read_bytes())
        found = Holder(int(who["pid"]), datetime.fromisoformat(who["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if is_alive(found.pid) else None


def is_alive(pid: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
