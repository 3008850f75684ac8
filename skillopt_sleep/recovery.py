"""Finishing what a crash left, before anything else looks at proposals, receipts or live files."""

from __future__ import annotations

import shutil

from skillopt.errors import StorageError
from skillopt_sleep.disk import DROPPED, Disk
from skillopt_sleep.home import StateHome
from skillopt_sleep.journal import Recovered, is_pending, recover
from skillopt_sleep.stage import LOCK_WAIT_S, delivery_lock, publish_held, staged_nights, visible


def recover_pending(home: StateHome, wait_s: float = LOCK_WAIT_S) -> tuple[Recovered, ...]:
    """Finish or reverse every interrupted adopt and undo, and publish what finished nights staged; costs
    nothing when there is none.

    Raises LockHeldError when another command holds the lock for longer than `wait_s` seconds (it may be just
    adopting, not dead), and StorageError when a write is refused.
    """
    finished = _finished(home, staged_nights(home))
    if not finished and not is_pending(home.path):
        return ()
    disk = Disk()
    with delivery_lock(home, wait_s):
        recovered = recover(home.path, disk)
        nights = [
            Recovered(night, "finished", "night", files)
            for night in finished
            if (files := publish_held(home, night, disk))
        ]
    return (*recovered, *nights)


def clear_unfinished(home: StateHome) -> None:
    """Remove what killed nights staged and what killed writes left. The caller holds the run lock."""
    disk = Disk()
    finished = _finished(home, staged_nights(home))
    for night in staged_nights(home):
        if night not in finished:
            disk.drop(home.staged / night)
    if not home.path.is_dir():
        return
    with delivery_lock(home):
        for folder in (home.path, home.discarded, *visible(home.proposals), *visible(home.receipts)):
            for leftover in folder.glob(".*.tmp") if folder.is_dir() else ():
                leftover.unlink(missing_ok=True)
        for folder in (home.proposals, home.staged, home.journal):
            for leftover in folder.glob(f".*{DROPPED}") if folder.is_dir() else ():
                shutil.rmtree(leftover)


def _finished(home: StateHome, nights: tuple[str, ...]) -> tuple[str, ...]:
    if not nights or not home.has_ledger():
        return ()
    from skillopt_sleep.ledger import Ledger  # only needed when something is staged

    try:
        with Ledger.open(home.ledger) as ledger:
            return tuple(night for night in nights if ledger.has_night(night))
    except StorageError:
        # Told by the commands that need the ledger; what is staged stays until it can be read.
        return ()
