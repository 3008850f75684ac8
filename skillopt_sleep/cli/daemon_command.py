"""`daemon`: the night by itself, for as long as this process lives."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from skillopt.cli.output import print_json, say
from skillopt.errors import SkillOptError
from skillopt.store.files import make_private_dir
from skillopt_sleep.cli.night_if_due import OPT_IN, Outside, held_back
from skillopt_sleep.cli.options import (
    Caller,
    Common,
    common,
    common_options,
    nightly_given,
    nightly_options,
    nightly_settings,
    progress_options,
    reading_options,
    scope,
)
from skillopt_sleep.home import StateHome
from skillopt_sleep.nightly.daemon import SETTLE_S, TICK_S, Daemon, Outlook, Stop, World
from skillopt_sleep.nightly.hints import waiting_hints
from skillopt_sleep.nightly.holder import only_daemon
from skillopt_sleep.nightly.jobs import Ended, Job, Kind
from skillopt_sleep.nightly.log import daemon_log
from skillopt_sleep.nightly.power import on_battery
from skillopt_sleep.nightly.zone import local_zone
from skillopt_sleep.settings import quiet_time, time_of_day

if TYPE_CHECKING:
    from apscheduler.schedulers.background import BackgroundScheduler

SCHEMA = "skillopt-sleep/daemon/1"
_NICE = 10


@click.command("daemon")
@nightly_options
@reading_options
@common_options
@progress_options
def daemon_command(**options: Any) -> None:
    """Read sessions as they end, and run the night when it is due, until this process is stopped.

    It works for the projects of `config set projects` alone. What it does is told on stderr and in `logs/` of
    the home. SIGTERM or Ctrl-C ends it; a night that goes on then counts for nothing, and is due again.
    """
    caller = Caller.from_process()
    given = common(caller, options)
    settings = nightly_settings(caller, given.home, options)
    scope(caller, given.home, {**options, "all_projects": True, "project": None})
    with only_daemon(given.home, caller.now):
        make_private_dir(given.home.queue)
        shown = None if given.quiet or sys.stderr is None else logging.StreamHandler()
        log = daemon_log(given.home.logs / "daemon.log", also=shown)
        _be_modest()
        if not settings.projects:
            log.warning("no project was opted in, so nothing is done; next: %s", OPT_IN)
        told = _until_stopped(caller, given, options, log)
    if given.as_json:
        print_json(SCHEMA, told)
    else:
        say(f"Ended by {told['stopped_by']}.", "Next: skillopt-sleep status")


def _until_stopped(
    caller: Caller, given: Common, options: Mapping[str, Any], log: logging.Logger
) -> dict[str, object]:
    from skillopt_sleep.nightly.watch import Watch
    from skillopt_sleep.sources.registry import SOURCES

    started = time.monotonic()
    sources = [make((given.home.path,)) for make in SOURCES.values()]
    folders = [root for source in sources for root in source.roots(caller.env, caller.user_home)]
    clock = _Clock(given.home, options)

    def every_tick() -> None:
        watch.look_again()
        clock.set_again()

    def start(kind: Kind, ended: Callable[[Ended], object]) -> Job:
        return Job(kind, _command(kind, given.home, options), os.environ, ended)

    world = World(
        look=lambda: _outlook(given, options),
        hints=lambda: waiting_hints(given.home),
        start=start,
        every_tick=every_tick,
    )
    daemon = Daemon(world, log)
    watch = Watch([*folders, given.home.queue], daemon.changed, log)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _frame: daemon.inbox.put(Stop(signal.Signals(n).name)))
    watch.start()
    clock.start(lambda: daemon.inbox.put("tick"))
    log.info("process %d watches %d folders of %d", os.getpid(), len(watch.watched), len(folders) + 1)
    try:
        stopped_by = daemon.run()
    finally:
        clock.stop()
        watch.stop()
    log.info("ended by %s after %d harvests and %d nights", stopped_by, daemon.harvests, daemon.nights)
    return {
        "stopped_by": stopped_by,
        "harvests": daemon.harvests,
        "nights": daemon.nights,
        "seconds": round(time.monotonic() - started, 3),
    }


class _Clock:
    """Tells the hour of the night, and every minute: a timer may oversleep when the machine was suspended."""

    def __init__(self, home: StateHome, options: Mapping[str, Any]) -> None:
        self._home, self._options = home, options
        self._set_for: tuple[object, ...] = ()
        self._tick: Callable[[], object] = int
        self._scheduler: BackgroundScheduler | None = None

    def start(self, tick: Callable[[], object]) -> None:
        from apscheduler.schedulers.background import BackgroundScheduler

        self._tick = tick
        self._scheduler = BackgroundScheduler(
            timezone=local_zone(),
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )
        self._scheduler.add_job(tick, "interval", seconds=TICK_S, id="minute")
        self._scheduler.start()

    def set_again(self) -> None:
        """Follow the settings and the zone of the machine; what cannot be used is told elsewhere."""
        try:
            settings = nightly_settings(Caller.from_process(), self._home, self._options)
        except SkillOptError:
            return
        at, zone = time_of_day(settings.at), local_zone()
        if self._scheduler is None or (at, str(zone)) == self._set_for:
            return
        self._set_for = (at, str(zone))
        hour = {"hour": at.hour, "minute": at.minute, "timezone": zone}
        self._scheduler.add_job(self._tick, "cron", **hour, id="night", replace_existing=True)

    def stop(self) -> None:
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)


def _outlook(given: Common, options: Mapping[str, Any]) -> Outlook:
    """The rule of `run --if-due`, asked here first: a process for each minute of waiting would be dear."""
    caller = Caller.from_process()
    settings = nightly_settings(caller, given.home, options)
    chosen = scope(caller, given.home, {**options, "all_projects": True, "project": None})
    outside = Outside(local_zone(), on_battery, lambda: Caller.from_process().now)
    held = held_back(caller, replace(given, verbose=False), chosen, settings, outside)
    settle_s = max(SETTLE_S, quiet_time(settings.quiet).total_seconds())
    return Outlook(bool(settings.projects), held is None, held.why if held else "", settle_s)


def _command(kind: Kind, home: StateHome, options: Mapping[str, Any]) -> list[str]:
    """The command line of a piece of work, by this very Python and package, wherever it is run."""
    common = ["--json", "--quiet", "--home", str(home.path)]
    common += [text for name in ("source", "since") if options[name] for text in (f"--{name}", options[name])]
    first = [sys.executable, "-P", "-m", "skillopt_sleep"]
    if kind == "harvest":
        return [*first, "harvest", "--all-projects", *common]
    named = {"at": "--at", "power": "--power", "quiet": "--quiet-for"}
    nightly = [text for key, value in nightly_given(options).items() for text in (named[key], value)]
    return [*first, "run", "--if-due", *nightly, *common]


def _be_modest() -> None:
    # What it starts is as modest: the person's own work goes first.
    if hasattr(os, "nice"):
        os.nice(_NICE)
