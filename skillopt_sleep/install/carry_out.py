"""Installing and uninstalling: the plan, and its one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from skillopt import __version__
from skillopt.core.task import content_id
from skillopt.errors import BackendError, ConfigError
from skillopt_sleep.disk import Disk
from skillopt_sleep.install import live
from skillopt_sleep.install.clients import CLIENTS, Surroundings, claude_leftovers
from skillopt_sleep.install.config_text import find
from skillopt_sleep.install.plan import Planned, plan
from skillopt_sleep.install.record import (
    INSTALLED_FILE,
    INSTALLED_SCHEMA,
    Installed,
    WiredClient,
    read_installed,
)
from skillopt_sleep.install.wiring import Wiring
from skillopt_sleep.journal import Kind, Plan, StateChange, commit
from skillopt_sleep.proposal import file_sha
from skillopt_sleep.records import to_bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was planned for a client, whether it changes anything, and what else a person should know."""

    client: str
    planned: Planned
    is_changed: bool
    notes: tuple[str, ...]


def install(around: Surroundings, client: str, now: datetime, *, disk: Disk | None) -> Outcome:
    """Wire a client; without a `disk` only say what that would change. The caller holds the delivery lock.

    Raises ConfigError or BackendError, with nothing changed, for what is not as it should be.
    """
    before = read_installed(around.home)
    wiring = CLIENTS[client](around)
    planned = plan(before, wiring, around.home.path)
    wired = WiredClient(client, __version__, str(around.program), now)
    known = before.client(client)
    if known is not None and (known.version, known.program) == (wired.version, wired.program):
        wired = known
    others = tuple(each for each in before.clients if each.name != client)
    after = replace(planned.installed, clients=(*others, wired))
    return _done(around, "install", before, after, planned, wiring, now, disk)


def uninstall(around: Surroundings, client: str, now: datetime, *, disk: Disk | None) -> Outcome:
    """Take a client's wiring out again; as `install`. What was never wired needs nothing."""
    before = read_installed(around.home)
    is_claude = client == "claude" and any(text.client == client for text in before.texts)
    leftovers = claude_leftovers(around) if is_claude else ()
    wiring = Wiring(client, leftovers=leftovers)
    planned = plan(before, wiring, around.home.path)
    wiring = replace(wiring, notes=tuple(_not_from_here(around, client, planned)))
    after = replace(planned.installed, clients=tuple(each for each in before.clients if each.name != client))
    return _done(around, "uninstall", before, after, planned, wiring, now, disk)


def _not_from_here(around: Surroundings, client: str, planned: Planned) -> Iterator[str]:
    """A note for each file with an entry of our name that no record here tells of: it stays."""
    told = {(step.path, step.what) for step in planned.steps}
    files = set[str]()
    try:
        entries = CLIENTS[client](around).entries
    except (BackendError, ConfigError):
        return
    for entry in entries:
        try:
            path = live.real_path(entry.path)
            is_there = find(live.decoded(path, live.read(path)), entry.syntax, entry.keys)[0]
        except (ConfigError, ValueError, RecursionError):
            continue
        is_told = str(path) in files or (str(path), entry.name) in told
        if is_there and not entry.is_item and not is_told:
            files.add(str(path))
            mend = entry.by_hand or "Take it out yourself."
            yield f"{path} has an entry {entry.name} that was not put there from here: it stays. {mend}"


def _done(
    around: Surroundings,
    kind: Kind,
    before: Installed,
    after: Installed,
    planned: Planned,
    wiring: Wiring,
    now: datetime,
    disk: Disk | None,
) -> Outcome:
    is_changed = bool(planned.changes) or after != before
    if is_changed and disk is not None:
        record = to_bytes(after, schema=INSTALLED_SCHEMA)
        shas = [(change.path, change.before_sha, change.after_sha) for change in planned.changes]
        transaction = Plan(
            id=content_id(kind, wiring.client, now.isoformat(), shas, length=12),
            kind=kind,
            files=planned.changes,
            make_folders=planned.make_folders,
            remove_folders=planned.remove_folders,
            state=(StateChange(INSTALLED_FILE, file_sha(record)),),
        )
        commit(around.home.path, transaction, {**planned.blobs, file_sha(record): record}, disk)
    return Outcome(wiring.client, planned, is_changed, wiring.notes)
