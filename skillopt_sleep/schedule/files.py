"""Files of a scheduler that are put in place together, and taken back together when a later step fails."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skillopt.errors import SkillOptError, StorageError
from skillopt.store.files import sync_dir, write_atomic
from skillopt_sleep.schedule.scheduler import foreign, unreadable

_MOST_BYTES = 1_000_000


def content(path: Path) -> bytes | None:
    """What a file holds, None when nothing is there. Raises ConfigError when it cannot be read, or is a link
    or anything else we would not have put there."""
    try:
        info = path.lstat()
        if not stat.S_ISREG(info.st_mode) or info.st_size > _MOST_BYTES:
            raise foreign(path, "it is a link, a folder or far too large")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(str(path), error.strerror or str(error)) from error


@dataclass(frozen=True, slots=True)
class Change:
    """Files with what they are to hold, None for no file."""

    files: Mapping[Path, bytes | None]

    def carry_out(self) -> Change:
        """Write and remove; the change that takes it back. Raises StorageError with all as it was."""
        before: dict[Path, bytes | None] = {}
        back = Change(before)
        try:
            for path, data in self.files.items():
                before[path] = content(path)
                _put(path, data)
        except SkillOptError:
            back.carry_out_as_far_as_possible()
            raise
        return back

    def carry_out_as_far_as_possible(self) -> bool:
        """Each file for itself; whether all of them could be."""
        is_done = True
        for path, data in self.files.items():
            try:
                _put(path, data)
            except StorageError:
                is_done = False
        return is_done


def _put(path: Path, data: bytes | None) -> None:
    try:
        if data is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data, mode=0o600)
        elif path.exists():
            path.unlink()
            sync_dir(path.parent)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}", why=error.strerror or str(error), next="check who owns the folder"
        ) from error
