"""The daemon: it waits, and starts one piece of work at a time, harvests as sessions end and nights when due.

All is decided in one thread, from what its inbox tells: a watch that something changed, a clock that a minute
or an hour has come, a piece of work that it ended, a signal that it is enough. Nothing here asks for the time
of the day but through `look`, so that a machine that slept, or whose clock was moved, is only late.
"""

from __future__ import annotations

import json
import logging
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from skillopt.errors import SkillOptError
from skillopt_sleep.nightly.hints import Hint, Queue
from skillopt_sleep.nightly.jobs import Ended, Kind

SETTLE_S = 60.0
"""How long no transcript has changed before what is new is read, unless `quiet` says more."""
LONGEST_S = 900.0
"""How long a change waits at most: a session may go on for hours."""
ENDED_S = 2.0
"""How long after a hook has told of the end of a session."""
TICK_S = 60.0
_OVERSLEPT_S = 90.0
"""How long after one minute the next is missed: a clock that is put back holds up who tells them."""
LOCK_HELD = 5
"""The exit code of a run that another one keeps out."""
_BUSY_S = 300.0
_FIRST_REST_S = 60.0
_LONGEST_REST_S = 3600.0
_SAY_AGAIN_S = 3600.0

Event: TypeAlias = Literal["changed", "tick"] | Ended


@dataclass(frozen=True, slots=True)
class Stop:
    """It is enough, by the signal of this name."""

    signal: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """How it stands with the next night: whether it is due now, else why not. `works` is false where nobody
    has opted in, and nothing is read; `settle_s` is how long a transcript must rest."""

    works: bool
    is_due: bool
    why: str
    settle_s: float = SETTLE_S


class Work(Protocol):
    """A piece of work that goes on."""

    @property
    def kind(self) -> Kind:
        """Which."""

    def stop(self) -> None:
        """End it now; it tells the inbox that it has."""


@dataclass(frozen=True, slots=True)
class World:
    """What a daemon asks and does outside. `look` raises SkillOptError when the state fails it, `start`
    OSError when a process cannot be made; `every_tick` is called once a minute."""

    look: Callable[[], Outlook]
    hints: Callable[[], Queue]
    start: Callable[[Kind, Callable[[Ended], object]], Work]
    every_tick: Callable[[], object]
    monotonic: Callable[[], float] = time.monotonic


@dataclass
class _Rest:
    """How long a kind of work rests after it failed: longer each time, until it succeeds."""

    until: float = 0.0
    next_s: float = _FIRST_REST_S

    def failed(self, now: float) -> None:
        self.until = now + self.next_s
        self.next_s = min(2 * self.next_s, _LONGEST_REST_S)

    def succeeded(self) -> None:
        self.until, self.next_s = 0.0, _FIRST_REST_S


@dataclass
class Daemon:
    """One daemon; `harvests` and `nights` count what has ended well."""

    world: World
    log: logging.Logger
    inbox: queue.SimpleQueue[Event | Stop] = field(default_factory=queue.SimpleQueue)
    harvests: int = 0
    nights: int = 0
    _job: Work | None = None
    _ticked_at: float = 0.0
    _changed_at: float | None = None
    _first_change_at: float = 0.0
    _hinted_at: float | None = None
    _hints: tuple[Hint, ...] = ()
    _reading: tuple[Hint, ...] = ()
    _is_reading: bool = False
    _done: frozenset[Hint] = frozenset()
    _outlook: Outlook = field(default_factory=lambda: Outlook(False, False, "it has just started"))
    _rests: dict[Kind, _Rest] = field(default_factory=lambda: {"harvest": _Rest(), "night": _Rest()})
    _said: dict[str, float] = field(default_factory=dict)

    def changed(self) -> None:
        """Tell that a transcript or the queue has changed; from any thread, as often as it happens."""
        # Of thousands at once only the first few need be told: what they say is the same.
        if self.inbox.qsize() < 2:
            self.inbox.put("changed")

    def run(self) -> str:
        """Work until it is enough; gives the signal. What goes on then is ended."""
        self.inbox.put("changed")  # (something may have changed while no daemon was there)
        self.inbox.put("tick")
        while True:
            try:
                event = self.inbox.get(timeout=self.wait_s())
            except queue.Empty:
                event = None
            if isinstance(event, Stop):
                if self._job is not None:
                    self.log.info("the %s that goes on is ended; nothing of it counts", self._job.kind)
                    self._job.stop()
                return event.signal
            self.take(event)
            self.begin_what_is_next()

    def wait_s(self) -> float:
        """How long there is nothing to do unless something happens."""
        if self._job is not None or (ready_at := self._harvest_at()) is None:
            return TICK_S
        return min(TICK_S, max(0.1, ready_at - self.world.monotonic()))

    def take(self, event: Event | None) -> None:
        """Know what happened."""
        now = self.world.monotonic()
        if event == "changed":
            if self._changed_at is None:
                self._first_change_at = now
            self._changed_at = now
            self._look_for_hints(now)
        elif isinstance(event, Ended):
            self._job = None
            self._ended(event, now)
            self._look(now)
        if event == "tick" or now >= self._ticked_at + _OVERSLEPT_S:
            self._minute(now)

    def _minute(self, now: float) -> None:
        self._ticked_at = now
        try:
            self.world.every_tick()
        except OSError as error:
            self._say(f"the folders cannot be watched: {error}", now, logging.ERROR)
        self._look(now)
        self._look_for_hints(now)

    def begin_what_is_next(self) -> None:
        """Start the night if it is due, else a harvest if there is something to read."""
        now = self.world.monotonic()
        if self._job is not None or not self._outlook.works:
            return
        ready_at = self._harvest_at()
        if self._outlook.is_due and now >= self._rests["night"].until:
            self._start("night", now)
        elif ready_at is not None and now >= ready_at:
            self._start("harvest", now)

    def _harvest_at(self) -> float | None:
        """When to read what is new, None when nothing is."""
        if not self._outlook.works:
            return None
        moments = []
        if self._changed_at is not None:
            longest = max(LONGEST_S, self._outlook.settle_s)
            moments.append(min(self._changed_at + self._outlook.settle_s, self._first_change_at + longest))
        if self._hinted_at is not None:
            moments.append(self._hinted_at + ENDED_S)
        return max(min(moments), self._rests["harvest"].until) if moments else None

    def _look(self, now: float) -> None:
        try:
            self._outlook = self.world.look()
        except (SkillOptError, OSError) as error:
            # The next look may do better: there is room again, or a person has repaired it.
            self._outlook = Outlook(True, False, str(error).replace("\n", "; "))
            self._say(f"the state cannot be used: {self._outlook.why}", now, logging.ERROR)
            return
        if not self._outlook.is_due:
            self._say(f"no night now: {self._outlook.why}", now)

    def _look_for_hints(self, now: float) -> None:
        found = self.world.hints()
        if found.foreign:
            self._say(f"{found.foreign} files in the queue are none of ours", now, logging.WARNING)
        self._hints = tuple(hint for hint in found.hints if hint not in self._done)
        if self._hints and self._hinted_at is None:
            self._hinted_at = now

    def _start(self, kind: Kind, now: float) -> None:
        try:
            self._job = self.world.start(kind, self.inbox.put)
        except OSError as error:
            self._rests[kind].failed(now)
            self.log.error("no %s can be started: %s", kind, error)  # noqa: TRY400
            return
        self.log.info("%s begins", kind)
        self._reading = self._hints
        self._is_reading = self._changed_at is not None
        self._changed_at = self._hinted_at = None

    def _ended(self, ended: Ended, now: float) -> None:
        told, rest = _told(ended), self._rests[ended.kind]
        if ended.code == 0:
            rest.succeeded()
            self.log.info("%s", told)
            self.harvests += ended.kind == "harvest"
            self.nights += ended.kind == "night"
            # Both read all there is; a hint that could not be removed is not followed twice.
            self._done = frozenset(self._reading)
        elif ended.code == LOCK_HELD:
            rest.until = now + _BUSY_S
            self.log.info("%s; it is tried again", told)
        else:
            rest.failed(now)
            self.log.error("%s; it is tried again", told)
        if ended.code != 0 and self._is_reading and self._changed_at is None:
            self._changed_at = self._first_change_at = now
        # Whatever it came to, the next one is for the next minute.
        self._rests["night"].until = max(self._rests["night"].until, now + TICK_S)
        self._look_for_hints(now)

    def _say(self, what: str, now: float, level: int = logging.INFO) -> None:
        """Into the log, but the same only now and then."""
        if now >= self._said.get(what, -_SAY_AGAIN_S) + _SAY_AGAIN_S:
            if len(self._said) > 100:
                self._said.clear()
            self._said[what] = now
            self.log.log(level, "%s", what)


def _told(ended: Ended) -> str:
    """One line about a piece of work that has ended, from the object it printed."""
    try:
        found = json.loads(ended.out)
        if "error" in found:
            error = found["error"]
            parts = (error["what"], error["why"], f"next: {error['next']}" if error["next"] else "")
            return f"{ended.kind} failed: {'; '.join(filter(None, parts))}"
        if ended.kind == "harvest":
            return f"harvest has ended: {sum(row['new'] for row in found['sources'])} new sessions"
        if not found["due"]:
            return f"no night: {found['why']}"
        n = len(found["proposals"])
        following = "; next: skillopt-sleep show" if n else ""
        return f"night {found['night']} has ended: {found['verdict']}, {n} proposals{following}"
    except (ValueError, KeyError, TypeError):
        how = f"was ended by signal {-ended.code}" if ended.code < 0 else f"ended with {ended.code}"
        last = ended.err.strip().rpartition("\n")[2][:500]
        return f"{ended.kind} {how}{f': {last}' if last else ''}"
