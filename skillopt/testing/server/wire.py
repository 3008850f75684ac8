"""An answer in the shape of the protocol that was asked in, whole or as server-sent events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from skillopt.testing.server.exchange import Answer, Fault, ServerRequest, ToolCall
from skillopt.testing.server.messages import PIECE_CHARS, message, message_events, message_failure

CHAT, RESPONSES, MESSAGES = PATHS = ("/chat/completions", "/responses", "/messages")


def whole(request: ServerRequest, answer: Answer) -> dict[str, Any]:
    """The body of a reply that is not streamed."""
    if request.path.endswith(MESSAGES):
        return message(request, answer)
    if request.path.endswith(RESPONSES):
        return _response(request, answer)
    return _completion(request, answer)


def events(request: ServerRequest, answer: Answer) -> Iterator[bytes]:
    """The events of a streamed reply, ready to send."""
    if request.path.endswith(MESSAGES):
        for event in message_events(request, answer):
            yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
    elif request.path.endswith(RESPONSES):
        for number, data in enumerate(_response_events(_response(request, answer), answer)):
            numbered = {"sequence_number": number, **data}
            yield f"event: {data['type']}\ndata: {json.dumps(numbered)}\n\n".encode()
    else:
        for data in _chunks(_completion(request, answer), request.body, answer):
            yield f"data: {json.dumps(data)}\n\n".encode()
        yield b"data: [DONE]\n\n"


def failure(path: str, fault: Fault) -> dict[str, Any]:
    """The body of a reply that is an error."""
    if path.endswith(MESSAGES):
        return message_failure(fault)
    kind = "invalid_request_error" if fault.status < 500 else "server_error"
    return {"error": {"message": fault.message, "type": kind, "code": str(fault.status)}}


# --- chat completions


def _completion(request: ServerRequest, answer: Answer) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.tool_calls:
        said["tool_calls"] = [_tool_call(call) for call in answer.tool_calls]
    elif not answer.text:
        said["content"] = ""
    ending = "length" if answer.is_cut else "tool_calls" if answer.tool_calls else "stop"
    return {
        "id": f"chatcmpl-{request.number}",
        "object": "chat.completion",
        "created": 0,
        "model": request.body.get("model", ""),
        "choices": [{"index": 0, "message": said, "finish_reason": ending, "logprobs": None}],
        "usage": {
            "prompt_tokens": answer.input_tokens,
            "completion_tokens": answer.output_tokens,
            "total_tokens": answer.input_tokens + answer.output_tokens,
            "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
        },
    }


def _tool_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _chunks(
    completion: Mapping[str, Any], body: Mapping[str, Any], answer: Answer
) -> Iterator[dict[str, Any]]:
    head = {key: completion[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}

    def chunk(delta: Mapping[str, Any], ending: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": ending}]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in _pieces(answer.text):
        yield chunk({"content": piece})
    for place, call in enumerate(answer.tool_calls):
        named = _tool_call(call)
        arguments = named["function"].pop("arguments")
        yield chunk({"tool_calls": [{"index": place, **named}]})
        for piece in _pieces(arguments):
            yield chunk({"tool_calls": [{"index": place, "function": {"arguments": piece}}]})
    yield chunk({}, completion["choices"][0]["finish_reason"])
    options = body.get("stream_options")
    if isinstance(options, Mapping) and options.get("include_usage"):
        yield {**head, "choices": [], "usage": completion["usage"]}


# --- responses


def _response(request: ServerRequest, answer: Answer) -> dict[str, Any]:
    body = request.body
    status = "incomplete" if answer.is_cut else "completed"
    output: list[dict[str, Any]] = []
    if answer.reasoning_tokens:
        output.append({"type": "reasoning", "id": "rs_1", "summary": []})
    if answer.text:
        said = {"type": "message", "id": "msg_1", "role": "assistant", "status": status}
        output.append({**said, "content": [_text_part(answer.text)]})
    output += [_call(call, body) for call in answer.tool_calls]
    return {
        "id": f"resp_{request.number}",
        "object": "response",
        "created_at": 0,
        "model": body.get("model", ""),
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if answer.is_cut else None,
        "instructions": body.get("instructions"),
        "metadata": {},
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "usage": {
            "input_tokens": answer.input_tokens,
            "input_tokens_details": {"cached_tokens": answer.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
            "total_tokens": answer.input_tokens + answer.output_tokens,
        },
    }


def _call(call: ToolCall, body: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {tool.get("type") for tool in body.get("tools") or ()}
    head = {"call_id": call.id, "status": "completed"}
    if call.name == "tool_search" and call.name in kinds:
        given = {"arguments": json.loads(call.arguments), "execution": "client"}
        return {"type": "tool_search_call", "id": f"ts_{call.id}", **head, **given}
    within = {"namespace": call.namespace} if call.namespace else {}
    named = {"name": call.name, "arguments": call.arguments, **within}
    return {"type": "function_call", "id": f"fc_{call.id}", **head, **named}


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def _response_events(response: Mapping[str, Any], answer: Answer) -> Iterator[dict[str, Any]]:
    begun = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for place, item in enumerate(response["output"]):
        at = {"output_index": place}
        if item["type"] == "message":
            yield _added({**item, "content": [], "status": "in_progress"}, at)
            yield from _text_events(answer.text, {**at, "item_id": item["id"], "content_index": 0})
        elif item["type"] == "function_call":
            yield _added({**item, "arguments": "", "status": "in_progress"}, at)
            named = {**at, "item_id": item["id"]}
            for piece in _pieces(item["arguments"]):
                yield {"type": "response.function_call_arguments.delta", **named, "delta": piece}
            done = {"name": item["name"], "arguments": item["arguments"]}
            yield {"type": "response.function_call_arguments.done", **named, **done}
        else:
            yield _added(item, at)
        yield {"type": "response.output_item.done", **at, "item": item}
    yield {"type": f"response.{response['status']}", "response": response}


def _added(item: Mapping[str, Any], at: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "response.output_item.added", **at, "item": item}


def _text_events(text: str, at: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "response.content_part.added", **at, "part": _text_part("")}
    for piece in _pieces(text):
        yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": _text_part(text)}


def _pieces(text: str) -> Iterator[str]:
    for at in range(0, len(text), PIECE_CHARS):
        yield text[at : at + PIECE_CHARS]
