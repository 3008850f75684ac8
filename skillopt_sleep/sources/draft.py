"""A session while its file is being read: events in order, outcomes attached to the calls they answer.

Every text passes `clean` here, so nothing unredacted leaves a source.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path, PurePath
from typing import Literal, TypeAlias

from skillopt_sleep.kept_out import asks_out, without_words
from skillopt_sleep.redact import redact, redact_all, redact_name, strip_controls
from skillopt_sleep.session import Action, AgentText, Driver, Event, Interruption, Outcome, Session, UserTurn

Via: TypeAlias = Literal["prompt", "queued", "rejection", "answer", "choice", "command"]
Kind: TypeAlias = Literal["command", "edit", "read", "other"]
ProjectOf: TypeAlias = Callable[[str | None, str | None], str | None]
Redactor: TypeAlias = Callable[[Iterable[str]], list[str]]
"""The texts of a session without the secrets in them, in their order."""

MAX_TURN_CHARS = 20_000
MAX_REPLY_CHARS = 4_000
MAX_COMMAND_CHARS = 4_000
MAX_TEXT_CHARS = 2_000
MAX_NAME_CHARS = 200
MAX_PATH_CHARS = 4_096
MAX_FILES = 100

_MARGIN_CHARS = 8_192
"""Longer than any one secret but a private key: how much of a huge text is looked at behind what is kept."""

_GROUP_CHARS = 16 * 1024
"""How much is searched for secrets at once: a search has its price, and so has one repeated for each text."""

_MAX_WAITING_CHARS = 1024 * 1024


def clean(text: str, limit: int) -> str:
    """The text without control characters and secrets, then cut to `limit` characters: cutting first could
    leave half a secret that no longer looks like one."""
    if len(text) > limit + 2 * _MARGIN_CHARS:
        start = _start_of(text, limit)
        if start is not None:
            return start
    return _clipped(redact(strip_controls(text)), limit)


def _clipped(text: str, limit: int) -> str:
    text = text.strip()
    return text if len(text) <= limit else text[:limit].rstrip() + "…"


def _start_of(text: str, limit: int) -> str | None:
    """`clean` of a huge text from its beginning alone, None when the whole is needed: where a private key
    begins, where nothing separates what is looked at from the rest, where too little is left of it."""
    window = text[: limit + _MARGIN_CHARS]
    if "PRIVATE KEY" in window or len(window[limit:].split(None, 1)) < 2:
        return None
    start = redact(strip_controls(window)).strip()
    return start[:limit].rstrip() + "…" if len(start) > limit + _MARGIN_CHARS // 2 else None


def _name(text: str) -> str:
    """`clean` of a name; most come again and again."""
    return _short_name(text) if len(text) <= MAX_NAME_CHARS else clean(text, MAX_NAME_CHARS)


def _id(text: str) -> str:
    """The id of a session as it is kept: those of two sessions stay two without their secrets."""
    return clean(redact_name(text), MAX_NAME_CHARS)


def known_as(path: Path) -> str:
    """The path of a transcript as it is kept, without a secret."""
    return redact_name(str(path))


@lru_cache(maxsize=4096)
def _short_name(text: str) -> str:
    return clean(text, MAX_NAME_CHARS)


@lru_cache(maxsize=4096)
def _clean_path(folder: str, name: str) -> str:
    whole = os.path.normpath(os.path.join(folder, name)) if "\0" not in name else name  # noqa: PTH118
    return clean(whole, 1000)


@dataclass(slots=True)
class Turn:
    """A `UserTurn` to be."""

    text: str
    at: datetime | None
    via: Via


@dataclass(slots=True)
class Reply:
    """An `AgentText` to be."""

    text: str
    at: datetime | None


@dataclass(slots=True)
class Call:
    """An `Action` to be."""

    kind: Kind
    tool: str
    command: str
    files: tuple[str, ...]
    text: str
    at: datetime | None
    outcome: Outcome = Outcome.UNKNOWN
    exit_code: int | None = None


@dataclass(slots=True)
class Draft:
    """Collects one session. `record_id` is the client's id of the record an event came from. `redactor` takes
    the secrets out of what was said and run."""

    cwd: str | None = None
    git_root: str | None = None
    branch: str | None = None
    version: str = ""
    events: list[Turn | Reply | Call | Interruption] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_kept_out: bool = False
    _skills: dict[str, None] = field(default_factory=dict)
    _calls: dict[str, int] = field(default_factory=dict)
    _first_at: datetime | None = None
    _last_at: datetime | None = None
    # what holds a text that is still to be redacted, and how long it may be
    _waiting: list[tuple[Turn | Reply | Call, str, int]] = field(default_factory=list)
    _waiting_chars: int = 0
    redactor: Redactor = redact_all

    def seen_at(self, at: datetime | None) -> None:
        """A record of this session carries this time."""
        if at is not None:
            if self._first_at is None or at < self._first_at:
                self._first_at = at
            if self._last_at is None or at > self._last_at:
                self._last_at = at

    def say(self, text: str, via: Via, at: datetime | None, record_id: str = "") -> bool:
        """The person said this. False when nothing is left of it."""
        # (looked for in all of it: what is kept may be shorter)
        self.is_kept_out |= via != "choice" and asks_out(text)
        text = self._within(text, MAX_TURN_CHARS)
        if not text or text.isspace():
            return False
        self._add(Turn(text, at, via), record_id)
        self._redact_later("text", len(text), MAX_TURN_CHARS)
        return True

    def reply(self, text: str, at: datetime | None, record_id: str = "") -> None:
        """The agent said this."""
        text = self._within(text, MAX_REPLY_CHARS)
        if text and not text.isspace():
            self._add(Reply(text, at), record_id)
            self._redact_later("text", len(text), MAX_REPLY_CHARS)

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
        if call_id:
            if call_id in self._calls:
                return
            self._calls[call_id] = len(self.events)
        self._add(
            Call(
                kind,
                _name(tool),
                self._within(command, MAX_COMMAND_CHARS) if command else "",
                self.paths(files) if files else (),
                self._within(text, MAX_TEXT_CHARS) if text else "",
                at,
            ),
            record_id,
        )
        if command:
            self._redact_later("command", len(command), MAX_COMMAND_CHARS)
        if text:
            self._redact_later("text", len(text), MAX_TEXT_CHARS)

    def paths(self, files: Iterable[str]) -> tuple[str, ...]:
        """Paths redacted and made absolute against the session's folder, each once."""
        found: dict[str, None] = {}
        for name in files:
            if name and len(found) < MAX_FILES:
                found[_clean_path(self.cwd or "", name)] = None
        return tuple(path for path in found if path)

    def has_call(self, call_id: str) -> bool:
        """Whether this call was written."""
        return call_id in self._calls

    def action(self, call_id: str) -> Call | None:
        """The call of this id."""
        place = self._calls.get(call_id)
        if place is None:
            return None
        event = self.events[place]
        return event if isinstance(event, Call) else None

    def last_open_call(self) -> str | None:
        """The latest call whose outcome is not known, among the last few."""
        for call_id, place in islice(reversed(self._calls.items()), 50):
            event = self.events[place]
            if isinstance(event, Call) and event.outcome is Outcome.UNKNOWN:
                return call_id
        return None

    def amend(
        self,
        call_id: str,
        *,
        kind: Kind | None = None,
        tool: str | None = None,
        command: str | None = None,
        files: tuple[str, ...] | None = None,
        text: str | None = None,
    ) -> None:
        """Replace fields of the call, with values that are already clean."""
        action = self.action(call_id)
        if action is not None:
            action.kind = action.kind if kind is None else kind
            action.tool = action.tool if tool is None else tool
            action.command = action.command if command is None else command
            action.files = action.files if files is None else files
            action.text = action.text if text is None else text

    def settle(self, call_id: str, outcome: Outcome, exit_code: int | None = None) -> None:
        """How the call ended. The first known outcome stays; an exit code is added when it was missing."""
        action = self.action(call_id)
        if action is not None:
            if action.outcome is Outcome.UNKNOWN:
                action.outcome = outcome
            if action.exit_code is None:
                action.exit_code = exit_code

    def use_skill(self, name: str) -> None:
        """A skill was used."""
        if name and (name := _name(name).removeprefix("/")):
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
        return any(isinstance(event, Turn) for event in self.events)

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
        self._redact_waiting()
        cwd = None
        if self.cwd:
            cwd = _name(self.cwd) if len(self.cwd) <= MAX_NAME_CHARS else clean(self.cwd, MAX_PATH_CHARS)
        found = Session(
            id=_id(session_id),
            source=source,
            path=known_as(path),
            content_sha=content_sha,
            cwd=cwd,
            project=project_of(cwd, self.git_root),
            branch=_name(self.branch) or None if self.branch else None,
            started_at=self._first_at,
            ended_at=self._last_at,
            driver=driver,
            events=tuple(map(_finished, self.events)),
            skills=tuple(self._skills),
            fork_of=_id(fork_of) if fork_of else None,
            client_version=_name(self.version) if len(self.version) <= 40 else clean(self.version, 40),
            notes=tuple(self.notes),
        )
        return without_words(found) if self.is_kept_out else found

    @staticmethod
    def _within(text: str, limit: int) -> str:
        """Without control characters; a huge text is done with at once, so that it is not held."""
        if len(text) > limit + 2 * _MARGIN_CHARS:
            return clean(text, limit)
        return strip_controls(text)

    def _redact_later(self, name: str, n_chars: int, limit: int) -> None:
        """The field of the last event holds a text to redact, together with others."""
        event = self.events[-1]
        if not isinstance(event, Interruption):
            self._waiting.append((event, name, limit))
            self._waiting_chars += n_chars
            if self._waiting_chars > _MAX_WAITING_CHARS:
                self._redact_waiting()

    def _redact_waiting(self) -> None:
        group: list[tuple[Turn | Reply | Call, str, int]] = []
        texts: list[str] = []
        n_chars = 0
        for one in self._waiting:
            text = getattr(one[0], one[1])
            group.append(one)
            texts.append(text)
            n_chars += len(text)
            if n_chars > _GROUP_CHARS:
                self._redact_group(group, texts)
                group.clear()
                texts.clear()
                n_chars = 0
        self._redact_group(group, texts)
        self._waiting.clear()
        self._waiting_chars = 0

    def _redact_group(self, group: list[tuple[Turn | Reply | Call, str, int]], texts: list[str]) -> None:
        for (event, name, limit), text in zip(group, self.redactor(texts), strict=True):
            setattr(event, name, _clipped(text, limit))

    def _add(self, event: Turn | Reply | Call | Interruption, record_id: str) -> None:
        self.events.append(event)
        self.ids.append(record_id)


def _finished(event: Turn | Reply | Call | Interruption) -> Event:
    if isinstance(event, Reply):
        return AgentText(event.text, event.at)
    if isinstance(event, Call):
        return Action(
            event.kind,
            event.tool,
            event.command,
            event.files,
            event.text,
            event.outcome,
            event.exit_code,
            event.at,
        )
    return UserTurn(event.text, event.at, event.via) if isinstance(event, Turn) else event
