"""What happens in one session, before any client has written it down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Prompt:
    """Words the person typed while the agent was idle."""

    text: str


@dataclass(frozen=True, slots=True)
class Queued:
    """Words the person typed while the agent was working."""

    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """Visible words of the agent."""

    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool call of the agent.

    `target` is the shell command of a `run`, the path of an `edit` or `read`, the pattern of a `search`,
    the address of a `fetch`. `text` is the new text of an edit. `fate` says whether it ran, was refused at
    the permission question (with the person's `words`, where the client has a place for them), or was
    stopped; after `interrupted` the person's words follow as a `Prompt`.
    """

    kind: Literal["run", "edit", "read", "search", "fetch"]
    target: str
    text: str = ""
    output: str = ""
    exit_code: int = 0
    fate: Literal["done", "rejected", "interrupted"] = "done"
    words: str = ""


@dataclass(frozen=True, slots=True)
class Slash:
    """A command of the client itself, typed without arguments, such as `/clear`."""

    name: str


@dataclass(frozen=True, slots=True)
class Compaction:
    """The client replaced the conversation by a summary the model wrote."""

    summary: str


@dataclass(frozen=True, slots=True)
class Subagent:
    """The agent gave `prompt` to a subagent, which ran `tools` and answered `reply`."""

    prompt: str
    reply: str
    tools: tuple[Tool, ...] = ()


Step: TypeAlias = Prompt | Queued | Said | Tool | Slash | Compaction | Subagent


@dataclass(frozen=True, slots=True)
class Script:
    """One session: where and when it ran, and its steps in order.

    `cwd` is an absolute path, `git_root` the repository it lies in (empty: `cwd` itself), `started_at` aware
    UTC. `headless` is a run without a person (`claude -p`,
    `codex exec`). `code_mode` is how newer Codex models call tools and means nothing to other clients.
    """

    session_id: str
    cwd: str
    started_at: datetime
    steps: tuple[Step, ...]
    git_root: str = ""
    branch: str = "main"
    headless: bool = False
    code_mode: bool = False
