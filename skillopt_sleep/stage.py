"""Proposals waiting for a person: staged in the state home, live files untouched."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from skillopt.errors import LockHeldError, RefusedError, StorageError
from skillopt_sleep.disk import Disk
from skillopt_sleep.home import StateHome
from skillopt_sleep.proposal import PROPOSAL_SCHEMA, Proposal, file_sha
from skillopt_sleep.records import from_bytes, to_bytes
from skillopt_sleep.safety import screen_lessons

DISCARD_SCHEMA = "discard/1"
LOCK_WAIT_S = 20.0

PROPOSAL_FILE = "proposal.json"
NEW_FILE = "new.md"


@dataclass(frozen=True, slots=True)
class Discarded:
    """A proposal a person turned down, and why."""

    proposal: Proposal
    why: str
    at: datetime


@contextmanager
def delivery_lock(home: StateHome, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Held while proposals, receipts or live files change; one process at a time.

    Raises LockHeldError when another process keeps it longer than `wait_s` seconds.
    """
    home.make()
    lock = FileLock(home.path / "delivery.lock", mode=0o600)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout as error:
        raise LockHeldError(
            "Another command is adopting or undoing.", next="Wait until it ends, then run this again."
        ) from error
    try:
        yield
    finally:
        lock.release()


def stage(home: StateHome, proposal: Proposal, new_bytes: bytes, held_out: Sequence[str] = ()) -> Proposal:
    """Keep `proposal` for review and return it with its safety findings completed.

    It replaces what waited for the same skill file: the caller merges those lessons first
    (`open_proposal_for`). `held_out` are words the lessons must not repeat. Raises ValueError when
    `new_bytes` are not what `proposal.new_sha` names, StorageError or OSError when it cannot be written.
    """
    if file_sha(new_bytes) != proposal.new_sha:
        raise ValueError("the staged bytes are not those the proposal names")
    found = screen_lessons(proposal.lessons, proposal.occasions, held_out)
    known = {finding.name for finding in proposal.findings}
    findings = proposal.findings + tuple(finding for finding in found if finding.name not in known)
    staged = dataclasses.replace(proposal, findings=findings)
    disk = Disk()
    with delivery_lock(home):
        older = proposals_for(home, proposal.target.path)
        folder = home.proposals / staged.id
        disk.save(folder / NEW_FILE, new_bytes)
        disk.save(folder / PROPOSAL_FILE, to_bytes(staged, schema=PROPOSAL_SCHEMA))
        for other in older:
            if other.id != staged.id:
                disk.drop(home.proposals / other.id)
    return staged


def waiting(home: StateHome) -> tuple[Proposal, ...]:
    """The open proposals, oldest first, one for each skill file.

    Raises StorageError when one cannot be read.
    """
    newest: dict[str, Proposal] = {}
    for proposal in _stored(home):
        newest[os.path.realpath(proposal.target.path)] = proposal
    return tuple(sorted(newest.values(), key=_age))


def open_proposal_for(home: StateHome, path: Path | str) -> Proposal | None:
    """The proposal waiting for the skill file at `path`, whatever links lead to it."""
    found = proposals_for(home, path)
    return found[-1] if found else None


def proposals_for(home: StateHome, path: Path | str) -> tuple[Proposal, ...]:
    """All stored proposals of the skill file at `path`, oldest first; a crash while staging can leave two."""
    real = os.path.realpath(path)
    return tuple(p for p in _stored(home) if os.path.realpath(p.target.path) == real)


def load(home: StateHome, prefix: str) -> Proposal:
    """The open proposal whose id begins with `prefix`. Raises RefusedError when none or several do."""
    found = [proposal for proposal in waiting(home) if prefix and proposal.id.startswith(prefix)]
    if len(found) != 1:
        raise RefusedError(
            f"{'More than one' if found else 'No'} waiting proposal has an id that begins with {prefix!r}.",
            next="`skillopt-sleep show` lists those that wait.",
        )
    return found[0]


def staged_bytes(home: StateHome, proposal: Proposal) -> bytes:
    """The new content of the skill file. Raises StorageError when it is missing or damaged."""
    path = home.proposals / proposal.id / NEW_FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read.", why=str(error)) from error
    if file_sha(data) != proposal.new_sha:
        raise StorageError(f"{path} is damaged.", why="Its bytes are not those that were staged.")
    return data


def discard(home: StateHome, proposal_id: str, *, why: str, now: datetime) -> Discarded:
    """Turn a proposal down and remember why. Raises RefusedError for an unknown id."""
    disk = Disk()
    with delivery_lock(home):
        turned_down = Discarded(load(home, proposal_id), why, now)
        record = to_bytes(turned_down, schema=DISCARD_SCHEMA)
        stamp = now.strftime("%Y%m%dT%H%M%S")
        disk.save(_discards(home) / f"{stamp}-{turned_down.proposal.id}.json", record)
        for each in proposals_for(home, turned_down.proposal.target.path):
            disk.drop(home.proposals / each.id)
    return turned_down


def discarded(home: StateHome) -> tuple[Discarded, ...]:
    """Everything a person turned down, oldest first. Raises StorageError when a record cannot be read."""
    folder = _discards(home)
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    return tuple(from_bytes(Discarded, f.read_bytes(), schema=DISCARD_SCHEMA, where=str(f)) for f in files)


def _discards(home: StateHome) -> Path:
    return home.path / "discarded"


def _stored(home: StateHome) -> tuple[Proposal, ...]:
    if not home.proposals.is_dir():
        return ()
    found: list[Proposal] = []
    for folder in home.proposals.iterdir():
        file = folder / PROPOSAL_FILE
        try:
            data = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            # The proposal file is written last and goes first: without it, staging or adopting is under way.
            continue
        found.append(from_bytes(Proposal, data, schema=PROPOSAL_SCHEMA, where=str(file)))
    return tuple(sorted(found, key=_age))


def _age(proposal: Proposal) -> tuple[datetime, str, str]:
    return proposal.created_at, proposal.target.path, proposal.id
