"""Taking an adopt back: the very bytes, modes, links and folders there were, and never a person's edits."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from skillopt.core.edit import Edit, apply_edits
from skillopt.core.skill import Region, Skill
from skillopt.core.task import content_id
from skillopt.errors import RefusedError, SkillFormatError, SkillOptError
from skillopt_sleep.disk import Disk
from skillopt_sleep.home import StateHome
from skillopt_sleep.journal import (
    FileChange,
    LinkChange,
    Plan,
    Recovered,
    StateChange,
    commit,
    read_live,
    recover,
)
from skillopt_sleep.proposal import file_sha
from skillopt_sleep.receipt import (
    RECEIPT_SCHEMA,
    Receipt,
    Refusal,
    bytes_after,
    bytes_before,
    find_receipt,
    receipt_dir,
    receipts,
    unreadable_receipts,
)
from skillopt_sleep.records import to_bytes
from skillopt_sleep.skillfile import REGION
from skillopt_sleep.stage import delivery_lock
from skillopt_sleep.targets import check_writable

_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Reversal:
    """What undo did with one receipt: the live hashes before and after it (None: no file).

    `kept_edits` says that a person had edited the file elsewhere, and that only our block was taken back.
    """

    receipt: Receipt
    before_sha: str | None
    after_sha: str | None
    kept_edits: bool = False


@dataclass(frozen=True, slots=True)
class UndoResult:
    """What one undo command did; `recovered` is what it first had to finish."""

    reversals: tuple[Reversal, ...] = ()
    refused: tuple[Refusal, ...] = ()
    recovered: tuple[Recovered, ...] = ()


class _BlockChangedError(RefusedError):
    def __init__(self, receipt: Receipt, ours: str, theirs: str) -> None:
        super().__init__(
            f"The learned block of {receipt.path} changed since it was adopted.",
            next="Edit the file by hand, or undo the later change first.",
        )
        self.ours = ours
        self.theirs = theirs


@dataclass(frozen=True, slots=True)
class _Step:
    receipt: Receipt
    live: bytes | None
    restored: bytes | None
    live_mode: int | None
    restored_mode: int | None


def undo(
    home: StateHome, prefix: str | None = None, *, now: datetime, disk: Disk | None = None
) -> UndoResult:
    """Take back the receipt whose id begins with `prefix`, or without one the last adopt command.

    A receipt is refused, and left as it is, when its learned block was changed since; the others are one
    transaction. Raises RefusedError for an unknown id, LockHeldError, and StorageError when a write fails.
    """
    disk = disk or Disk()
    with delivery_lock(home):
        recovered = recover(home.path, disk)
        steps: list[_Step] = []
        refused: list[Refusal] = []
        for receipt in _meant(home, prefix):
            try:
                steps.append(_step(home, receipt))
            except _BlockChangedError as error:
                refused.append(Refusal(receipt.id, " ".join(str(error).split()), error.ours, error.theirs))
            except (SkillOptError, OSError) as error:
                refused.append(Refusal(receipt.id, " ".join(str(error).split())))
        if steps:
            _write(home, steps, now, disk)
    return UndoResult(tuple(_reversal(step, now) for step in steps), tuple(refused), recovered)


def _meant(home: StateHome, prefix: str | None) -> tuple[Receipt, ...]:
    if prefix is not None:
        receipt = find_receipt(home, prefix)
        if receipt.undone_at is not None:
            raise RefusedError(
                f"Receipt {receipt.id} was undone already.", next="`skillopt-sleep status` shows it."
            )
        return (receipt,)
    if damaged := unreadable_receipts(home):
        raise RefusedError(
            f"Which adopt was the last is not known: {damaged[0].path} cannot be read.",
            why=damaged[0].why,
            next="`skillopt-sleep undo RECEIPT` takes one back; the adopt told its receipts.",
        )
    standing = [receipt for receipt in receipts(home) if receipt.undone_at is None]
    return tuple(receipt for receipt in standing if receipt.adoption == standing[-1].adoption)


def _step(home: StateHome, receipt: Receipt) -> _Step:
    path = Path(receipt.real_path)
    if os.path.realpath(path.parent) != str(path.parent):
        raise RefusedError(f"{path.parent} has become a link since it was adopted.")
    live = read_live(path)
    mode = None if live is None else stat.S_IMODE(path.lstat().st_mode)
    before = bytes_before(home, receipt)
    if live is None:
        if before is not None:
            raise RefusedError(
                f"{path} is gone.",
                next=f"Its bytes from before lie in {receipt_dir(home, receipt.id)}/before.",
            )
        return _Step(receipt, None, None, None, None)
    check_writable(path)
    if file_sha(live) == receipt.after_sha:
        return _Step(receipt, live, before, mode, receipt.before_mode)
    after = bytes_after(home, receipt)
    return _Step(receipt, live, _without_our_block(receipt, before, after, live), mode, mode)


def _without_our_block(receipt: Receipt, before: bytes | None, after: bytes, live: bytes) -> bytes:
    """`live` with the block as it was before, and the former front matter where nobody edited it."""
    ours = Skill.from_bytes(after)
    try:
        theirs = Skill.from_bytes(live)
        block, now = ours.region(REGION), theirs.region(REGION)
    except SkillFormatError as error:
        raise _BlockChangedError(receipt, ours.text, live.decode("utf-8", "replace")) from error
    if block is None or now is None or _inner(ours, block) != _inner(theirs, now):
        shown = ["" if region is None else skill.text[region.start : region.end] for skill, region in
                 ((ours, block), (theirs, now))]  # fmt: skip
        raise _BlockChangedError(receipt, *shown)
    former = None if before is None else Skill.from_bytes(before)
    old = None if former is None else former.region(REGION)
    if former is not None and old is not None:
        inner = _inner(former, old)
        restored = theirs.text[: now.inner_start] + inner + theirs.text[now.inner_end :]
    else:
        # The engine takes an emptied block away together with the lines that set it apart.
        emptied = apply_edits(theirs, [Edit("delete", anchor=_inner(theirs, now))], within=REGION)
        if not emptied.applied:
            raise _BlockChangedError(receipt, _inner(ours, block), _inner(theirs, now))
        restored = emptied.text
    if former is not None and theirs.front_matter == ours.front_matter:
        restored = former.front_matter + restored[len(theirs.front_matter) :]
    # A file without front matter begins with its mark, which the front matter of ours took the place of.
    if former is not None and former.text.startswith(_BOM) and not ours.text.startswith(_BOM):
        restored = _BOM + restored.removeprefix(_BOM)
    return restored.encode()


def _inner(skill: Skill, region: Region) -> str:
    return skill.text[region.inner_start : region.inner_end]


def _write(home: StateHome, steps: Sequence[_Step], now: datetime, disk: Disk) -> None:
    blobs: dict[str, bytes] = {}
    files: list[FileChange] = []
    state: list[StateChange] = []
    for step in steps:
        shas = [None if data is None else file_sha(data) for data in (step.live, step.restored)]
        blobs |= {file_sha(data): data for data in (step.live, step.restored) if data is not None}
        files.append(FileChange(step.receipt.real_path, shas[0], shas[1], step.live_mode, step.restored_mode))
        record = to_bytes(dataclasses.replace(step.receipt, undone_at=now), schema=RECEIPT_SCHEMA)
        blobs[file_sha(record)] = record
        state.append(StateChange(f"receipts/{step.receipt.id}/receipt.json", file_sha(record)))
    # A file that stays, because a person wrote in it, keeps the links that lead to it.
    cleared = [step.receipt for step in steps if step.restored is None or step.receipt.before_sha is not None]
    folders = {Path(folder) for receipt in cleared for folder in receipt.folders}
    plan = Plan(
        id=content_id("undo", now.isoformat(), [step.receipt.id for step in steps], length=12),
        kind="undo",
        files=tuple(files),
        links=tuple(
            LinkChange(link.path, link.target, None)
            for receipt in cleared
            for link in receipt.links
            if Path(link.path).is_symlink() and str(Path(link.path).readlink()) == link.target
        ),
        remove_folders=tuple(str(f) for f in sorted(folders, key=lambda f: (-len(f.parts), f)) if f.is_dir()),
        state=tuple(state),
    )
    commit(home.path, plan, blobs, disk)


def _reversal(step: _Step, now: datetime) -> Reversal:
    before_sha, after_sha = (None if data is None else file_sha(data) for data in (step.live, step.restored))
    undone = dataclasses.replace(step.receipt, undone_at=now)
    return Reversal(undone, before_sha, after_sha, kept_edits=after_sha != step.receipt.before_sha)
