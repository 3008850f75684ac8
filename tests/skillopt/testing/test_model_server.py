"""The model server, seen through the official client of OpenAI: both protocols, whole, streamed, broken."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openai
import pytest
from openai import OpenAI

from skillopt.testing import Answer, Fault, ModelServer, ServerRequest, ToolCall, toy_respond
from skillopt.testing.server import (
    answering,
    mangled,
    rate_limited,
    refusing,
    sometimes,
    window,
)
from skillopt.testing.server.faults import MANGLINGS, Mangling

TOOL = ToolCall("look_up", '{"what": "the price of forty-eight quinces, and of nothing else"}', "call_9")
FULL = Answer(
    "The tea is in aisle 4, beside the coffee, left of the sugar.",
    (TOOL,),
    input_tokens=50,
    cached_tokens=30,
    output_tokens=20,
    reasoning_tokens=8,
)
ASKED: list[Any] = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "where is the tea?"},
]


@pytest.fixture
def clients() -> Iterator[list[OpenAI]]:
    opened: list[OpenAI] = []
    yield opened
    for client in opened:
        client.close()


def connect(server: ModelServer, opened: list[OpenAI], **more: Any) -> OpenAI:
    client = OpenAI(**{"base_url": server.url, "api_key": "k", "max_retries": 0, "timeout": 5.0, **more})
    opened.append(client)
    return client


def chat(client: OpenAI, text: str = "hello", system: str = "") -> Any:
    messages: list[Any] = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    return client.chat.completions.create(model="m", messages=messages)


# --- both protocols


def test_a_chat_completion(clients: list[OpenAI]) -> None:
    with ModelServer(lambda _: FULL) as server:
        reply = connect(server, clients).chat.completions.create(model="m", messages=ASKED)
    message = reply.choices[0].message
    assert message.content == FULL.text
    (call,) = message.tool_calls or ()
    assert call.type == "function"
    assert (call.id, call.function.name, call.function.arguments) == (TOOL.id, TOOL.name, TOOL.arguments)
    assert reply.choices[0].finish_reason == "tool_calls"
    assert reply.usage is not None
    assert reply.usage.prompt_tokens_details is not None
    assert reply.usage.completion_tokens_details is not None
    assert (reply.usage.prompt_tokens, reply.usage.prompt_tokens_details.cached_tokens) == (50, 30)
    assert (reply.usage.completion_tokens, reply.usage.completion_tokens_details.reasoning_tokens) == (20, 8)
    (request,) = server.requests
    assert (request.system, request.user, request.stage) == ("be brief", "where is the tea?", "target")


def test_a_streamed_chat_completion(clients: list[OpenAI]) -> None:
    with ModelServer(lambda _: FULL) as server:
        create = connect(server, clients).chat.completions.create
        asked = {"model": "m", "messages": ASKED, "stream": True}
        chunks = list(create(**asked, stream_options={"include_usage": True}))
        without = list(create(**asked))
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == FULL.text
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    assert [call.function.name for call in calls if call.function.name] == [TOOL.name]
    assert "".join(call.function.arguments or "" for call in calls) == TOOL.arguments
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens == 30
    assert chunks[-2].choices[0].finish_reason == "tool_calls"
    assert all(chunk.usage is None for chunk in without)
    assert len(deltas) > 4


def test_a_response(clients: list[OpenAI]) -> None:
    with ModelServer(lambda _: FULL) as server:
        reply = connect(server, clients).responses.create(model="m", instructions="be brief", input="where?")
    assert reply.output_text == FULL.text
    (call,) = [item for item in reply.output if item.type == "function_call"]
    assert (call.call_id, call.name, call.arguments) == (TOOL.id, TOOL.name, TOOL.arguments)
    assert reply.usage is not None
    assert (reply.usage.input_tokens, reply.usage.input_tokens_details.cached_tokens) == (50, 30)
    assert (reply.usage.output_tokens, reply.usage.output_tokens_details.reasoning_tokens) == (20, 8)
    assert reply.status == "completed"
    (request,) = server.requests
    assert (request.system, request.user) == ("be brief", "where?")


def test_a_streamed_response_is_put_together_by_the_client(clients: list[OpenAI]) -> None:
    with (
        ModelServer(lambda _: FULL) as server,
        connect(server, clients).responses.stream(model="m", input=ASKED) as stream,
    ):
        events = list(stream)
        final = stream.get_final_response()
    assert final.output_text == FULL.text
    texts = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(texts) == FULL.text
    assert len(texts) > 1
    arguments = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert "".join(arguments) == TOOL.arguments
    assert final.usage is not None
    assert final.usage.output_tokens_details.reasoning_tokens == 8
    assert server.requests[0].system == "be brief"


def test_a_response_calls_a_tool_of_a_set_and_searches_for_tools(clients: list[OpenAI]) -> None:
    search = ToolCall("tool_search", '{"query": "the price"}', "call_1")
    with ModelServer(lambda _: Answer("", (search, replace(TOOL, namespace="shop")))) as server:
        create = connect(server, clients).responses.create
        found, called = create(model="m", input="x", tools=[{"type": "tool_search"}]).output
        without = create(model="m", input="x").output
    assert found.type == "tool_search_call"
    assert (found.arguments, found.execution, found.call_id) == ({"query": "the price"}, "client", "call_1")
    assert called.type == "function_call"
    assert (called.name, called.namespace) == (TOOL.name, "shop")
    assert [item.type for item in without] == ["function_call", "function_call"]


def test_a_cut_answer_says_so_in_both(clients: list[OpenAI]) -> None:
    with ModelServer(lambda _: Answer("half of", is_cut=True)) as server:
        client = connect(server, clients)
        assert chat(client).choices[0].finish_reason == "length"
        reply = client.responses.create(model="m", input="x")
    assert reply.status == "incomplete"
    assert reply.incomplete_details is not None
    assert reply.incomplete_details.reason == "max_output_tokens"


# --- faults


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(status=429, headers={"retry-after": "1"}), openai.RateLimitError),
        (Fault(status=500), openai.InternalServerError),
        (Fault(status=503), openai.InternalServerError),
        (Fault(status=401), openai.AuthenticationError),
        (Fault(status=400), openai.BadRequestError),
        (Fault("drop"), openai.APIConnectionError),
        (Fault("half"), openai.APIConnectionError),
        (Fault("hang"), openai.APITimeoutError),
    ],
    ids=str,
)
def test_a_fault_is_what_a_client_expects_of_it(
    fault: Fault, error: type[Exception], clients: list[OpenAI]
) -> None:
    with ModelServer(lambda _: fault) as server, pytest.raises(error):
        chat(connect(server, clients, timeout=0.5))
    (exchange,) = server.exchanges
    assert exchange.reply == fault
    assert not exchange.is_paid
    assert server.n_paid == 0


def test_a_stream_can_break_in_the_middle(clients: list[OpenAI]) -> None:
    with ModelServer(lambda _: Fault("half")) as server:
        stream = connect(server, clients).chat.completions.create(model="m", messages=ASKED, stream=True)
        assert next(stream).object == "chat.completion.chunk"
        with pytest.raises(Exception, match=r"(?i)reset|closed|incomplete|connection|read"):
            list(stream)


def test_a_key_may_become_right_while_the_server_runs(clients: list[OpenAI]) -> None:
    with ModelServer(lambda _: "yes", key="other") as server:
        client = connect(server, clients)
        with pytest.raises(openai.AuthenticationError):
            chat(client)
        server.key = "k"
        assert chat(client).choices[0].message.content == "yes"


def test_an_unknown_path_and_a_body_that_is_none(clients: list[OpenAI]) -> None:
    with ModelServer(lambda _: "yes") as server:
        client = connect(server, clients)
        assert [model.id for model in client.models.list()] == ["toy"]
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model="m", input="x")
        with pytest.raises(openai.BadRequestError):
            client.post("/chat/completions", cast_to=object, content=b"not json")


def test_an_exception_of_the_test_is_a_500_and_is_kept(clients: list[OpenAI]) -> None:
    def respond(request: ServerRequest) -> str:
        raise KeyError(request.user)

    with ModelServer(respond) as server, pytest.raises(openai.InternalServerError, match="KeyError"):
        chat(connect(server, clients), "boom")
    assert [str(error) for error in server.errors] == ["'boom'"]


# --- plans of faults


def request(number: int, text: str = "", *, times: int = 0, stage: str = "reflect") -> ServerRequest:
    body = {"messages": [text or str(number)]}
    return ServerRequest(number, "/v1/chat/completions", body, {}, f"stage: {stage}", text, times)


def test_what_is_drawn_depends_on_the_request_and_not_on_its_turn() -> None:
    respond = rate_limited(lambda _: "yes", share=0.3, after_s=2.5, seed=1)
    replies = [respond(request(i)) for i in range(1000)]
    limited = [reply for reply in replies if isinstance(reply, Fault)]
    assert 240 < len(limited) < 360
    assert {(fault.status, fault.headers["retry-after"]) for fault in limited} == {(429, "2.5")}
    assert [respond(request(i)) for i in reversed(range(1000))] == replies[::-1]
    again = [respond(request(i, times=1)) for i in range(1000)]
    assert again != replies
    other = rate_limited(lambda _: "yes", share=0.3, seed=2)
    assert [isinstance(other(request(i)), Fault) for i in range(1000)] != [
        isinstance(reply, Fault) for reply in replies
    ]


def test_plans_nest() -> None:
    respond = refusing(window(answering(reflect="yes"), 2, 4), lambda r: "bad" in r.user)
    replies = [respond(request(i)) for i in range(5)]
    assert [getattr(reply, "status", reply) for reply in replies] == ["yes", "yes", 503, 503, "yes"]
    refused = respond(request(9, "a bad task"))
    assert isinstance(refused, Fault)
    assert refused.status == 400
    assert isinstance(respond(request(9, stage="judge")), Fault)
    assert sometimes(lambda _: "yes", 0.0, Fault())(request(0)) == "yes"
    assert sometimes(lambda _: "yes", 1.0, Fault())(request(0)) == Fault()


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("malformed", 'edits": []'),
        ("fenced", 'Here is what you asked for:\n\n```json\n{"edits": []}\n```\nI hope it helps.'),
        ("wrong_shape", '{"answer": [1, 2, 3]}'),
        ("empty", ""),
        ("truncated", '{"edit'),
    ],
)
def test_answers_are_spoilt_in_every_way(how: Mangling, text: str) -> None:
    assert how in MANGLINGS
    reply = mangled(lambda _: '{"edits": []}', how=how)(request(0))
    assert isinstance(reply, Answer)
    assert reply.text.removeprefix("{") == text.removeprefix("{")
    assert reply.is_cut == (how == "truncated")
    assert mangled(lambda _: "{}", how=how, stages=("select",))(request(0)) == "{}"
    assert mangled(lambda _: Fault(), how=how)(request(0)) == Fault()


# --- latency and the log


def test_latency_is_drawn_from_a_range_by_a_seed(clients: list[OpenAI]) -> None:
    with ModelServer(lambda _: "yes", latency_s=(0.02, 0.06), seed=3) as server:
        client = connect(server, clients)
        for i in range(4):
            chat(client, str(i))
    took = [exchange.ended_s - exchange.began_s for exchange in server.exchanges]
    assert min(took) >= 0.02
    assert len({round(seconds, 3) for seconds in took}) > 1
    assert str(server.exchanges[0]).startswith("0 target: 20 tokens in 0.0")


def test_a_server_that_closes_waits_for_nobody(clients: list[OpenAI]) -> None:
    began = time.monotonic()
    with ModelServer(lambda _: "yes", latency_s=60) as server, pytest.raises(openai.APITimeoutError):
        chat(connect(server, clients, timeout=0.2))
    assert time.monotonic() - began < 30


# --- the command


def test_the_toy_is_served_by_a_command(clients: list[OpenAI]) -> None:
    command = [sys.executable, "-m", "skillopt.testing.server", "--toy", "--port", "0", "--latency", "0-0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        client = OpenAI(base_url=url, api_key="any", max_retries=0)
        clients.append(client)
        note = "Order: Rosa Keller from Graz wants figs on 4 March 2026.\nGive the name and the date."
        said = chat(client, note, "- Write dates as `DD.MM.YYYY`.").choices[0].message.content
        process.terminate()
    assert said == "Rosa Keller\n04.03.2026"


@pytest.mark.parametrize("options", [["--latency", "fast"], ["--latency", "3-1"], []], ids=str)
def test_the_command_refuses_what_it_does_not_understand(options: list[str]) -> None:
    command = [sys.executable, "-m", "skillopt.testing.server", *(["--toy", *options] if options else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--latency" in done.stderr or "--toy" in done.stderr


def test_a_stage_the_toy_does_not_know_is_refused() -> None:
    reply = toy_respond(request(0, "x", stage="mine"))
    assert isinstance(reply, Fault)
    assert reply.status == 400
