"""Sessions written as a short script: what was said, what was done."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from skillopt_sleep.session import Action, Driver, Event, Interruption, Outcome, Session, UserTurn

START = datetime(2026, 10, 1, 9, tzinfo=UTC)


def action(text: str, outcome: Outcome = Outcome.OK) -> Action:
    """`@edit PATH | new text`, `@read PATH`, else a shell command."""
    if text.startswith("@edit "):
        path, _, new = text.removeprefix("@edit ").partition(" | ")
        return Action("edit", "Edit", files=(path,), text=new, outcome=outcome)
    if text.startswith("@read"):
        return Action("read", "Read", outcome=outcome)
    return Action("command", "Bash", command=text, outcome=outcome)


def session(
    day: float,
    *script: str,
    project: str | None = "/p/web",
    source: str = "claude",
    driver: Driver = Driver.HUMAN,
    skills: tuple[str, ...] = (),
    name: str = "",
) -> Session:
    """A session `day` days after the start.

    A line is the person's words, or actions (`$ a ;; b`), rejected ones (`! a`), an interruption (`^C`),
    words typed while the agent worked (`~ words`) or with a rejection (`!~ words`).
    """
    at = START + timedelta(days=day)
    events: list[Event] = []
    for minute, line in enumerate(script):
        then = at + timedelta(minutes=minute)
        if line.startswith("$ "):
            events += [action(part) for part in line[2:].split(" ;; ")]
        elif line.startswith("!~ "):
            events.append(UserTurn(line[3:], then, "rejection"))
        elif line.startswith("! "):
            events += [action(part, Outcome.REJECTED) for part in line[2:].split(" ;; ")]
        elif line == "^C":
            events.append(Interruption(then))
        elif line.startswith("~ "):
            events.append(UserTurn(line[2:], then, "queued"))
        else:
            events.append(UserTurn(line, then))
    named = name or hashlib.sha256(f"{project} {day} {script[0]}".encode()).hexdigest()[:12]
    return Session(
        id=named,
        source=source,
        path=f"/transcripts/{named}.jsonl",
        content_sha=named,
        cwd=project,
        project=project,
        branch="main",
        started_at=at,
        ended_at=at + timedelta(hours=1),
        driver=driver,
        events=tuple(events),
        skills=skills,
    )
