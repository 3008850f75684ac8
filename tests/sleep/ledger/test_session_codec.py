from __future__ import annotations

from datetime import UTC, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillopt_sleep.session import Action, AgentText, Driver, Interruption, Outcome, Session, UserTurn
from skillopt_sleep.session_codec import session_from_json, session_to_json

TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)  # lone surrogates and controls too
TIMES = st.none() | st.datetimes(timezones=st.just(UTC))
EVENTS = st.one_of(
    st.builds(
        UserTurn, TEXTS, at=TIMES, via=st.sampled_from(["prompt", "queued", "rejection", "answer", "command"])
    ),
    st.builds(AgentText, TEXTS, at=TIMES),
    st.builds(Interruption, at=TIMES),
    st.builds(
        Action,
        kind=st.sampled_from(["command", "edit", "read", "other"]),
        tool=TEXTS,
        command=TEXTS,
        files=st.lists(TEXTS, max_size=3).map(tuple),
        text=TEXTS,
        outcome=st.sampled_from(Outcome),
        exit_code=st.none() | st.integers(),
        at=TIMES,
    ),
)
SESSIONS = st.builds(
    Session,
    id=TEXTS,
    source=TEXTS,
    path=TEXTS,
    content_sha=TEXTS,
    cwd=st.none() | TEXTS,
    project=st.none() | TEXTS,
    branch=st.none() | TEXTS,
    started_at=TIMES,
    ended_at=TIMES,
    driver=st.sampled_from(Driver),
    events=st.lists(EVENTS, max_size=5).map(tuple),
    skills=st.lists(TEXTS, max_size=3).map(tuple),
    fork_of=st.none() | TEXTS,
    client_version=TEXTS,
    notes=st.lists(TEXTS, max_size=3).map(tuple),
)


@given(SESSIONS)
def test_a_session_comes_back_exactly(session: Session) -> None:
    text = session_to_json(session)

    assert session_from_json(text) == session
    text.encode()  # as a text column needs it


def test_times_come_back_as_aware_utc() -> None:
    text = '{"driver": "human", "started_at": "2026-11-01T10:00:00+00:00"}'

    started_at = session_from_json(text).started_at

    assert started_at is not None
    assert started_at.tzinfo == timezone.utc  # noqa: UP017


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"driver": "robot"}', '{"driver": "human", "events": [{"is": "song"}]}']
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        session_from_json(text)
