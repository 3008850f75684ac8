"""A session: what one transcript says a person asked and an agent did, in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias


class Driver(StrEnum):
    """Who drove a session; only `human` sessions are mined. Of one that is `kept_out` no word is known: it
    waits to be forgotten."""

    HUMAN = "human"
    HEADLESS = "headless"
    SUBAGENT = "subagent"
    FORK = "fork"
    OWN = "own"
    KEPT_OUT = "kept_out"


class Outcome(StrEnum):
    """How a tool call ended, as far as the transcript says."""

    OK = "ok"
    FAILED = "failed"
    REJECTED = "rejected"
    INTERRUPTED = "interrupted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class UserTurn:
    """Words the person typed. `via` says where: a prompt, queued while the agent worked, the comment of a
    rejection, an answer to a question, or the arguments of a slash command. A `choice` is an answer the agent
    had worded and the person picked: theirs to decide, not theirs in words."""

    text: str
    at: datetime | None = None
    via: Literal["prompt", "queued", "rejection", "answer", "choice", "command"] = "prompt"


@dataclass(frozen=True, slots=True)
class AgentText:
    """Visible words of the agent."""

    text: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """One tool call of the agent.

    `kind`: `command` (shell text in `command`), `edit` (paths in `files`, new text in `text`), `read`
    (looking: reading, listing, searching with the client's own tools), `other`. `text` is clipped.
    """

    kind: Literal["command", "edit", "read", "other"]
    tool: str
    command: str = ""
    files: tuple[str, ...] = ()
    text: str = ""
    outcome: Outcome = Outcome.UNKNOWN
    exit_code: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Interruption:
    """The person stopped the agent without (yet) saying why."""

    at: datetime | None = None


Event: TypeAlias = UserTurn | AgentText | Action | Interruption


@dataclass(frozen=True, slots=True)
class Session:
    """One transcript, parsed and redacted.

    `id` is the client's own. `cwd` is the folder recorded first, `project` the git root it belongs to (the
    folder itself outside git, None when none is recorded). Times are aware UTC. `skills` are the names of
    the skills used. `fork_of` names the session this one copies.
    """

    id: str
    source: str
    path: str
    content_sha: str
    cwd: str | None
    project: str | None
    branch: str | None
    started_at: datetime | None
    ended_at: datetime | None
    driver: Driver
    events: tuple[Event, ...] = ()
    skills: tuple[str, ...] = ()
    fork_of: str | None = None
    client_version: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def user_turns(self) -> tuple[UserTurn, ...]:
        """The person's own words, in order."""
        return tuple(event for event in self.events if isinstance(event, UserTurn))

    @property
    def actions(self) -> tuple[Action, ...]:
        """The agent's tool calls, in order."""
        return tuple(event for event in self.events if isinstance(event, Action))
