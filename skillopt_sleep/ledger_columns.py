"""Values as ledger columns and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from skillopt_sleep.ledger_rows import (
    FileState,
    FoundSession,
    KnownLesson,
    LessonStatus,
    PackedSession,
    RejectedLesson,
)
from skillopt_sleep.session import Action, Driver, UserTurn
from skillopt_sleep.session_codec import session_to_json


def text_column(text: str) -> str:
    """`text` as a column can hold it: transcripts and file names may have what UTF-8 has not."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def optional_column(text: str | None) -> str | None:
    return None if text is None else text_column(text)


def array_column(texts: Sequence[str]) -> str:
    """A JSON array, for `json_each`."""
    try:
        return orjson.dumps(texts).decode()
    except TypeError:  # what UTF-8 has not
        return json.dumps([text_column(text) for text in texts])


def time_column(at: datetime) -> str:
    """UTC text of one width, so that comparing the texts compares the times."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def time_from_column(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def scope_columns(
    projects: Sequence[str] | None,
    sources: Sequence[str] | None,
    since: datetime | None,
    drivers: Sequence[Driver] | None,
) -> Mapping[str, str | None]:
    """The named values of a scope; None where anything is in it."""
    return {
        "projects": None if projects is None else array_column(projects),
        "sources": None if sources is None else array_column(sources),
        "drivers": None if drivers is None else array_column(drivers),
        "since": None if since is None else time_column(since),
    }


def state_columns(state: FileState) -> tuple[str, int, int, int, str, int, int, str]:
    """Numbers that SQLite, whose integers are signed, might not hold are texts."""
    return (
        str(state.inode),
        state.size,
        state.mtime_ns,
        state.reader,
        str(state.device),
        state.ctime_ns,
        state.offset,
        state.prefix_sha,
    )


def file_state(columns: Sequence[Any]) -> FileState:
    """The state that `state_columns` took apart."""
    inode, size, mtime_ns, reader, device, ctime_ns, offset, prefix_sha = columns
    return FileState(int(inode), size, mtime_ns, reader, int(device), ctime_ns, offset, prefix_sha)


def packed(found: FoundSession | PackedSession) -> PackedSession:
    """The session as columns: id first, body and folder last."""
    if isinstance(found, PackedSession):
        return found
    session = found.session
    n_turns = n_actions = 0
    for event in session.events:
        if isinstance(event, Action):
            n_actions += 1
        elif isinstance(event, UserTurn):
            n_turns += 1
    return PackedSession(
        session.source,
        session.path,
        (
            text_column(session.id),
            text_column(session.content_sha),
            optional_column(session.project),
            optional_column(session.branch),
            session.driver.value,
            None if session.started_at is None else time_column(session.started_at),
            None if session.ended_at is None else time_column(session.ended_at),
            n_turns,
            n_actions,
            len(session.events),
            array_column(session.skills),
            text_column(found.first_record),
            array_column(found.record_ids),
            session_to_json(session),
            optional_column(session.cwd),
        ),
    )


def rejected_row(lesson: RejectedLesson) -> tuple[str, str, str, str, str, str | None, str]:
    return (
        text_column(lesson.project),
        text_column(lesson.lesson_id),
        lesson.evidence_sha,
        text_column(lesson.text),
        text_column(lesson.reason),
        lesson.night_id,
        array_column(lesson.evidence),
    )


def rejected_lesson(columns: Sequence[Any]) -> RejectedLesson:
    """The lesson that `rejected_row` took apart."""
    project, lesson_id, text, reason, evidence_sha, night_id, evidence = columns
    return RejectedLesson(
        project, lesson_id, text, reason, evidence_sha, night_id, tuple(json.loads(evidence))
    )


def lesson_row(lesson: KnownLesson) -> tuple[str | None, ...]:
    return (
        text_column(lesson.project),
        text_column(lesson.lesson_id),
        text_column(lesson.text),
        array_column(lesson.sessions),
        lesson.status.value,
        text_column(lesson.skill_path),
        lesson.proposed_night,
        lesson.adopted_night,
        None if lesson.adopted_at is None else time_column(lesson.adopted_at),
        lesson.receipt,
        lesson.superseded_by,
        None if lesson.retired_at is None else time_column(lesson.retired_at),
        text_column(lesson.reason),
    )


def known_lesson(columns: Sequence[Any]) -> KnownLesson:
    """The lesson that `lesson_row` took apart."""
    return KnownLesson(
        project=columns[0],
        lesson_id=columns[1],
        text=columns[2],
        sessions=tuple(json.loads(columns[3])),
        status=LessonStatus(columns[4]),
        skill_path=columns[5],
        proposed_night=columns[6],
        adopted_night=columns[7],
        adopted_at=time_from_column(columns[8]),
        receipt=columns[9],
        superseded_by=columns[10],
        retired_at=time_from_column(columns[11]),
        reason=columns[12],
    )
