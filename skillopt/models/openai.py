"""OpenAI and every server that speaks the protocol of its chat completions, or of its responses."""

from __future__ import annotations

import base64
import email.utils
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from skillopt.core.task import Json, plain_json
from skillopt.errors import BackendError, ConfigError
from skillopt.models.line import Line, TryAgainError
from skillopt.models.profile import Profile, Structured, Wire
from skillopt.models.responses import responses_body, responses_reply
from skillopt.models.usage import usage_from
from skillopt.protocols import ModelReply, ModelRequest

if TYPE_CHECKING:
    import httpx2

_TRY_AGAIN = frozenset((408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529))
_FATAL = {
    401: "does not accept the key",
    403: "refuses the key this model or address",
    404: "knows no such model",
}
_REFUSED = (400, 413, 422)
_OUT_OF_CREDIT = ("insufficient_quota", "billing_hard_limit_reached")
_LESS_STRUCTURE: dict[Structured, Structured] = {"json_schema": "json_object", "json_object": "none"}
_PATHS: dict[Wire, str] = {"chat": "chat/completions", "responses": "responses"}
_MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class Sampling:
    """What shapes an answer; None leaves it to the provider."""

    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    reasoning_effort: str | None = None

    def fields(self) -> dict[str, Json]:
        """As the protocol names them."""
        named = {
            "temperature": self.temperature,
            "max_completion_tokens": self.max_tokens,
            "seed": self.seed,
            "reasoning_effort": self.reasoning_effort,
        }
        return {name: value for name, value in named.items() if value is not None}


class OpenAIModel:
    """A model behind an address, in the protocol its profile names. Close it with `aclose`, or use it in
    `async with`. Raises ConfigError for a seed where the protocol has none."""

    def __init__(
        self,
        profile: Profile,
        model: str,
        *,
        url: str,
        key: str | None = None,
        sampling: Sampling | None = None,
        line: Line | None = None,
        connections: int = 32,
        timeout_s: float = 120.0,
    ) -> None:
        self.profile = profile
        self.model = model
        self.sampling = sampling or Sampling()
        if profile.wire == "responses" and self.sampling.seed is not None:
            raise ConfigError(
                f"{profile.name} cannot be given a seed",
                why="the responses protocol has none",
                next="leave out model.seed, or use wire: chat in the profile",
            )
        self._url = f"{url}/{_PATHS[profile.wire]}"
        self._key = key
        self._secrets = _secrets_of(url, key)
        self._line = line or Line()
        self._connections = connections
        self._timeout_s = timeout_s
        self._structured: Structured = profile.structured
        self._client: httpx2.AsyncClient | None = None

    @property
    def identity(self) -> str:
        """Profile, model and sampling."""
        sampling = json.dumps(self.sampling.fields(), sort_keys=True)
        wire = "" if self.profile.wire == "chat" else f"-{self.profile.wire}"
        return f"openai{wire}:{self.profile.name}:{self.model}:{sampling}"

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One answer, asked for again while the provider may recover.

        Raises BackendError: fatal for a key or model that is refused, permanent for a request that is.
        """
        return await self._line.call(lambda: self._send(request))

    def forget(self, request: ModelRequest) -> None:
        """Nothing is kept here."""

    async def aclose(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def __aenter__(self) -> OpenAIModel:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _http(self) -> httpx2.AsyncClient:
        if self._client is None:
            import httpx2  # slow to import

            limits = httpx2.Limits(
                max_connections=self._connections, max_keepalive_connections=self._connections
            )
            headers = {"content-type": "application/json"}
            if self._key:
                headers["authorization"] = f"Bearer {self._key}"
            self._client = httpx2.AsyncClient(limits=limits, timeout=self._timeout_s, headers=headers)
        return self._client

    async def _send(self, request: ModelRequest) -> ModelReply:
        import httpx2  # slow to import

        structured = self._structured
        content = json.dumps(self._body(request, structured)).encode()
        try:
            response = await self._http().post(self._url, content=content)
        except httpx2.TimeoutException as error:
            raise TryAgainError(f"no answer within {self._timeout_s:.0f} s") from error
        except httpx2.RequestError as error:  # the line, or a body that is not what its headers say
            raise TryAgainError(self._shown(f"{type(error).__name__}: {error}")) from error
        except (httpx2.InvalidURL, ValueError) as error:
            raise BackendError(
                "the address of the provider cannot be used", why=self._shown(str(error)), is_fatal=True
            ) from error
        if response.status_code == 200:
            is_chat = self.profile.wire == "chat"
            try:
                return _reply(response.content) if is_chat else responses_reply(response.content)
            except TryAgainError as error:
                raise TryAgainError(
                    self._shown(error.reason), after_s=error.after_s, is_limit=error.is_limit
                ) from None
            except BackendError as error:
                error.why = self._shown(error.why)
                raise
        reason = self._shown(_reason(response.content))
        is_shape = response.status_code == 400 and bool(request.schema) and _is_about_shape(reason)
        if is_shape and structured in _LESS_STRUCTURE:
            self._structured = _LESS_STRUCTURE[structured]
            return await self._send(request)
        raise self._failure(response.status_code, reason, response.headers)

    def _shown(self, reason: str) -> str:
        """A reason without what must not be shown; some providers, and proxies before them, quote it."""
        for secret, name in self._secrets.items():
            reason = reason.replace(secret, name)
        return reason[:_MAX_REASON]

    def _body(self, request: ModelRequest, structured: Structured) -> dict[str, Any]:
        if self.profile.wire == "responses":
            return responses_body(self.model, request, self.sampling, structured)
        messages = [{"role": "user", "content": request.user}]
        if request.system:
            messages.insert(0, {"role": "system", "content": request.system})
        body: dict[str, Any] = {"model": self.model, "messages": messages, **self.sampling.fields()}
        if request.schema and structured == "json_schema":
            shape = {"name": request.stage, "schema": plain_json(request.schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        elif request.schema and structured == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    def _failure(self, status: int, reason: str, headers: Mapping[str, str]) -> Exception:
        if status == 429 and any(sign in reason for sign in _OUT_OF_CREDIT):
            return BackendError(
                f"the account at {self.profile.name} has no credit left",
                why=reason,
                next="add credit, then run the same command again",
                is_fatal=True,
            )
        if status in _TRY_AGAIN:
            return TryAgainError(
                f"HTTP {status}: {reason}", after_s=_retry_after(headers), is_limit=status in (429, 529)
            )
        if status in _FATAL:
            variable = self.profile.key_variable or "the key"
            return BackendError(
                f"{self.profile.name} {_FATAL[status]} (HTTP {status})",
                why=f"{reason} (model {self.model})",
                next=f"check {variable} and the name of the model, then run the same command again",
                is_fatal=True,
            )
        return BackendError(f"the provider refused a request: HTTP {status}", why=reason, is_permanent=True)


def _reply(content: bytes) -> ModelReply:
    """The message of a completion. Raises TryAgainError when the provider broke off, or the body is no
    completion at all, BackendError when it would break off again."""
    try:
        data = json.loads(content)
        if data.get("error") and not data.get("choices"):
            raise _broken_off(data["error"])
        choice = data["choices"][0]
        message = choice["message"]
        text = message.get("content")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise TryAgainError(f"the answer is no completion: {content[:120]!r}") from error
    if choice.get("error") or choice.get("finish_reason") == "error":
        raise _broken_off(choice.get("error"))
    if isinstance(text, list):  # some servers answer in parts
        parts = (part.get("text") for part in text if isinstance(part, dict))
        text = "".join(part for part in parts if isinstance(part, str))
    is_cut = choice.get("finish_reason") == "length"
    return ModelReply(text if isinstance(text, str) else "", usage_from(data.get("usage")), is_cut)


def _broken_off(error: object) -> TryAgainError | BackendError:
    """An error told in a body with status 200, as those who pass on what others answer do."""
    code = error.get("code") if isinstance(error, dict) else None
    if code in _REFUSED:
        return BackendError("the provider could not do a request", why=_said(error), is_permanent=True)
    return TryAgainError(f"the answer broke off: {_said(error)}", is_limit=code == 429)


def _reason(content: bytes) -> str:
    """What an error body says, in one line."""
    try:
        return _said(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return _said(content.decode(errors="replace"))


def _said(error: object) -> str:
    """What an error says, in one line."""
    if isinstance(error, dict):
        error = f"{error.get('code') or error.get('type') or ''} {error.get('message', '')}"
    return " ".join(str(error or "").split()) or "no reason given"


def _secrets_of(url: str, key: str | None) -> dict[str, str]:
    """What no message may quote, as it is sent and as it is written, with the words that stand for it."""
    parts = urlsplit(url)
    password = parts.password or ""
    login = f"{unquote(parts.username or '')}:{unquote(password)}"
    secrets = {
        key or "": "[the key]",
        password: "[the password]",
        unquote(password): "[the password]",
        base64.b64encode(login.encode()).decode() if password else "": "[the password]",
    }
    # The longest first: one may hold another. What is shorter than four letters stands in any text.
    return {secret: secrets[secret] for secret in sorted(secrets, key=len, reverse=True) if len(secret) > 3}


def _is_about_shape(reason: str) -> bool:
    return any(
        word in reason
        for word in ("response_format", "text.format", "json_schema", "json_object", "structured output")
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `retry-after-ms` or `retry-after` (seconds or a date), None when neither says."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            return max(0.0, float(value) * scale)
        except ValueError:
            try:
                return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
            except (ValueError, TypeError):
                continue
    return None
