"""The ledger's tables, as steps from one version to the next: a step is appended, never edited."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

APPLICATION_ID = 0x534B4C50
"""Marks a SQLite file as a ledger of ours ("SKLP")."""


def _first_tables(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in (
        """CREATE TABLE nights (
            id TEXT PRIMARY KEY,
            started_at TEXT NOT NULL,
            finished_at TEXT NOT NULL,
            verdict TEXT NOT NULL,
            seconds REAL NOT NULL,
            summary TEXT NOT NULL
        )""",
        """CREATE TABLE files (
            source TEXT NOT NULL,
            path TEXT NOT NULL,
            inode TEXT NOT NULL,
            size INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            reader INTEGER NOT NULL,
            skipped TEXT NOT NULL,
            PRIMARY KEY (source, path)
        )""",
        # The columns beside the body are what lists and filters need without decoding it.
        """CREATE TABLE sessions (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            source TEXT NOT NULL,
            id TEXT NOT NULL,
            path TEXT NOT NULL,
            content_sha TEXT NOT NULL,
            project TEXT,
            branch TEXT,
            driver TEXT NOT NULL,
            started_at TEXT,
            ended_at TEXT,
            user_turns INTEGER NOT NULL,
            tool_calls INTEGER NOT NULL,
            events INTEGER NOT NULL,
            skills TEXT NOT NULL,
            consumed_by TEXT REFERENCES nights (id),
            is_current INTEGER NOT NULL,
            first_record TEXT NOT NULL,
            record_ids TEXT NOT NULL,
            body TEXT NOT NULL,
            UNIQUE (source, path, id),
            FOREIGN KEY (source, path) REFERENCES files (source, path)
        )""",
        "CREATE INDEX sessions_by_id ON sessions (source, id)",
        "CREATE INDEX sessions_by_project ON sessions (project)",
        "CREATE INDEX sessions_by_first_record ON sessions (source, first_record)",
        """CREATE TABLE splits (
            session_id TEXT PRIMARY KEY,
            project TEXT NOT NULL,
            split TEXT NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE rejected_lessons (
            project TEXT NOT NULL,
            lesson_id TEXT NOT NULL,
            evidence_sha TEXT NOT NULL,
            text TEXT NOT NULL,
            reason TEXT NOT NULL,
            night TEXT,
            PRIMARY KEY (project, lesson_id, evidence_sha)
        ) WITHOUT ROWID""",
        """CREATE TABLE lessons (
            project TEXT NOT NULL,
            lesson_id TEXT NOT NULL,
            text TEXT NOT NULL,
            sessions TEXT NOT NULL,
            status TEXT NOT NULL,
            PRIMARY KEY (project, lesson_id)
        ) WITHOUT ROWID""",
        "CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    ):
        connection.execute(statement)


def _purged_sessions(connection: sqlite3.Connection) -> None:
    # The client's ids of the records stay, so that a later copy of the session is still known as one.
    connection.execute(
        """CREATE TABLE purged (
            source TEXT NOT NULL,
            id TEXT NOT NULL,
            first_record TEXT NOT NULL,
            record_ids TEXT NOT NULL,
            PRIMARY KEY (source, id)
        ) WITHOUT ROWID"""
    )
    connection.execute("CREATE INDEX purged_by_first_record ON purged (source, first_record)")


def _file_cursors(connection: sqlite3.Connection) -> None:
    # What older rows do not tell never equals what a file is: such files are read once more.
    for column in (
        "device TEXT NOT NULL DEFAULT '0'",
        "ctime_ns INTEGER NOT NULL DEFAULT 0",
        "offset INTEGER NOT NULL DEFAULT 0",
        "prefix_sha TEXT NOT NULL DEFAULT ''",
    ):
        connection.execute(f"ALTER TABLE files ADD COLUMN {column}")


def _histories(connection: sqlite3.Connection) -> None:
    # A lesson keeps what became of it after it has left its file; what was turned down, on which corrections.
    for column in (
        "skill_path TEXT NOT NULL DEFAULT ''",
        "proposed_night TEXT",
        "adopted_night TEXT",
        "adopted_at TEXT",
        "receipt TEXT",
        "superseded_by TEXT",
        "retired_at TEXT",
        "reason TEXT NOT NULL DEFAULT ''",
    ):
        connection.execute(f"ALTER TABLE lessons ADD COLUMN {column}")
    connection.execute("ALTER TABLE rejected_lessons ADD COLUMN evidence TEXT NOT NULL DEFAULT '[]'")


def _vectors(connection: sqlite3.Connection) -> None:
    connection.execute(
        """CREATE TABLE vectors (
            project TEXT NOT NULL,
            model TEXT NOT NULL,
            text_sha TEXT NOT NULL,
            vector BLOB NOT NULL,
            PRIMARY KEY (project, model, text_sha)
        ) WITHOUT ROWID"""
    )


def _folders(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE sessions ADD COLUMN cwd TEXT")
    # (of a body that is damaged nobody can tell)
    connection.execute("UPDATE sessions SET cwd = json_extract(body, '$.cwd') WHERE json_valid(body)")
    connection.execute("CREATE INDEX sessions_by_folder ON sessions (cwd, project)")
    connection.execute("CREATE INDEX sessions_kept_out ON sessions (id) WHERE driver = 'kept_out'")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _first_tables,
    _purged_sessions,
    _file_cursors,
    _histories,
    _vectors,
    _folders,
)
"""`MIGRATIONS[n]` takes a ledger from version n to n + 1."""

VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a ledger to `VERSION` in one transaction, whoever else is doing the same.

    The caller has checked that the file is ours and not newer.
    """
    if _version(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have migrated while this one waited for the write lock.
        for step in MIGRATIONS[_version(connection) :]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        # An interrupt may arrive when the commit is already done.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
