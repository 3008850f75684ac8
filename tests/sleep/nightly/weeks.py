"""Weeks of a machine that sleeps, travels, fills up and is switched off, in seconds; its nights are real.

Timers fire every hour, and at waking, twice; a daemon looks as well. `problems` says what must never be.
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from slept_home import SleptHome

from skillopt.errors import SkillOptError
from skillopt_sleep.cli.whole_night import Slept
from skillopt_sleep.runlock import run_lock

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
KILLED_NIGHT = Path(__file__).with_name("killed_night.py")


@dataclass(frozen=True)
class Fired:
    """Somebody asked for a night at `now` of the machine's clock; `night` began then, if one did. `label`
    is the zone and the day whose night it was time for. `is_hindered`: the disk was full, it was killed, or
    another run held the lock."""

    now: datetime
    label: tuple[str, str]
    night: str | None
    is_hindered: bool


@dataclass
class Machine:
    """`true` is the time, `ahead` how wrong the machine's clock is."""

    home: SleptHome
    true: datetime
    zone: ZoneInfo
    at: time = time(3)
    ahead: timedelta = timedelta()
    is_awake: bool = True
    is_full: bool = False
    dies_at: int = 0
    is_busy: bool = False
    fired: list[Fired] = field(default_factory=list)
    kills: int = 0
    worked: dict[str, datetime] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.true + self.ahead

    def work(self) -> None:
        session = self.home.work(self.now)
        self.worked[session] = self.true

    def live(self, hours: int, rng: Random, sessions_a_day: int = 1) -> None:
        """Go on for some hours."""
        for _ in range(hours):
            self.true += HOUR
            if not self.is_awake:
                continue
            if rng.random() < sessions_a_day / 24:
                self.work()
            for _ in range(2 if rng.random() < 0.2 else 1):
                self.fire()

    def wake(self) -> None:
        self.is_awake = True
        self.fire()
        self.fire()

    def fire(self) -> None:
        night, was_hindered = None, self.is_full or bool(self.dies_at) or self.is_busy
        if self.dies_at:
            before = {each.id for each in self.home.nights()}
            command = [sys.executable, KILLED_NIGHT, self.home.root, self.now.isoformat(), self.zone.key]
            done = subprocess.run([*map(str, command), str(self.dies_at)], check=False, capture_output=True)
            assert done.returncode in (0, -signal.SIGKILL), done.stderr
            self.kills += done.returncode != 0
            self.dies_at = 0
            # It may have finished all the same, and only died afterwards.
            night = next((each.id for each in self.home.nights() if each.id not in before), None)
        else:
            with self._full_disk() if self.is_full else self._busy():
                try:
                    found = self.home.night(self.now, self.zone, at=f"{self.at:%H:%M}")
                    night = str(found.payload["night"]) if isinstance(found, Slept) else None
                except (SkillOptError, OSError):
                    if not was_hindered:
                        raise
        self.fired.append(Fired(self.now, label(self.now, self.zone, self.at), night, was_hindered))

    @contextmanager
    def _full_disk(self) -> Iterator[None]:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    @contextmanager
    def _busy(self) -> Iterator[None]:
        if not self.is_busy:
            yield
            return
        with run_lock(self.home.state, self.now):
            yield


def label(now: datetime, zone: ZoneInfo, at: time) -> tuple[str, str]:
    """The zone and the day whose night it is time for, told by the clock on the wall."""
    wall = now.astimezone(zone)
    is_second_time = wall.fold == 1 and wall.hour == at.hour
    day = wall.date() if wall.time() >= at or is_second_time else wall.date() - DAY
    return zone.key, day.isoformat()


def problems(machine: Machine) -> list[str]:
    """What went wrong in these weeks; nothing, if all is well."""
    nights = {night.id: night for night in machine.home.nights()}
    consumed = machine.home.consumed()
    found = [*twice(machine.fired), *too_late(machine.fired)]
    told = Counter({night.id: json.loads(night.summary)["consumed"] for night in nights.values()})
    used = Counter(night for night in consumed.values() if night is not None)
    found += [
        f"{night} used {told[night]} sessions, {used[night]} say so"
        for night in told
        if told[night] != used[night]
    ]
    found += [f"session {session} is lost" for session in machine.worked if consumed.get(session) is None]
    return found


def twice(fired: Sequence[Fired]) -> list[str]:
    """Days with more than one night."""
    nights = Counter(each.label for each in fired if each.night)
    return [f"{n} nights for {name}" for name, n in nights.items() if n > 1]


def too_late(fired: Sequence[Fired]) -> list[str]:
    """Moments at which somebody asked, nothing stood in the way, and the last night lay too far back."""
    found, nights = [], []
    hindered_until = datetime.min.replace(tzinfo=fired[0].now.tzinfo)
    for each in fired:
        if each.night:
            nights.append(each.now)
        if each.is_hindered:
            hindered_until = each.now + HOUR
        # One that was recorded far ahead, under a wrong clock, counts for nothing.
        newest = max((at for at in nights if at <= each.now + DAY), default=None)
        if hindered_until <= each.now and (newest is None or each.now - newest > DAY + HOUR):
            found.append(f"no night at {each.now}, the last one was {newest}")
    return found
