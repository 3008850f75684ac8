"""A model that answers from a script, for code that asks one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from skillopt.errors import BackendError
from skillopt.protocols import ModelReply, ModelRequest


class ScriptedModel:
    """Answers with `script`: a list taken in order, or a function of the request; an error there is raised.

    What was asked is in `requests`. A list that has run out is an AssertionError: unseen input fails.
    """

    def __init__(
        self,
        script: Sequence[str | ModelReply | BackendError] | Callable[[ModelRequest], str | ModelReply],
        *,
        identity: str = "scripted/1",
    ) -> None:
        self.identity = identity
        self.requests: list[ModelRequest] = []
        self.forgotten: list[ModelRequest] = []
        self._script = script

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The next answer. Raises the BackendError that stands in its place."""
        place = len(self.requests)
        self.requests.append(request)
        if callable(self._script):
            answer: str | ModelReply | BackendError = self._script(request)
        elif place < len(self._script):
            answer = self._script[place]
        else:
            raise AssertionError(f"the script has no answer {place}, asked for {request.stage}")
        if isinstance(answer, BackendError):
            raise answer
        return ModelReply(answer) if isinstance(answer, str) else answer

    def forget(self, request: ModelRequest) -> None:
        """Noted in `forgotten`."""
        self.forgotten.append(request)
