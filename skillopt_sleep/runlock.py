"""One night at a time in a home: a lock the operating system releases when its holder dies."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from skillopt.errors import LockHeldError
from skillopt.store.files import write_atomic
from skillopt.store.lockfile import held
from skillopt_sleep.home import StateHome


@contextmanager
def run_lock(home: StateHome, now: datetime) -> Iterator[None]:
    """Hold the run lock of a home. Raises LockHeldError at once, saying who has it, when another does."""
    home.make()
    with held(home.lock, 0) as is_mine:
        if not is_mine:
            raise LockHeldError(
                "another run is going on",
                why=_holder(home),
                next="wait for it to end, or stop that process; its lock goes with it",
            )
        who = {"pid": os.getpid(), "since": now.astimezone(UTC).isoformat(timespec="seconds")}
        write_atomic(home.lock_holder, json.dumps(who).encode(), mode=0o600)
        try:
            yield
        finally:
            # (of a process that has ended it says nothing)
            with suppress(OSError):
                home.lock_holder.unlink()


def _holder(home: StateHome) -> str:
    # The lock file itself is emptied by everyone who tries it, so who holds it is written beside it.
    try:
        who = json.loads(home.lock_holder.read_bytes())
        return f"process {int(who['pid'])} holds {home.lock} since {datetime.fromisoformat(who['since'])}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"a process that has just started holds {home.lock}"
