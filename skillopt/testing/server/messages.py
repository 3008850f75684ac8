"""An answer in the shape of messages, the protocol of Anthropic, whole or as events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from skillopt.testing.server.exchange import Answer, Fault, ServerRequest, ToolCall

PIECE_CHARS = 40

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def message(request: ServerRequest, answer: Answer) -> dict[str, Any]:
    """The body of a reply that is not streamed. Reasoning is counted in the output and not told apart."""
    ending = "max_tokens" if answer.is_cut else "tool_use" if answer.tool_calls else "end_turn"
    content: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.text else []
    content += [_tool_use(call) for call in answer.tool_calls]
    return {
        "id": f"msg_{request.number}",
        "type": "message",
        "role": "assistant",
        "model": request.body.get("model", ""),
        "content": content,
        "stop_reason": ending,
        "stop_sequence": None,
        "usage": {
            "input_tokens": answer.input_tokens - answer.cached_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": answer.cached_tokens,
            "output_tokens": answer.output_tokens,
        },
    }


def message_events(request: ServerRequest, answer: Answer) -> Iterator[Mapping[str, Any]]:
    """The events of a streamed reply; the `type` of each is its name."""
    full = message(request, answer)
    begun = {**full, "content": [], "stop_reason": None, "usage": {**full["usage"], "output_tokens": 1}}
    yield {"type": "message_start", "message": begun}
    yield {"type": "ping"}
    calls = iter(answer.tool_calls)
    for index, block in enumerate(full["content"]):
        if block["type"] == "text":
            started, kind, field, text = {**block, "text": ""}, "text_delta", "text", answer.text
        else:
            started, kind, field = {**block, "input": {}}, "input_json_delta", "partial_json"
            text = next(calls).arguments
        yield {"type": "content_block_start", "index": index, "content_block": started}
        for at in range(0, len(text), PIECE_CHARS):
            delta = {"type": kind, field: text[at : at + PIECE_CHARS]}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": full["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": full["usage"]}
    yield {"type": "message_stop"}


def message_failure(fault: Fault) -> dict[str, Any]:
    """The body of a reply that is an error."""
    kind = _KINDS.get(fault.status, "invalid_request_error" if fault.status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": fault.message}}


def _tool_use(call: ToolCall) -> dict[str, Any]:
    given = json.loads(call.arguments or "{}")
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": given}
