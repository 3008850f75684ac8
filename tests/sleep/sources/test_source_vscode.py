"""VS Code chats, one rule at a time, as a whole object and as a log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from skillopt_sleep.session import Action, AgentText, Driver, Interruption, Session, UserTurn
from skillopt_sleep.sources.base import Reading
from skillopt_sleep.sources.forks import mark_forks
from skillopt_sleep.sources.vscode_chat import VsCodeChat
from skillopt_sleep.sources.vscode_requests import moment

Record: TypeAlias = dict[str, Any]
T = 1_795_220_000_000
POOL, APP = "/home/dev/api/pool.py", "/home/dev/api/app.py"


@pytest.fixture(params=["json", "jsonl"])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(text: object, *response: object, **more: object) -> Record:
    return {
        "requestId": "request_0",
        "timestamp": T,
        "message": {"text": text},
        "response": list(response),
        **more,
    }


def tool(name: str, data: object = None, confirmed: object = 4, **more: object) -> Record:
    part = {
        "kind": "toolInvocationSerialized",
        "toolId": name,
        "toolCallId": "call_0",
        "isConfirmed": {"type": confirmed}
        if isinstance(confirmed, int) and confirmed is not False
        else confirmed,
        "isComplete": True,
    }
    return part | ({} if data is None else {"toolSpecificData": data}) | more


def terminal(original: str, code: object = None, **line: object) -> Record:
    state = {} if code is None else {"terminalCommandState": {"exitCode": code}}
    return {"kind": "terminal", "commandLine": {"original": original, **line}} | state


def exact(name: str, **arguments: object) -> Record:
    call = {"id": "call_0__vscode-17952", "name": name, "arguments": json.dumps(arguments)}
    return {"metadata": {"toolCallRounds": [{"toolCalls": [call]}]}}


def write(folder: Path, form: str, state: Record) -> Path:
    """The chat below a `User` folder; as a log its requests are pushed as stubs and filled later."""
    path = folder / "workspaceStorage" / "abc" / "chatSessions" / f"chat-1.{form}"
    path.parent.mkdir(parents=True, exist_ok=True)
    if form == "json":
        path.write_text(json.dumps(state))
        return path
    entries: list[Record] = [{"kind": 0, "v": {**state, "requests": []}}]
    for i, request in enumerate(state["requests"]):
        entries.append({"kind": 2, "k": ["requests"], "v": [{**request, "response": []}]})
        for part in request.get("response", ()):
            entries.append({"kind": 2, "k": ["requests", i, "response"], "v": [part]})
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def reading(
    tmp_path: Path, form: str, *requests: Record, own: tuple[Path, ...] = (), **state: object
) -> Reading:
    path = write(tmp_path, form, {"version": 3, "sessionId": "s1", "requests": list(requests), **state})
    return VsCodeChat(own).read(path)


def read(tmp_path: Path, form: str, *requests: Record, **state: object) -> Session:
    found = reading(tmp_path, form, *requests, **state)
    assert dict(found.skipped) == {}
    (session,) = found.sessions
    return session


def words(session: Session) -> list[tuple[str, str]]:
    return [(turn.via, turn.text) for turn in session.user_turns]


def brief(session: Session) -> list[tuple[str, str, str, str, int | None]]:
    return [
        (a.kind, a.command or " ".join(a.files), a.text, str(a.outcome), a.exit_code) for a in session.actions
    ]


def parts(*kinds: str) -> list[Record]:
    return [{"kind": kind, "range": {"start": 0, "endExclusive": 1}} for kind in kinds]


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


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (tool("run_in_terminal", terminal("make", 0)), [("make", "ok", 0)]),
        (tool("run_in_terminal", terminal("make", 2)), [("make", "failed", 2)]),
        (tool("run_in_terminal", terminal("make")), [("make", "unknown", None)]),
        (tool("run_in_terminal", terminal("make", "0")), [("make", "unknown", None)]),
        (tool("run_in_terminal", terminal("make"), confirmed=0), [("make", "rejected", None)]),
        (tool("run_in_terminal", terminal("make"), confirmed=5), [("make", "rejected", None)]),
        (tool("run_in_terminal", terminal("make", 0), confirmed=1), [("make", "ok", 0)]),
        (tool("run_in_terminal", terminal("make", 0), confirmed=True), [("make", "ok", 0)]),
        (tool("run_in_terminal", terminal("make"), confirmed=False), [("make", "rejected", None)]),
        (
            tool("run_in_terminal", terminal("make"), confirmed=None, isComplete=False),
            [("make", "unknown", None)],
        ),
        (tool("copilot_runInTerminal", {"kind": "terminal", "command": "make"}), [("make", "unknown", None)]),
        (tool("run_in_terminal", terminal("cd /a && make", 0, toolEdited=" make")), [("make", "ok", 0)]),
        (
            tool("run_in_terminal", terminal("make", 0, toolEdited="srt make", isSandboxWrapped=True)),
            [("make", "ok", 0)],
        ),
        (
            tool("run_in_terminal", terminal("npm i", 1, userEdited="pnpm i")),
            [("npm i", "rejected", None), ("pnpm i", "failed", 1)],
        ),
        (tool("run_in_terminal", terminal("npm i", 0, userEdited="npm i ")), [("npm i", "ok", 0)]),
        (
            tool("run_in_terminal", terminal("npm i", 0, toolEdited="npm ci", userEdited="npm ci")),
            [("npm ci", "ok", 0)],
        ),
    ],
)
def test_commands(
    tmp_path: Path, form: str, part: Record, expected: list[tuple[str, str, int | None]]
) -> None:
    session = read(tmp_path, form, ask("go", part))
    assert [(a.command, str(a.outcome), a.exit_code) for a in session.actions] == expected
    assert {a.kind for a in session.actions} == {"command"}


@pytest.mark.parametrize(
    ("part", "result", "expected"),
    [
        (
            tool("run_in_terminal"),
            exact("run_in_terminal", command="ls"),
            ("command", "ls", "", "unknown", None),
        ),
        (tool("copilot_readFile"), exact("read_file", filePath=POOL), ("read", POOL, "", "ok", None)),
        (
            tool("copilot_findTextInFiles"),
            exact("grep_search", query="pool"),
            ("read", "", "pool", "ok", None),
        ),
        (
            tool("copilot_replaceString"),
            exact("replace_string_in_file", filePath=POOL, oldString="a", newString="b"),
            ("edit", POOL, "b", "ok", None),
        ),
        (
            tool("copilot_multiReplaceString"),
            exact(
                "multi_replace_string_in_file",
                replacements=[{"filePath": POOL, "newString": "b"}, {"filePath": APP, "newString": "c"}],
            ),
            ("edit", f"{POOL} {APP}", "b\nc", "ok", None),
        ),
        (
            tool("copilot_createFile"),
            exact("create_file", filePath=APP, content="x"),
            ("edit", APP, "x", "ok", None),
        ),
        (
            tool("copilot_applyPatch"),
            exact("apply_patch", input=f"*** Begin Patch\n*** Update File: {APP}\n+new\n-old\n*** End Patch"),
            ("edit", APP, "new", "ok", None),
        ),
        (
            tool("copilot_createFile", confirmed=0),
            exact("create_file", filePath=APP),
            ("edit", APP, "", "rejected", None),
        ),
        (tool("tool_9"), exact("read_file", filePath=POOL), ("read", POOL, "", "ok", None)),
        (
            tool("mcp_gh_issue", {"kind": "input", "rawInput": {"n": 1}}),
            {},
            ("other", "", '{"n": 1}', "ok", None),
        ),
        (
            tool("mcp_gh_issue", resultDetails={"input": '{"n": 2}', "output": [], "isError": True}),
            {},
            ("other", "", '{"n": 2}', "failed", None),
        ),
        (tool("runSubagent", {"kind": "subagent", "prompt": "p"}), {}, ("other", "", "", "ok", None)),
        (tool("x", resultDetails=[{"uri": POOL}]), {}, ("other", "", "", "ok", None)),
    ],
)
def test_tools(
    tmp_path: Path, form: str, part: Record, result: Record, expected: tuple[str, str, str, str, int | None]
) -> None:
    session = read(tmp_path, form, ask("go", part, result=result))
    assert brief(session) == [expected]


def uri(path: str) -> Record:
    return {"$mid": 1, "scheme": "file", "path": path, "fsPath": path}


def group(path: str, *texts: str) -> Record:
    return {
        "kind": "textEditGroup",
        "uri": uri(path),
        "edits": [[{"text": text} for text in texts]],
        "done": True,
    }


def test_an_edit_is_told_once_and_the_person_may_undo_it(tmp_path: Path, form: str) -> None:
    session = read(
        tmp_path,
        form,
        ask(
            "rename it",
            tool("copilot_replaceString"),
            group(POOL, "class B"),
            group(APP, "B()", "B"),
            result=exact("replace_string_in_file", filePath=POOL, newString="class B"),
        ),
        ask("thanks"),
        ask(
            "not in app.py",
            group(APP, "C()"),
            editedFileEvents=[{"uri": uri(APP), "eventKind": 2}, {"uri": uri(POOL), "eventKind": 3}],
        ),
    )
    assert brief(session) == [
        ("edit", POOL, "class B", "ok", None),
        ("edit", APP, "B()\nB", "rejected", None),
        ("edit", APP, "C()", "ok", None),
    ]


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


@pytest.mark.parametrize(
    ("request_", "counts"),
    [
        (ask("go", {"kind": "hologram"}), {"unknown_type:part:hologram": 1}),
        (ask("go", {"kind": ["thinking"]}, 5), {"wrong_type": 2}),
        (ask("[VS Code: value truncated for persistence; original 2097152 chars]"), {"truncated_value": 1}),
        (ask("go", {"value": "[VS Code: value truncated for persistence; x]"}), {"truncated_value": 1}),
        (ask(5), {"wrong_type": 1}),
        (ask("go") | {"message": [1]}, {"wrong_type": 1}),
        (ask("go", result=[], editedFileEvents={}), {"wrong_type": 2}),
        ([], {"wrong_type": 1}),
    ],
)
def test_what_is_not_understood_is_counted(
    tmp_path: Path, form: str, request_: Any, counts: dict[str, int]
) -> None:
    if isinstance(request_, list) and form == "jsonl":
        path = write(tmp_path, form, {"requests": [ask("first")]})
        path.write_text(path.read_text() + '{"kind":2,"k":["requests"],"v":[[]]}\n')
        found = VsCodeChat().read(path)
    else:
        found = reading(tmp_path, form, ask("first"), request_)
    assert dict(found.skipped) == counts
    assert found.sessions[0].user_turns[0].text == "first"


@pytest.mark.parametrize(
    ("content", "counts"),
    [
        ("", {}),
        ('{"requests": []}', {}),
        ('{"version": 9, "turns": ["hello"]}', {"no_user_turns": 1, "unknown_type:version:9": 1}),
        ('{"requests": [{"message": {"text": "x"}, "isSystemInitiated": true}]}', {"no_user_turns": 1}),
        ('{"requests": 5}', {"no_user_turns": 1, "wrong_type": 1}),
        ('{"requests": [', {"bad_json": 1, "no_user_turns": 1}),
        ("[1]", {"no_user_turns": 1, "not_an_object": 1}),
        ("[" * 100_000, {"bad_json": 1, "no_user_turns": 1}),
    ],
)
def test_a_file_without_words(tmp_path: Path, content: str, counts: dict[str, int]) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    found = VsCodeChat().read(path)
    assert (dict(found.skipped), found.sessions, found.bytes_read) == (counts, (), len(content))
    if content.startswith("{") and "bad_json" not in counts:
        log = tmp_path / "a.jsonl"
        log.write_text(f'{{"kind":0,"v":{content}}}\n')
        assert dict(VsCodeChat().read(log).skipped) == counts


def test_bytes_that_are_not_text_and_a_file_that_is_no_chat(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"requests":[{"message":{"text":"caf\xff"}}]}')
    found = VsCodeChat().read(path)
    assert (words(found.sessions[0]), dict(found.skipped)) == ([("prompt", "caf�")], {"invalid_utf8": 1})
    with path.open("wb") as stream:
        stream.truncate(65 * 1024**2)
    assert dict(VsCodeChat().read(path).skipped) == {"file_too_large": 1}
    assert dict(VsCodeChat().read(tmp_path / "none.json").skipped) == {"unreadable": 1}


def test_a_log_that_is_torn_or_begins_in_the_middle(tmp_path: Path) -> None:
    path = write(tmp_path, "jsonl", {"requests": [ask("go"), ask("on")]})
    whole = path.read_text()
    path.write_text('{"kind":1,"k":["customTitle"],"v":"x"}\n' + whole + '{"kind":1,"k":["reque')
    found = VsCodeChat().read(path)
    assert words(found.sessions[0]) == [("prompt", "go"), ("prompt", "on")]
    assert dict(found.skipped) == {"before_initial_state": 1, "torn_line": 1}
    path.write_text(whole.replace('"kind": 2', '"kind": 7', 1))
    assert dict(VsCodeChat().read(path).skipped)["unknown_type:kind:7"] == 1


def test_words_hold_no_secret_and_no_control_character(tmp_path: Path, form: str) -> None:
    session = read(
        tmp_path,
        form,
        ask("key \x1b[31mghp_abcdefghij0123456789abcdefghij012345\x07 first\u2028second\ud800"),
    )
    assert words(session) == [("prompt", "key [redacted:github] first\u2028second�")]
