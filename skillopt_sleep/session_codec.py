"""Sessions as JSON text and back, exactly."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from skillopt_sleep.session import (
    Action,
    AgentText,
    Driver,
    Event,
    Interruption,
    Outcome,
    Session,
    UserTurn,
)

_MAY_BE_NONE = frozenset({"cwd", "project", "branch", "fork_of"})
"""Texts whose absence and emptiness differ."""


def session_to_json(session: Session) -> str:
    """One line of ASCII JSON; values equal to their default are left out."""
    body: dict[str, Any] = {
        "id": session.id,
        "source": session.source,
        "path": session.path,
        "content_sha": session.content_sha,
        "cwd": session.cwd,
        "project": session.project,
        "branch": session.branch,
        "started_at": _time_to_text(session.started_at),
        "ended_at": _time_to_text(session.ended_at),
        "driver": session.driver.value,
        "events": [_event_to_object(event) for event in session.events],
        "skills": session.skills,
        "fork_of": session.fork_of,
        "client_version": session.client_version,
        "notes": session.notes,
    }
    # ASCII, because transcripts hold lone surrogates that no UTF-8 text column can.
    return json.dumps(_without_defaults(body))


def session_from_json(text: str) -> Session:
    """The session that `session_to_json` wrote. Raises ValueError, KeyError or TypeError on anything else."""
    body = json.loads(text)
    if not isinstance(body, dict):
        raise TypeError("a stored session is not an object")
    return Session(
        id=body.get("id", ""),
        source=body.get("source", ""),
        path=body.get("path", ""),
        content_sha=body.get("content_sha", ""),
        cwd=body.get("cwd"),
        project=body.get("project"),
        branch=body.get("branch"),
        started_at=_time_from_text(body.get("started_at")),
        ended_at=_time_from_text(body.get("ended_at")),
        driver=Driver(body["driver"]),
        events=tuple(_event_from_object(event) for event in body.get("events", ())),
        skills=tuple(body.get("skills", ())),
        fork_of=body.get("fork_of"),
        client_version=body.get("client_version", ""),
        notes=tuple(body.get("notes", ())),
    )


def _event_to_object(event: Event) -> dict[str, Any]:
    match event:
        case UserTurn():
            content: dict[str, Any] = {"is": "user", "text": event.text, "via": event.via}
        case AgentText():
            content = {"is": "agent", "text": event.text}
        case Action():
            content = {
                "is": "action",
                "kind": event.kind,
                "tool": event.tool,
                "command": event.command,
                "files": event.files,
                "text": event.text,
                "outcome": event.outcome.value,
                "exit_code": event.exit_code,
            }
        case Interruption():
            content = {"is": "interruption"}
    content["at"] = _time_to_text(event.at)
    return _without_defaults(content)


def _without_defaults(content: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in content.items()
        if value is not None and (key in _MAY_BE_NONE or value not in ("", (), []))
    }


def _event_from_object(content: dict[str, Any]) -> Event:
    at = _time_from_text(content.get("at"))
    match content["is"]:
        case "user":
            return UserTurn(text=content.get("text", ""), at=at, via=content["via"])
        case "agent":
            return AgentText(text=content.get("text", ""), at=at)
        case "action":
            return Action(
                kind=content["kind"],
                tool=content.get("tool", ""),
                command=content.get("command", ""),
                files=tuple(content.get("files", ())),
                text=content.get("text", ""),
                outcome=Outcome(content["outcome"]),
                exit_code=content.get("exit_code"),
                at=at,
            )
        case "interruption":
            return Interruption(at=at)
        case other:
            raise ValueError(f"a stored session has an event of unknown kind {other!r}")


def _time_to_text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _time_from_text(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
