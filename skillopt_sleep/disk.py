"""Every write that adopting and undoing do, one durable step at a time."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from skillopt.store.files import make_private_dir, sync_dir, write_atomic

DROPPED = ".dropped"
"""Ends the hidden name of a folder that is being removed."""


def _go_on(_step: str) -> None:
    return None


class Disk:
    """Writes of live and of state files; each is on the disk when the method returns.

    `before_step` hears the name of every step before it is taken, so that a test can end the process there.
    All methods raise OSError when the system refuses, `save` StorageError.
    """

    def __init__(self, before_step: Callable[[str], None] = _go_on) -> None:
        self._before_step = before_step

    def replace(
        self,
        path: Path,
        data: bytes,
        *,
        mode: int | None,
        temp: Path,
        check: Callable[[], object] = lambda: None,
    ) -> None:
        """Put `data` at `path` in one instant, by way of `temp` in the same folder.

        `mode` are the permission bits to give it; None means those of any new file of this person. `check`
        is asked at the last moment and may raise.
        """
        self._before_step("open")
        descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o666)
        with os.fdopen(descriptor, "wb") as file:
            half = len(data) // 2
            file.write(data[:half])
            file.flush()
            self._before_step("write")
            file.write(data[half:])
            file.flush()
            # A strict umask may take a new file from its own owner.
            temp.chmod(mode if mode is not None else stat.S_IMODE(temp.stat().st_mode) | 0o600)
            _keep_owner(path, temp)
            os.fsync(file.fileno())
        self._before_step("rename")
        check()
        temp.replace(path)
        self._before_step("renamed")
        sync_dir(path.parent)

    def remove(self, path: Path, check: Callable[[], object] = lambda: None) -> None:
        """Remove the file or link at `path`, if it is there; `check` is asked at the last moment."""
        self._before_step("remove")
        check()
        path.unlink(missing_ok=True)
        sync_dir(path.parent)

    def make_link(self, path: Path, target: str) -> None:
        """Make a symbolic link at `path`."""
        self._before_step("link")
        path.symlink_to(target)
        sync_dir(path.parent)

    def make_folder(self, path: Path) -> None:
        """Make a folder, if it is not there; its parent is. In a folder closed to others it is closed too."""
        self._before_step("make folder")
        path.mkdir(mode=0o777 & path.parent.stat().st_mode, exist_ok=True)
        if path.stat().st_mode & stat.S_IRWXU != stat.S_IRWXU and os.access(path.parent, os.W_OK):
            path.chmod(stat.S_IMODE(path.stat().st_mode) | stat.S_IRWXU)
        sync_dir(path.parent)

    def remove_folder(self, path: Path) -> None:
        """Remove a folder if it is there and empty."""
        if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            self._before_step("remove folder")
            path.rmdir()
            sync_dir(path.parent)

    def save(self, path: Path, data: bytes) -> None:
        """Put `data` in a private file of the state home, in one instant, making private folders for it."""
        self._before_step("save")
        if not path.parent.is_dir():
            make_private_dir(path.parent)
            sync_dir(path.parent.parent)
        write_atomic(path, data)

    def move(self, folder: Path, target: Path) -> None:
        """Give a folder of the state home another place there, where nothing is."""
        self._before_step("move")
        if not target.parent.is_dir():
            make_private_dir(target.parent)
        folder.rename(target)
        sync_dir(target.parent)
        sync_dir(folder.parent)

    def drop(self, folder: Path) -> None:
        """Remove a folder of the state home with all in it, if it is there: for whoever looks, at once."""
        self._before_step("drop")
        gone = folder.with_name(f".{folder.name}{DROPPED}")
        if gone.is_dir():
            shutil.rmtree(gone)
        if folder.is_dir():
            folder.rename(gone)
            shutil.rmtree(gone)
            sync_dir(folder.parent)


def _keep_owner(path: Path, temp: Path) -> None:
    # Only the superuser can give files away; anybody else's new file has the right owner already.
    if os.name == "posix" and os.geteuid() == 0:
        owner = (path if path.exists() else path.parent).lstat()
        os.chown(temp, owner.st_uid, owner.st_gid)
