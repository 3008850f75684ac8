"""Forgetting because a person says so: sessions, and every word of them that the state repeats.

A purge that is killed is finished by the next one: what was asked for is written down before anything is
removed, and every step may be done twice.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from skillopt.errors import StorageError
from skillopt_sleep.disk import Disk
from skillopt_sleep.home import StateHome
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_purge import (
    Selection,
    choose_sessions,
    drop_deleted_bytes,
    known_ids,
    purge_rows,
    purged_ids,
)
from skillopt_sleep.purge_files import carry_out, plan_sweep
from skillopt_sleep.receipt import receipts
from skillopt_sleep.records import from_bytes, to_bytes
from skillopt_sleep.recovery import clear_unfinished, recover_pending
from skillopt_sleep.runlock import run_lock
from skillopt_sleep.stage import delivery_lock

MARKER_SCHEMA = "purge/1"

_STATE = ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "ledger.sqlite-journal",
          "ledger.backup.sqlite", "damaged",
          "proposals", "staged", "receipts", "discarded", "journal", "logs", "queue")  # fmt: skip
"""Everything but the settings and the locks."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to forget: the sessions of a selection, or with `everything` all that was ever kept."""

    selection: Selection
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge removed, or would; `unknown` are session ids nobody knows. `standing` receipts are those
    whose adopt can be undone, `unquoted` the ones of them that lost quotes. None: it could not be counted."""

    sessions: int | None = 0
    projects: int | None = 0
    proposals: int = 0
    discarded: int = 0
    undone: int = 0
    unquoted: int = 0
    standing: int | None = 0
    n_bytes: int = 0
    unknown: tuple[str, ...] = ()


def is_state(home: StateHome) -> bool:
    """Whether the folder holds state of ours; nothing is ever removed from another."""
    signs = (home.ledger, home.lock, home.proposals, home.receipts, home.purge)
    return any(os.path.lexists(path) for path in signs)


def unfinished(home: StateHome) -> Request | None:
    """What a killed purge was to do. Raises StorageError when that cannot be read."""
    try:
        data = home.purge.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StorageError(f"{home.purge} cannot be read", why=str(error)) from error
    return from_bytes(Request, data, schema=MARKER_SCHEMA, where=str(home.purge))


def preview(home: StateHome, request: Request) -> Purged:
    """What `purge` would remove; nothing is changed."""
    if request.everything:
        return _everything(home)
    with Ledger.open(home.ledger) as ledger:
        chosen = choose_sessions(ledger.file, request.selection)
        known = known_ids(ledger.file, request.selection.sessions)
        ids = purged_ids(ledger.file) | {session_id for _, session_id in chosen.sessions}
    sweep = plan_sweep(home, ids)
    return Purged(
        sessions=len(chosen.sessions),
        projects=len(chosen.projects),
        proposals=len(sweep.proposals),
        discarded=len(sweep.discarded),
        undone=len(sweep.receipts),
        unquoted=len(sweep.standing),
        standing=_standing(home),
        n_bytes=size_of(home),
        unknown=tuple(name for name in request.selection.sessions if name not in known),
    )


def purge(home: StateHome, request: Request, *, now: datetime, disk: Disk | None = None) -> Purged:
    """Forget what `request` says; an interrupted change of live files is finished first.

    Live skill files are never touched. Raises LockHeldError at once when a run is going on, StorageError when
    the state cannot be read or written; then the next purge goes on where this one stopped.
    """
    disk = disk or Disk()
    with run_lock(home, now):
        recover_pending(home)
        clear_unfinished(home)
        with delivery_lock(home), _written_down(home, request, disk):
            before = preview(home, request)
            if request.everything:
                _remove_everything(home, disk)
            else:
                _forget(home, request.selection, disk)
        return before


def forget(home: StateHome, selection: Selection, *, disk: Disk | None = None) -> None:
    """`purge` of some sessions, for a caller who holds the run lock and has finished what was interrupted."""
    disk = disk or Disk()
    with delivery_lock(home), _written_down(home, Request(selection), disk):
        _forget(home, selection, disk)


def size_of(home: StateHome) -> int:
    """The bytes of all files of the state."""
    total = 0
    for folder, _, names in os.walk(home.path):
        for name in names:
            with suppress(OSError):
                total += Path(folder, name).lstat().st_size
    return total


@contextmanager
def _written_down(home: StateHome, request: Request, disk: Disk) -> Iterator[None]:
    disk.save(home.purge, to_bytes(request, schema=MARKER_SCHEMA))
    yield
    disk.remove(home.purge)


def _forget(home: StateHome, selection: Selection, disk: Disk) -> None:
    # Where a person put a damaged ledger on our advice.
    disk.drop(home.damaged)
    with Ledger.open(home.ledger) as ledger:
        purge_rows(ledger.file, choose_sessions(ledger.file, selection))
        # All that were ever purged: what a killed purge left is found whatever was chosen now.
        carry_out(plan_sweep(home, purged_ids(ledger.file)), disk)
        drop_deleted_bytes(ledger.file)


def _everything(home: StateHome) -> Purged:
    sessions = projects = standing = None
    # A ledger that is damaged, or newer than this program, is no reason to keep it.
    with suppress(StorageError):
        if home.ledger.exists():
            with Ledger.open(home.ledger) as ledger:
                counts = ledger.counts()
                sessions, projects = counts.sessions, counts.projects
        else:
            sessions = projects = 0
    with suppress(StorageError, OSError):
        standing = _standing(home)
    n_proposals = len(list(home.proposals.iterdir())) if home.proposals.is_dir() else 0
    return Purged(sessions, projects, proposals=n_proposals, standing=standing, n_bytes=size_of(home))


def _remove_everything(home: StateHome, disk: Disk) -> None:
    for name in _STATE:
        path = home.path / name
        if path.is_dir() and not path.is_symlink():
            try:
                shutil.rmtree(path)
            except OSError as error:
                raise StorageError(
                    f"{path} cannot be removed", why=str(error), next="mend that, then purge again"
                ) from error
        else:
            disk.remove(path)
    for path in sorted(home.path.rglob(".*.tmp")):
        disk.remove(path)


def _standing(home: StateHome) -> int:
    return sum(receipt.undone_at is None for receipt in receipts(home))
