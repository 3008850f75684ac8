"""What is kept of nights that ran by themselves: the slot with the night it ended, attempts beside it.

The slot is written in the transaction that finishes the night, so that no kill can make two of one. Attempts
are written before a night begins: one that takes the machine with it must be counted too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from skillopt.errors import StorageError
from skillopt.store.files import write_atomic
from skillopt_sleep.home import StateHome
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.nightly.due import Attempts, Due, Kept

SLOT_KEY = "nightly:slot"
_SCHEMA = "attempts/1"


class NotDueError(Exception):
    """Somebody else has run the night meanwhile."""

    def __init__(self, found: Due) -> None:
        super().__init__(found.why)
        self.found = found


def kept(home: StateHome, ledger: Ledger | None) -> Kept:
    """What is known; what cannot be read is not known. Raises StorageError when the ledger fails."""
    return Kept(slot_of(ledger.value(SLOT_KEY) if ledger is not None else None), read_attempts(home))


def slot_of(text: str | None) -> datetime | None:
    """The slot that is kept under `SLOT_KEY`, None when there is no telling."""
    try:
        slot = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return slot if slot.tzinfo else None


def read_attempts(home: StateHome) -> Attempts | None:
    """The attempts at a slot, None when there is no telling."""
    try:
        told = json.loads(home.attempts.read_bytes())
        if told["schema"] != _SCHEMA:
            return None
        slot, last_at = (datetime.fromisoformat(told[key]) for key in ("slot", "last_at"))
        if slot.tzinfo is None or last_at.tzinfo is None:
            return None
        return Attempts(slot, int(told["begun"]), last_at, bool(told["failed"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def claimed(
    home: StateHome, ledger: Ledger, is_due: Callable[[Kept], Due], clock: Callable[[], datetime]
) -> Iterator[Mapping[str, str]]:
    """One attempt at the night that is due, for a caller who holds the run lock; gives what has to be
    recorded with the night when it finishes.

    Raises NotDueError when none is due any more. An attempt that ends in an error waits for its next turn.
    """
    known = kept(home, ledger)
    found = is_due(known)
    if not found.is_due:
        raise NotDueError(found)
    before = known.attempts
    begun = 1 + (before.begun if before and before.slot == found.slot else 0)
    _write(home, Attempts(found.slot, begun, clock(), failed=False))
    try:
        yield {SLOT_KEY: found.slot.isoformat()}
    except Exception:
        with suppress(StorageError):
            _write(home, Attempts(found.slot, begun, clock(), failed=True))
        raise
    # (of a slot that has finished they say nothing)
    with suppress(OSError):
        home.attempts.unlink()


def _write(home: StateHome, attempts: Attempts) -> None:
    told = {
        "schema": _SCHEMA,
        "slot": attempts.slot.astimezone(UTC).isoformat(),
        "begun": attempts.begun,
        "last_at": attempts.last_at.astimezone(UTC).isoformat(),
        "failed": attempts.failed,
    }
    write_atomic(home.attempts, json.dumps(told).encode(), mode=0o600)
