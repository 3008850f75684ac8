"""Sessions as JSON text and back, exactly."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import orjson

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
    """One line of JSON; values equal to their default are left out."""
    body: dict[str, Any] = {
        "id": session.id,
        "source": session.source,
        "path": session.path,
        "content_sha": session.content_sha,
        "cwd": session.cwd,
        "project": session.project,
        "branch": session.branch,
        "started_at": session.started_at,
        "ended_at": session.ended_at,
        "driver": session.driver.value,
        "events": [_event_to_object(event) for event in session.events],
        "skills": session.skills,
        "fork_of": session.fork_of,
        "client_version": session.client_version,
        "notes": session.notes,
    }
    body = {
        key: value
        for key, value in body.items()
        if value is not None and (key in _MAY_BE_NONE or value not in ("", (), []))
    }
    try:
        return orjson.dumps(body).decode()
    except TypeError:
        # Lone surrogates, which no UTF-8 text column can hold, and numbers of more than 64 bits.
        return json.dumps(body, default=datetime.isoformat)


def session_from_json(text: str) -> Session:
    """The session that `session_to_json` wrote. Raises ValueError, KeyError or TypeError on anything else."""
    try:
        return _session(orjson.loads(text))
    except (orjson.JSONDecodeError, _TooLongError):
        return _session(json.loads(text))


class _TooLongError(ValueError):
    """A whole number came back as a fraction: it has more than 64 bits."""


def _session(body: object) -> Session:
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
    # Written out, because this runs for every event of every transcript.
    content: dict[str, Any]
    if isinstance(event, AgentText):
        content = {"is": "agent"}
        if event.text:
            content["text"] = event.text
    elif isinstance(event, Action):
        content = {"is": "action", "kind": event.kind}
        if event.tool:
            content["tool"] = event.tool
        if event.command:
            content["command"] = event.command
        if event.files:
            content["files"] = event.files
        if event.text:
            content["text"] = event.text
        content["outcome"] = event.outcome.value
        if event.exit_code is not None:
            content["exit_code"] = event.exit_code
    elif isinstance(event, UserTurn):
        content = {"is": "user"}
        if event.text:
            content["text"] = event.text
        content["via"] = event.via
    else:
        content = {"is": "interruption"}
    if event.at is not None:
        content["at"] = event.at
    return content


def _event_from_object(content: dict[str, Any]) -> Event:
    at = _time_from_text(content.get("at"))
    match content["is"]:
        case "user":
            return UserTurn(text=content.get("text", ""), at=at, via=content["via"])
        case "agent":
            return AgentText(text=content.get("text", ""), at=at)
        case "action":
            exit_code = content.get("exit_code")
            if isinstance(exit_code, float):
                raise _TooLongError(f"{exit_code} is no exit code")
            return Action(
                kind=content["kind"],
                tool=content.get("tool", ""),
                command=content.get("command", ""),
                files=tuple(content.get("files", ())),
                text=content.get("text", ""),
                outcome=Outcome(content["outcome"]),
                exit_code=exit_code,
                at=at,
            )
        case "interruption":
            return Interruption(at=at)
        case other:
            raise ValueError(f"a stored session has an event of unknown kind {other!r}")


def _time_from_text(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
