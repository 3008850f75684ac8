"""The client against a server on loopback: answers, usage, shapes, faults, and who is asked again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from skillopt.errors import BackendError, ConfigError
from skillopt.models.line import Line, RetryRules
from skillopt.models.openai import OpenAIModel, Sampling
from skillopt.models.profile import Profile
from skillopt.protocols import ModelReply, ModelRequest
from skillopt.testing import Answer, Fault, ModelServer, ServerRequest

pytestmark = pytest.mark.anyio

PROFILE = Profile("here", "http://127.0.0.1:1/v1", key_variable="HERE_KEY")
QUICK = RetryRules(first_wait_s=0.01, longest_wait_s=0.05, patience_s=2.0, attempts=4, opens_after=6)
SHAPE = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def ask(text: str = "hello", **more: Any) -> ModelRequest:
    return ModelRequest("reflect", "stage: reflect\nbe brief", text, **more)


def faulty(*faults: Fault) -> Callable[[ServerRequest], Answer | Fault]:
    """These faults first, then answers."""
    return lambda request: faults[request.number] if request.number < len(faults) else Answer("yes")


def broken_off(choice: dict[str, Any]) -> Fault:
    """A completion with status 200 whose choice says that it came to nothing."""
    message = {"role": "assistant", "content": "so f"}
    return Fault("garbage", message=json.dumps({"choices": [{"index": 0, "message": message, **choice}]}))


async def complete(
    server: ModelServer,
    request: ModelRequest | None = None,
    *,
    key: str = "k",
    timeout_s: float = 5.0,
    url: str = "",
) -> ModelReply:
    model = OpenAIModel(
        PROFILE,
        "small",
        url=url or server.url,
        key=key,
        line=Line(QUICK),
        timeout_s=timeout_s,
        sampling=Sampling(seed=7),
    )
    async with model:
        return await model.complete(request or ask())


async def test_an_answer_and_what_it_used() -> None:
    answer = Answer(
        "yes", input_tokens=50, cached_tokens=30, output_tokens=9, reasoning_tokens=4, is_cut=True
    )
    with ModelServer(lambda _: answer) as server:
        reply = await complete(server)
    assert (reply.text, reply.is_cut) == ("yes", True)
    usage = reply.usage
    assert (usage.calls, usage.input_tokens, usage.cached_tokens) == (1, 50, 30)
    assert (usage.output_tokens, usage.reasoning_tokens) == (9, 4)
    (request,) = server.requests
    assert request.stage == "reflect"
    assert request.user == "hello"
    assert request.body["seed"] == 7
    assert "temperature" not in request.body
    assert request.headers["authorization"] == "Bearer k"


async def test_a_shape_is_asked_for_and_given_up_where_the_server_has_none() -> None:
    def respond(request: ServerRequest) -> Answer | Fault:
        kind = request.body.get("response_format", {}).get("type")
        return Answer("{}") if kind is None else Fault(status=400, message=f"response_format {kind} unknown")

    with ModelServer(respond) as server:
        await complete(server, ask(schema=SHAPE))
    kinds = [request.body.get("response_format", {}).get("type") for request in server.requests]
    assert kinds == ["json_schema", "json_object", None]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429),
        Fault(status=429, headers={"retry-after": "0.05"}),
        Fault(status=429, headers={"retry-after-ms": "30"}),
        Fault(status=500),
        Fault(status=503, headers={"retry-after": "0"}),
        Fault("drop"),
        Fault("half"),
        Fault("garbage", message="<html>busy</html>"),
        Fault("garbage", message="{}"),
        Fault("garbage", message='{"error": {"code": 502, "message": "upstream"}}'),
        broken_off({"finish_reason": "error"}),
        broken_off({"finish_reason": "stop", "error": {"code": 502, "message": "upstream"}}),
        Fault("garbage", headers={"content-encoding": "gzip"}),
        Fault(status=502, headers={"content-encoding": "gzip"}),
    ],
    ids=str,
)
async def test_what_may_pass_is_tried_again(fault: Fault) -> None:
    with ModelServer(faulty(fault, fault)) as server:
        assert (await complete(server)).text == "yes"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "ye"}, {"text": None}, {"type": "text", "text": "s"}], "yes"),
        ([{"type": "text", "text": None}], ""),
        (["yes", {"type": "refusal"}], ""),
        (None, ""),
        ("half \ud83d", "half \ufffd"),
        ("whole \U0001f600", "whole \U0001f600"),
    ],
)  # fmt: skip
async def test_what_a_message_may_hold(content: Any, text: str) -> None:
    body = json.dumps({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]})
    with ModelServer(lambda _: Fault("garbage", message=body)) as server:
        assert (await complete(server)).text == text


async def test_a_hang_ends_by_the_timeout_and_is_tried_again() -> None:
    with ModelServer(faulty(Fault("hang"))) as server:
        assert (await complete(server, timeout_s=0.2)).text == "yes"


@pytest.mark.parametrize(
    ("fault", "fatal", "permanent"),
    [
        (Fault(status=401, message="Incorrect API key provided: k-secret"), True, False),
        (Fault(status=403), True, False),
        (Fault(status=404), True, False),
        (Fault(status=429, message="insufficient_quota"), True, False),
        (Fault(status=400, message="too long"), False, True),
        (Fault(status=422), False, True),
        (broken_off({"error": {"code": 400, "message": "too long for k-secret"}}), False, True),
    ],
    ids=str,
)
async def test_what_cannot_pass_is_asked_once(fault: Fault, fatal: bool, permanent: bool) -> None:
    with ModelServer(lambda _: fault) as server, pytest.raises(BackendError) as raised:
        await complete(server, key="k-secret")
    assert (raised.value.is_fatal, raised.value.is_permanent) == (fatal, permanent)
    assert "k-secret" not in str(raised.value)
    assert len(server.requests) == 1


async def test_a_provider_that_stays_down_is_given_up() -> None:
    down = Fault(status=503, message="over capacity")
    with ModelServer(lambda _: down) as server, pytest.raises(BackendError, match="over capacity") as raised:
        await complete(server)
    assert not raised.value.is_permanent
    assert len(server.requests) == QUICK.attempts


@pytest.mark.parametrize("quoted", ["k-secret", "p%40ssword", "p@ssword", "bWU6cEBzc3dvcmQ="])
@pytest.mark.parametrize("status", [200, 400, 401, 503])
async def test_no_message_quotes_the_key_or_the_password(quoted: str, status: int) -> None:
    def respond(_: ServerRequest) -> Answer | Fault:
        return Fault(status=status, message=f"you sent {quoted} to us")

    with ModelServer(respond) as server, pytest.raises(BackendError) as raised:
        await complete(server, key="k-secret", url=server.url.replace("//", "//me:p%40ssword@"))
    assert quoted not in str(raised.value)


async def test_a_window_of_outage_is_waited_out_by_all_and_asked_about_by_one() -> None:
    """Once many failed in a row the circuit is open: only one call at a time asks whether it is over."""
    waits = RetryRules(first_wait_s=0.02, longest_wait_s=0.1, patience_s=20.0, attempts=40, opens_after=6)

    def respond(request: ServerRequest) -> Answer | Fault:
        return Fault(status=503) if request.number < 20 else Answer("back")

    with ModelServer(respond) as server:
        model = OpenAIModel(PROFILE, "small", url=server.url, key="k", line=Line(waits))
        replies: list[str] = []

        async def one(number: int) -> None:
            replies.append((await model.complete(ask(str(number)))).text)

        async with model, anyio.create_task_group() as group:
            for number in range(16):
                group.start_soon(one, number)
    assert replies == ["back"] * 16
    assert len(server.requests) <= 16 + 20 + 4


async def test_a_retry_after_is_waited_for() -> None:
    times: list[float] = []

    async def sleep(seconds: float) -> None:
        times.append(seconds)
        await anyio.sleep(0)
        clock[0] += seconds

    clock = [0.0]
    line = Line(QUICK, clock=lambda: clock[0], sleep=sleep, draw=lambda: 0.0)
    with ModelServer(faulty(Fault(status=429, headers={"retry-after": "1"}))) as server:
        model = OpenAIModel(PROFILE, "small", url=server.url, key="k", line=line)
        async with model:
            assert (await model.complete(ask())).text == "yes"
    assert times == [pytest.approx(1.0)]


@pytest.mark.parametrize("key", ["one\ntwo-lines-4711", "an-ellipsis\u2026-4711", "a-bell\x07-4711"])
def test_a_key_that_cannot_be_sent_is_refused_unquoted(key: str) -> None:
    with pytest.raises(ConfigError, match="HERE_KEY holds a character") as caught:
        PROFILE.key({"HERE_KEY": key})
    assert "4711" not in str(caught.value)
    assert PROFILE.key({"HERE_KEY": " k-secret\n"}) == "k-secret"
