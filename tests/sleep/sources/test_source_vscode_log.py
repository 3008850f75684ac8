"""The mutation log: every kind of entry, entries that fit nothing, and replaying is applying by hand."""

from __future__ import annotations

import copy
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillopt_sleep.sources.mutation_log import MAX_STEPS, MutationLog, size_of

RESPONSE = ["requests", 0, "response"]
START = {"requests": [{"id": "a", "response": ["x", "y", "z"]}, {"id": "b"}], "title": "t", "none": None}


def replay(*entries: dict[str, Any], max_bytes: int = 10_000_000) -> tuple[Any, dict[str, int]]:
    counts: Counter[str] = Counter()
    log = MutationLog(counts, max_bytes)
    for entry in entries:
        log.apply(copy.deepcopy(entry), len(json.dumps(entry)))
    return log.state, dict(counts)


def begin(state: object = START) -> dict[str, Any]:
    return {"kind": 0, "v": state}


@pytest.mark.parametrize(
    ("entry", "path", "value"),
    [
        ({"kind": 1, "k": ["title"], "v": "u"}, ["title"], "u"),
        ({"kind": 1, "k": ["title"], "v": None}, ["title"], None),
        ({"kind": 1, "k": ["requests", 1, "vote"], "v": 1}, ["requests", 1], {"id": "b", "vote": 1}),
        ({"kind": 1, "k": ["requests", 0], "v": 5}, ["requests", 0], 5),
        ({"kind": 1, "k": ["requests", 2], "v": 5}, ["requests", 2], 5),
        ({"kind": 1, "k": ["requests", 1, "id"]}, ["requests", 1], {}),
        ({"kind": 1, "k": ["__proto__"], "v": {}}, ["__proto__"], {}),
        ({"kind": 2, "k": RESPONSE, "v": ["w"]}, RESPONSE, list("xyzw")),
        ({"kind": 2, "k": RESPONSE, "v": ["w"], "i": 1}, RESPONSE, list("xw")),
        ({"kind": 2, "k": RESPONSE, "i": 2}, RESPONSE, list("xy")),
        ({"kind": 2, "k": RESPONSE, "v": ["w"], "i": 3}, RESPONSE, list("xyzw")),
        ({"kind": 2, "k": ["requests", 1, "response"], "v": ["w"]}, ["requests", 1, "response"], ["w"]),
        ({"kind": 2, "k": ["none"], "v": ["w"]}, ["none"], ["w"]),
        ({"kind": 3, "k": RESPONSE}, ["requests", 0], {"id": "a"}),
        ({"kind": 3, "k": ["requests", 0]}, ["requests", 0], None),
        ({"kind": 3, "k": ["nothing"]}, ["title"], "t"),
        ({"kind": 0, "v": {"new": 1}}, [], {"new": 1}),
    ],
)  # fmt: skip
def test_what_an_entry_does(entry: dict[str, Any], path: list[str | int], value: object) -> None:
    state, counts = replay(begin(), entry)
    assert counts == {}
    for step in path:
        state = state[step]
    assert state == value


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"kind": 1, "k": ["requests", 1_000_000_000], "v": 1}, "bad_mutation"),
        ({"kind": 1, "k": ["requests", 3], "v": 1}, "bad_mutation"),
        ({"kind": 1, "k": ["requests", -1], "v": 1}, "bad_mutation"),
        ({"kind": 1, "k": ["requests", True, "id"], "v": 1}, "bad_mutation"),
        ({"kind": 1, "k": ["requests", "0", "id"], "v": 1}, "bad_mutation"),
        ({"kind": 1, "k": ["requests", 0.5], "v": 1}, "bad_mutation"),
        ({"kind": 1, "k": ["title", 0], "v": 1}, "bad_mutation"),
        ({"kind": 1, "k": ["title", "length"], "v": 1}, "bad_mutation"),
        ({"kind": 1, "k": ["gone", "deeper"], "v": 1}, "bad_mutation"),
        ({"kind": 1, "k": [], "v": 1}, "bad_mutation"),
        ({"kind": 1, "k": "title", "v": 1}, "bad_mutation"),
        ({"kind": 1, "v": 1}, "bad_mutation"),
        ({"kind": 1, "k": [["title"]], "v": 1}, "bad_mutation"),
        ({"kind": 1, "k": [{}, None], "v": 1}, "bad_mutation"),
        ({"kind": 1, "k": ["a"] * (MAX_STEPS + 1), "v": 1}, "bad_mutation"),
        ({"kind": 2, "k": ["requests"], "v": [], "i": 1_000_000_000}, "bad_mutation"),
        ({"kind": 2, "k": ["requests"], "v": [], "i": 3}, "bad_mutation"),
        ({"kind": 2, "k": ["requests"], "v": [1], "i": -1}, "bad_mutation"),
        ({"kind": 2, "k": ["requests"], "v": [1], "i": "1"}, "bad_mutation"),
        ({"kind": 2, "k": ["requests"], "v": {"0": 1}}, "bad_mutation"),
        ({"kind": 2, "k": ["title"], "v": [1]}, "bad_mutation"),
        ({"kind": 2, "k": ["requests", 7, "response"], "v": [1]}, "bad_mutation"),
        ({"kind": 3, "k": ["requests", 2, "id"]}, "bad_mutation"),
        ({"kind": 9, "k": ["title"], "v": 1}, "unknown_type:kind:9"),
        ({"kind": -1}, "unknown_type:kind:-1"),
        ({"kind": 10**30}, "unknown_type:kind:1" + "0" * 30),
        ({"kind": "1", "k": ["title"], "v": 1}, "wrong_type"),
        ({"kind": True, "k": ["title"], "v": 1}, "wrong_type"),
        ({"k": ["title"], "v": 1}, "wrong_type"),
        ({"kind": 0, "v": [1]}, "wrong_type"),
        ({"kind": 0}, "wrong_type"),
        ({}, "wrong_type"),
    ],
)
def test_what_fits_nothing_is_counted_and_changes_nothing(entry: dict[str, Any], reason: str) -> None:
    assert replay(begin(), entry) == (START, {reason: 1})


def test_what_comes_before_the_first_state_is_skipped() -> None:
    early = {"kind": 1, "k": ["title"], "v": "early"}
    assert replay(early, {"kind": 3, "k": ["title"]}, begin()) == (START, {"before_initial_state": 2})
    assert replay(early) == (None, {"before_initial_state": 1})


def test_a_state_does_not_outgrow_its_bound() -> None:
    grow = {"kind": 2, "k": ["requests"], "v": ["x" * 1000]}
    replace = {"kind": 1, "k": ["requests"], "v": ["x" * 1000]}
    state, counts = replay(begin(), *[replace] * 200, max_bytes=20_000)
    assert counts == {}
    state, counts = replay(begin(), *[grow] * 200, max_bytes=20_000)
    assert counts == {"file_too_large": 1}
    assert size_of(state) < 45_000
    state, counts = replay(begin(), *[grow] * 200, begin(), grow, max_bytes=20_000)
    assert (len(state["requests"]), counts) == (3, {"file_too_large": 1})


def test_depth_upon_depth_is_survived() -> None:
    deep: object = 1
    for _ in range(400):
        deep = {"a": deep}
    tower = {"kind": 1, "k": ["a"] * MAX_STEPS, "v": deep}
    state, counts = replay({"kind": 0, "v": deep}, *[tower] * 50, max_bytes=1000)
    assert state is not None
    assert set(counts) <= {"file_too_large"}


KEYS = st.sampled_from("abc")
VALUES = st.recursive(
    st.none() | st.integers(0, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=3)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of every value that is there."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(*path, step) for step, _ in steps] + [
        p for step, one in steps for p in _places(one, (*path, step))
    ]


@given(data=st.data(), state=OBJECTS)
@settings(max_examples=200, deadline=None)
def test_a_log_gives_what_applying_it_by_hand_gives(data: st.DataObject, state: dict[str, Any]) -> None:
    plain = copy.deepcopy(state)
    entries = [begin(copy.deepcopy(state))]
    for _ in range(data.draw(st.integers(1, 12))):
        paths = _places(plain)
        kind = data.draw(st.sampled_from([0, 1, 2, 3] if paths else [0]))
        if kind == 0:
            plain = data.draw(OBJECTS)
            entries.append(begin(copy.deepcopy(plain)))
            continue
        path = data.draw(st.sampled_from(paths))
        holder = plain
        for step in path[:-1]:
            holder = holder[step]
        entry: dict[str, Any] = {"kind": kind, "k": list(path)}
        if kind == 1:
            entry["v"] = data.draw(VALUES)
            holder[path[-1]] = copy.deepcopy(entry["v"])
        elif kind == 3:
            holder.__setitem__(path[-1], None) if isinstance(holder, list) else holder.pop(path[-1])
        else:
            array = holder[path[-1]]
            if not isinstance(array, list):
                continue
            entry["v"] = data.draw(st.lists(VALUES, max_size=3))
            if data.draw(st.booleans()):
                entry["i"] = data.draw(st.integers(0, len(array)))
            holder[path[-1]] = array[: entry.get("i", len(array))] + copy.deepcopy(entry["v"])
        entries.append(entry)
    assert replay(*entries) == (plain, {})


@given(
    entries=st.lists(
        st.fixed_dictionaries({}, optional={"kind": VALUES, "k": VALUES, "v": VALUES, "i": VALUES})
    )
)
@settings(max_examples=200, deadline=None)
def test_any_entries_are_survived(entries: list[dict[str, Any]]) -> None:
    state, counts = replay(begin(), *entries)
    assert isinstance(state, dict)
    assert all(n > 0 for n in counts.values())
