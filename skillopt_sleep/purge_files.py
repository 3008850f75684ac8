"""Where the state repeats words of a session outside the ledger, and those files without them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from skillopt.errors import StorageError
from skillopt_sleep.disk import DROPPED, Disk
from skillopt_sleep.home import StateHome
from skillopt_sleep.proposal import PROPOSAL_SCHEMA, Lesson, Proposal, Quote
from skillopt_sleep.receipt import RECEIPT_SCHEMA, Receipt
from skillopt_sleep.records import from_bytes, to_bytes
from skillopt_sleep.stage import DISCARD_SCHEMA, PROPOSAL_FILE, Discarded

PURGED = "(purged)"
"""Stands where the words of a lesson were."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What has to be done: `proposals` that wait, `receipts` that were undone and `damaged` records go;
    `discarded` and `standing` are written anew, for what a person turned down stays turned down, and what
    stands adopted can still be undone.
    """

    proposals: tuple[Path, ...] = ()
    receipts: tuple[Path, ...] = ()
    damaged: tuple[Path, ...] = ()
    discarded: tuple[tuple[Path, bytes], ...] = ()
    standing: tuple[tuple[Path, bytes], ...] = ()


def plan_sweep(home: StateHome, ids: Collection[str]) -> Sweep:
    """What in the state repeats words of the sessions `ids`. Raises OSError when a folder cannot be read."""
    receipts, standing = _receipts(home, ids)
    damaged, discarded = _discarded(home, ids)
    return Sweep(tuple(_proposals(home, ids)), receipts, damaged, discarded, standing)


def carry_out(sweep: Sweep, disk: Disk) -> None:
    """Do it, one durable step at a time; what is done already does no harm."""
    for path in (*sweep.proposals, *sweep.receipts, *sweep.damaged):
        if path.is_dir():
            disk.drop(path)
        else:
            disk.remove(path)
    for path, data in (*sweep.discarded, *sweep.standing):
        disk.save(path, data)


def _proposals(home: StateHome, ids: Collection[str]) -> Iterator[Path]:
    for folder in _folders(home.proposals):
        data = _bytes(folder / PROPOSAL_FILE)
        # Without that file staging was killed half-way: nobody can review it.
        if data is None or _is_about(data, PROPOSAL_SCHEMA, ids):
            yield folder


def _is_about(data: bytes, schema: str, ids: Collection[str]) -> bool:
    try:
        proposal = from_bytes(Proposal, data, schema=schema, where="")
    except StorageError:
        return _names_one(data, ids)
    return any(quote.session in ids for quote in _quotes(proposal))


def _receipts(
    home: StateHome, ids: Collection[str]
) -> tuple[tuple[Path, ...], tuple[tuple[Path, bytes], ...]]:
    gone, standing = [], []
    for folder in _folders(home.receipts):
        if folder.name.endswith(DROPPED):
            gone.append(folder)
            continue
        path = folder / "proposal.json"
        data, record = _bytes(path), _bytes(folder / "receipt.json")
        if data is None or record is None:
            continue
        try:
            receipt = from_bytes(Receipt, record, schema=RECEIPT_SCHEMA, where="")
            proposal = from_bytes(Proposal, data, schema=PROPOSAL_SCHEMA, where="")
        except StorageError:
            # Undo would not read it either, so that it holds words is all it does.
            if _names_one(data, ids):
                gone.append(folder)
            continue
        if not any(quote.session in ids for quote in _quotes(proposal)):
            continue
        if receipt.undone_at is not None:
            gone.append(folder)
        else:
            kept = replace(proposal, lessons=tuple(_unquoted(lesson, ids) for lesson in proposal.lessons))
            standing.append((path, to_bytes(kept, schema=PROPOSAL_SCHEMA)))
    return tuple(gone), tuple(standing)


def _discarded(
    home: StateHome, ids: Collection[str]
) -> tuple[tuple[Path, ...], tuple[tuple[Path, bytes], ...]]:
    gone, kept = [], []
    for path in sorted(home.discarded.iterdir()) if home.discarded.is_dir() else ():
        if path.is_dir():
            # A damaged proposal that was put aside.
            if path.name.endswith(DROPPED) or any(
                _names_one(file.read_bytes(), ids) for file in path.rglob("*") if file.is_file()
            ):
                gone.append(path)
            continue
        data = path.read_bytes()
        try:
            record = from_bytes(Discarded, data, schema=DISCARD_SCHEMA, where="")
        except StorageError:
            if _names_one(data, ids):
                gone.append(path)
            continue
        proposal = record.proposal
        if any(quote.session in ids for quote in _quotes(proposal)):
            lessons = tuple(_without_words(lesson, ids) for lesson in proposal.lessons)
            forgotten = replace(proposal, lessons=lessons, findings=(), occasions=())
            kept.append((path, to_bytes(replace(record, proposal=forgotten), schema=DISCARD_SCHEMA)))
    return tuple(gone), tuple(kept)


def _quotes(proposal: Proposal) -> Iterator[Quote]:
    for lesson in proposal.lessons:
        yield from lesson.train
        yield from lesson.held_out


def _unquoted(lesson: Lesson, ids: Collection[str]) -> Lesson:
    train = tuple(quote for quote in lesson.train if quote.session not in ids)
    held_out = tuple(quote for quote in lesson.held_out if quote.session not in ids)
    return replace(lesson, train=train, held_out=held_out)


def _without_words(lesson: Lesson, ids: Collection[str]) -> Lesson:
    """The lesson without its own words too, for they are a clause of one of its sessions."""
    kept = _unquoted(lesson, ids)
    return lesson if kept == lesson else replace(kept, text=PURGED, scope=None, occasions=())


def _names_one(data: bytes, ids: Collection[str]) -> bool:
    return any(session_id.encode("utf-8", "backslashreplace") in data for session_id in ids)


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
