"""The SQLite file under the ledger: opened with care, read in rows, written in transactions."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from skillopt.errors import StorageError
from skillopt.store.files import sync_dir
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
        self._is_sound = False
        try:
            _make_private(path, is_ours=_check_header(path))
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

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """What cannot be made of a stored value in the block is damage."""
        try:
            yield
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(self.path, f"a stored value cannot be read: {error}") from error

    def rows(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _storage_error(self.path, error) from error

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction: all of the block or, on any exception, nothing of it.

        What is `durable` outlasts a power cut too, once the block has ended. Before its first write the whole
        file is looked at: a damaged one is not made worse.
        """
        try:
            if not self._is_sound:
                self._check_sound()
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
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

    def keep_copy(self) -> None:
        """Keep a private copy of the file beside it, in place of the one before.

        Raises StorageError when it cannot be written.
        """
        copy = copy_path(self.path)
        temporary = copy.with_name(f".{copy.name}.tmp")
        try:
            temporary.unlink(missing_ok=True)
            _make_private(temporary, is_ours=True)
            with closing(sqlite3.connect(temporary)) as target:
                # A copy that is not finished is worth nothing, so nothing need guard it.
                target.execute("PRAGMA journal_mode = OFF")
                target.execute("PRAGMA synchronous = OFF")
                self._connection.backup(target)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(copy)
            sync_dir(copy.parent)
        except (OSError, sqlite3.Error) as error:
            temporary.unlink(missing_ok=True)
            raise StorageError(
                f"the ledger was not copied to {copy}",
                why=str(error),
                next="check the free space and the permissions of its folder; the next night tries again",
            ) from error

    def drop_copy(self) -> None:
        """Remove the copy, if there is one."""
        copy_path(self.path).unlink(missing_ok=True)

    def _check_sound(self) -> None:
        found = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != ("ok",):
            raise damaged(self.path, str(found and found[0]))
        self._is_sound = True


def copy_path(path: Path) -> Path:
    """Where the copy of the ledger at `path` is kept."""
    return path.with_name(f"{path.stem}.backup{path.suffix}")


def _check_header(path: Path) -> bool:
    """Refuse what is plainly no ledger for this program before SQLite touches it. True when it is one of
    ours, or nothing yet.

    What the header does not tell (it may be older than what lies beside the file) is asked of SQLite later.
    """
    if not os.path.lexists(path):
        return True
    if not path.is_file():
        raise StorageError(
            f"the ledger {path} is not a regular file",
            why="a folder, a pipe or a link that leads nowhere is in its place",
            next="move it away, or choose another folder with --home",
        )
    with path.open("rb") as file:
        header = file.read(100)
    if not header:
        return True
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise damaged(path, "it does not begin as a SQLite file does")
    version, application_id = (int.from_bytes(header[at : at + 4], "big") for at in (60, 68))
    _check_ours(path, application_id, version, is_used=application_id != 0)
    return application_id == APPLICATION_ID


def _check_ours(path: Path, application_id: int, version: int, *, is_used: bool) -> None:
    if is_used and application_id != APPLICATION_ID:
        raise StorageError(
            f"{path} is not a ledger of skillopt-sleep",
            why="it is a SQLite file of another program",
            next="move it away, or choose another folder with --home",
        )
    if version > VERSION and application_id == APPLICATION_ID:
        raise StorageError(
            f"the ledger {path} was written by a newer skillopt-sleep",
            why=f"it has version {version}, this program knows up to {VERSION}",
            next="update this program, or choose another folder with --home",
        )


def _make_private(path: Path, *, is_ours: bool) -> None:
    # SQLite gives its side files the mode of the main one, so that one must be private first.
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        if is_ours and os.name == "posix" and stat.S_IMODE(os.fstat(handle).st_mode) != 0o600:
            os.fchmod(handle, 0o600)
    finally:
        os.close(handle)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check that the file is a ledger this program can use, and make it current."""
    # Tables are counted before the id is read: another process may make both in between, never one of them.
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    _check_ours(path, application_id, version, is_used=bool(tables))
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
    # Of an extended code the low byte is what it is about.
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    is_garbled = any(words in str(error) for words in ("Could not decode", "malformed JSON"))
    if is_garbled or code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CONSTRAINT):
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
    aside = path.parent / "damaged"
    move = f"mkdir -p {aside} && mv {path}* {aside}/"
    copy = copy_path(path)
    if copy.is_file():
        way_out = f"`{move} && cp {copy} {path}` goes back to the last night"
    else:
        way_out = f"`{move}` starts anew: only memory is lost, transcripts are read again"
    return StorageError(f"the ledger {path} is damaged", why=why, next=way_out)
