"""Chats of VS Code as files: requests and parts in few words, written as a whole object or as a log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

from skillopt_sleep.session import Session
from skillopt_sleep.sources.base import Reading
from skillopt_sleep.sources.vscode_chat import VsCodeChat

Record: TypeAlias = dict[str, Any]
T = 1_795_220_000_000
POOL, APP = "/home/dev/api/pool.py", "/home/dev/api/app.py"


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


def uri(path: str) -> Record:
    return {"$mid": 1, "scheme": "file", "path": path, "fsPath": path}


def group(path: str, *texts: str) -> Record:
    return {
        "kind": "textEditGroup",
        "uri": uri(path),
        "edits": [[{"text": text} for text in texts]],
        "done": True,
    }
