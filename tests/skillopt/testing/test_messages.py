"""The protocol of Anthropic as the model server speaks it, read as its specification says.

That the real client takes it too is seen where the clients are run.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from skillopt.testing import Answer, Fault, ModelServer, ToolCall

TOOL = ToolCall("look_up", '{"what": "the price of forty-eight quinces, and of nothing else"}', "toolu_9")
FULL = Answer(
    "The tea is in aisle 4, beside the coffee, left of the sugar.",
    (TOOL,),
    input_tokens=50,
    cached_tokens=30,
    output_tokens=20,
)
USAGE = {
    "input_tokens": 20,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 30,
    "output_tokens": 20,
}
ASKED = {
    "model": "m",
    "max_tokens": 9,
    "system": [{"type": "text", "text": "be "}, {"type": "text", "text": "brief"}],
    "messages": [{"role": "user", "content": [{"type": "text", "text": "where is the tea?"}]}],
}


def post(server: ModelServer, key: str = "k", **more: Any) -> bytes:
    request = urllib.request.Request(  # noqa: S310
        f"{server.url}/messages?beta=true",
        json.dumps({**ASKED, **more}).encode(),
        {"x-api-key": key, "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310
        found = reply.read()
    assert isinstance(found, bytes)
    return found


def put_together(streamed: bytes) -> dict[str, Any]:
    """The message that a client makes of the events."""
    message: dict[str, Any] = {}
    texts: list[str] = []
    for event in streamed.decode().strip().split("\n\n"):
        name, data = event.split("\n")
        told = json.loads(data.removeprefix("data: "))
        assert name == f"event: {told['type']}"
        match told["type"]:
            case "message_start":
                message = told["message"]
            case "content_block_start":
                assert told["index"] == len(message["content"])
                message["content"].append(told["content_block"])
                texts = []
            case "content_block_delta":
                texts.append(told["delta"].get("text", told["delta"].get("partial_json")))
            case "content_block_stop":
                block = message["content"][told["index"]]
                assert len(texts) > 1
                field = "text" if block["type"] == "text" else "input"
                assert not block[field]
                block[field] = "".join(texts) if field == "text" else json.loads("".join(texts))
            case "message_delta":
                message |= {**told["delta"], "usage": told["usage"]}
            case kind:
                assert kind in ("ping", "message_stop")
    return message


def test_a_message_whole_and_streamed_says_the_same() -> None:
    with ModelServer(lambda _: FULL, key="k") as server:
        whole = json.loads(post(server))
        streamed = put_together(post(server, stream=True))
    assert whole["content"] == [
        {"type": "text", "text": FULL.text},
        {"type": "tool_use", "id": TOOL.id, "name": TOOL.name, "input": json.loads(TOOL.arguments)},
    ]
    assert (whole["role"], whole["model"], whole["stop_reason"]) == ("assistant", "m", "tool_use")
    assert whole["usage"] == USAGE
    assert (whole["id"], streamed.pop("id")) == ("msg_0", "msg_1")
    assert streamed == {key: value for key, value in whole.items() if key != "id"}
    first = server.requests[0]
    assert (first.path, first.system, first.user) == ("/v1/messages", "be brief", "where is the tea?")


@pytest.mark.parametrize(
    ("answer", "ending"), [(Answer("half of", is_cut=True), "max_tokens"), (Answer(""), "end_turn")]
)
def test_a_message_says_how_it_ended(answer: Answer, ending: str) -> None:
    with ModelServer(lambda _: answer) as server:
        assert json.loads(post(server))["stop_reason"] == ending


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (429, "rate_limit_error"),
        (418, "invalid_request_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
    ],
)
def test_a_fault_has_the_shape_of_the_protocol(status: int, kind: str) -> None:
    with (
        ModelServer(lambda _: Fault(status=status, message="no")) as server,
        pytest.raises(urllib.error.HTTPError) as caught,
    ):
        post(server)
    assert caught.value.code == status
    assert json.load(caught.value) == {"type": "error", "error": {"type": kind, "message": "no"}}
    caught.value.close()


def test_the_key_of_the_protocol_is_asked_for() -> None:
    with ModelServer(lambda _: "yes", key="k") as server:
        post(server)
        with pytest.raises(urllib.error.HTTPError) as caught:
            post(server, key="other")
    assert caught.value.code == 401
    caught.value.close()


def test_a_client_may_look_whether_the_server_is_there() -> None:
    with ModelServer(lambda _: "yes") as server:
        request = urllib.request.Request(server.url.removesuffix("v1"), method="HEAD")  # noqa: S310
        with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310
            assert reply.status == 200
    assert server.requests == []
