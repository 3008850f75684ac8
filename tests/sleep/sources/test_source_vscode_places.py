"""Where VS Code keeps chats on every system, which file of a chat is read, and which folder it was about."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from skillopt_sleep.session import Driver
from skillopt_sleep.sources.vscode_chat import VsCodeChat
from skillopt_sleep.sources.vscode_places import local_path, window_folders

CHAT = {"version": 3, "sessionId": "s1", "requests": [{"message": {"text": "go"}, "response": []}]}


def put(path: Path, value: object = CHAT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_roots_of_every_system(tmp_path: Path) -> None:
    source = VsCodeChat()
    home = tmp_path / "home"
    assert source.roots({}, home) == (home / ".config/Code/User",)
    (home / "Library/Application Support").mkdir(parents=True)
    assert source.roots({}, home) == (home / "Library/Application Support/Code/User",)
    there = [
        tmp_path / "xdg/VSCodium/User",
        tmp_path / "roaming/Code/User",
        home / ".config/Code/User",
        home / ".config/Code - Insiders/User",
        home / "Library/Application Support/Code/User",
        home / "AppData/Roaming/Code/User",
    ]
    for folder in there:
        folder.mkdir(parents=True)
    (home / ".config/Cursor/User").mkdir(parents=True)
    env = {"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "APPDATA": str(tmp_path / "roaming")}
    assert source.roots(env, home) == tuple(there)
    assert source.roots({"XDG_CONFIG_HOME": "relative", "APPDATA": ""}, home) == tuple(there[2:])
    assert source.roots({"XDG_CONFIG_HOME": str(home / ".config")}, home) == tuple(there[2:])


def test_each_chat_has_one_file(tmp_path: Path) -> None:
    window, other = tmp_path / "workspaceStorage/aaa", tmp_path / "workspaceStorage/bbb"
    wanted = [
        put(window / "chatSessions/both.jsonl"),
        put(window / "chatSessions/empty-log.json"),
        put(window / "chatSessions/old.json"),
        put(other / "chatSessions/both.json"),
        put(tmp_path / "globalStorage/emptyWindowChatSessions/no-folder.jsonl"),
        put(tmp_path / "globalStorage/transferredChatSessions/moved.json"),
        put(other / "GitHub.copilot-chat/transcripts/gone.jsonl"),
    ]
    put(window / "chatSessions/both.json")
    put(window / "chatSessions/empty-log.jsonl", "")
    put(other / "GitHub.copilot-chat/transcripts/old.jsonl")
    for name in (
        "chatEditingSessions/x/state.json",
        "state.vscdb",
        "chatSessions/note.txt",
        "workspace.json",
    ):
        put(window / name)
    put(tmp_path / "globalStorage/storage.json")
    put(tmp_path / "workspaceStorage/stray.json")
    assert list(VsCodeChat().files(tmp_path)) == wanted


def test_what_cannot_be_listed_is_counted(tmp_path: Path) -> None:
    skipped: Counter[str] = Counter()
    storage = tmp_path / "workspaceStorage"
    found = put(storage / "aaa/chatSessions/s.json")
    (storage / "loop").symlink_to(storage)
    (storage / "round").symlink_to(storage / "round")
    (storage / "gone").symlink_to(tmp_path / "nowhere")
    (found.parent / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    os.mkfifo(found.parent / "pipe.jsonl")
    assert list(VsCodeChat().files(tmp_path, skipped)) == [found]
    assert skipped == {"dangling_link": 3, "not_a_file": 1}
    skipped.clear()
    put(tmp_path / "user/workspaceStorage", "a file")
    assert list(VsCodeChat().files(tmp_path / "user", skipped)) == []
    assert skipped == {"unreadable_folder": 1}


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///home/dev/web%20app", "/home/dev/web app"),
        ("file:///home/dev/%E2%82%AC%23", "/home/dev/€#"),
        ("file:///c%3A/Users/dev/app", "c:/Users/dev/app"),
        ("file://localhost/home/dev", "/home/dev"),
        ("file://server/share/app", "//server/share/app"),
        ("/home/dev/web%20app", "/home/dev/web%20app"),
        ({"scheme": "file", "path": "/home/dev/app"}, "/home/dev/app"),
        ({"scheme": "file", "path": "/C:/app"}, "C:/app"),
        ({"$mid": 1, "fsPath": "/home/dev/app"}, "/home/dev/app"),
        ({"scheme": "vscode-remote", "path": "/home/dev/app", "fsPath": "/home/dev/app"}, ""),
        ("vscode-remote://ssh-remote%2Bbox/home/dev/app", ""),
        ("vscode-vfs://github/a/b", ""),
        ("untitled:Untitled-1", ""),
        ("file://[bad", ""),
        ("app", ""),
        ("", ""),
        (5, ""),
        (None, ""),
        ({"path": 5}, ""),
    ],
)
def test_local_paths(uri: object, path: str) -> None:
    assert local_path(uri) == path


def test_the_folder_of_a_window(tmp_path: Path) -> None:
    window = tmp_path / "User/workspaceStorage/aaa"
    chat = put(window / "chatSessions/s1.json")
    (tmp_path / "web app/.git").mkdir(parents=True)
    (tmp_path / "web app/.git/HEAD").touch()
    assert VsCodeChat().read(chat).sessions[0].project is None
    put(window / "workspace.json", {"folder": f"file://{tmp_path}/web%20app/sub"})
    (tmp_path / "web app/sub").mkdir()
    (session,) = VsCodeChat().read(chat).sessions
    assert (session.cwd, session.project) == (str(tmp_path / "web app/sub"), str(tmp_path / "web app"))
    assert VsCodeChat((tmp_path / "web app",)).read(chat).sessions[0].driver is Driver.OWN
    for remote in ("vscode-remote://wsl%2BUbuntu/home/dev/app", 5, ["file:///a"]):
        put(window / "workspace.json", {"folder": remote})
        assert VsCodeChat().read(chat).sessions[0].project is None
    put(chat, {**CHAT, "workingDirectory": f"file://{tmp_path}/web%20app"})
    assert VsCodeChat().read(chat).sessions[0].cwd == str(tmp_path / "web app")


@pytest.mark.parametrize(
    ("content", "folders"),
    [
        ('{"folders": [{"path": "web"}, {"path": "/srv/api"}]}', ["{here}/web", "/srv/api"]),
        ('{"folders": [{"uri": "file:///srv/api"}, {"uri": "vscode-remote://x/y"}]}', ["/srv/api"]),
        ('{\n // mine\n "folders": [{"path": "web"}, {"path": "../api",},],\n}', ["{here}/web", "{up}/api"]),
        ('{"folders": [5, {"path": 5}, {"path": ""}, {}]}', []),
        ('{"folders": {"path": "web"}}', []),
        ('// "path": "\\q"\n{', []),
        ("[1]", []),
        ("", []),
    ],
)
def test_the_folders_of_a_workspace_file(tmp_path: Path, content: str, folders: list[str]) -> None:
    file = put(tmp_path / "here/team.code-workspace", content)
    chat = tmp_path / "aaa/chatSessions/s1.json"
    expected = tuple(one.format(here=file.parent, up=tmp_path) for one in folders)
    for key in ("workspace", "configuration"):
        put(tmp_path / "aaa/workspace.json", {key: f"file://{file}"})
        assert window_folders(chat) == expected


def test_a_window_with_several_folders(tmp_path: Path) -> None:
    def edited(*paths: str) -> dict[str, object]:
        groups = [{"kind": "textEditGroup", "uri": {"scheme": "file", "path": path}} for path in paths]
        return {**CHAT, "requests": [{"message": {"text": "go"}, "response": groups}]}

    put(
        tmp_path / "team.code-workspace", {"folders": [{"path": "web"}, {"path": "web/api"}, {"path": "ops"}]}
    )
    put(tmp_path / "aaa/workspace.json", {"workspace": f"file://{tmp_path}/team.code-workspace"})
    web, api = f"{tmp_path}/web", f"{tmp_path}/web/api"
    cases: list[tuple[dict[str, object], str | None]] = [
        (edited(f"{web}/a.py", f"{web}/b.py"), web),
        (edited(f"{api}/a.py"), api),
        (edited(f"{web}/a.py", f"{api}/b.py"), None),
        (edited(f"{web}/a.py", "/elsewhere/b.py"), None),
        (edited(), None),
        ({**edited(f"{web}/a.py", f"{api}/b.py"), "workingDirectory": web}, web),
    ]
    for i, (state, cwd) in enumerate(cases):
        (session,) = VsCodeChat().read(put(tmp_path / f"aaa/chatSessions/{i}.json", state)).sessions
        assert (session.cwd, session.project) == (cwd, cwd)


def test_a_transcript_of_the_extension(tmp_path: Path) -> None:
    window = tmp_path / "workspaceStorage/aaa"
    put(window / "workspace.json", {"folder": "file:///home/dev/api"})
    said = json.dumps({"type": "user.message", "data": {"content": "go"}}) + "\n"
    path = put(window / "GitHub.copilot-chat/transcripts/s9.jsonl", said)
    (session,) = VsCodeChat().read(path).sessions
    assert (session.id, session.source, session.cwd, session.project) == (
        "s9",
        "vscode",
        "/home/dev/api",
        "/home/dev/api",
    )
    assert [turn.text for turn in session.user_turns] == ["go"]
    (own,) = VsCodeChat((Path("/home/dev"),)).read(path).sessions
    assert own.driver is Driver.OWN
