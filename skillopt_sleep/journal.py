"""Several live files changed as one transaction: planned, carried out, and finished after any crash.

A plan is durable, with the bytes of every file before and after, before the first live file is touched. From
then on the transaction goes *forward*: `recover` finishes what was begun, and what is already done is seen by
its hash. If a file meanwhile holds something else (a person edited it), nothing can be finished consistently:
the files already changed go back to their former bytes, and the edited one is left alone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from skillopt.errors import RefusedError, StorageError
from skillopt_sleep.disk import Disk
from skillopt_sleep.proposal import file_sha
from skillopt_sleep.records import read_record, to_bytes

PLAN_SCHEMA = "plan/1"

Kind = Literal["adopt", "undo", "discard", "install", "uninstall"]
"""The commands that change live files."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A live file from one content to another; a hash of None means the file is not there."""

    path: str
    before_sha: str | None
    after_sha: str | None
    before_mode: int | None
    after_mode: int | None

    def reversed(self) -> FileChange:
        """The change that takes this one back."""
        return FileChange(self.path, self.after_sha, self.before_sha, self.after_mode, self.before_mode)


@dataclass(frozen=True, slots=True)
class LinkChange:
    """A live symbolic link made or removed; a target of None means it is not there."""

    path: str
    before: str | None
    after: str | None

    def reversed(self) -> LinkChange:
        """The change that takes this one back."""
        return LinkChange(self.path, self.after, self.before)


@dataclass(frozen=True, slots=True)
class StateChange:
    """A file of the state home (`path` relative to it) to write from the blob `sha`, or, with None, a folder
    to remove."""

    path: str
    sha: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one transaction changes; `make_folders` parents first, `remove_folders` deepest first."""

    id: str
    kind: Kind
    files: tuple[FileChange, ...] = ()
    links: tuple[LinkChange, ...] = ()
    make_folders: tuple[str, ...] = ()
    remove_folders: tuple[str, ...] = ()
    state: tuple[StateChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of a transaction that a crash had left: `finished`, `reversed`, or `never_begun`.

    `edited` are the files that hold neither the old nor the new bytes and were left alone. With `unreadable`
    nothing was done, `why` tells the reason, and `place` is the folder that still holds it.
    """

    id: str
    outcome: Literal["finished", "reversed", "never_begun", "unreadable"]
    kind: Literal["adopt", "undo", "discard", "install", "uninstall", "night"] | None = None
    files: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    place: str = ""
    why: str = ""


class _ConflictError(Exception):
    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def journal_dir(home: Path) -> Path:
    """Where plans lie while they are carried out."""
    return home / "journal"


def is_pending(home: Path) -> bool:
    """Whether a transaction was left unfinished."""
    return bool(_left(home))


def _left(home: Path) -> list[Path]:
    folder = journal_dir(home)
    return sorted(each for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []


def read_live(path: Path) -> bytes | None:
    """The bytes of a live file, None when nothing is there.

    Raises RefusedError if it is no regular file or cannot be read.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise RefusedError(f"{path} is not a regular file.")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RefusedError(f"{path} cannot be read.", why=error.strerror or str(error)) from error


def commit(home: Path, plan: Plan, blobs: Mapping[str, bytes], disk: Disk) -> None:
    """Carry out `plan`, whose contents are in `blobs` by hash, wholly or not at all.

    Raises RefusedError when a live file changed under way and StorageError when the system refused a write;
    in both cases the live files are as they were.
    """
    folder = journal_dir(home) / plan.id
    try:
        for sha, data in blobs.items():
            disk.save(folder / sha, data)
        disk.save(folder / "plan.json", to_bytes(plan, schema=PLAN_SCHEMA))
    except StorageError:
        # Nothing was begun; what cannot be removed now is waste for `recover`.
        with suppress(OSError):
            disk.drop(folder)
        raise
    try:
        _forward(plan, folder, disk)
    except (_ConflictError, OSError) as error:
        _back(plan, folder, disk)
        _close(folder, disk)
        if isinstance(error, _ConflictError):
            raise RefusedError(
                f"{error.path} changed while it was being written.",
                why="Nothing was changed by this command.",
                next="Look at the file, then run the command again.",
            ) from error
        raise StorageError(
            f"A file could not be written: {error}.",
            why="Every file is as it was before this command.",
            next="Mend the cause, then run the command again.",
        ) from error
    _finish(home, plan, folder, disk)


def recover(home: Path, disk: Disk) -> tuple[Recovered, ...]:
    """Finish, or reverse, every transaction a crash left; the caller holds the lock.

    Raises StorageError when a write is refused; nothing is lost, run it again.
    """
    return tuple(_recover_one(home, each, disk) for each in _left(home))


def _recover_one(home: Path, folder: Path, disk: Disk) -> Recovered:
    try:
        plan = read_record(Plan, folder / "plan.json", schema=PLAN_SCHEMA)
    except FileNotFoundError:
        disk.drop(folder)
        return Recovered(folder.name, "never_begun")
    except StorageError as error:
        return Recovered(folder.name, "unreadable", place=str(folder), why=f"{error.what} {error.why}")
    files = tuple(change.path for change in plan.files)
    after = {change.after_sha for change in plan.files} | {change.sha for change in plan.state}
    try:
        _clear_temporaries(plan)
        if damaged := _damaged(folder, after):
            if _damaged(folder, {change.before_sha for change in plan.files}):
                why = f"{damaged} is not what was kept there."
                return Recovered(folder.name, "unreadable", plan.kind, files, place=str(folder), why=why)
            edited = _back(plan, folder, disk)
            _close(folder, disk)
            return Recovered(plan.id, "reversed", plan.kind, files, edited)
        try:
            _forward(plan, folder, disk)
        except _ConflictError:
            edited = _back(plan, folder, disk)
            _close(folder, disk)
            return Recovered(plan.id, "reversed", plan.kind, files, edited)
        _finish(home, plan, folder, disk)
    except OSError as error:
        raise StorageError(
            f"An interrupted {plan.kind} could not be finished: {error}.",
            why=f"Its plan and backups are kept in {folder}.",
            next="Mend the cause, then run `skillopt-sleep recover`.",
        ) from error
    return Recovered(plan.id, "finished", plan.kind, files)


def _damaged(folder: Path, shas: Iterable[str | None]) -> str:
    """The first blob that is missing or does not hold the bytes its name says, empty when all do."""
    for sha in sorted(sha for sha in shas if sha is not None):
        blob = folder / sha
        if not blob.is_file() or file_sha(blob.read_bytes()) != sha:
            return str(blob)
    return ""


def _forward(plan: Plan, folder: Path, disk: Disk) -> None:
    # Before the first write of this attempt: every file is wholly old or wholly new.
    for change in plan.files:
        if _sha_of(change.path) not in (change.before_sha, change.after_sha):
            raise _ConflictError(change.path)
    for path in plan.make_folders:
        disk.make_folder(Path(path))
    for link in plan.links:
        if link.after is None:
            _set_link(link, disk)
    for change in plan.files:
        _set_file(change, plan, folder, disk)
    for link in plan.links:
        if link.after is not None:
            _set_link(link, disk)
    for path in plan.remove_folders:
        disk.remove_folder(Path(path))


def _back(plan: Plan, folder: Path, disk: Disk) -> tuple[str, ...]:
    """Undo what `_forward` did, in the opposite order; what somebody edited stays and is named."""
    edited: list[str] = []
    _clear_temporaries(plan)
    for path in reversed(plan.remove_folders):
        disk.make_folder(Path(path))
    links = [link.reversed() for link in plan.links]
    changes: list[LinkChange | FileChange] = [
        *(link for link in links if link.after is None),
        *(change.reversed() for change in plan.files),
        *(link for link in links if link.after is not None),
    ]
    for change in changes:
        try:
            if isinstance(change, LinkChange):
                _set_link(change, disk)
            else:
                _set_file(change, plan, folder, disk)
        except _ConflictError:
            edited.append(change.path)
    for path in reversed(plan.make_folders):
        disk.remove_folder(Path(path))
    return tuple(edited)


def _set_file(change: FileChange, plan: Plan, folder: Path, disk: Disk) -> None:
    now = _sha_of(change.path)
    if now == change.after_sha:
        return
    if now != change.before_sha:
        raise _ConflictError(change.path)
    path = Path(change.path)

    def check() -> None:
        if _sha_of(change.path) != change.before_sha:
            raise _ConflictError(change.path)

    if change.after_sha is None:
        disk.remove(path, check)
    else:
        disk.replace(
            path,
            (folder / change.after_sha).read_bytes(),
            mode=change.after_mode,
            temp=_temp(plan, change.path),
            check=check,
        )


def _set_link(change: LinkChange, disk: Disk) -> None:
    path = Path(change.path)
    now = str(path.readlink()) if path.is_symlink() else ("" if os.path.lexists(path) else None)
    if now == change.after:
        return
    if now != change.before:
        raise _ConflictError(change.path)
    if change.after is None:
        disk.remove(path)
    else:
        disk.make_link(path, change.after)


def _sha_of(path: str) -> str | None:
    # Links were resolved before: one that appears on the way now leads to a place nobody agreed to.
    folder = Path(path).parent
    if os.path.realpath(folder) != str(folder):
        raise _ConflictError(path)
    try:
        data = read_live(Path(path))
    except RefusedError as error:
        raise _ConflictError(path) from error
    return None if data is None else file_sha(data)


def _temp(plan: Plan, path: str) -> Path:
    """The name is derived from the plan, so that recovery finds what a crash left."""
    return Path(path).with_name(f".{Path(path).name}.{plan.id}.tmp")


def _clear_temporaries(plan: Plan) -> None:
    for change in plan.files:
        _temp(plan, change.path).unlink(missing_ok=True)


def _finish(home: Path, plan: Plan, folder: Path, disk: Disk) -> None:
    for change in plan.state:
        if change.sha is None:
            disk.drop(home / change.path)
        else:
            disk.save(home / change.path, (folder / change.sha).read_bytes())
    _close(folder, disk)


def _close(folder: Path, disk: Disk) -> None:
    # The plan goes first: a folder without one is only waste.
    disk.remove(folder / "plan.json")
    disk.drop(folder)
