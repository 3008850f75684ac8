"""Codex rollouts, one rule at a time."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skillopt_sleep.session import Action, Driver, Interruption, Outcome, Session, UserTurn
from skillopt_sleep.sources.codex import Codex
from skillopt_sleep.sources.codex_tools import shell_text

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Record = dict[str, Any]
THREAD = "01a1fbb2-a5e1-76d1-b848-b3ac8f68eb14"


def line(kind: str, **payload: object) -> Record:
    return {"timestamp": "2026-01-01T00:00:00Z", "type": kind, "payload": payload}


def meta(**fields: object) -> Record:
    return line(
        "session_meta", **{"id": THREAD, "cwd": "/r", "originator": "codex-tui", "source": "cli"} | fields
    )


def event(kind: str, **fields: object) -> Record:
    return line("event_msg", type=kind, **fields)


def item(kind: str, turn_id: str = "t1", **fields: object) -> Record:
    return event("item_completed", turn_id=turn_id, item={"type": kind, **fields})


def said(text: str, turn_id: str = "t1") -> Record:
    return item("UserMessage", turn_id, id=f"u-{text}", content=[{"type": "text", "text": text}])


def seen(text: str, kind: str | None = None) -> Record:
    content = [{"type": "input_text", "text": text}]
    extra = {"internal_chat_message_metadata_passthrough": {"content_item_kinds": [kind]}} if kind else {}
    return line("response_item", type="message", role="user", content=content, **extra)


def called(name: str, call_id: str = "c1", **arguments: object) -> Record:
    given = json.dumps(arguments)
    return line("response_item", type="function_call", name=name, call_id=call_id, arguments=given)


def output(text: object, call_id: str = "c1") -> Record:
    return line("response_item", type="function_call_output", call_id=call_id, output=text)


def read(tmp_path: Path, *records: Record) -> Session:
    path = tmp_path / f"rollout-2026-01-01T00-00-00-{THREAD}.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    (session,) = Codex().read(path).sessions
    return session


def words(session: Session) -> list[tuple[str, str]]:
    return [(turn.via, turn.text) for turn in session.user_turns]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        # the same words in both views, in either order and format
        ([seen("fix"), said("fix")], ["fix"]),
        ([said("fix"), seen("fix")], ["fix"]),
        ([seen("fix"), event("user_message", message="fix")], ["fix"]),
        ([seen("fix", "user.text"), said("fix")], ["fix"]),
        ([seen("fix <image>", "user.text"), said("fix")], ["fix"]),
        ([seen("go"), said("go"), seen("go"), said("go", "t2")], ["go", "go"]),
        # only the model's view
        ([seen("fix")], ["fix"]),
        (
            [seen("fix", "user.text"), seen("<environment_context>x", "environments.environment_context")],
            ["fix"],
        ),
        (
            [seen("# AGENTS.md instructions for /r\nuse tabs"), seen("<user_instructions>x"), seen("fix")],
            ["fix"],
        ),
        ([seen("<skill>\n<name>greet</name>\nbody</skill>"), seen("fix")], ["fix"]),
        (
            [seen("Warning: apply_patch was requested via shell."), seen("<turn_aborted>x"), seen("fix")],
            ["fix"],
        ),
        ([seen("<user_shell_command>\nls</user_shell_command>"), seen("fix")], ["fix"]),
        ([seen("injected", "generic.note"), seen("fix", "user.text")], ["fix"]),
        # surely a person's, and no event tells of it
        (
            [seen("a"), said("a"), item("AgentMessage", content=[{"text": "ok"}]), seen("b", "user.text")],
            ["a", "b"],
        ),
        # an IDE puts its context first
        (
            [said("# Context from my IDE setup:\n\n## Active: a.py\n\n## My request for Codex:\nfix a\n")],
            ["fix a"],
        ),
        ([said("# Context from my IDE setup:\n\n## Active file: a.py")], []),
        # never twice from a compaction
        (
            [
                said("fix"),
                line("compacted", message="s", replacement_history=[{"role": "user", "content": "fix"}]),
            ],
            ["fix"],
        ),
    ],
)
def test_words_count_once(tmp_path: Path, records: Sequence[Record], expected: list[str]) -> None:
    session = read(tmp_path, meta(), *records, event("agent_message", message="done"))
    assert [text for _, text in words(session)] == expected


def test_steering_is_queued(tmp_path: Path) -> None:
    session = read(tmp_path, meta(), said("list", "t1"), said("not node_modules", "t1"), said("next", "t2"))
    assert [via for via, _ in words(session)] == ["prompt", "queued", "prompt"]


@pytest.mark.parametrize("call_id", ["c1", "other"])
def test_a_denied_call_is_rejected_and_the_next_words_say_why(tmp_path: Path, call_id: str) -> None:
    session = read(
        tmp_path,
        meta(),
        said("push", "t1"),
        called("exec_command", cmd="git push --force"),
        output("Wall time: 16.2 seconds\naborted by user", call_id),
        seen("<turn_aborted>\nThe user interrupted", "generic.turn_aborted"),
        event("turn_aborted", reason="interrupted"),
        said("never force push", "t2"),
        event("agent_message", message="ok"),
        said("thanks", "t3"),
    )
    assert session.actions[0].outcome is Outcome.REJECTED
    assert words(session) == [("prompt", "push"), ("rejection", "never force push"), ("prompt", "thanks")]
    assert sum(isinstance(event, Interruption) for event in session.events) == 1


def test_a_plain_interruption_rejects_nothing(tmp_path: Path) -> None:
    session = read(
        tmp_path, meta(), said("think"), event("turn_aborted", reason="interrupted"), said("stop, do x", "t2")
    )
    assert [type(e) for e in session.events] == [UserTurn, Interruption, UserTurn]
    assert words(session)[1] == ("prompt", "stop, do x")


def test_output_that_quotes_an_abort_is_output(tmp_path: Path) -> None:
    text = "Chunk ID: a\nProcess exited with code 0\nOutput:\naborted by user"
    session = read(tmp_path, meta(), said("x"), called("exec_command", cmd="cat log"), output(text))
    assert session.actions[0].outcome is Outcome.OK


@pytest.mark.parametrize(
    ("text", "outcome", "code"),
    [
        (json.dumps({"output": "x", "metadata": {"exit_code": 3}}), "failed", 3),
        (json.dumps({"output": "x", "metadata": {"exit_code": 0}}), "ok", 0),
        (
            "Wall time: 1 seconds\nProcess exited with code 127\nOutput:\nProcess exited with code 0",
            "failed",
            127,
        ),
        ("Chunk ID: 1\nProcess running with session ID 5\nOutput:\n", "unknown", None),
        (None, "unknown", None),
        ({"content": "Exit code: 2\n"}, "failed", 2),
        ("exec command rejected by user", "rejected", None),
    ],
)
def test_exit_codes(tmp_path: Path, text: object, outcome: str, code: int | None) -> None:
    session = read(
        tmp_path, meta(), said("x"), called("shell", command=["bash", "-lc", "make"]), output(text)
    )
    (action,) = session.actions
    assert (action.command, str(action.outcome), action.exit_code) == ("make", outcome, code)


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["bash", "-lc", "npm test"], "npm test"),
        (["/bin/zsh", "-c", "a && b"], "a && b"),
        (["powershell.exe", "-NoProfile", "-Command", "dir"], "dir"),
        (["git", "commit", "-m", "it's done"], "git commit -m 'it'\\''s done'"),
        ("make", "make"),
        ([1, None], ""),
        ({"a": 1}, ""),
    ],
)
def test_shell_text(command: object, text: str) -> None:
    assert shell_text(command) == text


def test_a_call_and_its_item_are_one_action(tmp_path: Path) -> None:
    session = read(
        tmp_path,
        meta(),
        said("x"),
        called("exec_command", cmd="make"),
        item("CommandExecution", id="c1", command=["/bin/bash", "-lc", "make"], exit_code=2, status="failed"),
        output("Process exited with code 2"),
        line(
            "response_item",
            type="custom_tool_call",
            name="apply_patch",
            call_id="c2",
            input="*** Begin Patch\n*** Update File: a.py\n@@\n-x\n+y\n*** End Patch",
        ),
        event(
            "patch_apply_end",
            call_id="c2",
            success=True,
            changes={"/r/a.py": {"update": {"unified_diff": "+y"}}},
        ),
        item("McpToolCall", id="c3", server="db", tool="query", arguments={"q": 1}, status="failed"),
    )
    assert [(a.kind, a.tool, a.command, a.files, a.text, str(a.outcome)) for a in session.actions] == [
        ("command", "exec_command", "make", (), "", "failed"),
        ("edit", "apply_patch", "", ("/r/a.py",), "y", "ok"),
        ("other", "mcp__db__query", "", (), '{"q": 1}', "failed"),
    ]


def code_call(script: str) -> Record:
    return line(
        "response_item",
        type="custom_tool_call",
        name="exec",
        namespace="functions",
        call_id="c1",
        input=script,
    )


def test_code_mode_counts_the_items_and_not_the_script(tmp_path: Path) -> None:
    run = item(
        "CommandExecution", id="exec-1", command=["bash", "-lc", "make"], exit_code=0, status="completed"
    )
    session = read(tmp_path, meta(), said("x"), code_call('tools.exec_command({"cmd": "make"})'), run)
    assert [action.command for action in session.actions] == ["make"]


def test_a_denied_call_of_code_mode_is_read_from_the_script(tmp_path: Path) -> None:
    script = 'const r = await tools.exec_command({"cmd": "git push --force"}); text(r);'
    done = line("response_item", type="custom_tool_call_output", call_id="c1", output="aborted by user")
    session = read(tmp_path, meta(), said("x"), code_call(script), done, said("no", "t2"))
    assert [(a.command, str(a.outcome)) for a in session.actions] == [("git push --force", "rejected")]
    assert words(session)[1] == ("rejection", "no")


def test_commands_of_the_person_are_noted_only(tmp_path: Path) -> None:
    own = item("CommandExecution", id="x", command=["bash", "-lc", "pwd"], exit_code=0, source="user_shell")
    session = read(tmp_path, meta(), said("x"), own)
    assert session.actions == ()
    assert session.notes == ("1 shell commands typed by the person",)


@pytest.mark.parametrize(
    ("fields", "driver"),
    [
        ({}, Driver.HUMAN),
        ({"originator": "codex_vscode", "source": "vscode"}, Driver.HUMAN),
        ({"originator": "codex_exec", "source": "exec"}, Driver.HEADLESS),
        ({"source": {"subagent": "review"}}, Driver.SUBAGENT),
        ({"thread_source": "subagent"}, Driver.SUBAGENT),
        ({"thread_source": "user"}, Driver.HUMAN),
        ({"source": ["x"], "originator": 3}, Driver.HUMAN),
    ],
)
def test_drivers(tmp_path: Path, fields: Record, driver: Driver) -> None:
    assert read(tmp_path, meta(**fields), said("x")).driver is driver


def test_where_it_ran(tmp_path: Path) -> None:
    session = read(tmp_path, meta(git={"branch": "dev"}, cli_version="0.169.0"), said("x"))
    assert (session.id, session.cwd, session.project, session.branch) == (THREAD, "/r", "/r", "dev")
    assert session.client_version == "0.169.0"


def test_roots_and_files(tmp_path: Path) -> None:
    source = Codex()
    assert source.roots({"CODEX_HOME": "/c"}, Path("/h")) == (
        Path("/c/sessions"),
        Path("/c/archived_sessions"),
    )
    day = tmp_path / "2026/01/02"
    day.mkdir(parents=True)
    for name in ("rollout-b.jsonl", "rollout-a.jsonl", "rollout-c.jsonl.zst", "notes.jsonl"):
        (day / name).touch()
    skipped: dict[str, int] = {}
    assert [path.name for path in source.files(tmp_path, skipped)] == [
        "rollout-a.jsonl",
        "rollout-b.jsonl",
        "rollout-c.jsonl.zst",
    ]
    assert skipped == {}


def test_a_compressed_rollout_says_what_the_plain_one_says(transcripts: Path, tmp_path: Path) -> None:
    for plain in sorted((transcripts / "codex").rglob("rollout-*.jsonl")):
        packed = tmp_path / f"{plain.name}.zst"
        packed.write_bytes(zstd.compress(plain.read_bytes()))
        given, expected = Codex().read(packed), Codex().read(plain)
        assert given.skipped == expected.skipped
        assert [replace(session, path="") for session in given.sessions] == [
            replace(session, path="") for session in expected.sessions
        ]


def test_unknown_records_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "rollout-x.jsonl"
    records = [
        meta(),
        said("x"),
        line("novel"),
        event("novel"),
        item("Novel"),
        line("response_item", type="novel"),
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert dict(Codex().read(path).skipped) == {
        "unknown_type:event:novel": 1,
        "unknown_type:item:Novel": 1,
        "unknown_type:novel": 1,
        "unknown_type:response:novel": 1,
    }


def test_actions_keep_their_type(tmp_path: Path) -> None:
    session = read(tmp_path, meta(), said("x"), called("read_file", path="a.py"), output("text"))
    (action,) = session.actions
    assert action == Action("read", "read_file", files=("/r/a.py",), outcome=Outcome.OK, at=action.at)
