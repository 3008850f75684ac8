"""A configuration file of somebody else: what of it is ours, and it with and without that."""

from __future__ import annotations

import json
from typing import Any

from skillopt_sleep.install import json_text, toml_text
from skillopt_sleep.install.edit import Edited, Keys
from skillopt_sleep.install.record import OwnedEntry
from skillopt_sleep.install.wiring import Entry, Syntax


def find(text: str, syntax: Syntax, keys: Keys) -> tuple[bool, Any]:
    """Whether something is at `keys`, and what. Raises ValueError for a text that cannot be read."""
    if syntax == "toml":
        return toml_text.value_at(text, keys)
    return json_text.value_at(text, keys, with_comments=syntax == "jsonc")


def holds(text: str, entry: Entry) -> bool:
    """Whether the entry stands there as it is wanted; what somebody added to it does no harm."""
    is_there, value = find(text, entry.syntax, entry.keys)
    if entry.is_item:
        return is_there and isinstance(value, list) and entry.value in value
    return is_there and _is_same(value, entry.value)


def put_in(text: str, entry: Entry) -> Edited:
    """`text` with the entry. Raises ValueError when it cannot be put there and nowhere else."""
    if entry.syntax == "toml":
        edited = toml_text.with_table(text, entry.keys, entry.value)
    else:
        edited = json_text.with_entry(
            text,
            entry.keys,
            entry.value,
            is_item=entry.is_item,
            with_comments=entry.syntax == "jsonc",
        )
    # The text was edited by place: what it means now is the proof that the place was right.
    if _all(edited.text, entry.syntax) != _merged(_all(text, entry.syntax), entry):
        raise ValueError("its form is one that this version cannot add to")
    return edited


def as_line(entry: Entry) -> str:
    """The entry as a person would type it, on one line."""
    if entry.syntax == "toml":
        pairs = ", ".join(f"{key} = {json.dumps(value)}" for key, value in entry.value.items())
        return f"{entry.name} = {{ {pairs} }} (at the top)"
    value = [entry.value] if entry.is_item else entry.value
    for key in reversed(entry.keys):
        value = {key: value}
    return json.dumps(value, ensure_ascii=False)


def is_ours(text: str, owned: OwnedEntry) -> bool:
    """Whether what stands there is still what was put there; what somebody added to it goes with it."""
    is_there, value = find(text, owned.syntax, owned.keys)
    if not is_there or owned.is_item:
        return is_there
    wanted = json.loads(owned.value)
    # A switch that somebody turned is the same switch.
    return _is_same(value, wanted) or not isinstance(wanted, dict)


def take_out(text: str, owned: OwnedEntry) -> str:
    """`text` without the entry, and without what was made to hold it and now is empty.

    Raises ValueError when it cannot be taken out alone.
    """
    left = toml_text.without_table(text, owned.keys) if owned.syntax == "toml" else _json_without(text, owned)
    if _rest(_all(left, owned.syntax), owned) != _rest(_all(text, owned.syntax), owned):
        raise ValueError(f"{'.'.join(owned.keys)} cannot be told from what stands around it")
    return left


def _json_without(text: str, owned: OwnedEntry) -> str:
    value = json.loads(owned.value)
    with_comments = owned.syntax == "jsonc"
    text = json_text.without_entry(
        text, owned.keys, value, is_item=owned.is_item, with_comments=with_comments
    )
    for depth in range(len(owned.keys) - (not owned.is_item), len(owned.keys) - owned.n_made, -1):
        outer = owned.keys[:depth]
        is_there, left = json_text.value_at(text, outer, with_comments=with_comments)
        if not is_there or left:
            break
        text = json_text.without_entry(text, outer, None, is_item=False, with_comments=with_comments)
    return text


def owned(text: str, entry: Entry) -> OwnedEntry:
    """The record of an entry that is about to be put into `text`."""
    depth = len(entry.keys)
    while depth and not find(text, entry.syntax, entry.keys[:depth])[0]:
        depth -= 1
    value = json.dumps(entry.value, sort_keys=True)
    return OwnedEntry(entry.syntax, entry.keys, value, entry.is_item, len(entry.keys) - depth)


def is_blank(text: str, syntax: Syntax) -> bool:
    """Whether a file that was made for our entries holds nothing but their place."""
    return not text.strip() or (syntax != "toml" and "".join(text.split()) == "{}")


def _is_same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(value.get(key) == wanted[key] for key in wanted)
    return bool(value == wanted)


def _rest(values: Any, owned: OwnedEntry, depth: int = 0) -> Any:
    """What a text means apart from the entry and the empty things that hold it."""
    if depth == len(owned.keys):
        if not owned.is_item or not isinstance(values, list):
            return None
        value = json.loads(owned.value)
        return [each for each in values if each != value] or None
    if not isinstance(values, dict):
        return values
    key = owned.keys[depth]
    inner = _rest(values[key], owned, depth + 1) if key in values else None
    others = {name: value for name, value in values.items() if name != key}
    return ({**others, key: inner} if inner is not None else others) or None


def _all(text: str, syntax: Syntax) -> Any:
    is_there, value = find(text, syntax, ())
    return value if is_there else {}


def _merged(values: Any, entry: Entry) -> Any:
    if not entry.keys:
        return entry.value
    outer = values
    *path, last = entry.keys
    for key in path:
        outer = outer.setdefault(key, {})
    outer[last] = [*outer.get(last, []), entry.value] if entry.is_item else entry.value
    return values
