"""How it stands with nights that run by themselves: whose, when the next is due, who looks after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from skillopt_sleep.amounts import counted
from skillopt_sleep.home import StateHome
from skillopt_sleep.nightly.due import Kept, due
from skillopt_sleep.nightly.holder import Holder, holder
from skillopt_sleep.settings import Settings, time_of_day

LATE = timedelta(days=2)
"""How far back the last night may lie before somebody should look: machines sleep over a weekend."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`next_at` is when the next night is due (now, if it is), None without `projects`; `last_at` the slot of
    the one that finished last; `why` what keeps the newest slot from being tried again, if it failed."""

    projects: tuple[str, ...]
    at: str
    last_at: datetime | None
    next_at: datetime | None
    is_due: bool
    failed: str
    daemon: Holder | None

    def is_late(self, now: datetime) -> bool:
        """Whether nobody seems to start the nights."""
        return self.is_due and self.daemon is None and (self.last_at is None or now - self.last_at > LATE)

    def words(self, zone: tzinfo) -> str:
        """All of it in a sentence, in the time of `zone`."""
        if not self.projects:
            return "no project has nights by itself"
        told = f"{counted(len(self.projects), 'project')}, each day at {self.at}"
        if self.last_at is not None:
            told += f"; the last was that of {_local(self.last_at, zone)}"
        told += "; one is due now" if self.is_due else f"; the next is due {_local(self.next_at, zone)}"
        return f"{told}; daemon process {self.daemon.pid}" if self.daemon else f"{told}; no daemon runs"


def standing(home: StateHome, settings: Settings, known: Kept, now: datetime, zone: tzinfo) -> Standing:
    """As it is at `now`."""
    found = due(now, time_of_day(settings.at), zone, known)
    return Standing(
        projects=settings.projects,
        at=settings.at,
        last_at=known.finished,
        next_at=found.next_at if settings.projects else None,
        is_due=found.is_due and bool(settings.projects),
        failed=found.why if known.attempts and known.attempts.slot == found.slot and not found.is_due else "",
        daemon=holder(home),
    )


def _local(moment: datetime | None, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" if moment else "never"
