"""What is counted, kept and capped."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from skillopt.core.rollout import Usage
from skillopt.errors import BudgetError, ConfigError, ReplyError
from skillopt.models.ask import ask, find_object
from skillopt.models.metered import Caps, MemoryCalls, Metered, Purse, call_key
from skillopt.models.prices import Price, Prices, builtin_prices
from skillopt.protocols import CallStore, ModelReply, ModelRequest
from skillopt.store.cache import Cache
from skillopt.testing import ScriptedModel

pytestmark = pytest.mark.anyio

PRICES = Prices({"small": Price(1.0, 0.1, 10.0)})
REPLY = ModelReply("yes", Usage(1, 1000, 500, 100, 20))
REQUEST = ModelRequest("reflect", "stage: reflect", "hello")


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> CallStore:
    return MemoryCalls() if request.param == "memory" else Cache(tmp_path / "run" / "cache.sqlite").calls


async def test_an_equal_call_is_paid_once_and_counted(store: CallStore) -> None:
    model = ScriptedModel([REPLY, REPLY])
    metered = Metered(model, "optimizer", purse := Purse(store), PRICES, name="small")
    assert await metered.complete(REQUEST) == await metered.complete(REQUEST) == REPLY
    assert len(model.requests) == 1
    await metered.complete(ModelRequest("reflect", "stage: reflect", "hello", attempt=1))
    assert purse.spend.usage == Usage(2, 2000, 1000, 200, 40)
    assert purse.spend.usd == pytest.approx(2 * (500 * 1.0 + 500 * 0.1 + 100 * 10.0) / 1e6)
    assert Purse(store).spend == purse.spend


async def test_equal_calls_under_way_share_one(store: CallStore) -> None:
    class Slow(ScriptedModel):
        async def complete(self, request: ModelRequest) -> ModelReply:
            await anyio.sleep(0.02)
            return await super().complete(request)

    model = Slow([REPLY])
    metered = Metered(model, "target", Purse(store), PRICES)
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(metered.complete, REQUEST)
    assert len(model.requests) == 1


@pytest.mark.parametrize("caps", [Caps(calls=2), Caps(tokens=2200), Caps(usd=0.003)], ids=str)
async def test_a_cap_stops_before_the_next_call_and_lets_kept_ones_through(
    caps: Caps, store: CallStore
) -> None:
    model = ScriptedModel([REPLY] * 9)
    metered = Metered(model, "target", Purse(store, caps), PRICES, name="small")
    for number in range(2):
        await metered.complete(ModelRequest("target", "", str(number)))
    with pytest.raises(BudgetError):
        await metered.complete(ModelRequest("target", "", "2"))
    assert (await metered.complete(ModelRequest("target", "", "1"))).text == "yes"
    assert len(model.requests) == 2


def test_a_cap_in_dollars_cannot_hold_a_model_without_a_price() -> None:
    purse = Purse(MemoryCalls(), Caps(usd=1.0))
    with pytest.raises(ConfigError, match="nameless has no price"):
        Metered(ScriptedModel([]), "target", purse, PRICES, name="nameless")
    Metered(ScriptedModel([]), "target", purse, PRICES, name="small")
    Metered(ScriptedModel([]), "target", Purse(MemoryCalls(), Caps(calls=1)), PRICES, name="nameless")


async def test_a_reply_without_use_is_mended_once_then_forgotten_but_paid(store: CallStore) -> None:
    model = ScriptedModel(["no", "never", '{"a": 1}'])
    metered = Metered(model, "optimizer", purse := Purse(store), PRICES)
    with pytest.raises(ReplyError, match="no JSON object"):
        await ask(metered, REQUEST, lambda data: data)
    assert "could not be used" in model.requests[1].user
    assert await ask(metered, REQUEST, lambda data: data) == {"a": 1}
    assert purse.spend.usage.calls == 3
    assert len(store.calls()) == 3


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"b": [1]}}',
        'Sure:\n```json\n{"a": {"b": [1]}}\n```\nDone.',
        '```\n{"a": {"b": [1]}}\n```',
        '<think>{"x": 0}</think>{"a": {"b": [1]}}',
        'I think {braces} are fine: {"a": {"b": [1]}} or not',
        '\n {"a": {"b": [1]}} trailing',
    ],
)
def test_an_object_is_found_among_words(text: str) -> None:
    assert find_object(ModelReply(text)) == {"a": {"b": [1]}}


@pytest.mark.parametrize("text", ["", "  ", "[1, 2]", "no", '{"a": {"b": [1', "{" * 100_000, "null"])
def test_without_an_object_there_are_words_about_it(text: str) -> None:
    with pytest.raises(ValueError, match="reply"):
        find_object(ModelReply(text, is_cut=True))


def test_prices_are_known_by_family_and_never_guessed() -> None:
    prices = builtin_prices().over({"mine": Price(1, 1, 1)})
    assert prices.of("gpt-4.1-mini-2025-04-14") == prices.of("gpt-4.1-mini")
    assert prices.of("openai/gpt-4o") == prices.of("gpt-4o")
    assert prices.of("mine") == Price(1, 1, 1)
    assert prices.of("somebody-elses-model") is None


def test_a_call_is_another_one_when_anything_of_it_is() -> None:
    """A kept answer that another skill, stage or repeat got would be a score of something never run."""
    others = [
        ModelRequest("target", REQUEST.system, REQUEST.user),
        ModelRequest("reflect", "stage: reflect, with another skill", REQUEST.user),
        ModelRequest("reflect", REQUEST.system, "another task"),
        ModelRequest("reflect", REQUEST.system, REQUEST.user, attempt=1),
    ]
    keys = [call_key("small", "optimizer", request) for request in (REQUEST, *others)]
    keys += [call_key("big", "optimizer", REQUEST), call_key("small", "target", REQUEST)]
    assert len(set(keys)) == len(keys)
    assert call_key("small", "optimizer", REQUEST) == keys[0]
