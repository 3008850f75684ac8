"""What a person wants forgotten leaves the ledger, and does not come back by its file or a copy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from skillopt.core.task import Split
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_purge import (
    Selection,
    choose_sessions,
    drop_deleted_bytes,
    purge_rows,
    purged_ids,
    without_words,
)
from skillopt_sleep.ledger_rows import (
    FileState,
    FoundSession,
    KnownLesson,
    LessonStatus,
    Night,
    RejectedLesson,
)
from skillopt_sleep.session import Driver, Session, UserTurn

AT = datetime(2026, 11, 1, tzinfo=UTC)
STATE = FileState(inode=1, size=10, mtime_ns=100, reader=1)

Make = Callable[..., Session]
Put = Callable[..., None]


def chosen_ids(ledger: Ledger, selection: Selection) -> set[str]:
    return {session_id for _, session_id in choose_sessions(ledger.file, selection).sessions}


@pytest.mark.parametrize(
    ("selection", "ids"),
    [
        (Selection(), set()),
        (Selection(sessions=("old", "nobody")), {"old"}),
        (Selection(project="/web"), {"old", "new"}),
        (Selection(source="codex"), {"other"}),
        (Selection(before=AT + timedelta(days=3)), {"old", "other"}),
        (Selection(project="/web", before=AT + timedelta(days=3)), {"old"}),
        (Selection(project="/web", source="codex"), set()),
    ],
)
def test_every_condition_narrows_what_is_chosen(
    ledger: Ledger, make_session: Make, put: Put, selection: Selection, ids: set[str]
) -> None:
    put(
        make_session("old", project="/web", started_at=AT, ended_at=AT),
        make_session("new", project="/web", started_at=AT, ended_at=AT + timedelta(days=9)),
        make_session("other", source="codex", project="/api", started_at=AT, ended_at=AT),
        make_session("timeless", project="/api", started_at=None, ended_at=None),
    )
    # A shorter and older copy of a session says nothing about how old the session is.
    put(make_session("new", 1, path="/copy", project="/web", started_at=AT, ended_at=AT))

    assert chosen_ids(ledger, selection) == ids


def test_the_subagents_of_a_session_go_with_it(ledger: Ledger, make_session: Make, put: Put) -> None:
    times = {"started_at": AT, "ended_at": AT + timedelta(hours=1)}
    later = {"started_at": AT + timedelta(hours=2), "ended_at": AT + timedelta(hours=3)}
    put(
        make_session("main", project="/web", **times),
        make_session("agent-1", project="/web", driver=Driver.SUBAGENT, **times),
        make_session("agent-2", project="/web", driver=Driver.SUBAGENT, **later),
        make_session("agent-3", project="/api", driver=Driver.SUBAGENT, **times),
        make_session("another", project="/web", **times),
    )

    assert chosen_ids(ledger, Selection(sessions=("main",))) == {"main", "agent-1"}


def test_purged_words_are_in_no_byte_of_the_file_and_do_not_come_back(
    ledger: Ledger, make_session: Make, put: Put
) -> None:
    words = "forget-the-canary"
    session = replace(make_session("gone", project="/web"), events=(UserTurn(words),))
    # What was replaced long ago still lies in free pages, unless SQLite was built to clear them.
    ledger.file.rows("PRAGMA secure_delete = OFF")
    put(replace(session, events=(UserTurn(f"{words} " * 5000),)))
    put(session, make_session("kept", project="/web"))
    folder = ledger.file.path.parent

    purge_rows(ledger.file, choose_sessions(ledger.file, Selection(sessions=("gone",))))
    drop_deleted_bytes(ledger.file)

    assert all(words.encode() not in path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert [each.id for each in ledger.sessions()] == ["kept"]
    assert session.path in ledger.known_files("claude"), "the file is not read again"
    assert purged_ids(ledger.file) == {"gone"}

    put(replace(session, path="/elsewhere"))
    grown = replace(session, events=(UserTurn(words), UserTurn("more")))
    ledger.put_reading("claude", session.path, state=replace(STATE, size=99), sessions=[FoundSession(grown)])
    assert [each.id for each in ledger.sessions()] == ["kept"]


def test_a_later_copy_of_a_purged_session_is_still_known_as_one(ledger: Ledger, make_session: Make) -> None:
    session = make_session("gone")
    found = FoundSession(session, "r1", ("r1", "r2"))
    ledger.put_reading("claude", session.path, state=STATE, sessions=[found])

    purge_rows(ledger.file, choose_sessions(ledger.file, Selection(sessions=("gone",))))

    assert ledger.relatives("claude", "r1") == {"gone": ("r1", "r2")}
    assert ledger.relatives("claude", "") == {}


def test_lessons_and_nights_lose_the_words_of_what_was_purged(
    ledger: Ledger, make_session: Make, put: Put
) -> None:
    put(make_session("gone", project="/web"), make_session("kept", project="/web"))
    ledger.assign_splits("/web", {"gone": Split.TEST})
    summary = {
        "verdict": "proposed",
        "proposals": [
            {"project": "/web", "lessons": []},
            {"project": "/api", "lessons": [{"sessions": ["x"], "text": "stays"}]},
            {"project": "/api", "lessons": [{"sessions": ["gone"], "text": "goes"}]},
        ],
        "pending": [{"project": "/web", "said": "goes"}, {"project": "/api", "said": "stays"}],
        "rejected": ["no object"],
    }
    night = Night("n1", AT, AT, verdict="proposed", seconds=1.0, summary=json.dumps(summary))
    rejected = [
        RejectedLesson("/web", "r1", "goes", "few", "sha"),
        RejectedLesson("/api", "r2", "stays", "few", "s"),
    ]
    lessons = [
        KnownLesson("/web", "l1", "goes", sessions=("gone", "kept"), status=LessonStatus.PROPOSED),
        KnownLesson("/web", "l2", "stays", sessions=("kept",), status=LessonStatus.PROPOSED),
        KnownLesson("/web", "l3", "adopted", sessions=("gone",), status=LessonStatus.ADOPTED),
    ]  # fmt: skip
    ledger.finish_night(night, consumed=["gone"], rejected=rejected, lessons=lessons)

    n_lessons = purge_rows(ledger.file, choose_sessions(ledger.file, Selection(sessions=("gone",))))

    assert n_lessons == 1
    assert [lesson.lesson_id for lesson in ledger.lessons()] == ["l2", "l3"]
    assert ledger.rejected_lessons("/web") == (replace(rejected[0], text=""),)
    assert ledger.rejected_lessons("/api") == (rejected[1],)
    told = json.loads(ledger.nights()[0].summary)
    assert told["verdict"] == "proposed"
    assert told["proposals"] == [summary["proposals"][1]]
    assert told["pending"] == [{"project": "/api", "said": "stays"}]
    assert told["rejected"] == []
    assert ledger.splits("/web") == {"gone": Split.TEST}, "a held-out session stays one"


@pytest.mark.parametrize("summary", ["", "[1]", "no json"])
def test_a_summary_that_is_no_object_goes_whole(summary: str) -> None:
    assert without_words(summary, {"/web"}, set()) == "{}"


def test_purging_again_finds_nothing(ledger: Ledger, make_session: Make, put: Put, tmp_path: Path) -> None:
    put(make_session("gone"))
    everything = Selection(source="claude")
    purge_rows(ledger.file, choose_sessions(ledger.file, everything))

    assert choose_sessions(ledger.file, everything).sessions == ()
    assert purge_rows(ledger.file, choose_sessions(ledger.file, everything)) == 0
