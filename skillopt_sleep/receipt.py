"""Receipts: what an adopt changed, with the bytes needed to take it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from skillopt.errors import RefusedError, StorageError
from skillopt_sleep.home import StateHome
from skillopt_sleep.proposal import PROPOSAL_SCHEMA, Link, Proposal, file_sha
from skillopt_sleep.records import from_bytes

RECEIPT_SCHEMA = "receipt/1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One adopted proposal. All receipts of one command have the same `adoption` number, which only grows.

    `path` is the file as the harness sees it, `real_path` the one behind its links. A hash of None means
    there was no file. `links` and `folders` are those this adopt made; `lessons` the ids it added.
    """

    id: str
    adoption: int
    proposal: str
    project: str
    skill: str
    path: str
    real_path: str
    before_sha: str | None
    after_sha: str
    before_mode: int | None
    lessons: tuple[str, ...]
    adopted_at: datetime
    by: str
    links: tuple[Link, ...] = ()
    folders: tuple[str, ...] = ()
    undone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one proposal or receipt was left as it is. `ours` and `theirs` are texts that differ, if any."""

    id: str
    reason: str
    ours: str = ""
    theirs: str = ""


def receipt_dir(home: StateHome, receipt_id: str) -> Path:
    """Holds `receipt.json`, `proposal.json` and the bytes `before` (unless there were none) and `after`."""
    return home.receipts / receipt_id


def receipts(home: StateHome) -> tuple[Receipt, ...]:
    """Every receipt, oldest adoption first, undone ones too. Raises StorageError when one cannot be read."""
    if not home.receipts.is_dir():
        return ()
    # The receipt file is written last: a folder without it belongs to an adopt still being finished.
    files = [f / "receipt.json" for f in sorted(home.receipts.iterdir())]
    found = [
        from_bytes(Receipt, f.read_bytes(), schema=RECEIPT_SCHEMA, where=str(f)) for f in files if f.is_file()
    ]
    return tuple(sorted(found, key=lambda receipt: (receipt.adoption, receipt.path, receipt.id)))


def find_receipt(home: StateHome, prefix: str) -> Receipt:
    """The receipt whose id begins with `prefix`. Raises RefusedError when none or several do."""
    found = [receipt for receipt in receipts(home) if prefix and receipt.id.startswith(prefix)]
    if len(found) != 1:
        raise RefusedError(
            f"{'no' if not found else 'more than one'} receipt has an id that begins with {prefix!r}.",
            next="`skillopt-sleep status` lists them.",
        )
    return found[0]


def adopted_proposal(home: StateHome, receipt: Receipt) -> Proposal:
    """The proposal a receipt came from. Raises StorageError when it cannot be read."""
    file = receipt_dir(home, receipt.id) / "proposal.json"
    return from_bytes(Proposal, _read(file), schema=PROPOSAL_SCHEMA, where=str(file))


def backup(home: StateHome, receipt: Receipt) -> tuple[bytes | None, bytes]:
    """The live bytes before (None when there was no file) and after that adopt.

    Raises StorageError when a backup is missing or damaged.
    """
    folder = receipt_dir(home, receipt.id)
    before = None if receipt.before_sha is None else _checked(folder / "before", receipt.before_sha)
    return before, _checked(folder / "after", receipt.after_sha)


def _checked(path: Path, sha: str) -> bytes:
    data = _read(path)
    if file_sha(data) != sha:
        raise StorageError(f"{path} is damaged.", why="Its bytes are not those that were written.")
    return data


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read.", why=str(error)) from error
