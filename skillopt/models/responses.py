"""The responses protocol: the body of a request, and what its reply says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from skillopt.core.task import plain_json
from skillopt.errors import BackendError
from skillopt.models.line import TryAgainError
from skillopt.models.profile import Structured
from skillopt.models.usage import usage_from
from skillopt.protocols import ModelReply, ModelRequest

if TYPE_CHECKING:
    from skillopt.models.openai import Sampling

_TRY_AGAIN = ("server_error", "rate_limit_exceeded", "vector_store_timeout")
_NOT_DONE = ("cancelled", "queued", "in_progress")
_MAX_SHOWN = 120
_MAX_REASON = 300


def responses_body(
    model: str, request: ModelRequest, sampling: Sampling, structured: Structured
) -> dict[str, Any]:
    """A request that the provider need not keep. The protocol has no seed."""
    body: dict[str, Any] = {
        "model": model,
        "input": [{"role": "user", "content": request.user}],
        "store": False,
    }
    if request.system:
        body["instructions"] = request.system
    if sampling.temperature is not None:
        body["temperature"] = sampling.temperature
    if sampling.max_tokens is not None:
        body["max_output_tokens"] = sampling.max_tokens
    if sampling.reasoning_effort is not None:
        body["reasoning"] = {"effort": sampling.reasoning_effort}
    if request.schema and structured == "json_schema":
        shape = {"name": request.stage, "schema": plain_json(request.schema), "strict": True}
        body["text"] = {"format": {"type": "json_schema", **shape}}
    elif request.schema and structured == "json_object":
        body["text"] = {"format": {"type": "json_object"}}
    return body


def responses_reply(content: bytes) -> ModelReply:
    """The text of a response. Raises TryAgainError when it failed for now or the body is no
    response at all, BackendError when it would fail again."""
    try:
        data = json.loads(content)
        error = data.get("error")
        if data.get("status") == "failed" or (isinstance(error, Mapping) and error):
            raise _failed(error)
        if data.get("status") in _NOT_DONE:
            raise TryAgainError(f"the response is {data['status']}")
        text = "".join(_texts(data["output"]))
        incomplete = data.get("incomplete_details")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise TryAgainError(f"the answer is no response: {content[:_MAX_SHOWN]!r}") from problem
    reason = incomplete.get("reason") if isinstance(incomplete, Mapping) else None
    return ModelReply(text, usage_from(data.get("usage")), reason == "max_output_tokens")


def _texts(output: list[Any]) -> Iterator[str]:
    """The words of the messages; reasoning and calls of tools are none."""
    for item in output:
        if item.get("type") == "message":
            for part in item.get("content") or ():
                text = part.get("text")
                if part.get("type") == "output_text" and isinstance(text, str):
                    yield text


def _failed(error: object) -> TryAgainError | BackendError:
    said: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
    code, message = str(said.get("code") or "server_error"), str(said.get("message") or "no reason given")
    reason = " ".join(f"{code}: {message}".split())[:_MAX_REASON]
    if code in _TRY_AGAIN:
        return TryAgainError(reason, is_limit=code == "rate_limit_exceeded")
    return BackendError("the provider could not do a request", why=reason, is_permanent=True)
