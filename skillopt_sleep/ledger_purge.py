"""What the ledger forgets when a person says so, and the little it keeps so that it stays forgotten."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from skillopt_sleep.ledger_columns import array_column, text_column, time_column
from skillopt_sleep.ledger_file import LedgerFile
from skillopt_sleep.ledger_rows import PackedSession

_CHOSEN = """
    is_current AND (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))
    AND (:project IS NULL OR project = :project)
    AND (:source IS NULL OR source = :source)
    AND (:before IS NULL OR coalesce(ended_at, started_at) < :before)
"""

# A subagent worked on what its session was asked; no client says plainly whose it was, its times do.
_WITH_SUBAGENTS = f"""
    SELECT source, id FROM sessions WHERE {_CHOSEN}
    UNION
    SELECT sub.source, sub.id FROM sessions AS sub JOIN (SELECT * FROM sessions WHERE {_CHOSEN}) AS main
    ON sub.driver = 'subagent' AND sub.source = main.source AND sub.project IS main.project
    AND sub.started_at BETWEEN main.started_at AND coalesce(main.ended_at, main.started_at)
"""  # noqa: S608 (a constant)


_AMONG = """(source, id) IN
    (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))"""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which sessions to forget: those that meet every condition given; none given means none is chosen.

    `before` chooses sessions whose last moment is earlier; one without any time is never that old.
    """

    sessions: tuple[str, ...] = ()
    project: str | None = None
    source: str | None = None
    before: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no condition is given."""
        return not (self.sessions or self.project or self.source or self.before)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a selection comes to: sessions as (source, id), and the projects they ran in."""

    sessions: tuple[tuple[str, str], ...]
    projects: tuple[str, ...]


def without_purged(
    connection: sqlite3.Connection, source: str, found: Sequence[PackedSession]
) -> list[PackedSession]:
    """The sessions that were not purged; asked inside the transaction that stores them."""
    ids = array_column([each.id_column for each in found])
    rows = connection.execute(
        "SELECT id FROM purged WHERE source = ? AND id IN (SELECT value FROM json_each(?))", (source, ids)
    )
    gone = {row[0] for row in rows}
    return [each for each in found if each.id_column not in gone]


def choose_sessions(file: LedgerFile, selection: Selection) -> Chosen:
    """The known sessions a selection means, subagents that worked for them included."""
    if selection.is_empty:
        return Chosen((), ())
    values = {
        "ids": array_column(selection.sessions) if selection.sessions else None,
        "project": None if selection.project is None else text_column(selection.project),
        "source": selection.source,
        "before": None if selection.before is None else time_column(selection.before),
    }
    sessions = tuple((source, session_id) for source, session_id in file.rows(_WITH_SUBAGENTS, values))
    rows = file.rows(
        f"SELECT DISTINCT project FROM sessions WHERE {_AMONG} AND project IS NOT NULL ORDER BY project",  # noqa: S608
        (json.dumps(sessions),),
    )
    return Chosen(sessions, tuple(project for (project,) in rows))


def purged_ids(file: LedgerFile) -> frozenset[str]:
    """The ids of every session that was ever purged."""
    return frozenset(row[0] for row in file.rows("SELECT id FROM purged"))


def purged_in_projects(file: LedgerFile) -> dict[str, int]:
    """How many purged sessions that a night had used each project had."""
    rows = file.rows(
        "SELECT project, count(*) FROM splits WHERE session_id IN (SELECT id FROM purged) GROUP BY project"
    )
    return dict(rows)


def known_ids(file: LedgerFile, ids: Collection[str]) -> frozenset[str]:
    """Those of these session ids that are known, or were until they were purged."""
    rows = file.rows(
        """SELECT value FROM json_each(?) AS one WHERE EXISTS (SELECT 1 FROM sessions WHERE id = one.value)
           OR EXISTS (SELECT 1 FROM purged WHERE purged.id = one.value)""",
        (array_column(list(ids)),),
    )
    return frozenset(row[0] for row in rows)


def note_and_delete(connection: sqlite3.Connection, pairs: str) -> None:
    """Delete sessions, given as a JSON array of pairs, and note that they must not come back."""
    connection.execute(
        f"""INSERT OR IGNORE INTO purged (source, id, first_record, record_ids)
           SELECT source, id, first_record, record_ids FROM (
               SELECT source, id, first_record, record_ids, max(length(record_ids)) FROM sessions
               WHERE {_AMONG} GROUP BY source, id)""",  # noqa: S608 (a constant)
        (pairs,),
    )
    connection.execute(f"DELETE FROM sessions WHERE {_AMONG}", (pairs,))  # noqa: S608 (a constant)


def purge_rows(file: LedgerFile, chosen: Chosen) -> int:
    """Forget the chosen sessions and all that was said in them, in one transaction; how many lessons went.

    Ids, splits and the state of the files stay. Words that no longer tell which session they came from (of
    lessons turned down, of corrections that waited for more) go for the whole of the projects concerned.
    """
    file.drop_copy()
    file.rows("PRAGMA secure_delete = ON")
    pairs = json.dumps(chosen.sessions)
    ids = {session_id for _, session_id in chosen.sessions}
    with file.writing() as connection:
        note_and_delete(connection, pairs)
        # An adopted lesson stands in a live file; forgetting it here would only make it come back.
        lessons = connection.execute(
            """DELETE FROM lessons WHERE status != 'adopted' AND EXISTS (SELECT 1 FROM json_each(sessions)
               AS one WHERE one.value IN (SELECT value FROM json_each(?)))""",
            (array_column(sorted(ids)),),
        ).rowcount
        connection.execute(
            "UPDATE rejected_lessons SET text = '' WHERE project IN (SELECT value FROM json_each(?))",
            (array_column(chosen.projects),),
        )
        # A vector does not tell which sessions its text came from; the next night makes the others again.
        connection.execute(
            "DELETE FROM vectors WHERE project IN (SELECT value FROM json_each(?))",
            (array_column(chosen.projects),),
        )
        for night_id, summary in connection.execute("SELECT id, summary FROM nights").fetchall():
            told = without_words(summary, set(chosen.projects), ids)
            if told != summary:
                connection.execute("UPDATE nights SET summary = ? WHERE id = ?", (told, night_id))
    return lessons


def without_words(summary: str, projects: Collection[str], ids: Collection[str]) -> str:
    """The summary of a night without the entries that hold words of these projects or sessions."""
    try:
        told = json.loads(summary)
    except ValueError:
        return "{}"
    if not isinstance(told, dict):
        return "{}"
    kept = {
        key: [each for each in value if not _speaks_of(each, projects, ids)]
        for key, value in told.items()
        if key in ("proposals", "rejected", "pending", "reviewed") and isinstance(value, list)
    }
    return summary if all(kept[key] == told[key] for key in kept) else json.dumps({**told, **kept})


def _speaks_of(entry: Any, projects: Collection[str], ids: Collection[str]) -> bool:
    if not isinstance(entry, Mapping):
        return True
    if entry.get("project") in projects:
        return True
    lessons = entry.get("lessons")
    found = [each for each in lessons if isinstance(each, Mapping)] if isinstance(lessons, list) else []
    return any(session in ids for each in found for session in each.get("sessions") or ())


def drop_deleted_bytes(file: LedgerFile) -> None:
    """Write the file anew, so that nothing deleted is left in it or beside it. It waits for readers."""
    for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
        file.rows(statement)
