"""A model server on loopback: chat completions, responses and messages, whole or streamed, with faults."""

from skillopt.testing.server.exchange import Answer, Exchange, Fault, Reply, Respond, ServerRequest, ToolCall
from skillopt.testing.server.faults import (
    answering,
    mangled,
    rate_limited,
    refusing,
    sometimes,
    window,
)
from skillopt.testing.server.http import ModelServer
from skillopt.testing.server.toy import toy_respond

__all__ = [
    "Answer",
    "Exchange",
    "Fault",
    "ModelServer",
    "Reply",
    "Respond",
    "ServerRequest",
    "ToolCall",
    "answering",
    "mangled",
    "rate_limited",
    "refusing",
    "sometimes",
    "toy_respond",
    "window",
]
