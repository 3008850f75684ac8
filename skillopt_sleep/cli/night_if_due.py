"""The night that runs by itself: `run --if-due`, which timers and the daemon give, is this function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import TYPE_CHECKING

from skillopt.cli.output import say
from skillopt_sleep.cli.options import Caller, Common, Scope
from skillopt_sleep.home import StateHome
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.nightly.due import Due, Kept, due
from skillopt_sleep.nightly.kept import NotDueError, claimed, kept
from skillopt_sleep.nightly.power import OnBattery
from skillopt_sleep.settings import Settings, quiet_time, time_of_day

if TYPE_CHECKING:
    # A daemon only asks whether a night is due, and must not grow by what a night needs.
    from skillopt_sleep.cli.whole_night import Slept

OPT_IN = "skillopt-sleep config set projects DIR..."
LONGEST_WAIT = timedelta(hours=12)
"""How long after its slot a night waits for quiet: who never rests has nights too."""


@dataclass(frozen=True, slots=True)
class Held:
    """No night now: `why`, the command that changes it, and when to ask again, where that is known."""

    why: str
    next: str
    next_at: datetime | None = None

    @property
    def payload(self) -> dict[str, object]:
        """What `run --if-due --json` tells."""
        from skillopt_sleep.cli.whole_night import no_night_json

        at = self.next_at and self.next_at.isoformat()
        return {**no_night_json(), "due": False, "why": self.why, "next_at": at, "next": self.next}


@dataclass(frozen=True, slots=True)
class Outside:
    """What a night that runs by itself asks of the world: the zone, the battery and the moment."""

    zone: tzinfo
    on_battery: OnBattery
    clock: Callable[[], datetime]


def night_if_due(
    caller: Caller, given: Common, chosen: Scope, settings: Settings, outside: Outside
) -> Slept | Held:
    """One night over the projects of the settings, when one is due and nothing holds it back.

    Raises what `whole_night` raises; the slot is then tried again later.
    """
    if held := held_back(caller, given, chosen, settings, outside):
        return held
    from skillopt_sleep.cli.whole_night import whole_night

    is_due = partial(due, caller.now, time_of_day(settings.at), outside.zone)
    try:
        slept = whole_night(
            caller,
            given,
            chosen,
            dry_run=False,
            claim=lambda ledger: claimed(given.home, ledger, is_due, outside.clock),
        )
    except NotDueError as error:
        return _not_due(error.found)
    return replace(slept, payload={**slept.payload, "due": True})


def held_back(
    caller: Caller, given: Common, chosen: Scope, settings: Settings, outside: Outside
) -> Held | None:
    """Why no night is to run at this moment, None when one is."""
    # (without any, all would be in scope)
    if chosen.project is not None or not settings.projects or not chosen.projects:
        return Held("no project was opted in to nights that run by themselves", OPT_IN)
    found = due(caller.now, time_of_day(settings.at), outside.zone, kept_of(given.home))
    if not found.is_due:
        return _not_due(found)
    return _on_battery(settings, outside, given) or _not_quiet(caller, chosen, settings, given, found)


def kept_of(home: StateHome) -> Kept:
    """What is known of earlier nights; a home without a ledger is not given one."""
    if not home.has_ledger():
        return kept(home, None)
    with Ledger.open(home.ledger) as ledger:
        return kept(home, ledger)


def _not_due(found: Due) -> Held:
    return Held(found.why, "skillopt-sleep status", found.next_at)


def _on_battery(settings: Settings, outside: Outside, given: Common) -> Held | None:
    if settings.power != "ac":
        return None
    answer = outside.on_battery()
    if answer is None and given.verbose:
        say("whether this machine is on its battery cannot be told; taken for no", err=True)
    if not answer:
        return None
    return Held("the machine is on its battery", "plug it in, or: skillopt-sleep config set power any")


def _not_quiet(caller: Caller, chosen: Scope, settings: Settings, given: Common, found: Due) -> Held | None:
    quiet = quiet_time(settings.quiet)
    if not quiet or caller.now - found.slot > LONGEST_WAIT:
        return None
    from skillopt_sleep.nightly.quiet import last_change
    from skillopt_sleep.sources.registry import SOURCES

    sources = [SOURCES[name]((given.home.path,)) for name in chosen.sources]
    changed_at = last_change(sources, caller.env, caller.user_home, caller.now)
    if changed_at is None or caller.now - changed_at >= quiet:
        return None
    why = f"a session is going on: a transcript changed less than {settings.quiet} ago"
    return Held(why, "skillopt-sleep status", changed_at + quiet)
