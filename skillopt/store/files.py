"""Files that are written whole or not at all, and folders only their owner can read."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from skillopt.errors import StorageError


def write_atomic(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replaces `path` by a file holding `data`; at any instant the old or the new content is there, complete.

    A symbolic link is replaced, not followed. No temporary file is left behind unless the process is killed.
    Raises StorageError when the folder is missing or cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".tmp")
    except OSError as error:
        raise _not_written(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            temporary.chmod(mode)
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_dir(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _not_written(path, error) from error
        raise


def sync_dir(path: Path) -> None:
    """Makes renames and removals in the folder outlast a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_private_dir(path: Path) -> None:
    """Makes the folder, and those above it that are missing, for the owner only (0700).

    A folder that exists already is closed to others too; those above it are left as they are. Raises
    StorageError when that cannot be done.
    """
    try:
        for folder in [*reversed(path.parents), path]:
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
        if not path.is_dir():
            raise NotADirectoryError(f"{path} is a file")
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise StorageError(
            f"cannot make the folder {path}", why=str(error), next="choose a folder you can write to"
        ) from error


def _not_written(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"cannot write {path}",
        why=error.strerror or str(error),
        next="check the folder, its permissions and free space",
    )
