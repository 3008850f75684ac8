"""`schedule`: the one entry with which the system starts nights: put it in place, take it out, look at it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import click

from skillopt.cli.output import print_json, say
from skillopt.errors import ConfigError
from skillopt_sleep.amounts import counted
from skillopt_sleep.cli.options import (
    Caller,
    common,
    common_options,
    nightly_options,
    nightly_settings,
    source_names,
)
from skillopt_sleep.home import StateHome
from skillopt_sleep.install.engine import own_program
from skillopt_sleep.nightly.due import slot_after
from skillopt_sleep.nightly.zone import local_zone
from skillopt_sleep.schedule.choose import NAMES, choose, of_platform, schedulers
from skillopt_sleep.schedule.entry import Entry, name_of
from skillopt_sleep.schedule.keeping import (
    Looked,
    differences,
    install_again,
    look_for,
    make_entry,
    put,
    take_out,
)
from skillopt_sleep.schedule.log import log_path
from skillopt_sleep.schedule.program import may_vanish
from skillopt_sleep.schedule.scheduler import Plan, Scheduler
from skillopt_sleep.settings import Settings, load_settings, time_of_day

SCHEMA = "skillopt-sleep/schedule/1"
OPT_IN = "skillopt-sleep config set projects DIR..."

_OPTIONS = ("at", "power", "quiet_for", "source", "since")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The entry that is asked for, the settings it runs under, and when it next makes a night."""

    entry: Entry
    settings: Settings
    next_at: datetime

    def notes(self, plan: Plan) -> list[str]:
        """What a person must know for nights to happen."""
        told = [plan.note]
        if why := may_vanish(self.entry.program):
            told.insert(
                0, f"{why}, and may not be there for long; install it for good, then install this again"
            )
        if not self.settings.projects:
            told.insert(0, f"no project is opted in, so no night will run before you do: {OPT_IN}")
        return told


@click.group()
def schedule() -> None:
    """Let the system start nights by itself: systemd, cron, launchd or the Task Scheduler."""


@schedule.command()
@click.option("--with", "named", type=click.Choice(NAMES), help="The scheduler (default: the system's own).")
@click.option("--dry-run", is_flag=True, help="Print what would be written and run; change nothing.")
@nightly_options
@click.option("--since", metavar="WHEN", help="Only sessions since then: 30d, 2026-11-01 or all.")
@click.option("--source", metavar="NAMES", help="Clients to read, with commas: claude,codex,...")
@common_options
def install(named: str | None, dry_run: bool, **options: Any) -> None:
    """Put the entry in place: it looks every hour whether a night is due, and a missed one is made up for.

    It keeps the options given here and where your clients keep things now. Of a home there is one entry:
    installing again replaces it. Only projects of `config set projects` have nights.
    """
    caller = Caller.from_process()
    home = common(caller, options).home
    wanted = _wanted(caller, home, options)
    known = schedulers(caller.env, caller.user_home, home.path)
    into = choose(known, named)
    plan = into.plan(wanted.entry)
    changed = False
    if not dry_run:
        home.make()
        changed = put(wanted.entry, into, known.values())
    following = OPT_IN if not wanted.settings.projects else "skillopt-sleep schedule status"
    if dry_run:
        words = [*(("--with", named) if named else ()), *_given(options), *_home(home)]
        following = shlex.join(["skillopt-sleep", "schedule", "install", *words])
    if options["as_json"]:
        print_json(
            SCHEMA, _install_json(into, wanted, plan, dry_run=dry_run, changed=changed, next=following)
        )
        return
    if dry_run:
        say(*_plan_lines(into, plan))
    else:
        done = "Installed" if changed else "It was installed already, and nothing was changed:"
        say(f"{done} with {into.name} as {wanted.entry.name}.", *_entry_lines(wanted.entry))
        say(f"The next night is due {_local(wanted.next_at)}.")
    say(*(f"Note: {note}" for note in wanted.notes(plan)), f"Next: {following}")


@schedule.command()
@common_options
def remove(**options: Any) -> None:
    """Take the entry of this home out; everything else the scheduler keeps stays as it is."""
    caller = Caller.from_process()
    home = common(caller, options).home
    known = schedulers(caller.env, caller.user_home, home.path)
    removed = take_out(name_of(home.path), known.values())
    if options["as_json"]:
        told = {"name": name_of(home.path), "removed": list(removed), "next": "skillopt-sleep status"}
        print_json(SCHEMA, {"action": "remove", **told})
        return
    if removed:
        say(f"Removed from {' and '.join(removed)}: no night begins by itself any more.")
    else:
        say(f"There was no entry of {home.path}; nothing was changed.")
    say("Next: skillopt-sleep status")


@schedule.command()
@common_options
def status(**options: Any) -> None:
    """Whether there is an entry, what it starts, when a night is due, and what is wrong with it."""
    caller = Caller.from_process()
    home = common(caller, options).home
    known = schedulers(caller.env, caller.user_home, home.path)
    looked = look_for(name_of(home.path), known.values())
    if not looked.kept and looked.failures:
        raise looked.failures[0]
    payload = _status_json(caller, home, looked)
    if options["as_json"]:
        print_json(SCHEMA, payload)
    else:
        say(*_status_lines(caller, home, looked, payload))


def _wanted(caller: Caller, home: StateHome, options: Mapping[str, Any]) -> _Wanted:
    """The entry for the options given. Raises ConfigError for what cannot be meant."""
    settings = nightly_settings(caller, home, options)
    # (asked only for whether they can be meant)
    load_settings(
        home.config,
        caller.env,
        source_names=source_names(),
        sources_option=options["source"],
        since_option=options["since"],
    )
    at = time_of_day(settings.at)
    program = own_program(sys.argv[0], sys.executable)
    entry = make_entry(home, program, _given(options), caller.env, at.minute)
    return _Wanted(entry, settings, slot_after(caller.now, at, local_zone()))


def _given(options: Mapping[str, Any]) -> list[str]:
    """The options of the night as they were given."""
    return [
        word
        for name in _OPTIONS
        if options[name] is not None
        for word in (f"--{name.replace('_', '-')}", options[name])
    ]


def _home(home: StateHome) -> list[str]:
    return [] if home.is_default else ["--home", str(home.path)]


def _install_json(
    into: Scheduler, wanted: _Wanted, plan: Plan, *, dry_run: bool, changed: bool, **more: str
) -> dict[str, object]:
    return {
        "action": "install",
        "dry_run": dry_run,
        "changed": changed,
        "scheduler": into.name,
        **_entry_json(wanted.entry),
        "written": [{"where": each.where, "text": each.text} for each in plan.written],
        "commands": [list(each) for each in plan.commands],
        "projects": list(wanted.settings.projects),
        "next_night": wanted.next_at.isoformat(),
        "notes": wanted.notes(plan),
        **more,
    }


def _entry_json(entry: Entry) -> dict[str, object]:
    return {
        "name": entry.name,
        "command": list(entry.command),
        "environment": dict(entry.environment),
        "minute": entry.minute,
    }


def _plan_lines(into: Scheduler, plan: Plan) -> list[str]:
    lines = [f"Dry run: nothing was changed. With {into.name} this would be written:"]
    for each in plan.written:
        lines += ["", f"{each.where}:", *(f"  {line}" for line in each.text.rstrip("\n").split("\n"))]
    return [*lines, "", "and run:", *(f"  {shlex.join(each)}" for each in plan.commands), ""]


def _entry_lines(entry: Entry) -> list[str]:
    return [
        f"Every hour at minute {entry.minute} it looks whether a night is due:",
        f"  {shlex.join(entry.command)}",
        *(f"  with {name}={value}" for name, value in entry.environment),
    ]


def _status_json(caller: Caller, home: StateHome, looked: Looked) -> dict[str, object]:
    settings = load_settings(home.config, caller.env, source_names=source_names())
    entries = []
    for scheduler, found in looked.kept:
        at = _at_of(found.entry, settings)
        program = own_program(sys.argv[0], sys.executable)
        now = make_entry(home, program, (), caller.env, 0)
        entries.append(
            {
                "scheduler": scheduler.name,
                **(_entry_json(found.entry) if found.entry else {"name": name_of(home.path)}),
                "active": found.is_active,
                "next_night": slot_after(caller.now, time_of_day(at), local_zone()).isoformat(),
                "wrong": differences(found, now, minute=time_of_day(at).minute),
            }
        )
    following = install_again(looked.kept[0][1].entry if looked.kept else None, home)
    if entries and not any(each["wrong"] for each in entries):
        following = "skillopt-sleep status" if settings.projects else OPT_IN
    return {
        "action": "status",
        "installed": bool(entries),
        "entries": entries,
        "projects": list(settings.projects),
        "log": str(log_path(home)),
        "not_asked": [f"{each.what}: {each.why}" for each in looked.failures],
        "next": following,
    }


def _at_of(entry: Entry | None, settings: Settings) -> str:
    """The time of the night that an entry names, else that of the settings."""
    words = entry.command if entry else ()
    named = [after for word, after in pairwise(words) if word == "--at"]
    try:
        return f"{time_of_day(named[-1]):%H:%M}" if named else settings.at
    except ValueError as error:
        raise ConfigError("the entry names no time of the day", why=str(error), next=_AGAIN) from error


_AGAIN = "skillopt-sleep schedule install"


def _status_lines(caller: Caller, home: StateHome, looked: Looked, payload: Mapping[str, Any]) -> list[str]:
    lines = []
    for (scheduler, found), told in zip(looked.kept, payload["entries"], strict=True):
        lines.append(f"Installed with {scheduler.name} as {name_of(home.path)}.")
        lines += _entry_lines(found.entry) if found.entry else []
        lines += [f"Wrong: {each}." for each in told["wrong"]]
        lines.append(f"The next night is due {_local(datetime.fromisoformat(told['next_night']))}.")
    if not looked.kept:
        usable = ", ".join(each.name for each in of_platform(_known(caller, home)) if not each.unusable())
        lines.append("Not installed: no night begins by itself.")
        lines.append(f"Schedulers that can be used here: {usable or 'none; see `skillopt-sleep daemon`'}.")
    n_projects = len(payload["projects"])
    lines.append(
        f"{counted(n_projects, 'project')} opted in."
        if n_projects
        else f"Note: no project is opted in: {OPT_IN}"
    )
    if looked.kept and log_path(home).exists():
        lines.append(f"What it told is in {log_path(home)}.")
    lines += [f"Note: {each}" for each in payload["not_asked"]]
    return [*lines, f"Next: {payload['next']}"]


def _known(caller: Caller, home: StateHome) -> Mapping[str, Scheduler]:
    return schedulers(caller.env, caller.user_home, home.path)


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(local_zone()):%Y-%m-%d %H:%M}"
