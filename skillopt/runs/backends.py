"""From the names in a configuration to models that can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from skillopt.config.schema import BACKENDS_WITHOUT_SERVER, RunConfig
from skillopt.errors import ConfigError
from skillopt.models.line import Line, RetryRules
from skillopt.models.openai import OpenAIModel, Sampling
from skillopt.models.profile import Profile, builtin_profiles, find_profile
from skillopt.protocols import Model, Role


@dataclass(frozen=True, slots=True)
class Backend:
    """Who plays a role: a model's name, and the server it is asked at (no profile: inside this program)."""

    role: Role
    model: str
    sampling: Sampling
    profile: Profile | None = None
    url: str = ""
    key: str | None = None

    def __repr__(self) -> str:
        """Without the key."""
        return f"Backend({self.role}, {self.model}, {self.profile.name if self.profile else 'toy'})"


def backend_of(role: Role, config: RunConfig, env: Mapping[str, str], *, needs_key: bool = True) -> Backend:
    """The backend of a role.

    Raises ConfigError for an unknown profile, a missing model name, address or key.
    """
    model = config.model
    name = {
        "target": model.target_backend,
        "optimizer": model.optimizer_backend,
        "judge": model.judge_backend or model.optimizer_backend,
    }[role]
    asked: str | None = {"target": model.target, "optimizer": model.optimizer, "judge": model.judge}[role]
    sampling = (
        Sampling(model.temperature, model.max_tokens, model.seed, model.reasoning_effort)
        if role == "target"
        else Sampling(
            model.optimizer_temperature, model.optimizer_max_tokens, None, model.optimizer_reasoning_effort
        )
    )
    if name in BACKENDS_WITHOUT_SERVER:
        if role == "judge":
            raise ConfigError(
                f"{name} is no judge",
                why="some tasks have a rubric, and it scores none",
                next="name a profile in model.judge_backend and a model in model.judge",
            )
        return Backend(role, asked or name, sampling)
    known = {**builtin_profiles(), **config.profiles}
    try:
        profile = find_profile(name, known)
    except ConfigError as error:
        raise ConfigError(
            f"model.{role}_backend: {error.what}",
            why=f"{error.why}, {', '.join(BACKENDS_WITHOUT_SERVER)}",
            next=error.next,
        ) from error
    if not asked:
        raise ConfigError(
            f"model.{role} is not set",
            why=f"{name} has many models",
            next=f"name one in the file or with --set model.{role}=NAME",
        )
    key = profile.key(env) if needs_key else None
    return Backend(role, asked, sampling, profile, profile.address(env), key)


class Switchboard:
    """Opens models for the roles of a run. Those on one server share its line: its limits, its outages."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._lines: dict[tuple[str, str | None], Line] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Switchboard:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def open(self, backend: Backend) -> Model:
        """The model of a role, until the switchboard is closed."""
        if backend.profile is None:
            from skillopt.models.toy.model import toy_models

            target, optimizer = toy_models()
            return target if backend.role == "target" else optimizer
        settings = self._config.model
        line = self._lines.setdefault(
            (backend.url, backend.key), Line(RetryRules(patience_s=settings.patience_s))
        )
        model = OpenAIModel(
            backend.profile,
            backend.model,
            url=backend.url,
            key=backend.key,
            sampling=backend.sampling,
            line=line,
            connections=max(self._config.env.workers, self._config.gradient.analyst_workers),
            timeout_s=settings.timeout_s,
        )
        return await self._stack.enter_async_context(model)
