"""A table put at the end of a TOML text, or taken out, with every other character as it was."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from skillopt_sleep.install.edit import Edited, Insertion, Keys

_HEADER = re.compile(r"[ \t]*\[\[?(?P<name>[^\[\]]+)\]\]?[ \t]*(?:#.*)?")
_KEY_PART = re.compile(
    r"[ \t]*(?:\"(?P<quoted>[^\"\\]*)\"|'(?P<plain>[^']*)'|(?P<bare>[A-Za-z0-9_-]+))[ \t]*"
)


def value_at(text: str, keys: Keys) -> tuple[bool, Any]:
    """Whether something is at `keys`, and what. Raises ValueError when the text is not TOML, or no table is
    on the way there."""
    value: Any = _loads(text)
    for depth, key in enumerate(keys):
        if not isinstance(value, dict):
            raise ValueError(f"{'.'.join(keys[:depth])} is not a table")
        if key not in value:
            return False, None
        value = value[key]
    return True, value


def with_table(text: str, keys: Keys, values: Mapping[str, Any]) -> Edited:
    """`text` with the table `keys`, of texts and lists of texts, at its end.

    Raises ValueError when the text cannot take a table there: it closes the one above (`a = {}`), say.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    # What a basic string of TOML escapes, JSON escapes alike.
    lines = [f"[{'.'.join(keys)}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    before = "" if not text else newline if text.endswith("\n") else newline * 2
    made = Edited.of(text, [Insertion(len(text), before + "".join(line + newline for line in lines))])
    _loads(made.text)
    return made


def without_table(text: str, keys: Keys) -> str:
    """`text` without the table `keys` and those below it. Raises ValueError when the table is not written
    under a header of its own."""
    if not value_at(text, keys)[0]:
        return text
    kept: list[str] = []
    held: list[str] = []
    is_ours = False
    for line in text.splitlines(keepends=True):
        names = _names(line)
        if names is not None:
            was_ours, is_ours = is_ours, names[: len(keys)] == keys
            if is_ours and not was_ours and kept and not kept[-1].strip():
                kept.pop()  # the blank line before it
            if was_ours and not is_ours:
                kept += held  # what stands before a header belongs to that
            held = []
        if not is_ours:
            kept.append(line)
        elif names is None and (not line.strip() or line.lstrip().startswith("#")):
            held.append(line)
        else:
            held = []
    left = "".join(kept)
    if value_at(left, keys)[0]:
        raise ValueError(f"{'.'.join(keys)} has no header [{'.'.join(keys)}] of its own")
    return left


def _names(line: str) -> Keys | None:
    """The name in a line that is the header of a table."""
    found = _HEADER.fullmatch(line.rstrip("\r\n"))
    if found is None:
        return None
    names, at, name = [], 0, found["name"]
    while part := _KEY_PART.match(name, at):
        names.append(next(text for text in part.group("quoted", "plain", "bare") if text is not None))
        at = part.end()
        if at == len(name):
            return tuple(names)
        if name[at] != ".":
            return None
        at += 1
    return None


def _loads(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error
