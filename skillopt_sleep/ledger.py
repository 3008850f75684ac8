"""The ledger: one SQLite file that remembers sessions, splits, nights and lessons between runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from sqlite3 import Connection
from types import MappingProxyType, TracebackType
from typing import Concatenate, ParamSpec, TypeVar

from skillopt.core.task import Split
from skillopt.errors import StorageError
from skillopt_sleep.ledger_columns import (
    array_column,
    file_state,
    known_lesson,
    lesson_row,
    packed,
    rejected_lesson,
    rejected_row,
    scope_columns,
    state_columns,
    text_column,
    time_column,
    time_from_column,
)
from skillopt_sleep.ledger_file import LedgerFile, damaged
from skillopt_sleep.ledger_purge import without_purged
from skillopt_sleep.ledger_rows import (
    FileState,
    FoundFile,
    FoundSession,
    KnownLesson,
    LedgerCounts,
    Night,
    PackedSession,
    ProjectCount,
    RejectedLesson,
    SessionSummary,
    Skipped,
)
from skillopt_sleep.session import Driver, Session
from skillopt_sleep.session_codec import session_from_json

_CHOOSE_CURRENT = """
    UPDATE sessions SET is_current = (number = (
        SELECT number FROM sessions AS copy WHERE copy.source = ?1 AND copy.id = ?2
        ORDER BY copy.events DESC, coalesce(copy.ended_at, copy.started_at) DESC, copy.number DESC LIMIT 1
    )) WHERE source = ?1 AND id = ?2
"""

_IDS_OF_FILE = "SELECT DISTINCT id FROM sessions WHERE source = ? AND path = ?"
_PUT_FILE = """INSERT INTO files (source, path, inode, size, mtime_ns, reader, device, ctime_ns, offset,
    prefix_sha, skipped)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (source, path) DO UPDATE SET inode = excluded.inode, size = excluded.size,
    mtime_ns = excluded.mtime_ns, reader = excluded.reader, device = excluded.device,
    ctime_ns = excluded.ctime_ns, offset = excluded.offset, prefix_sha = excluded.prefix_sha,
    skipped = excluded.skipped"""
_MOVE_FILE = """UPDATE files SET inode = ?, size = ?, mtime_ns = ?, reader = ?, device = ?, ctime_ns = ?,
    offset = ?, prefix_sha = ? WHERE source = ? AND path = ?"""
_PUT_SESSION = """INSERT OR REPLACE INTO sessions (source, id, path, content_sha, project, branch, driver,
    started_at, ended_at, user_turns, tool_calls, events, skills, consumed_by, first_record, record_ids, body,
    cwd, is_current) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"""

_PUT_REJECTED = """
    INSERT INTO rejected_lessons (project, lesson_id, evidence_sha, text, reason, night, evidence)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET text = excluded.text, reason = excluded.reason, night = excluded.night,
    evidence = excluded.evidence
"""

_PUT_VALUE = """INSERT INTO kv (key, value) VALUES (?, ?)
    ON CONFLICT DO UPDATE SET value = excluded.value"""
_LESSON = """project, lesson_id, text, sessions, status, skill_path, proposed_night, adopted_night,
    adopted_at, receipt, superseded_by, retired_at, reason"""
# The night that first proposed a lesson stays; whatever else is known of it is as it is told last.
_PUT_LESSON = f"""
    INSERT INTO lessons ({_LESSON}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET text = excluded.text, sessions = excluded.sessions, status = excluded.status,
    skill_path = excluded.skill_path, proposed_night = coalesce(proposed_night, excluded.proposed_night),
    adopted_night = excluded.adopted_night, adopted_at = excluded.adopted_at, receipt = excluded.receipt,
    superseded_by = excluded.superseded_by, retired_at = excluded.retired_at, reason = excluded.reason
"""  # noqa: S608 (a constant)

_IN_SCOPE = """
    is_current
    AND (:projects IS NULL OR project IN (SELECT value FROM json_each(:projects)))
    AND (:sources IS NULL OR source IN (SELECT value FROM json_each(:sources)))
    AND (:drivers IS NULL OR driver IN (SELECT value FROM json_each(:drivers)))
    AND (:since IS NULL OR coalesce(ended_at, started_at) >= :since)
"""


_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def _decoding(
    read: Callable[Concatenate[Ledger, _Given], _Result],
) -> Callable[Concatenate[Ledger, _Given], _Result]:
    """For a method that makes values of rows: a value that cannot be made is damage of the file."""

    @wraps(read)
    def checked(ledger: Ledger, /, *given: _Given.args, **named: _Given.kwargs) -> _Result:
        with ledger.file.decoding():
            return read(ledger, *given, **named)

    return checked


class Ledger:
    """An open ledger. Every method is one transaction and raises `StorageError` when the file fails it."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    @classmethod
    def open(cls, path: Path) -> Ledger:
        """The ledger at `path`, made when there is none.

        A damaged, foreign or newer file raises `StorageError` and is left as it is.
        """
        return cls(LedgerFile(path))

    @property
    def file(self) -> LedgerFile:
        """The file beneath, for the modules that ask it for more than a night needs."""
        return self._file

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # files and sessions

    @_decoding
    def known_files(self, source: str) -> Mapping[str, FileState]:
        """The files of one source as they were when last read, by `text_column` of their path."""
        rows = self._file.rows(
            """SELECT path, inode, size, mtime_ns, reader, device, ctime_ns, offset, prefix_sha FROM files
               WHERE source = ?""",
            (source,),
        )
        return {row[0]: file_state(row[1:]) for row in rows}

    @_decoding
    def skipped(self, source: str, paths: Sequence[str]) -> tuple[Skipped, ...]:
        """What was not kept of these files of one source, summed by reason."""
        rows = self._file.rows(
            """SELECT reason.key, sum(reason.value) FROM files, json_each(files.skipped) AS reason
               WHERE source = ? AND files.path IN (SELECT value FROM json_each(?))
               GROUP BY reason.key ORDER BY reason.key""",
            (source, array_column(paths)),
        )
        return tuple(Skipped(reason, n) for reason, n in rows)

    def put_reading(
        self,
        source: str,
        path: str,
        *,
        state: FileState,
        sessions: Sequence[FoundSession],
        skipped: Sequence[Skipped] = (),
    ) -> None:
        """Store what a file holds now in place of what it held before.

        A session that did not change stays consumed; one that grew is new work again; one that was purged is
        not stored. Raises ValueError when a session says it comes from another file.
        """
        self.put_files(source, [FoundFile(path, state, tuple(sessions), tuple(skipped))])

    def put_files(self, source: str, files: Sequence[FoundFile]) -> None:
        """`put_reading` of several files, all or none."""
        with self._file.writing() as connection:
            # Most files come when no night has been yet: then none of them is asked for its consumer.
            had_nights = bool(connection.execute("SELECT 1 FROM nights LIMIT 1").fetchall())
            for file in files:
                self._put_file(connection, source, file, had_nights)

    def put_states(self, source: str, states: Mapping[str, FileState]) -> None:
        """The known files of a source, by path, whose content is as it was, as they are now."""
        with self._file.writing() as connection:
            connection.executemany(
                _MOVE_FILE,
                [(*state_columns(state), source, text_column(path)) for path, state in states.items()],
            )

    def first_records(self, source: str) -> Mapping[str, frozenset[str]]:
        """The ids of the known and the purged sessions by the first record of their file, where that is
        known."""
        found: dict[str, set[str]] = {}
        for first, session_id in self._file.rows(
            """SELECT first_record, id FROM sessions WHERE source = ?1 AND first_record != ''
               UNION SELECT first_record, id FROM purged WHERE source = ?1 AND first_record != ''""",
            (source,),
        ):
            found.setdefault(first, set()).add(session_id)
        return {first: frozenset(ids) for first, ids in found.items()}

    def _put_file(self, connection: Connection, source: str, file: FoundFile, had_nights: bool) -> None:
        sessions = [packed(found) for found in file.sessions]
        if strays := [session.path for session in sessions if session.path != file.path]:
            raise ValueError(f"{file.path} cannot hold a session of {strays[0]}")
        path = text_column(file.path)
        sessions = without_purged(connection, source, sessions)
        # Of two sessions with one id in the same file the longer one stays.
        sessions.sort(key=lambda session: session.n_events)
        rows = [
            (
                source,
                session.id_column,
                path,
                *session.columns[1:11],
                self._consumer(session) if had_nights else None,
                *session.columns[11:],
            )
            for session in sessions
        ]
        before = connection.execute(_IDS_OF_FILE, (source, path)).fetchall()
        if before:
            connection.execute("DELETE FROM sessions WHERE source = ? AND path = ?", (source, path))
        skipped = json.dumps({entry.reason: entry.n for entry in file.skipped})
        connection.execute(
            _PUT_FILE,
            (source, path, *state_columns(file.state), skipped),
        )
        connection.executemany(_PUT_SESSION, rows)
        touched = {one for (one,) in before} | {row[1] for row in rows}
        connection.executemany(_CHOOSE_CURRENT, [(source, one) for one in sorted(touched)])

    @_decoding
    def relatives(self, source: str, first_record: str) -> Mapping[str, tuple[str, ...]]:
        """The record ids of the known and the purged sessions whose file begins with this record, by session
        id: one is the source of the others."""
        rows = self._file.rows(
            """SELECT id, record_ids FROM sessions WHERE source = ?1 AND first_record = ?2 AND is_current
               AND ?2 != '' UNION ALL
               SELECT id, record_ids FROM purged WHERE source = ?1 AND first_record = ?2 AND ?2 != ''""",
            (source, text_column(first_record)),
        )
        return {session_id: tuple(json.loads(ids)) for session_id, ids in rows}

    def sessions(
        self,
        projects: Sequence[str] | None = None,
        sources: Sequence[str] | None = None,
        *,
        since: datetime | None = None,
        drivers: Sequence[Driver] | None = None,
    ) -> tuple[Session, ...]:
        """The known sessions in scope, oldest first; None means any. One found in several files comes once:
        the longest, then the newest. With `since`, a session without any time is out of scope."""
        rows = self._file.rows(
            f"SELECT body FROM sessions WHERE {_IN_SCOPE} ORDER BY started_at, source, id",  # noqa: S608 (a constant)
            scope_columns(projects, sources, since, drivers),
        )
        return tuple(self._decoded(body) for (body,) in rows)

    @_decoding
    def summaries(
        self,
        projects: Sequence[str] | None = None,
        sources: Sequence[str] | None = None,
        *,
        since: datetime | None = None,
        drivers: Sequence[Driver] | None = None,
    ) -> tuple[SessionSummary, ...]:
        """`sessions` without their events, much cheaper."""
        rows = self._file.rows(
            f"""SELECT id, source, path, project, branch, started_at, ended_at, driver, user_turns,
                tool_calls, skills, consumed_by FROM sessions WHERE {_IN_SCOPE}
                ORDER BY started_at, source, id""",  # noqa: S608 (a constant)
            scope_columns(projects, sources, since, drivers),
        )
        return tuple(
            SessionSummary(
                id=row[0],
                source=row[1],
                path=row[2],
                project=row[3],
                branch=row[4],
                started_at=time_from_column(row[5]),
                ended_at=time_from_column(row[6]),
                driver=Driver(row[7]),
                user_turns=row[8],
                tool_calls=row[9],
                skills=tuple(json.loads(row[10])),
                consumed_by=row[11],
            )
            for row in rows
        )

    def session_ids(self, source: str) -> frozenset[str]:
        """The ids of every known session of a source."""
        return frozenset(
            row[0] for row in self._file.rows("SELECT DISTINCT id FROM sessions WHERE source = ?", (source,))
        )

    @_decoding
    def projects(self) -> tuple[ProjectCount, ...]:
        """Every project with a known session, the one with most human sessions first."""
        rows = self._file.rows(
            """SELECT project, count(*), sum(driver = 'human') AS human, max(coalesce(ended_at, started_at))
               FROM sessions WHERE is_current AND project IS NOT NULL
               GROUP BY project ORDER BY human DESC, project""",
        )
        return tuple(
            ProjectCount(project, n, human, time_from_column(last)) for project, n, human, last in rows
        )

    @_decoding
    def counts(self) -> LedgerCounts:
        """How much the ledger holds."""
        (row,) = self._file.rows(
            """SELECT (SELECT count(*) FROM files), count(*), total(driver = 'human'),
               total(driver = 'human' AND consumed_by IS NOT NULL), count(DISTINCT project),
               (SELECT count(*) FROM nights)
               FROM sessions WHERE is_current"""
        )
        return LedgerCounts(*(int(value) for value in row))

    # splits

    def assign_splits(self, project: str, splits: Mapping[str, Split]) -> None:
        """Give sessions their split for ever. When one has another: `StorageError`, and nothing changes."""
        with self._file.writing() as connection:
            for session_id, split in sorted(splits.items()):
                connection.execute(
                    "INSERT INTO splits (session_id, project, split) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                    (text_column(session_id), text_column(project), split.value),
                )
                (given,) = connection.execute(
                    "SELECT split FROM splits WHERE session_id = ?", (text_column(session_id),)
                ).fetchone()
                if given != split.value:
                    raise StorageError(
                        f"session {session_id} is in the {given} split and cannot move to {split.value}",
                        why="a held-out session that moved would make every later score worthless",
                        next="report this: a night must keep the splits it finds",
                    )

    @_decoding
    def splits(self, project: str) -> Mapping[str, Split]:
        """The split of every session of a project that has one, by session id."""
        rows = self._file.rows(
            """SELECT session_id, split FROM splits WHERE project = :project
               OR session_id IN (SELECT id FROM sessions WHERE project = :project)""",
            {"project": text_column(project)},
        )
        return {session_id: Split(split) for session_id, split in rows}

    # nights

    def begin_night(self, started_at: datetime) -> str:
        """A free id for a night that starts now. Nothing is stored: a night is one when it has finished."""
        base = f"night-{started_at.astimezone(UTC):%Y%m%d-%H%M%S}"
        taken = {row[0] for row in self._file.rows("SELECT id FROM nights WHERE id GLOB ? || '*'", (base,))}
        number = 1
        while (night_id := base if number == 1 else f"{base}-{number}") in taken:
            number += 1
        return night_id

    def finish_night(
        self,
        night: Night,
        *,
        consumed: Sequence[str] = (),
        rejected: Sequence[RejectedLesson] = (),
        lessons: Sequence[KnownLesson] = (),
        values: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Record a finished night with all it leaves behind, at once: the ids of the sessions it consumed,
        the lessons that were turned down, the ones that were proposed, and single `values` by key."""
        with self._file.writing(durable=True) as connection:
            connection.execute(
                """INSERT INTO nights (id, started_at, finished_at, verdict, seconds, summary)
                   VALUES (?, ?, ?, ?, ?, ?)""",
                (
                    night.id,
                    time_column(night.started_at),
                    time_column(night.finished_at),
                    night.verdict,
                    night.seconds,
                    night.summary,
                ),
            )
            # All in one statement: ids alone are in no index, so each would look at every session.
            connection.execute(
                """UPDATE sessions SET consumed_by = ?
                   WHERE consumed_by IS NULL AND id IN (SELECT value FROM json_each(?))""",
                (night.id, array_column(consumed)),
            )
            connection.executemany(_PUT_REJECTED, [rejected_row(lesson) for lesson in rejected])
            connection.executemany(_PUT_LESSON, [lesson_row(lesson) for lesson in lessons])
            connection.executemany(_PUT_VALUE, [(text_column(key), values[key]) for key in sorted(values)])

    def has_night(self, night_id: str) -> bool:
        """Whether a night with this id finished."""
        return bool(self._file.rows("SELECT 1 FROM nights WHERE id = ?", (text_column(night_id),)))

    @_decoding
    def nights(self) -> tuple[Night, ...]:
        """Every finished night, oldest first."""
        rows = self._file.rows(
            """SELECT id, started_at, finished_at, verdict, seconds, summary FROM nights
               ORDER BY started_at, id"""
        )
        return tuple(
            Night(
                row[0],
                datetime.fromisoformat(row[1]),
                datetime.fromisoformat(row[2]),
                verdict=row[3],
                seconds=row[4],
                summary=row[5],
            )
            for row in rows
        )

    # lessons

    def put_rejected(self, lessons: Sequence[RejectedLesson]) -> None:
        """Remember lessons that were turned down outside a night."""
        with self._file.writing() as connection:
            connection.executemany(_PUT_REJECTED, [rejected_row(lesson) for lesson in lessons])

    @_decoding
    def rejected_lessons(self, project: str) -> tuple[RejectedLesson, ...]:
        """Every lesson of a project that was turned down, one for each evidence it was turned down on."""
        rows = self._file.rows(
            """SELECT project, lesson_id, text, reason, evidence_sha, night, evidence FROM rejected_lessons
               WHERE project = ? ORDER BY lesson_id, evidence_sha""",
            (text_column(project),),
        )
        return tuple(map(rejected_lesson, rows))

    def put_lessons(self, lessons: Sequence[KnownLesson]) -> None:
        """Store lessons, each in place of what was known of it."""
        with self._file.writing() as connection:
            connection.executemany(_PUT_LESSON, [lesson_row(lesson) for lesson in lessons])

    @_decoding
    def lessons(self, project: str | None = None) -> tuple[KnownLesson, ...]:
        """The lessons of one project, or of all."""
        rows = self._file.rows(
            f"""SELECT {_LESSON} FROM lessons
               WHERE :project IS NULL OR project = :project ORDER BY project, lesson_id""",  # noqa: S608 (a constant)
            {"project": None if project is None else text_column(project)},
        )
        return tuple(map(known_lesson, rows))

    # single values

    def value(self, key: str) -> str | None:
        """The text stored under `key`, None when there is none."""
        rows = self._file.rows("SELECT value FROM kv WHERE key = ?", (text_column(key),))
        return rows[0][0] if rows else None

    def put_value(self, key: str, value: str) -> None:
        """Store `value` under `key`, in place of what was there."""
        with self._file.writing() as connection:
            connection.execute(_PUT_VALUE, (text_column(key), value))

    def _consumer(self, session: PackedSession) -> str | None:
        """The night that consumed a session with this very content, wherever its file was then."""
        rows = self._file.rows(
            """SELECT consumed_by FROM sessions WHERE source = ? AND id = ? AND content_sha = ?
               AND consumed_by IS NOT NULL LIMIT 1""",
            (session.source, session.id_column, session.sha_column),
        )
        return rows[0][0] if rows else None

    def _decoded(self, body: str) -> Session:
        try:
            return session_from_json(body)
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(self._file.path, f"a stored session cannot be read: {error}") from error
