"""Tool calls of VS Code's agent: what ran, what was edited, and how the person decided."""

from __future__ import annotations

from pathlib import Path

import pytest
from vscode_files import APP, POOL, Record, ask, brief, exact, group, read, terminal, tool, uri


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
