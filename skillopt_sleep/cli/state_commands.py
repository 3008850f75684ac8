"""`status`, `nights` and `config`: what there is, told without changing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from skillopt.cli.output import print_json, say
from skillopt.errors import ConfigError, SkillOptError
from skillopt.store.files import write_atomic
from skillopt_sleep.amounts import counted
from skillopt_sleep.cli.options import Caller, common, common_options, project_at, source_names
from skillopt_sleep.cli.recovering import interrupted, say_recovered
from skillopt_sleep.cli.text import table
from skillopt_sleep.home import StateHome, without_tilde
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_rows import LedgerCounts, Night, ProjectCount
from skillopt_sleep.settings import KEYS, Key, checked, known_key, load_settings, read_config

if TYPE_CHECKING:
    from skillopt_sleep.nightly.standing import Standing
    from skillopt_sleep.proposal import Proposal  # slow to import, only needed when something waits
    from skillopt_sleep.records import Unreadable

STATUS_SCHEMA = "skillopt-sleep/status/1"
NIGHTS_SCHEMA = "skillopt-sleep/nights/1"
CONFIG_SCHEMA = "skillopt-sleep/config/1"

_ONE_VALUE: Mapping[Key, str] = MappingProxyType(
    {
        "since": "since 30d",
        "embedder": "embedder auto",
        "embedder_model": "embedder_model DIR",
        "recall": "recall auto",
        "skill_tokens": "skill_tokens 1500",
        "at": "at 03:00",
        "power": "power ac",
        "quiet": "quiet 10m",
    }
)
"""The settings that are one value, each with an example."""

_NOTHING = LedgerCounts(files=0, sessions=0, human=0, consumed=0, projects=0, nights=0)


@click.command()
@common_options
def status(**options: Any) -> None:
    """What is known, what waits for review, and what to do next, for the whole home.

    It changes nothing, but for what a crash interrupted, which it finishes as every command does.
    """
    caller = Caller.from_process()
    home = common(caller, options).home
    found = look_at(caller, home)
    if options["as_json"]:
        print_json(STATUS_SCHEMA, status_json(home, found))
        return
    say(*_status_lines(home, found.counts, found.nights, found.projects))
    say(*_nightly_lines(found.nightly))
    say("Transcripts are looked for in:")
    for name, paths in found.folders:
        for path in paths:
            say(f"  {name}: {path}{'' if path.is_dir() else ' (not there)'}")
    for each in found.unreadable:
        say("", f"Cannot be read: {each.path} ({each.why})")
        say(f"  Put back a copy of it, or put it aside: {_way_out(home, each)}")
    for command in found.interrupted:
        what = "A purge" if command == "purge" else "An adopt, undo or discard"
        say("", f"{what} was interrupted, or is going on. To finish it: skillopt-sleep {command}")
    say("", *_waiting_lines(found.waiting, found.counts))


@dataclass(frozen=True, slots=True)
class Status:
    """How a home is: what the ledger holds, where transcripts are looked for, what waits, what is broken or
    (by the command that finishes it) interrupted."""

    counts: LedgerCounts
    nights: tuple[Night, ...]
    projects: tuple[ProjectCount, ...]
    folders: tuple[tuple[str, tuple[Path, ...]], ...]
    waiting: tuple[Proposal, ...]
    unreadable: tuple[Unreadable, ...]
    interrupted: tuple[str, ...]
    nightly: Standing | SkillOptError


def look_at(caller: Caller, home: StateHome) -> Status:
    """The home as it is, after what a crash interrupted was finished. Raises StorageError when it cannot be
    read."""
    say_recovered(home, must_recover=False)
    left = interrupted(home)
    counts, nights, projects = _read_ledger(home)
    return Status(
        counts,
        nights,
        projects,
        tuple(_folders(caller)),
        _waiting(home),
        _unreadable(home),
        tuple(left),
        _nightly(caller, home),
    )


def status_json(home: StateHome, found: Status) -> dict[str, object]:
    """What `status --json` tells."""
    counts = found.counts
    return {
        "home": str(home.path),
        "ledger": {
            "path": str(home.ledger),
            "files": counts.files,
            "sessions": counts.sessions,
            "human": counts.human,
            "consumed": counts.consumed,
            "projects": counts.projects,
            "nights": counts.nights,
        },
        "last_night": _night_json(found.nights[-1]) if found.nights else None,
        "nightly": _nightly_json(found.nightly),
        "waiting": [_waiting_json(proposal) for proposal in found.waiting],
        "interrupted": list(found.interrupted),
        "unreadable": [{"id": each.id, "path": each.path, "why": each.why} for each in found.unreadable],
        "sources": [
            {"name": name, "folders": [{"path": str(path), "exists": path.is_dir()} for path in paths]}
            for name, paths in found.folders
        ],
    }


@click.command()
@common_options
def nights(**options: Any) -> None:
    """Every night that finished, oldest first, for the whole home."""
    home = common(Caller.from_process(), options).home
    _, finished, _ = _read_ledger(home)
    if options["as_json"]:
        print_json(NIGHTS_SCHEMA, {"nights": [_night_json(night) for night in finished]})
        return
    if finished:
        rows = [
            (night.id, f"{night.started_at:%Y-%m-%d %H:%M} UTC", night.verdict, f"{night.seconds:.0f} s")
            for night in finished
        ]
        say(*table(("night", "started", "verdict", "took"), rows), "")
        say(f"Next: skillopt-sleep show {finished[-1].id}")
    else:
        say(f"No night has finished in {home.path} yet.", "Next: skillopt-sleep run")


@click.group()
def config() -> None:
    """Show or change the settings of `config.yaml` in the home."""


@config.command()
@common_options
def show(**options: Any) -> None:
    """Every setting in force, and where its value comes from."""
    caller = Caller.from_process()
    _show_settings(caller, common(caller, options).home, as_json=options["as_json"])


@config.command(name="set")
@click.argument("key")
@click.argument("values", nargs=-1)
@common_options
def set_(key: str, values: Sequence[str], **options: Any) -> None:
    """Set KEY: `projects DIR...`, `sources NAME...` (or all), `since WHEN`, `embedder NAME`,
    `embedder_model DIR`, `recall N` (or auto), `skill_tokens N`. For nights
    that run by themselves: `at HH:MM`, `power any` (or ac), `quiet 10m` (or off). The file's other lines
    stay."""
    caller = Caller.from_process()
    home = common(caller, options).home
    known = known_key(key, origin="config set")
    if known in _ONE_VALUE and len(values) != 1:
        raise ConfigError(f"{known} takes one value", next=f"skillopt-sleep config set {_ONE_VALUE[known]}")
    given: object = list(values)
    if known == "projects":
        given = [project_at(caller, Path(value)) for value in values]
    elif known == "embedder_model" and values[0]:
        given = str(caller.cwd / without_tilde(Path(values[0]), caller.env))
    elif known in _ONE_VALUE or len(values) == 1:
        given = values[0]
    from skillopt_sleep.settings_file import with_value

    value = checked(known, given, origin="config set", source_names=source_names())
    from skillopt_sleep.stage import delivery_lock

    with delivery_lock(home):  # of two at once the later one keeps what the other set
        read_config(home.config)  # a file that cannot be read is not written over
        before = home.config.read_text(encoding="utf-8") if home.config.exists() else ""
        write_atomic(home.config, with_value(before, known, value, home.config).encode(), mode=0o600)
    _show_settings(caller, home, as_json=options["as_json"])


@config.command()
@common_options
def path(**options: Any) -> None:
    """Where the settings are kept, whether the file exists or not."""
    home = common(Caller.from_process(), options).home
    if options["as_json"]:
        print_json(CONFIG_SCHEMA, {"path": str(home.config), "exists": home.config.exists()})
    else:
        say(str(home.config))


def _show_settings(caller: Caller, home: StateHome, *, as_json: bool) -> None:
    settings = load_settings(home.config, caller.env, source_names=source_names())
    values = settings.values
    if as_json:
        listed = [{"key": key, "value": values[key], "origin": settings.origins[key]} for key in KEYS]
        print_json(CONFIG_SCHEMA, {"path": str(home.config), "settings": listed})
        return
    rows = [(key, _value_text(values[key]), settings.origins[key]) for key in KEYS]
    say(*table(("setting", "value", "from"), rows), "", "Next: skillopt-sleep config set KEY VALUE")


def _value_text(value: str | int | tuple[str, ...]) -> str:
    if isinstance(value, (str, int)):
        return str(value) or "none"
    return ", ".join(value) or "all"


def _read_ledger(home: StateHome) -> tuple[LedgerCounts, tuple[Night, ...], tuple[ProjectCount, ...]]:
    """What the ledger holds; a home without one is not given one."""
    if not home.has_ledger():
        return _NOTHING, (), ()
    with Ledger.open(home.ledger) as ledger:
        return ledger.counts(), ledger.nights(), ledger.projects()


def _nightly(caller: Caller, home: StateHome) -> Standing | SkillOptError:
    from skillopt_sleep.cli.night_if_due import kept_of
    from skillopt_sleep.nightly.standing import standing
    from skillopt_sleep.nightly.zone import local_zone

    try:
        settings = load_settings(home.config, caller.env, source_names=source_names())
    except ConfigError as error:
        return error
    return standing(home, settings, kept_of(home), caller.now, local_zone())


def _nightly_json(found: Standing | SkillOptError) -> dict[str, object]:
    if isinstance(found, SkillOptError):
        return {"error": {"what": found.what, "why": found.why, "next": found.next}}
    running = found.daemon
    return {
        "projects": list(found.projects),
        "at": found.at,
        "is_due": found.is_due,
        "last_at": found.last_at and found.last_at.isoformat(),
        "next_at": found.next_at and found.next_at.isoformat(),
        "failed": found.failed,
        "daemon": running and {"pid": running.pid, "since": running.since.isoformat()},
    }


def _nightly_lines(found: Standing | SkillOptError) -> list[str]:
    if isinstance(found, SkillOptError):
        return [f"Nights by themselves: {found.what} ({found.why})."]
    from skillopt_sleep.nightly.zone import local_zone

    return [
        f"Nights by themselves: {found.words(local_zone())}.",
        *([f"  {found.failed}"] if found.failed else []),
    ]


def _folders(caller: Caller) -> list[tuple[str, tuple[Path, ...]]]:
    from skillopt_sleep.sources.registry import SOURCES

    return [(name, source(()).roots(caller.env, caller.user_home)) for name, source in SOURCES.items()]


def _waiting(home: StateHome) -> tuple[Proposal, ...]:
    if not home.proposals.is_dir():
        return ()
    from skillopt_sleep.stage import waiting  # slow to import

    return waiting(home)


def _unreadable(home: StateHome) -> tuple[Unreadable, ...]:
    """Every record of the home that cannot be read."""
    if not any(folder.is_dir() for folder in (home.proposals, home.receipts, home.discarded)):
        return ()
    from skillopt_sleep.receipt import unreadable_receipts  # slow to import
    from skillopt_sleep.stage import unreadable, unreadable_discards

    return (*unreadable(home), *unreadable_receipts(home), *unreadable_discards(home))


def _way_out(home: StateHome, each: Unreadable) -> str:
    if Path(each.path).is_relative_to(home.proposals):
        return f"skillopt-sleep discard {each.id} --why damaged"
    return f"mv {each.path} {each.path}.damaged"


def _night_json(night: Night) -> dict[str, object]:
    return {
        "id": night.id,
        "started_at": night.started_at.isoformat(),
        "verdict": night.verdict,
        "seconds": night.seconds,
    }


def _waiting_json(proposal: Proposal) -> dict[str, object]:
    return {
        "id": proposal.id,
        "project": proposal.project,
        "skill": proposal.skill,
        "path": proposal.target.path,
        "lessons": [
            {"id": lesson.id, "text": lesson.text, "sessions": list(lesson.sessions)}
            for lesson in proposal.lessons
        ],
    }


def _status_lines(
    home: StateHome, counts: LedgerCounts, nights: Sequence[Night], projects: Sequence[ProjectCount]
) -> list[str]:
    lines = [f"State is kept in {home.path}{'' if home.path.is_dir() else ' (not there yet)'}."]
    known = f"{counted(counts.sessions, 'session')} of {counted(counts.projects, 'project')}"
    lines.append(f"{known} known, {counts.human} driven by you, {counts.consumed} of those used by a night.")
    if projects:
        rows = [
            (one.project, one.sessions, one.human, f"{one.last_at:%Y-%m-%d}" if one.last_at else "-")
            for one in projects
        ]
        lines += ["", *table(("project", "sessions", "yours", "last"), rows), ""]
    if nights:
        last = nights[-1]
        when = f"{last.started_at:%Y-%m-%d %H:%M} UTC"
        lines.append(f"{counted(len(nights), 'night')} finished, the last on {when}: {last.verdict}.")
    else:
        lines.append("No night has finished yet.")
    return lines


def _waiting_lines(waiting: Sequence[Proposal], counts: LedgerCounts) -> list[str]:
    if waiting:
        rows = [
            (one.id, one.skill, len(one.lessons), one.project or "(all projects)", one.target.path)
            for one in waiting
        ]
        listed = table(("proposal", "skill", "lessons", "project", "file"), rows)
        return [
            f"{counted(len(waiting), 'proposal')} to review:",
            "",
            *listed,
            "",
            "Next: skillopt-sleep show",
        ]
    following = "run" if counts.human > counts.consumed else "harvest"
    return ["Nothing waits for review.", f"Next: skillopt-sleep {following} --all-projects"]
