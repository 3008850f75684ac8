"""What goes over the wire, whichever protocol: a request as understood, and what to reply."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from skillopt.core.task import Json


@dataclass(frozen=True, slots=True)
class ServerRequest:
    """A request as the server understood it.

    `number` counts all requests from 0 in the order of arrival; `times` says how often the very same body
    came before. `system` holds the standing instructions, `user` the last message of the user.
    """

    number: int
    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    system: str
    user: str
    times: int = 0

    @property
    def stage(self) -> str:
        """What the call is for: the first line of the system prompt names it, else it is the target's."""
        first = self.system.split("\n", 1)[0]
        return first.removeprefix("stage: ").strip() if first.startswith("stage: ") else "target"

    @property
    def is_stream(self) -> bool:
        """Whether the client wants events."""
        return bool(self.body.get("stream"))

    def drawn(self, seed: int, what: str = "") -> float:
        """A number in [0, 1) that depends on the seed, on the body and on how often it came before, never on
        when it came: with any number of clients the same requests draw the same."""
        text = json.dumps([seed, what, self.path, self.times, self.body], sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model wants made; `arguments` is JSON text.

    `namespace` is of responses alone: the set of tools, such as those of one server, that the name is in.
    """

    name: str
    arguments: str
    id: str = "call_1"
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says, after `latency_s` more seconds.

    `cached_tokens` are part of `input_tokens`, `reasoning_tokens` of `output_tokens`; `is_cut` when it ran
    into a limit of tokens.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    input_tokens: int = 100
    cached_tokens: int = 0
    output_tokens: int = 20
    reasoning_tokens: int = 0
    is_cut: bool = False
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong instead: a `status` with a body, a `drop` of the connection before an answer or, with
    `half`, in the middle of it, a `hang` until the server closes, or a `garbage` body with status 200."""

    kind: Literal["status", "drop", "half", "hang", "garbage"] = "status"
    status: int = 500
    message: str = "something broke"
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


Reply: TypeAlias = "str | Answer | Fault"
Respond: TypeAlias = Callable[[ServerRequest], Reply]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, what it was answered with, and when in seconds of the server's clock."""

    request: ServerRequest
    reply: Answer | Fault
    began_s: float
    ended_s: float

    @property
    def is_paid(self) -> bool:
        """Whether a provider would charge for it."""
        return isinstance(self.reply, Answer)

    def __str__(self) -> str:
        reply = self.reply
        said = f"{reply.output_tokens} tokens" if isinstance(reply, Answer) else reply.kind
        status = f" {reply.status}" if isinstance(reply, Fault) and reply.kind == "status" else ""
        seconds = self.ended_s - self.began_s
        return f"{self.request.number} {self.request.stage}: {said}{status} in {seconds:.3f} s"


def texts_of(body: Mapping[str, Any]) -> tuple[str, str]:
    """The system and the last user text of a body, whichever protocol."""
    messages = body.get("messages") or body.get("input") or []
    if isinstance(messages, str):
        return str(body.get("instructions") or ""), messages
    standing = _content(body.get("system")) or str(body.get("instructions") or "")
    systems = [standing] if standing else []
    users = []
    for message in messages if isinstance(messages, Sequence) else ():
        if isinstance(message, Mapping):
            text = _content(message.get("content"))
            if message.get("role") in ("system", "developer"):
                systems.append(text)
            elif message.get("role") == "user":
                users.append(text)
    return "\n".join(systems), users[-1] if users else ""


def _content(value: Json) -> str:
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))
