"""Asking a model for an object of a given shape: found in what it said, read, and mended once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from skillopt.core.task import Json
from skillopt.core.text import storable
from skillopt.errors import ReplyError
from skillopt.protocols import Model, ModelReply, ModelRequest

T = TypeVar("T")

_FENCED = re.compile(r"```(?:json|JSON)?[ \t]*\r?\n(.*?)\r?\n?[ \t]*```", re.DOTALL)
_THOUGHT = re.compile(r"\A(?:\s*<think>.*?</think>)+\s*", re.DOTALL)
_REPAIRS = 1
_SHOWN = 2_000


async def ask(model: Model, request: ModelRequest, read: Callable[[Json], T]) -> T:
    """What `read` makes of the object the model answered with.

    `read` raises ValueError, in words a model can act on, when the object will not do; then the model is
    asked once more, told what was wrong. Raises ReplyError when that did not help, and what `complete` does.
    """
    asked = request
    tried = []
    for repair in range(_REPAIRS + 1):
        reply = await model.complete(asked)
        tried.append(asked)
        try:
            return read(find_object(reply))
        except (ValueError, KeyError, TypeError) as error:
            wrong = str(error) or type(error).__name__
        asked = replace(
            request, user=_again(request.user, reply.text, wrong), attempt=request.attempt + repair + 1
        )
    for each in tried:
        model.forget(each)
    raise ReplyError(
        f"the reply to {request.stage} cannot be used",
        why=wrong,
        next="run the same command again: the model is asked anew, and what was answered is not paid again",
    )


def find_object(reply: ModelReply) -> dict[str, Json]:
    """The JSON object in a reply: alone, fenced, or among other words. Raises ValueError for none."""
    text = without_thought(reply.text).strip()
    if not text:
        raise ValueError("the reply was empty")
    for candidate in (text, *_FENCED.findall(text)):
        if (found := _parsed(candidate)) is not None:
            return found
    decoder = json.JSONDecoder()
    for brace in re.finditer(r"\{", text):
        try:
            found, _ = decoder.raw_decode(text, brace.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return {storable(key): _storable(each) for key, each in found.items()}
        break
    if reply.is_cut:
        raise ValueError("the reply was cut off before its JSON object ended; answer shorter")
    raise ValueError("the reply holds no JSON object")


def without_thought(text: str) -> str:
    """`text` without what a reasoning model thinks aloud before it answers."""
    return _THOUGHT.sub("", text)


def _parsed(text: str) -> dict[str, Json] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _storable(found) if isinstance(found, dict) else None


def _storable(value: Any) -> Any:
    """A JSON value without half characters, which its escapes may spell in a text that has none."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): _storable(each) for key, each in value.items()}
    return [_storable(each) for each in value] if isinstance(value, list) else value


def _again(user: str, said: str, wrong: str) -> str:
    shown = said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"
    return (
        f"{user}\n\nYour last reply could not be used: {wrong}\nIt was:\n{shown}\n\n"
        "Answer again, with one JSON object of the shape asked for and nothing else."
    )
