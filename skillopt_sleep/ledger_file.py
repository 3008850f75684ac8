"""The SQLite file under the ledger: opened with care, read in rows, written in transactions."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skillopt.errors import StorageError
from skillopt_sleep.migrations import APPLICATION_ID, VERSION, migrate

WAIT_S = 30.0
"""How long a call waits for another process that is writing."""


class LedgerFile:
    """An open ledger file. Whatever SQLite raises becomes `StorageError`."""

    def __init__(self, path: Path) -> None:
        """Open `path`, made (private to the user) when there is none, brought up to date.

        A damaged, foreign or newer file raises `StorageError` and is left as it is.
        """
        self.path = path
        try:
            # SQLite gives its side files the mode of the main one, so that one must be private first.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise StorageError(
                f"the ledger {path} cannot be opened",
                why=str(error),
                next="check that its folder exists and is yours, or choose another with --home",
            ) from error
        try:
            _prepare(self._connection, path)
        except sqlite3.Error as error:
            self.close()
            raise _storage_error(path, error) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def rows(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _storage_error(self.path, error) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of the block or, on any exception, nothing of it."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise _storage_error(self.path, error) from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check that the file is a ledger this program can use, and make it current."""
    # Tables are counted before the id is read: another process may make both in between, never one of them.
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if tables and application_id != APPLICATION_ID:
        raise StorageError(
            f"{path} is not a ledger of skillopt-sleep",
            why="it is a SQLite file of another program",
            next="move it away, or choose another folder with --home",
        )
    if version > VERSION:
        raise StorageError(
            f"the ledger {path} was written by a newer skillopt-sleep",
            why=f"it has version {version}, this program knows up to {VERSION}",
            next="update this program, or choose another folder with --home",
        )
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection)


def _use_wal(connection: sqlite3.Connection) -> None:
    # Changing the journal mode does not wait for other processes, whatever the timeout.
    give_up_at = time.monotonic() + WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
        else:
            return


def _storage_error(path: Path, error: sqlite3.Error) -> StorageError:
    code = getattr(error, "sqlite_errorcode", None)
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return damaged(path, str(error))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StorageError(
            f"the ledger {path} is busy",
            why=f"another process has been writing to it for over {WAIT_S:.0f} s",
            next="run the same command again when it has finished",
        )
    return StorageError(
        f"the ledger {path} could not be used",
        why=str(error),
        next="check the free space and the permissions of its folder, then run the same command again",
    )


def damaged(path: Path, why: str) -> StorageError:
    return StorageError(
        f"the ledger {path} is damaged",
        why=why,
        next="put back a copy of it, or move it away: harvest reads every transcript that still exists again",
    )
