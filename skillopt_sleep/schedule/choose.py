"""Which scheduler keeps the entry: the one of the system, or the one that was named."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from skillopt.errors import ConfigError
from skillopt_sleep.schedule.commands import Runner
from skillopt_sleep.schedule.cron import Cron
from skillopt_sleep.schedule.launchd import Launchd
from skillopt_sleep.schedule.scheduler import BY_HAND, Scheduler
from skillopt_sleep.schedule.systemd import Systemd, units_dir
from skillopt_sleep.schedule.tasks import Tasks

NAMES = ("systemd", "cron", "launchd", "tasks")

_OF_PLATFORM: Mapping[str, tuple[str, ...]] = {
    "darwin": ("launchd", "cron"),
    "win32": ("tasks",),
}
_ELSEWHERE = ("systemd", "cron")


def schedulers(env: Mapping[str, str], user_home: Path, scratch: Path) -> Mapping[str, Scheduler]:
    """All of them, by name."""
    run = Runner(env)
    uid = os.getuid() if hasattr(os, "getuid") else 0
    made: tuple[Scheduler, ...] = (
        Systemd(run, units_dir(env, user_home)),
        Cron(run, user_home),
        Launchd(run, user_home / "Library" / "LaunchAgents", uid),
        Tasks(run, scratch),
    )
    return {each.name: each for each in made}


def of_platform(known: Mapping[str, Scheduler], platform: str = sys.platform) -> Sequence[Scheduler]:
    """Those of this system, the one to prefer first."""
    return [known[name] for name in _OF_PLATFORM.get(platform, _ELSEWHERE)]


def choose(known: Mapping[str, Scheduler], named: str | None, platform: str = sys.platform) -> Scheduler:
    """The one that is `named`, else the first of the system that can be used.

    Raises ConfigError with what is wrong with each when none can.
    """
    candidates = [known[named]] if named else of_platform(known, platform)
    wrong = []
    for each in candidates:
        if not (why := each.unusable()):
            return each
        wrong.append(f"{each.name}: {why}")
    raise ConfigError("no scheduler can be used here", why="; ".join(wrong), next=BY_HAND)
