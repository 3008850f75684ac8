"""A session while its file is being read: events in order, outcomes attached to the calls they answer.

Every text passes `clean` here, so nothing unredacted leaves a source.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path, PurePath
from typing import Literal, TypeAlias

from skillopt_sleep.redact import redact, strip_controls
from skillopt_sleep.session import Action, AgentText, Driver, Event, Interruption, Outcome, Session, UserTurn

Via: TypeAlias = Literal["prompt", "queued", "rejection", "answer", "command"]
Kind: TypeAlias = Literal["command", "edit", "read", "other"]
ProjectOf: TypeAlias = Callable[[str | None, str | None], str | None]

MAX_TURN_CHARS = 20_000
MAX_REPLY_CHARS = 4_000
MAX_COMMAND_CHARS = 4_000
MAX_TEXT_CHARS = 2_000
MAX_NAME_CHARS = 200
MAX_FILES = 100


def clean(text: str, limit: int) -> str:
    """The text without control characters and secrets, then cut to `limit` characters: cutting first could
    leave half a secret that no longer looks like one."""
    text = redact(strip_controls(text)).strip()
    return text if len(text) <= limit else text[:limit].rstrip() + "…"


@dataclass(slots=True)
class Draft:
    """Collects one session. `record_id` is the client's id of the record an event came from."""

    cwd: str | None = None
    git_root: str | None = None
    branch: str | None = None
    version: str = ""
    events: list[Event] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _skills: dict[str, None] = field(default_factory=dict)
    _calls: dict[str, int] = field(default_factory=dict)
    _first_at: datetime | None = None
    _last_at: datetime | None = None

    def seen_at(self, at: datetime | None) -> None:
        """A record of this session carries this time."""
        if at is not None:
            self._first_at = at if self._first_at is None else min(at, self._first_at)
            self._last_at = at if self._last_at is None else max(at, self._last_at)

    def say(self, text: str, via: Via, at: datetime | None, record_id: str = "") -> bool:
        """The person said this. False when nothing is left of it."""
        text = clean(text, MAX_TURN_CHARS)
        if text:
            self._add(UserTurn(text, at, via), record_id)
        return bool(text)

    def reply(self, text: str, at: datetime | None, record_id: str = "") -> None:
        """The agent said this."""
        text = clean(text, MAX_REPLY_CHARS)
        if text:
            self._add(AgentText(text, at), record_id)

    def interrupt(self, at: datetime | None, record_id: str = "") -> None:
        """The person stopped the agent; several records of one stop are one event."""
        if not (self.events and isinstance(self.events[-1], Interruption)):
            self._add(Interruption(at), record_id)

    def act(
        self,
        call_id: str,
        kind: Kind,
        tool: str,
        *,
        command: str = "",
        files: Iterable[str] = (),
        text: str = "",
        at: datetime | None = None,
        record_id: str = "",
    ) -> None:
        """The agent called a tool. The same call id is the same call, however often it is written."""
        if call_id and call_id in self._calls:
            return
        if call_id:
            self._calls[call_id] = len(self.events)
        self._add(
            Action(
                kind=kind,
                tool=clean(tool, MAX_NAME_CHARS),
                command=clean(command, MAX_COMMAND_CHARS),
                files=self.paths(files),
                text=clean(text, MAX_TEXT_CHARS),
                at=at,
            ),
            record_id,
        )

    def paths(self, files: Iterable[str]) -> tuple[str, ...]:
        """Paths redacted and made absolute against the session's folder, each once."""
        found: dict[str, None] = {}
        for name in files:
            if name and len(found) < MAX_FILES:
                whole = os.path.normpath(os.path.join(self.cwd or "", name)) if "\0" not in name else name  # noqa: PTH118
                found[clean(whole, 1000)] = None
        return tuple(path for path in found if path)

    def has_call(self, call_id: str) -> bool:
        """Whether this call was written."""
        return call_id in self._calls

    def action(self, call_id: str) -> Action | None:
        """The call of this id."""
        event = self.events[self._calls[call_id]] if call_id in self._calls else None
        return event if isinstance(event, Action) else None

    def last_open_call(self) -> str | None:
        """The latest call whose outcome is not known, among the last few."""
        for call_id, place in islice(reversed(self._calls.items()), 50):
            event = self.events[place]
            if isinstance(event, Action) and event.outcome is Outcome.UNKNOWN:
                return call_id
        return None

    def amend(self, call_id: str, **changes: object) -> None:
        """Replace fields of the call (`kind`, `command`, `files`, `text`, already clean)."""
        action = self.action(call_id)
        if action is not None:
            self.events[self._calls[call_id]] = replace(action, **changes)  # type: ignore[arg-type]

    def settle(self, call_id: str, outcome: Outcome, exit_code: int | None = None) -> None:
        """How the call ended. The first known outcome stays; an exit code is added when it was missing."""
        action = self.action(call_id)
        if action is not None:
            self.events[self._calls[call_id]] = replace(
                action,
                outcome=outcome if action.outcome is Outcome.UNKNOWN else action.outcome,
                exit_code=exit_code if action.exit_code is None else action.exit_code,
            )

    def use_skill(self, name: str) -> None:
        """A skill was used."""
        name = clean(name, MAX_NAME_CHARS).removeprefix("/")
        if name:
            self._skills[name] = None

    def drop(self, places: Iterable[int]) -> None:
        """Take back the events at these places."""
        gone = sorted(set(places))
        if not gone:
            return
        if len(gone) == 1 and gone[0] > max(islice(reversed(self._calls.values()), 1), default=-1):
            del self.events[gone[0]]
            del self.ids[gone[0]]
            return
        lost = set(gone)
        kept = [place for place in range(len(self.events)) if place not in lost]
        moved = {old: new for new, old in enumerate(kept)}
        self.events = [self.events[place] for place in kept]
        self.ids = [self.ids[place] for place in kept]
        self._calls = {call: moved[place] for call, place in self._calls.items() if place in moved}

    @property
    def has_user_turns(self) -> bool:
        """Whether the person spoke."""
        return any(isinstance(event, UserTurn) for event in self.events)

    def is_own(self, own_dirs: Iterable[Path]) -> bool:
        """Whether the session ran in a folder of ours."""
        if not self.cwd:
            return False
        here = PurePath(self.cwd)
        return any(
            here.is_relative_to(folder) for own in own_dirs for folder in (own, Path(os.path.realpath(own)))
        )

    def session(
        self,
        *,
        session_id: str,
        source: str,
        path: Path,
        content_sha: str,
        driver: Driver,
        project_of: ProjectOf,
        fork_of: str | None = None,
    ) -> Session:
        """The finished value."""
        cwd = clean(self.cwd, 4096) if self.cwd else None
        return Session(
            id=clean(session_id, MAX_NAME_CHARS),
            source=source,
            path=str(path),
            content_sha=content_sha,
            cwd=cwd,
            project=project_of(cwd, self.git_root),
            branch=clean(self.branch, MAX_NAME_CHARS) or None if self.branch else None,
            started_at=self._first_at,
            ended_at=self._last_at,
            driver=driver,
            events=tuple(self.events),
            skills=tuple(self._skills),
            fork_of=clean(fork_of, MAX_NAME_CHARS) if fork_of else None,
            client_version=clean(self.version, 40),
            notes=tuple(self.notes),
        )

    def _add(self, event: Event, record_id: str) -> None:
        self.events.append(event)
        self.ids.append(record_id)
