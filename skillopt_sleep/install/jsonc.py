"""JSON with comments and trailing commas, read with the place of every value, so that text can be kept."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_TRIVIA = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_LITERAL = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|null")
_DEEPEST = 200


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands: `text[start:end]`.

    `members` are the members of an object or the items of an array (their key is ""), in order; `trailing` is
    where a comma after the last one ends, None without one.
    """

    value: Any
    start: int
    end: int
    members: tuple[Member, ...] = ()
    trailing: int | None = None

    @property
    def is_object(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_array(self) -> bool:
        return isinstance(self.value, list)

    def get(self, key: str) -> Node | None:
        """The value of a member. Raises ValueError when the key is there twice."""
        found = [member.node for member in self.members if member.key == key] if self.is_object else []
        if len(found) > 1:
            raise ValueError(f"the key {key!r} is there twice")
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object, from the quote of its key on, or an item of an array."""

    key: str
    start: int
    node: Node


def parse(text: str, *, with_comments: bool) -> Node:
    """The one value in `text`. Raises ValueError for what is not JSON; comments and trailing commas are only
    taken `with_comments`."""
    start = 1 if text.startswith("\ufeff") else 0
    if not with_comments:
        json.loads(text[start:], parse_constant=_no_constant)
    node = _value(text, past_trivia(text, start), 0)
    end = past_trivia(text, node.end)
    if end != len(text):
        raise _unexpected(text, end)
    return node


def end_of_content(text: str, container: Node) -> int:
    """Where in a container the last thing ends that is not white space: its bracket, a member, a comment."""
    at = container.trailing or (container.members[-1].node.end if container.members else container.start + 1)
    return at + len(text[at : container.end - 1].rstrip(" \t\r\n"))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def past_trivia(text: str, at: int) -> int:
    """The next place from `at` on that is neither white space nor in a comment."""
    found = _TRIVIA.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int, depth: int) -> Node:
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    first = text[at : at + 1]
    if first in ("{", "["):
        return _container(text, at, depth)
    pattern = _STRING if first == '"' else _LITERAL
    found = pattern.match(text, at)
    if found is None:
        raise _unexpected(text, at)
    return Node(json.loads(found[0]), at, found.end())


def _container(text: str, start: int, depth: int) -> Node:
    is_object = text[start] == "{"
    closing = "}" if is_object else "]"
    members: list[Member] = []
    trailing: int | None = None
    at = past_trivia(text, start + 1)
    while text[at : at + 1] != closing:
        if members and trailing is None:
            raise _unexpected(text, at)
        member = _member(text, at, depth) if is_object else Member("", at, _value(text, at, depth + 1))
        members.append(member)
        at = past_trivia(text, member.node.end)
        trailing = None
        if text[at : at + 1] == ",":
            trailing = at + 1
            at = past_trivia(text, trailing)
    value: Any = {m.key: m.node.value for m in members} if is_object else [m.node.value for m in members]
    return Node(value, start, at + 1, tuple(members), trailing)


def _member(text: str, start: int, depth: int) -> Member:
    key = _STRING.match(text, start)
    if key is None:
        raise _unexpected(text, start)
    at = past_trivia(text, key.end())
    if text[at : at + 1] != ":":
        raise _unexpected(text, at)
    return Member(json.loads(key[0]), start, _value(text, past_trivia(text, at + 1), depth + 1))


def _unexpected(text: str, at: int) -> ValueError:
    line = text.count("\n", 0, at) + 1
    found = repr(text[at]) if at < len(text) else "the end"
    return ValueError(f"line {line}: {found} is not expected there")
