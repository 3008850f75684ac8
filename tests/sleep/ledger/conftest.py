from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_rows import FileState, FoundSession
from skillopt_sleep.session import Driver, Session, UserTurn

STATE = FileState(inode=1, size=10, mtime_ns=100, reader=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        yield ledger


@pytest.fixture
def make_session() -> Callable[..., Session]:
    def make(session_id: str = "s1", turns: int = 1, **changes: Any) -> Session:
        at = datetime(2026, 11, 1, tzinfo=UTC)
        values: dict[str, Any] = {
            "id": session_id,
            "source": "claude",
            "path": f"/t/{session_id}.jsonl",
            "content_sha": f"sha-{session_id}-{turns}",
            "cwd": "/p",
            "project": "/p",
            "branch": "main",
            "started_at": at,
            "ended_at": at,
            "driver": Driver.HUMAN,
            "events": tuple(UserTurn(f"say {n}") for n in range(turns)),
        }
        return Session(**(values | changes))

    return make


@pytest.fixture
def put(ledger: Ledger) -> Callable[..., None]:
    """Each session as the only one of its file."""

    def put_all(*sessions: Session) -> None:
        for session in sessions:
            ledger.put_reading(session.source, session.path, state=STATE, sessions=[FoundSession(session)])

    return put_all
