"""A model that never pays for the same call twice, counts what it spends, and stops at the cap."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import anyio

from skillopt.core.rollout import Usage
from skillopt.core.task import plain_json
from skillopt.errors import BudgetError, ConfigError
from skillopt.models.prices import Prices
from skillopt.protocols import Call, CallStore, Model, ModelReply, ModelRequest, Role


@dataclass(frozen=True, slots=True)
class Caps:
    """The most a run may spend; None is no limit."""

    usd: float | None = None
    tokens: int | None = None
    calls: int | None = None

    def check_price(self, model: str, prices: Prices) -> None:
        """Raises ConfigError when a cap in US dollars could not hold back a model: it has no price."""
        if self.usd is not None and prices.of(model) is None:
            raise ConfigError(
                f"the cap of {self.usd} US dollars cannot hold: the model {model} has no price",
                why="what its calls cost would not be counted",
                next="write its price into a file and name it in model.prices, or cap the run with "
                "train.budget_tokens or train.budget_calls",
            )


@dataclass(frozen=True, slots=True)
class Spend:
    """What was spent: `usd` of the calls that have a price, `unpriced` calls that have none."""

    usage: Usage = field(default_factory=Usage)
    usd: float = 0.0
    unpriced: int = 0

    def plus(self, call: Call) -> Spend:
        """With one more call."""
        return Spend(
            self.usage + call.reply.usage,
            self.usd + (call.usd or 0.0),
            self.unpriced + (call.usd is None),
        )

    @property
    def tokens(self) -> int:
        """Input and output."""
        return self.usage.input_tokens + self.usage.output_tokens


class Purse:
    """What a run has spent, over all its processes, and what it may spend."""

    def __init__(self, store: CallStore, caps: Caps | None = None) -> None:
        self.store = store
        self.caps = caps or Caps()
        self.spend = spent(store.calls())
        self.under_way = 0

    def check(self) -> None:
        """Raises BudgetError when a cap is reached, or would be by one more call beside those under way."""
        caps, spend = self.caps, self.spend
        for name, cap, used in (
            ("US dollars", caps.usd, round(spend.usd, 6)),
            ("tokens", caps.tokens, spend.tokens),
            ("calls", caps.calls, spend.usage.calls + self.under_way),
        ):
            if cap is not None and used >= cap:
                raise BudgetError(
                    f"the cap of {cap} {name} is reached",
                    why=f"{used} {name} were spent",
                    next="raise the cap and run the same command again: it goes on where it stopped",
                )

    def pay(self, key: str, call: Call) -> None:
        """Keeps a call and counts it."""
        self.store.put(key, call)
        self.spend = self.spend.plus(call)


class Metered:
    """`model` in one role, with a purse. Equal requests under way share one call.

    Raises ConfigError when the purse has a cap in US dollars and the model, by `name`, no price.
    """

    def __init__(
        self,
        model: Model,
        role: Role,
        purse: Purse,
        prices: Prices,
        *,
        name: str = "",
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        purse.caps.check_price(name, prices)
        self.model = model
        self.role: Role = role
        self._purse = purse
        self._name = name
        self._price = prices.of(name)
        self._clock = clock
        self._under_way: dict[str, anyio.Event] = {}

    @property
    def identity(self) -> str:
        """That of the model."""
        return self.model.identity

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The kept answer, else a new one. Raises BudgetError before a call when a cap is reached."""
        key = call_key(self.model.identity, self.role, request)
        while True:
            if (known := self._purse.store.get(key)) is not None:
                return known.reply
            if key not in self._under_way:
                break
            await self._under_way[key].wait()
        self._purse.check()
        self._under_way[key] = anyio.Event()
        self._purse.under_way += 1
        try:
            began = self._clock()
            reply = await self.model.complete(request)
            reply = replace(reply, usage=replace(reply.usage, calls=1))
            usd = self._price.usd(reply.usage) if self._price else None
            call = Call(self.role, request.stage, self._name, reply, usd, round(self._clock() - began, 6))
            self._purse.pay(key, call)
        finally:
            self._purse.under_way -= 1
            self._under_way.pop(key).set()
        return reply

    def forget(self, request: ModelRequest) -> None:
        """The answer to this request was of no use; what it cost stays counted."""
        self._purse.store.forget(call_key(self.model.identity, self.role, request))


class MemoryCalls:
    """Calls kept for as long as the process lives. See `skillopt.protocols.CallStore`."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}
        self._forgotten: list[Call] = []

    def get(self, key: str) -> Call | None:
        """The call of this key, None when it was never answered."""
        return self._calls.get(key)

    def put(self, key: str, call: Call) -> None:
        """Keeps a call; the first answer of a key stays."""
        self._calls.setdefault(key, call)

    def forget(self, key: str) -> None:
        """Gives this answer no more; what it cost stays counted."""
        if key in self._calls:
            self._forgotten.append(self._calls.pop(key))

    def calls(self) -> tuple[Call, ...]:
        """Every call, the forgotten ones first."""
        return (*self._forgotten, *self._calls.values())


def spent(calls: Sequence[Call]) -> Spend:
    """What some calls cost together."""
    spend = Spend()
    for call in calls:
        spend = spend.plus(call)
    return spend


def call_key(identity: str, role: Role, request: ModelRequest) -> str:
    """Hex sha256 of all that can change an answer."""
    parts = [
        identity,
        role,
        request.stage,
        request.system,
        request.user,
        plain_json(request.schema),
        request.attempt,
    ]
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
