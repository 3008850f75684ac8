"""Copilot CLI events, one rule at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skillopt_sleep.session import Driver, Interruption, Session
from skillopt_sleep.sources.copilot_cli import CopilotCli

Record = dict[str, Any]


def event(kind: str, **data: object) -> Record:
    return {"type": kind, "data": data, "timestamp": "2026-01-01T00:00:00Z"}


def start(tool: str, **arguments: object) -> Record:
    return event("tool.execution_start", toolCallId="c1", toolName=tool, arguments=arguments)


def done(success: bool = True, **data: object) -> Record:
    return event("tool.execution_complete", toolCallId="c1", success=success, **data)


DENIAL = {"code": "denied", "message": "The user rejected this tool call. User feedback: use pnpm"}


def denied(**data: object) -> Record:
    result = {"kind": "denied-interactively-by-user", "feedback": "use pnpm"}
    return event("permission.completed", result=result, decisionSource="human_response", **data)


def read(tmp_path: Path, *records: Record, workspace: str = "") -> Session:
    folder = tmp_path / "b6d3"
    folder.mkdir(exist_ok=True)
    path = folder / "events.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    if workspace:
        (folder / "workspace.yaml").write_text(workspace)
    (session,) = CopilotCli().read(path).sessions
    return session


def words(session: Session) -> list[tuple[str, str]]:
    return [(turn.via, turn.text) for turn in session.user_turns]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (event("user.message", content="fix", transformedContent="<now>\nfix"), [("prompt", "fix")]),
        (event("user.message", content="also lint", delivery="steering"), [("queued", "also lint")]),
        (event("user.message", content="body", source="skill-pdf"), []),
        (event("user.message", content="sub", delivery="idle") | {"agentId": "a1"}, []),
        (event("user_input.completed", requestId="r", answer="pnpm", wasFreeform=True), [("answer", "pnpm")]),
        (event("elicitation.completed", action="accept", content={"pm": "pnpm"}), [("answer", "pnpm")]),
        (event("elicitation.completed", action="decline", content={"pm": "pnpm"}), []),
        (event("system.message", content="always use npm"), []),
        (event("system.notification", content="done"), []),
    ],
)
def test_who_wrote_it(tmp_path: Path, record: Record, expected: list[tuple[str, str]]) -> None:
    assert words(read(tmp_path, event("assistant.message", content="hi"), record)) == expected


@pytest.mark.parametrize(
    "records",
    [
        [denied(toolCallId="c1"), done(False, error=DENIAL)],
        [
            event("permission.requested", requestId="r1", permissionRequest={"toolCallId": "c1"}),
            denied(requestId="r1"),
            done(False, error=DENIAL),
        ],
        [done(False, error=DENIAL)],
    ],
)
def test_a_rejection_and_its_words_count_once(tmp_path: Path, records: list[Record]) -> None:
    session = read(tmp_path, event("user.message", content="go"), start("bash", command="npm i"), *records)
    assert str(session.actions[0].outcome) == "rejected"
    assert words(session) == [("prompt", "go"), ("rejection", "use pnpm")]


@pytest.mark.parametrize(
    ("data", "outcome", "code"),
    [
        ({"shellExecution": {"exitCode": 4}}, "failed", 4),
        ({"shellExecution": {"exitCode": 0}}, "ok", 0),
        ({"toolTelemetry": {"metrics": {"exit_code": 127.0}}}, "failed", 127),
        ({"result": {"content": "no\n<shellId: 0 completed with exit code 4>"}}, "failed", 4),
        ({"result": {"content": "<exited with exit code 0>"}}, "ok", 0),
        ({"result": {"content": "prints exit code 3> and goes on"}}, "unknown", None),
        ({"result": {"content": "moved to background"}}, "unknown", None),
        ({}, "unknown", None),
    ],
)
def test_success_is_not_success(tmp_path: Path, data: Record, outcome: str, code: int | None) -> None:
    session = read(tmp_path, event("user.message", content="x"), start("bash", command="make"), done(**data))
    (action,) = session.actions
    assert (action.kind, str(action.outcome), action.exit_code) == ("command", outcome, code)


@pytest.mark.parametrize(
    ("tool", "given", "kind", "files", "text"),
    [
        ("create", {"path": "/r/a", "file_text": "x"}, "edit", ("/r/a",), "x"),
        ("edit", {"path": "/r/a", "old_str": "x", "new_str": "y"}, "edit", ("/r/a",), "y"),
        ("str_replace_editor", {"command": "view", "path": "/r/a"}, "read", ("/r/a",), ""),
        (
            "str_replace_editor",
            {"command": "create", "path": "/r/a", "file_text": "z"},
            "edit",
            ("/r/a",),
            "z",
        ),
        (
            "apply_patch",
            {"input": "*** Begin Patch\n*** Add File: /r/b\n+q\n*** End Patch"},
            "edit",
            ("/r/b",),
            "q",
        ),
        ("view", {"path": "/r/a"}, "read", ("/r/a",), ""),
        ("grep", {"pattern": "p", "path": "/r"}, "read", ("/r",), "p"),
        ("github-search", {"q": 1}, "other", (), ""),
    ],
)
def test_tools(
    tmp_path: Path, tool: str, given: Record, kind: str, files: tuple[str, ...], text: str
) -> None:
    session = read(tmp_path, event("user.message", content="x"), start(tool, **given))
    (action,) = session.actions
    assert (action.kind, action.tool, action.files, action.text) == (kind, tool, files, text)


def test_a_request_and_its_start_are_one_action(tmp_path: Path) -> None:
    request = {"toolCallId": "c1", "name": "bash", "arguments": {"command": "ls"}}
    session = read(
        tmp_path,
        event("user.message", content="x"),
        event("assistant.message", content="", toolRequests=[request]),
        start("bash", command="ls"),
        done(fileEdits=[{"path": "/r/a"}]),
        event("abort", reason="user"),
    )
    assert [(a.kind, a.command, a.files) for a in session.actions] == [("command", "ls", ())]
    assert isinstance(session.events[-1], Interruption)


def test_workspace_fills_what_the_events_do_not_say(tmp_path: Path) -> None:
    workspace = "id: b6d3\ncwd: /gone/repo/sub\ngit_root: '/gone/repo'\nbranch: main\nname: a: b\n"
    session = read(tmp_path, event("user.message", content="x"), workspace=workspace)
    assert (session.id, session.cwd, session.project, session.branch) == (
        "b6d3",
        "/gone/repo/sub",
        "/gone/repo",
        "main",
    )
    assert session.driver is Driver.HUMAN


def test_skills_and_resume(tmp_path: Path) -> None:
    session = read(
        tmp_path,
        event(
            "session.start", sessionId="s1", copilotVersion="1.0.102", context={"cwd": "/r", "branch": "a"}
        ),
        event("user.message", content="x"),
        event("skill.invoked", name="greet", pluginName=None),
        event("session.resume", context={"cwd": "/other", "branch": "b"}),
        event("user.message", content="y"),
    )
    assert (session.id, session.cwd, session.branch, session.skills) == ("s1", "/r", "a", ("greet",))
    assert len(session.user_turns) == 2


def test_roots_and_unknown_events(tmp_path: Path) -> None:
    assert CopilotCli().roots({"COPILOT_HOME": "/c"}, Path("/h")) == (Path("/c/session-state"),)
    path = tmp_path / "events.jsonl"
    path.write_text(
        json.dumps(event("user.message", content="x")) + "\n" + json.dumps(event("novel.thing")) + "\n"
    )
    assert dict(CopilotCli().read(path).skipped) == {"unknown_type:novel.thing": 1}
