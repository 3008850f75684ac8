"""VS Code chats, one rule at a time, as a whole object and as a log: whose words, and what became of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from vscode_files import (
    APP,
    POOL,
    Record,
    T,
    ask,
    brief,
    exact,
    group,
    parts,
    read,
    reading,
    terminal,
    tool,
    uri,
    words,
)

from skillopt_sleep.session import Action, AgentText, Driver, Interruption, UserTurn
from skillopt_sleep.sources.forks import mark_forks
from skillopt_sleep.sources.vscode_requests import moment


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (ask("use pnpm"), [("prompt", "use pnpm")]),
        (ask("") | {"message": "use pnpm"}, [("prompt", "use pnpm")]),
        (ask("fix #file:pool.py, @ops"), [("prompt", "fix #file:pool.py, @ops")]),
        (ask("go") | {"initialLocation": "editor"}, [("prompt", "go")]),
        (ask("terminal done", isSystemInitiated=True), []),
        (ask("hidden", hiddenFromTranscript=True), []),
        (ask('Continue: "Continue?"', confirmation="Continue"), []),
        (ask("undone", shouldBeRemovedOnSend={"requestId": "request_0"}), []),
        (ask("undone", isHidden=True), []),
        (ask("/clear"), []),
        (ask("/etc/hosts is wrong"), [("prompt", "/etc/hosts is wrong")]),
        (ask("/fix"), []),
        (ask("@workspace"), [("prompt", "@workspace")]),
        (ask("@types/node is old"), [("prompt", "@types/node is old")]),
        (
            {**ask(""), "message": {"text": "/fix use tabs", "parts": parts("slash", "text")}},
            [("command", "use tabs")],
        ),
        ({**ask(""), "message": {"text": "/fix", "parts": parts("slash")}}, []),
        (
            {
                **ask(""),
                "message": {
                    "text": "@workspace /explain\nthe pool",
                    "parts": parts("agent", "text", "subcommand"),
                },
            },
            [("command", "the pool")],
        ),
        (
            {**ask(""), "message": {"text": "@vscode tabs, please", "parts": parts("agent")}},
            [("prompt", "tabs, please")],
        ),
        ({**ask(""), "message": {"text": "use pnpm", "parts": parts("prompt")}}, [("prompt", "use pnpm")]),
        (ask("no", vote=0, voteDownReason="didNotFollowInstructions"), [("prompt", "no")]),
        (
            ask("too much", modelState={"value": 3}, result={"errorDetails": {"message": "limit"}}),
            [("prompt", "too much")],
        ),
    ],
)
def test_who_wrote_it(tmp_path: Path, form: str, request_: Record, expected: list[tuple[str, str]]) -> None:
    session = read(tmp_path, form, ask("first"), request_)
    assert words(session) == [("prompt", "first"), *expected]
    assert session.driver is Driver.HUMAN


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"kind": "questionCarousel", "data": {"q": "typed"}}, ["typed"]),
        ({"kind": "questionCarousel", "data": {"q": {"selectedValue": "Postgres"}}}, []),
        (
            {"kind": "questionCarousel", "data": {"q": {"selectedValue": "x", "freeformValue": "typed"}}},
            ["typed"],
        ),
        (
            {"kind": "questionCarousel", "data": {"q": {"selectedValues": ["x"], "freeformValue": "typed"}}},
            ["typed"],
        ),
        (
            {"kind": "questionCarousel", "questions": [{"id": "q", "defaultValue": "d"}], "data": {"q": "d"}},
            [],
        ),
        ({"kind": "questionCarousel", "questions": [{"id": "q"}], "isUsed": False}, []),
        (
            {
                "kind": "elicitationSerialized",
                "state": "accepted",
                "acceptedResult": {"a": "typed", "b": True},
            },
            ["typed"],
        ),
        ({"kind": "elicitationSerialized", "state": "rejected", "acceptedResult": {"a": "typed"}}, []),
        ({"kind": "elicitationSerialized", "state": "accepted"}, []),
    ],
)
def test_answers_a_person_typed(tmp_path: Path, form: str, part: Record, expected: list[str]) -> None:
    session = read(tmp_path, form, ask("go", part))
    assert words(session) == [("prompt", "go"), *(("answer", text) for text in expected)]


def test_a_reply_is_what_stands_between_tools(tmp_path: Path, form: str) -> None:
    session = read(
        tmp_path,
        form,
        ask(
            "go",
            {"value": "Look at "},
            {"kind": "inlineReference", "inlineReference": uri(POOL)},
            {"kind": "thinking", "value": "hm"},
            {"value": {"value": " and "}},
            {"kind": "markdownContent", "content": {"value": "wait."}},
            tool("x", subAgentInvocationId="s"),
            tool("y", fromSubAgent=True),
            "Done",
            {"kind": "markdownVuln", "content": {"value": "."}},
        ),
    )
    assert [event.text for event in session.events if isinstance(event, AgentText)] == [
        "Look at pool.py and wait.",
        "Done.",
    ]
    assert session.actions == ()


def test_a_stop(tmp_path: Path, form: str) -> None:
    running = tool("run_in_terminal", terminal("sleep 9"), confirmed=1, isComplete=False)
    for stopped in ({"modelState": {"value": 2}}, {"isCanceled": True}, {"modelState": 2}):
        session = read(tmp_path, form, ask("go", running, **stopped), ask("faster"))
        assert [type(event) for event in session.events] == [UserTurn, Action, Interruption, UserTurn]
        assert [str(action.outcome) for action in session.actions] == ["interrupted"]


def test_what_was_taken_back_from_a_place_on(tmp_path: Path, form: str) -> None:
    request = ask(
        "go",
        group(POOL, "kept"),
        {"kind": "undoStop", "id": "u1"},
        group(APP, "gone"),
        shouldBeRemovedOnSend={"requestId": "request_0", "afterUndoStop": "u1"},
    )
    session = read(tmp_path, form, request, ask("b", group(APP, "all gone"), isHidden=True))
    assert brief(session) == [("edit", POOL, "kept", "ok", None)]
    assert (words(session), session.notes) == ([("prompt", "go")], ("1 requests taken back by the person",))


def test_skills(tmp_path: Path, form: str) -> None:
    attached = {"kind": "promptFile", "value": uri("/home/dev/.agents/skills/release/SKILL.md")}
    session = read(
        tmp_path,
        form,
        ask("go", variableData={"variables": [attached, {"kind": "file", "value": uri(POOL)}]}),
        ask(
            "go",
            tool("copilot_readFile"),
            result=exact("read_file", filePath="/r/.claude/skills/test/SKILL.md"),
        ),
    )
    assert session.skills == ("release", "test")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (T, "2026-11-21T00:13:20+00:00"),
        (float(T) + 0.5, "2026-11-21T00:13:20+00:00"),
        (str(T), "2026-11-21T00:13:20+00:00"),
        ("2026-11-21T00:13:20Z", "2026-11-21T00:13:20+00:00"),
        (0, None),
        (-T, None),
        (1_795_220_000, None),
        (10**30, None),
        (float("nan"), None),
        (float("inf"), None),
        ("9" * 40, None),
        ("soon", None),
        (True, None),
        ([T], None),
        (None, None),
    ],
)
def test_times(value: object, told: str | None) -> None:
    at = moment(value)
    assert (at.isoformat() if at else None) == told


def test_the_session(tmp_path: Path, form: str) -> None:
    (tmp_path / "api").mkdir()
    where = {"workingDirectory": str(tmp_path / "api")}
    branch = {"repoData": {"localBranch": "main"}, "creationDate": T - 5000, "customTitle": "x"}
    done = {"modelState": {"value": 1, "completedAt": T + 9000}}
    session = read(tmp_path, form, ask("go", **done), **where, **branch)
    assert (session.id, session.source, session.branch) == ("s1", "vscode", "main")
    assert session.cwd == session.project == str(tmp_path / "api")
    assert session.started_at is not None
    assert session.ended_at is not None
    assert (session.ended_at - session.started_at).total_seconds() == 14
    (own,) = reading(tmp_path, form, ask("go"), own=(tmp_path,), **where).sessions
    assert own.driver is Driver.OWN
    (unnamed,) = reading(tmp_path, form, ask("go"), sessionId=None).sessions
    assert unnamed.id == "chat-1"


def test_a_copy_keeps_the_ids_of_its_requests(tmp_path: Path, form: str) -> None:
    uuids = [f"request_{n:08d}-0000-4000-8000-000000000000" for n in range(3)]
    first = reading(tmp_path, form, *(ask("go", requestId=one) for one in uuids[:2]))
    copy = reading(tmp_path, form, *(ask("go", requestId=one) for one in uuids), sessionId="s2")
    whole, rest = (one.sessions[0] for one in mark_forks([first, copy]))
    assert (len(whole.user_turns), len(rest.user_turns), rest.fork_of) == (2, 1, "s1")
    # ids that merely count are those of strangers, too
    stranger = reading(tmp_path, form, ask("go"), sessionId="s3")
    marked = mark_forks([reading(tmp_path, form, ask("go")), stranger])
    assert [one.sessions[0].fork_of for one in marked] == [None, None]
