"""The object an append-only log of changes describes, replayed entry by entry, whatever the entries hold.

VS Code writes the whole object (kind 0) and then what changed: kind 1 sets the place a path leads to, kind 2
cuts an array there and appends to it, kind 3 deletes. An entry that does not fit the object changes nothing.
"""

from __future__ import annotations

from typing import TypeGuard

from skillopt_sleep.sources.base import Counts, Record, as_int, count, count_unknown

MAX_BYTES = 64 * 1024**2
"""A longer object is no chat."""

MAX_STEPS = 64
_INITIAL, _SET, _PUSH, _DELETE = range(4)
_NOWHERE = object()


class MutationLog:
    """The state after the entries so far.

    What could not be applied is counted: `before_initial_state`, `bad_mutation` (a path to nowhere, an index
    beyond the end), `unknown_type:kind:N`, `wrong_type`, and once `file_too_large` when the state outgrew
    `max_bytes`; after that only a new kind 0 is taken.
    """

    def __init__(self, counts: Counts, max_bytes: int = MAX_BYTES) -> None:
        self.state: Record | None = None
        self._counts = counts
        self._max_bytes = max_bytes
        self._n_added = 0
        self._is_full = False

    def apply(self, entry: Record, n_bytes: int) -> None:
        """Use one entry; `n_bytes` is about the length of its line."""
        kind = as_int(entry.get("kind"))
        if kind is None:
            count(self._counts, "wrong_type")
        elif kind == _INITIAL:
            self._begin(entry.get("v"), n_bytes)
        elif kind not in (_SET, _PUSH, _DELETE):
            count_unknown(self._counts, f"kind:{kind}")
        elif self.state is None:
            count(self._counts, "before_initial_state")
        elif not self._is_full:
            if not _change(self.state, kind, entry):
                count(self._counts, "bad_mutation")
            self._weigh(self.state, n_bytes)

    def _begin(self, state: object, n_bytes: int) -> None:
        if not isinstance(state, dict):
            count(self._counts, "wrong_type")
            return
        self.state = state
        self._n_added = n_bytes
        self._is_full = False

    def _weigh(self, state: Record, n_bytes: int) -> None:
        """Entries replace what others brought, so the state itself is measured, but only now and then."""
        self._n_added += n_bytes
        if self._n_added > self._max_bytes:
            self._n_added = 0
            if size_of(state) > self._max_bytes:
                self._is_full = True
                count(self._counts, "file_too_large")


def size_of(value: object) -> int:
    """About how many bytes the value is in a file."""
    total = 0
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            total += sum(map(len, one)) + 4 * len(one)
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
        total += len(one) + 2 if isinstance(one, str) else 4
    return total


def _change(state: Record, kind: int, entry: Record) -> bool:
    """Apply one change; False, and nothing changed, when it does not fit."""
    path = entry.get("k")
    if not isinstance(path, list) or not 0 < len(path) <= MAX_STEPS:
        return False
    place: object = state
    for step in path[:-1]:
        place = _at(place, step)
        if place is _NOWHERE:
            return False
    if kind == _PUSH:
        return _push(place, path[-1], entry)
    # a value that is not there is `undefined`, which a file cannot hold
    return _put(place, path[-1], entry.get("v", _NOWHERE) if kind == _SET else _NOWHERE)


def _at(place: object, step: object) -> object:
    if isinstance(place, dict) and isinstance(step, str):
        return place.get(step, _NOWHERE)
    if isinstance(place, list) and _is_index(step, len(place)):
        return place[step]
    return _NOWHERE


def _is_index(step: object, end: int) -> TypeGuard[int]:
    return isinstance(step, int) and not isinstance(step, bool) and 0 <= step < end


def _put(place: object, step: object, value: object) -> bool:
    if isinstance(place, dict) and isinstance(step, str):
        if value is _NOWHERE:
            place.pop(step, None)
        else:
            place[step] = value
        return True
    if isinstance(place, list) and _is_index(step, len(place) + 1):
        value = None if value is _NOWHERE else value
        place[step : step + 1] = [value]
        return True
    return False


def _push(place: object, step: object, entry: Record) -> bool:
    now = _at(place, step)
    now = [] if now is _NOWHERE or now is None else now
    new, end = entry.get("v"), entry.get("i")
    new = [] if new is None else new
    if not isinstance(now, list) or not isinstance(new, list):
        return False
    if end is not None:
        if not _is_index(end, len(now) + 1):
            return False
        del now[end:]
    now.extend(new)
    return _put(place, step, now)
