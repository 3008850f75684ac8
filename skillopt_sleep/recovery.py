"""Finishing what a crash left, before anything else looks at proposals, receipts or live files."""

from __future__ import annotations

from skillopt_sleep.disk import Disk
from skillopt_sleep.home import StateHome
from skillopt_sleep.journal import Recovered, is_pending, recover
from skillopt_sleep.stage import LOCK_WAIT_S, delivery_lock


def recover_pending(home: StateHome, wait_s: float = LOCK_WAIT_S) -> tuple[Recovered, ...]:
    """Finish or reverse every interrupted adopt and undo; costs nothing when there is none.

    Raises LockHeldError when another command holds the lock for longer than `wait_s` seconds (it may be just
    adopting, not dead), and StorageError when a write is refused.
    """
    if not is_pending(home.path):
        return ()
    with delivery_lock(home, wait_s):
        return recover(home.path, Disk())
