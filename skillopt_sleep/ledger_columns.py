"""Values as ledger columns and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from skillopt_sleep.ledger_rows import FoundSession, KnownLesson, RejectedLesson
from skillopt_sleep.session import Driver
from skillopt_sleep.session_codec import session_to_json

SessionRow = tuple[
    str,
    str,
    str | None,
    str | None,
    str,
    str | None,
    str | None,
    int,
    int,
    int,
    str,
    str | None,
    str,
    str,
    str,
]


def text_column(text: str) -> str:
    """`text` as a column can hold it: transcripts and file names may have what UTF-8 has not."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def optional_column(text: str | None) -> str | None:
    return None if text is None else text_column(text)


def array_column(texts: Sequence[str]) -> str:
    """A JSON array, for `json_each`."""
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


def session_row(found: FoundSession, consumed_by: str | None) -> SessionRow:
    """The columns of a session after its source and path: id first, body last."""
    session = found.session
    return (
        text_column(session.id),
        text_column(session.content_sha),
        optional_column(session.project),
        optional_column(session.branch),
        session.driver.value,
        None if session.started_at is None else time_column(session.started_at),
        None if session.ended_at is None else time_column(session.ended_at),
        len(session.user_turns),
        len(session.actions),
        len(session.events),
        array_column(session.skills),
        consumed_by,
        text_column(found.first_record),
        array_column(found.record_ids),
        session_to_json(session),
    )


def rejected_row(lesson: RejectedLesson) -> tuple[str, str, str, str, str, str | None]:
    return (
        text_column(lesson.project),
        text_column(lesson.lesson_id),
        lesson.evidence_sha,
        text_column(lesson.text),
        text_column(lesson.reason),
        lesson.night_id,
    )


def lesson_row(lesson: KnownLesson) -> tuple[str, str, str, str, str]:
    return (
        text_column(lesson.project),
        text_column(lesson.lesson_id),
        text_column(lesson.text),
        array_column(lesson.sessions),
        lesson.status.value,
    )
