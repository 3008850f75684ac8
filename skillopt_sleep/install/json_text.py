"""An entry put into a JSON text, or taken out, with every other character as it was."""

from __future__ import annotations

import json
from typing import Any

from skillopt_sleep.install.edit import Edited, Insertion, Keys
from skillopt_sleep.install.jsonc import Member, Node, end_of_content, parse, past_trivia

_INDENT = "  "


def value_at(text: str, keys: Keys, *, with_comments: bool) -> tuple[bool, Any]:
    """Whether something is at `keys`, and what. Raises ValueError when the text is not an object, or is
    something else on the way there."""
    if not text.strip("\ufeff \t\r\n"):
        return False, None
    node: Node | None = _root(text, with_comments)
    for depth, key in enumerate(keys):
        if node is None:
            return False, None
        if not node.is_object:
            raise ValueError(f"{'.'.join(keys[:depth])} is not an object")
        node = node.get(key)
    return node is not None, node.value if node is not None else None


def with_entry(text: str, keys: Keys, value: Any, *, is_item: bool, with_comments: bool) -> Edited:
    """`text` with `value` at `keys`, where nothing is; with `is_item` as a new last item of the array there.

    An empty text becomes an object. Raises ValueError when that cannot be done.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    if not text.strip("\ufeff \t\r\n"):
        made = json.dumps(_nested(keys, [value] if is_item else value), indent=_INDENT, ensure_ascii=False)
        return Edited.of(text, [Insertion(len(text), made.replace("\n", newline) + newline)])
    node, depth = _root(text, with_comments), 0
    while depth < len(keys):
        if not node.is_object:
            raise ValueError(f"{'.'.join(keys[:depth])} is not an object")
        inner = node.get(keys[depth])
        if inner is None:
            break
        node, depth = inner, depth + 1
    if is_item and depth == len(keys):
        if not node.is_array:
            raise ValueError(f"{'.'.join(keys)} is not a list")
        return Edited.of(text, _added(text, node, "", value, newline))
    if depth == len(keys):
        raise ValueError(f"{'.'.join(keys)} is there already")
    rest = _nested(keys[depth + 1 :], [value] if is_item else value)
    return Edited.of(text, _added(text, node, json.dumps(keys[depth]) + ": ", rest, newline))


def without_entry(text: str, keys: Keys, value: Any, *, is_item: bool, with_comments: bool) -> str:
    """`text` without what is at `keys`; with `is_item` without each item of the array there that is `value`.

    What is not there needs no removing. Objects and arrays left empty stay. Raises ValueError as `value_at`.
    """
    if not text.strip("\ufeff \t\r\n"):
        return text
    while True:
        node: Node | None = _root(text, with_comments)
        for key in keys if is_item else keys[:-1]:
            node = node.get(key) if node is not None and node.is_object else None
        if node is None:
            return text
        number = next((i for i, m in enumerate(node.members) if _is_meant(m, keys, value, is_item)), None)
        if number is None:
            return text
        text = _cut(text, node, number)


def _is_meant(member: Member, keys: Keys, value: Any, is_item: bool) -> bool:
    return bool(member.node.value == value) if is_item else member.key == keys[-1]


def _root(text: str, with_comments: bool) -> Node:
    node = parse(text, with_comments=with_comments)
    if not node.is_object:
        raise ValueError("it is not an object")
    return node


def _nested(keys: Keys, value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


def _added(text: str, container: Node, prefix: str, value: Any, newline: str) -> list[Insertion]:
    """A new last member of a container, in the style of those that are there."""
    outer = _indent_of(text, container.start)
    at = end_of_content(text, container)
    # Where the last one has a comma, the new one gets its own: taking it out then leaves the other.
    comma = "" if container.trailing is None else ","
    is_spread = "\n" in text[container.start : container.end] or not container.members
    if not is_spread:
        made = [Insertion(at, " " + prefix + json.dumps(value, ensure_ascii=False) + comma)]
    else:
        unit = _unit(text)
        inner = _indent_of(text, container.members[-1].start) if container.members else outer + unit
        body = json.dumps(value, indent=unit, ensure_ascii=False).replace("\n", newline + inner)
        # Whatever closes the container on the line of its last member moves to a line of its own.
        is_closed_there = "\n" not in text[at : container.end]
        tail = newline + outer if is_closed_there else ""
        made = [Insertion(at, newline + inner + prefix + body + comma + tail)]
    if container.members and container.trailing is None:
        made.insert(0, Insertion(container.members[-1].node.end, ","))
    return made


def _cut(text: str, container: Node, number: int) -> str:
    member = container.members[number]
    end = member.node.end
    has_comma = number < len(container.members) - 1 or container.trailing is not None
    if has_comma:
        end = past_trivia(text, end) + 1
    text = _closed_up(text[: member.start] + text[end:], member.start)
    if not has_comma and number:
        # Now the member before it is the last: its comma goes, what stands after that (a comment, say) stays.
        comma = past_trivia(text, container.members[number - 1].node.end)
        text = text[:comma] + text[comma + 1 :]
    return text


def _closed_up(text: str, at: int) -> str:
    """`text` without the blank line, or the doubled space, that a cut left at `at`."""
    start = text.rfind("\n", 0, at) + 1
    found = text.find("\n", at)
    end = len(text) if found < 0 else found
    if not text[start:end].strip():
        return text[:start] + text[end + 1 :]
    before = text[:at].rstrip(" \t") if at > start and text[start:at].strip() else text[:at]
    return before + (text[at:].lstrip(" \t") if before == text[:at] else text[at:])


def _indent_of(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    """How this text indents, as its first indented line does."""
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        if indent and line.strip():
            return "\t" if indent[0] == "\t" else indent
    return _INDENT
