"""One entry for a home, whichever scheduler keeps it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skillopt.errors import SkillOptError
from skillopt_sleep.home import HOME_VARIABLE, StateHome
from skillopt_sleep.schedule.entry import OWN_RUN, Entry, name_of
from skillopt_sleep.schedule.scheduler import Found, Scheduler

_PLACES = ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "COPILOT_HOME", "XDG_CONFIG_HOME", "APPDATA")
"""Variables that say where clients keep transcripts."""

_OUR_PREFIX = "SKILLOPT_SLEEP_"


@dataclass(frozen=True, slots=True)
class Looked:
    """Which schedulers have the entry, and why others could not be asked."""

    kept: tuple[tuple[Scheduler, Found], ...]
    failures: tuple[SkillOptError, ...]


def make_entry(
    home: StateHome, program: Path, options: Sequence[str], env: Mapping[str, str], minute: int
) -> Entry:
    """The entry of a home: a night if one is due, with the options and the surroundings of now."""
    command = (str(program), "run", "--if-due", "--quiet", "--log", "--home", str(home.path), *options)
    return Entry(name_of(home.path), command, tuple(sorted(kept_environment(env).items())), minute)


def kept_environment(env: Mapping[str, str]) -> dict[str, str]:
    """What a night needs of the environment, which a scheduler starts without."""
    kept = {name: env[name] for name in _PLACES if env.get(name)}
    kept |= {name: value for name, value in env.items() if name.startswith(_OUR_PREFIX) and value}
    kept.pop(HOME_VARIABLE, None)  # the command names the home
    if env.get("HOME") and env["HOME"] != _home_of_the_system():
        kept["HOME"] = env["HOME"]
    return {**kept, OWN_RUN: "1"}


def _home_of_the_system() -> str:
    try:
        import pwd  # not there on every system

        return pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return ""


def look_for(name: str, among: Iterable[Scheduler]) -> Looked:
    """The entry of this name in every scheduler. One that cannot be asked does not hide the others."""
    kept, failures = [], []
    for scheduler in among:
        try:
            found = scheduler.find(name)
        except SkillOptError as error:
            failures.append(error)
            continue
        if found is not None:
            kept.append((scheduler, found))
    return Looked(tuple(kept), tuple(failures))


def put(entry: Entry, into: Scheduler, among: Iterable[Scheduler]) -> bool:
    """Install the entry in one scheduler and take it out of the others; whether anything changed. Raises what
    these raise."""
    changed = into.install(entry)
    others = look_for(entry.name, [each for each in among if each.name != into.name])
    for scheduler, _ in others.kept:
        changed = scheduler.remove(entry.name) or changed
    return changed


def take_out(name: str, among: Iterable[Scheduler]) -> tuple[str, ...]:
    """Remove the entry wherever it is; where it was. Raises why one could not be asked when none had it."""
    looked = look_for(name, among)
    if not looked.kept and looked.failures:
        raise looked.failures[0]
    return tuple(scheduler.name for scheduler, _ in looked.kept if scheduler.remove(name))


def install_again(entry: Entry | None, home: StateHome) -> str:
    """The command that installs the entry once more, with the options it has."""
    words = list(entry.command) if entry else []
    options = words[words.index("--home") + 2 :] if "--home" in words else []
    place = [] if home.is_default else ["--home", str(home.path)]
    return shlex.join(["skillopt-sleep", "schedule", "install", *options, *place])


def wrong_with(found: Found) -> list[str]:
    """Why an entry does not do what it was made for."""
    told = [] if found.is_active else ["the scheduler does not go by it"]
    if found.entry is None:
        return [*told, "it was changed by hand and cannot be read any more"]
    if not found.is_whole:
        told.append("it was changed by hand, or another version wrote it")
    if not os.access(found.entry.program, os.X_OK):
        told.append(f"the program it starts is not there any more: {found.entry.program}")
    return told


def differences(found: Found, now: Entry, *, minute: int) -> list[str]:
    """What is wrong with an entry, and how it differs from the one that would be installed now."""
    told, there = wrong_with(found), found.entry
    if there is None:
        return told
    if os.access(there.program, os.X_OK) and there.program != now.program:
        told.append(f"it starts {there.program}; this program is {now.program}")
    before, after = dict(there.environment), dict(now.environment)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            told.append(f"{name} is {after.get(name, 'not set')} now; it was {before.get(name, 'not set')}")
    if there.minute != minute:
        told.append(f"it looks at minute {there.minute} of each hour; a night begins at minute {minute}")
    return told
