"""The responses protocol: the same promises as with chat completions, in other words on the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from skillopt.agents.chat import ChatAgent
from skillopt.core.gate import Strict
from skillopt.core.rollout import Usage
from skillopt.envs.toy import ToyEnvironment, toy_skill
from skillopt.errors import BackendError, ConfigError
from skillopt.models.line import Line, RetryRules
from skillopt.models.openai import OpenAIModel, Sampling
from skillopt.models.profile import Profile, Wire, builtin_profiles, profiles_from
from skillopt.models.toy import toy_models
from skillopt.protocols import Model, ModelReply, ModelRequest
from skillopt.testing import Answer, Fault, ModelServer, ServerRequest, ToolCall, toy_respond
from skillopt.testing.server import Respond, mangled, rate_limited, sometimes
from skillopt.train.config import TrainConfig
from skillopt.train.model_optimizer import ModelOptimizer, OptimizerSettings
from skillopt.train.trainer import Trainer

pytestmark = pytest.mark.anyio

QUICK = RetryRules(first_wait_s=0.001, longest_wait_s=0.01, patience_s=5.0, attempts=8, opens_after=40)
SHAPE = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def model(server: ModelServer, wire: Wire = "responses", **more: Any) -> OpenAIModel:
    profile = Profile("here", server.url, needs_key=False, wire=wire)
    settings = {"key": "k-secret", "line": Line(QUICK), "timeout_s": 5.0, **more}
    return OpenAIModel(profile, "small", url=server.url, **settings)


async def complete(server: ModelServer, **more: Any) -> ModelReply:
    schema = more.pop("schema", {})
    async with model(server, **more) as one:
        return await one.complete(ModelRequest("reflect", "stage: reflect\nbe brief", "hello", schema))


async def test_what_is_asked_and_what_is_understood() -> None:
    answer = Answer("yes", (ToolCall("f", "{}"),), 50, 30, 9, 4, is_cut=True)
    with ModelServer(lambda _: answer) as server:
        sampling = Sampling(temperature=0.5, max_tokens=100, reasoning_effort="low")
        reply = await complete(server, sampling=sampling, schema=SHAPE)
    assert reply == ModelReply("yes", Usage(1, 50, 30, 9, 4), True)
    (request,) = server.requests
    assert request.path == "/v1/responses"
    assert (request.system, request.user) == ("stage: reflect\nbe brief", "hello")
    assert request.body == {
        "model": "small",
        "instructions": "stage: reflect\nbe brief",
        "input": [{"role": "user", "content": "hello"}],
        "store": False,
        "temperature": 0.5,
        "max_output_tokens": 100,
        "reasoning": {"effort": "low"},
        "text": {"format": {"type": "json_schema", "name": "reflect", "strict": True, "schema": SHAPE}},
    }


async def test_a_shape_is_given_up_where_the_server_has_none() -> None:
    def respond(request: ServerRequest) -> Answer | Fault:
        kind = request.body.get("text", {}).get("format", {}).get("type")
        return Answer("{}") if kind is None else Fault(status=400, message=f"text.format {kind} is unknown")

    with ModelServer(respond) as server:
        assert (await complete(server, schema=SHAPE)).text == "{}"
    kinds = [request.body.get("text", {}).get("format", {}).get("type") for request in server.requests]
    assert kinds == ["json_schema", "json_object", None]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429),
        Fault(status=429, headers={"retry-after": "0.01"}),
        Fault(status=503),
        Fault("drop"),
        Fault("half"),
        Fault("garbage", message="<html>busy</html>"),
        Fault("garbage", message="{}"),
        Fault("garbage", message='{"output": [1]}'),
        Fault("garbage", message='{"status": "failed", "error": {"code": "server_error", "message": "oh"}}'),
        Fault("garbage", message='{"status": "failed", "error": {"code": "rate_limit_exceeded"}}'),
        Fault("garbage", message='{"status": "failed", "output": []}'),
        Fault("garbage", message='{"status": "cancelled", "output": []}'),
        Fault("garbage", message='{"status": "queued", "output": []}'),
        Fault("garbage", message='{"status": "in_progress", "output": []}'),
    ],
    ids=str,
)
async def test_what_may_pass_is_tried_again(fault: Fault) -> None:
    with ModelServer(lambda r: fault if r.number < 2 else "yes") as server:
        assert (await complete(server)).text == "yes"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "fatal", "permanent"),
    [
        (Fault(status=401, message="Incorrect API key provided: k-secret"), True, False),
        (Fault(status=404), True, False),
        (Fault(status=400, message="too long"), False, True),
        (Fault("garbage", message='{"status": "failed", "error": {"code": "invalid_prompt"}}'), False, True),
    ],
    ids=str,
)
async def test_what_cannot_pass_is_asked_once(fault: Fault, fatal: bool, permanent: bool) -> None:
    with ModelServer(lambda _: fault) as server, pytest.raises(BackendError) as raised:
        await complete(server)
    assert (raised.value.is_fatal, raised.value.is_permanent) == (fatal, permanent)
    assert "k-secret" not in str(raised.value)
    assert len(server.requests) == 1


async def test_an_answer_without_words_is_empty_and_not_an_outage() -> None:
    with ModelServer(lambda _: Answer("", reasoning_tokens=5)) as server:
        reply = await complete(server)
    assert (reply.text, reply.usage.reasoning_tokens) == ("", 5)


def test_a_seed_is_refused_where_the_protocol_has_none() -> None:
    with ModelServer(lambda _: "") as server, pytest.raises(ConfigError, match="cannot be given a seed"):
        model(server, sampling=Sampling(seed=1))


def test_the_wire_is_part_of_a_profile_and_of_the_identity() -> None:
    assert {profile.wire for profile in builtin_profiles().values()} == {"chat"}
    mine = profiles_from({"mine": {"url": "http://127.0.0.1/v1", "wire": "responses"}}, "x")["mine"]
    assert mine.wire == "responses"
    with pytest.raises(ConfigError, match="wire must be one of chat, responses"):
        profiles_from({"mine": {"url": "http://127.0.0.1/v1", "wire": "telex"}}, "x")
    with ModelServer(lambda _: "") as server:
        assert model(server).identity != model(server, "chat").identity


# --- a whole run


async def trained(target: Model, optimizer: Model) -> str:
    learner = ModelOptimizer(optimizer, OptimizerSettings(minibatch_size=4))
    trainer = Trainer(
        ToyEnvironment(),
        ChatAgent(target),
        learner,
        Strict(),
        skill=toy_skill(),
        config=TrainConfig(epochs=2, batch_size=8),
        epoch_optimizer=learner,
    )
    result = await trainer.fit()
    (best,) = await trainer.test(result, result.best)
    scores = [attempt.decision.candidate for step in result.history for attempt in step.attempts]
    return json.dumps([result.best.text, scores, best.mean])


def trouble() -> Respond:
    """A third of the requests limited, some connections lost, some replies of the optimizer in a fence."""
    respond = mangled(toy_respond, 0.5, how="fenced", stages=("reflect", "aggregate", "select"))
    return rate_limited(sometimes(respond, 0.1, Fault("drop"), seed=1), share=0.3, seed=2)


@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize("with_trouble", [False, True])
async def test_a_run_over_the_wire_ends_as_one_in_the_process(wire: Wire, with_trouble: bool) -> None:
    expected = await trained(*toy_models())
    with ModelServer(trouble() if with_trouble else toy_respond) as server:
        async with model(server, wire) as one:
            assert await trained(one, one) == expected
    assert json.loads(expected)[-1] == 1.0
    assert server.errors == []
    assert (server.n_paid == len(server.requests)) is not with_trouble
