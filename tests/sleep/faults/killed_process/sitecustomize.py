"""Ends its own process by SIGKILL just before its N-th write below some folders.

It knows nothing of the product, and imports as little as it can of what the product may load.

Python runs this when the folder is on PYTHONPATH. KILL_BELOW names the folders, KILL_AT the number of the
write (0: none); KILL_LOG is a file that gets a line for every write. A write is whatever opens for writing,
renames, removes, makes, links, changes modes, puts out half and all of the bytes of a file, syncs, or is a
statement by which SQLite changes a file. Inside SQLite there are more: see the tests that kill at any time.
"""

# ruff: noqa: C901, PTH100, PTH115, PTH117, PTH118

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_PATHS = {
    "os.rename": 2,
    "os.remove": 1,
    "os.mkdir": 1,
    "os.rmdir": 1,
    "os.symlink": 2,
    "os.link": 2,
    "os.chmod": 1,
    "os.chown": 1,
    "os.truncate": 1,
}
_CHANGES = ("BEGIN", "COMMIT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "PRAGMA JOURNAL")


def watch(below: list[str], fatal: int, log: str) -> None:
    log_file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if log else -1
    seen = 0

    def is_ours(path: Any) -> bool:
        if isinstance(path, int):
            try:
                path = os.readlink(f"/proc/self/fd/{path}")
            except OSError:
                return True
        folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))
        name = os.path.join(os.path.realpath(folder), name)
        return any(name == folder or name.startswith(folder + os.sep) for folder in below)

    def step(what: str, path: Any) -> bool:
        """Counts a write; True when it is the last one this process may begin."""
        nonlocal seen
        if not is_ours(path):
            return False
        seen += 1
        if log_file >= 0:
            os.write(log_file, f"{seen} {what} {path}\n".encode("utf-8", "replace"))
        return seen == fatal

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = given
            if isinstance(path, (str, bytes)) and (flags or 0) & _WRITING and step("open", path):
                die()
        elif event in _PATHS:
            path, folder = given[_PATHS[event] - 1], given[-1]
            if isinstance(path, str) and not os.path.isabs(path) and isinstance(folder, int) and folder >= 0:
                path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)
            if step(event, path):
                die()
        elif event == "sqlite3.connect" and step("connect", given[0]):
            die()

    fsync, fdopen, connect = os.fsync, os.fdopen, sqlite3.connect

    def killing_fsync(handle: int) -> None:
        if step("fsync", handle):
            die()
        fsync(handle)

    class Halves:
        """A binary file opened for writing that may end the process with half of its bytes written."""

        def __init__(self, file: Any) -> None:
            self._file = file

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

        def __enter__(self) -> Halves:
            self._file.__enter__()
            return self

        def __exit__(self, *given: Any) -> Any:
            return self._file.__exit__(*given)

        def write(self, data: bytes) -> int:
            if step("nothing written", self._file.fileno()):
                die()
            if step("half written", self._file.fileno()):
                self._file.write(data[: len(data) // 2])
                self._file.flush()
                die()
            return int(self._file.write(data))

    def halving_fdopen(handle: int, mode: str = "r", *given: Any, **more: Any) -> Any:
        file = fdopen(handle, mode, *given, **more)
        return Halves(file) if mode == "wb" else file

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
            self._step(sql)
            return super().execute(sql, *given)

        def executemany(self, sql: str, *given: Any) -> sqlite3.Cursor:
            self._step(sql)
            return super().executemany(sql, *given)

        def _step(self, sql: str) -> None:
            words = sql.strip().upper()
            if words.startswith(_CHANGES) and step("sqlite", database[id(self)]):
                die()

        def close(self) -> None:
            if step("sqlite close", database[id(self)]):
                die()
            super().close()

    database: dict[int, str] = {}

    def killing_connect(path: Any, *given: Any, **more: Any) -> sqlite3.Connection:
        made = connect(path, *given, factory=Connection, **more)
        database[id(made)] = os.fspath(path)
        return made

    os.fsync, os.fdopen, sqlite3.connect = killing_fsync, halving_fdopen, killing_connect  # type: ignore[assignment]
    sys.addaudithook(hook)


if os.environ.get("KILL_BELOW"):
    watch(
        [os.path.realpath(folder) for folder in os.environ["KILL_BELOW"].split(os.pathsep)],
        int(os.environ.get("KILL_AT", "0")),
        os.environ.get("KILL_LOG", ""),
    )
