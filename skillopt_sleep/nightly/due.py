"""When a night is due: by the clock, the zone and what is known of earlier nights, and nothing else.

A slot is the moment at which a night was to begin, once for each local day. Nights that were missed are one
night: only the newest slot counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

DAY = timedelta(days=1)
RETRY_AFTER = timedelta(hours=1)
"""How long a slot rests after a night that failed."""

MOST_ATTEMPTS = 5
"""How often one slot is tried; then it is the next one's turn."""

AT_ONCE = 2
"""How many nights of one slot may be cut short (a power cut, a kill) before it is taken for a failure."""

CLOCK_BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock that says less was not set yet: machines without a battery begin in 1970."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """The nights of `slot` that began and did not finish: how many, when the last one began or failed, and
    whether it failed; one that did not was cut short."""

    slot: datetime
    begun: int
    last_at: datetime
    failed: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of earlier nights: the slot of the one that finished last, and attempts since."""

    finished: datetime | None = None
    attempts: Attempts | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """Whether the night of `slot` is due. If not, `why`, and `next_at`, when it may be."""

    slot: datetime
    is_due: bool
    why: str
    next_at: datetime


def slots(now: datetime, at: time, zone: tzinfo) -> Iterator[datetime]:
    """The slots around `now`, in order, as aware UTC.

    A time that a day leaves out comes when it would have, had the clock not been put forward; one that comes
    twice counts the first time.
    """
    today = now.astimezone(zone).date()
    # (two days, because a zone may skip a whole one)
    for days in range(-2, 3):
        yield datetime.combine(today + timedelta(days=days), at, tzinfo=zone).astimezone(UTC)


def slot_before(now: datetime, at: time, zone: tzinfo) -> datetime:
    """The newest slot that has come."""
    return max(slot for slot in slots(now, at, zone) if slot <= now)


def slot_after(now: datetime, at: time, zone: tzinfo) -> datetime:
    """The next one."""
    return min(slot for slot in slots(now, at, zone) if slot > now)


def due(now: datetime, at: time, zone: tzinfo, kept: Kept) -> Due:
    """Whether a night is due at `now` (aware), to begin at `at` in `zone` each day."""
    following = slot_after(now, at, zone)
    slot = slot_before(now, at, zone)
    if now < CLOCK_BEGINS:
        return Due(slot, False, f"the clock of this machine is not set: it says {now:%Y-%m-%d}", following)
    if _is_done(slot, now, kept.finished):
        return Due(slot, False, f"the night of {_local(slot, zone)} has finished", following)
    ready_at = _ready_at(slot, now, kept.attempts)
    if ready_at is None:
        why = f"the night of {_local(slot, zone)} did not finish in {MOST_ATTEMPTS} attempts"
        return Due(slot, False, why, following)
    if ready_at > now:
        why = f"the night of {_local(slot, zone)} failed; it is tried again at {_local(ready_at, zone)}"
        return Due(slot, False, why, min(ready_at, following))
    return Due(slot, True, "", now)


def _is_done(slot: datetime, now: datetime, finished: datetime | None) -> bool:
    """One that was put back a little brings no slot twice; what was recorded far ahead says nothing."""
    return finished is not None and slot <= finished <= now + DAY


def _ready_at(slot: datetime, now: datetime, attempts: Attempts | None) -> datetime | None:
    """When the slot may be tried, None for no more. Attempts in the future are those of a wrong clock."""
    if attempts is None or attempts.slot != slot or attempts.last_at > now:
        return now
    if attempts.begun >= MOST_ATTEMPTS:
        return None
    if not attempts.failed and attempts.begun <= AT_ONCE:
        return now
    return max(now, attempts.last_at + RETRY_AFTER)


def _local(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"
