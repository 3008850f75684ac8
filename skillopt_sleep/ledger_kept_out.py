"""What keeping sessions out asks of the ledger, and changes in it."""

from __future__ import annotations

import json
from collections.abc import Collection

from skillopt_sleep.ledger_columns import array_column
from skillopt_sleep.ledger_file import LedgerFile
from skillopt_sleep.ledger_purge import Chosen, note_and_delete


def known_ids_with_words(file: LedgerFile) -> frozenset[str]:
    """The ids of sessions of which words are known."""
    # (each of the two from an index of its own: there are many, and they are asked for at every harvest)
    return frozenset(row[0] for row in file.rows("SELECT id FROM sessions")) - kept_out_ids(file)


def kept_out_ids(file: LedgerFile) -> frozenset[str]:
    """The ids of sessions that are kept out and still have a row."""
    return frozenset(row[0] for row in file.rows("SELECT id FROM sessions WHERE driver = 'kept_out'"))


def folders_of_sessions(file: LedgerFile) -> list[tuple[str | None, str | None]]:
    """Every folder and project that known sessions ran in."""
    return list(file.rows("SELECT DISTINCT cwd, project FROM sessions"))


def ids_in_folder(file: LedgerFile, cwd: str | None, project: str | None) -> frozenset[str]:
    """The sessions that ran in one of `folders_of_sessions`."""
    rows = file.rows("SELECT id FROM sessions WHERE cwd IS ? AND project IS ?", (cwd, project))
    return frozenset(row[0] for row in rows)


def used_ids(file: LedgerFile, ids: Collection[str]) -> frozenset[str]:
    """Those of these sessions that a night has used."""
    rows = file.rows(
        "SELECT session_id FROM splits WHERE session_id IN (SELECT value FROM json_each(?))",
        (array_column(sorted(ids)),),
    )
    return frozenset(row[0] for row in rows)


def read_again(file: LedgerFile, ids: Collection[str]) -> None:
    """Let the next harvest read the files of these sessions again, whether they change or not."""
    with file.writing() as connection:
        connection.execute(
            """UPDATE files SET reader = 0 WHERE (source, path) IN (SELECT source, path FROM sessions
               WHERE id IN (SELECT value FROM json_each(?)))""",
            (array_column(sorted(ids)),),
        )


def set_aside(file: LedgerFile, chosen: Chosen) -> None:
    """Forget sessions that no night has used and no word was kept of: they only must not come back."""
    file.rows("PRAGMA secure_delete = ON")
    with file.writing() as connection:
        note_and_delete(connection, json.dumps(chosen.sessions))
