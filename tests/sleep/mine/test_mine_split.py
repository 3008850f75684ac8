from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillopt.core.task import Split
from skillopt_sleep.split import MIN_EVIDENCE, assign_splits, wanted_counts

NAMES = st.text("abcdef0123456789", min_size=4, max_size=8)


@st.composite
def wants(draw: st.DrawFn) -> dict[str, list[str]]:
    """Wants with sessions of their own, oldest first."""
    sessions = draw(st.lists(NAMES, min_size=6, max_size=50, unique=True))
    cuts = sorted(draw(st.sets(st.integers(1, len(sessions) - 1), max_size=4)))
    bounds = [0, *cuts, len(sessions)]
    parts = [sessions[a:b] for a, b in itertools.pairwise(bounds)]
    return {f"want{i}": part for i, part in enumerate(parts)}


def counted(splits: Mapping[str, Split], sessions: Sequence[str]) -> Counter[Split]:
    return Counter(splits[s] for s in sessions)


@pytest.mark.parametrize(
    ("n", "train", "selection", "test"),
    [
        (1, 1, 0, 0),
        (2, 1, 1, 0),
        (3, 2, 1, 0),
        (5, 3, 2, 0),
        (6, 3, 3, 0),
        (7, 3, 3, 1),
        (8, 4, 3, 1),
        (10, 5, 3, 2),
        (12, 7, 3, 2),
        (15, 8, 4, 3),
        (30, 16, 8, 6),
    ],
)
def test_how_many_go_where(n: int, train: int, selection: int, test: int) -> None:
    counts = wanted_counts(n)
    assert (counts[Split.TRAIN], counts[Split.SELECTION], counts[Split.TEST]) == (train, selection, test)


@given(st.integers(0, 500))
def test_nothing_is_lost_and_six_are_enough(n: int) -> None:
    counts = wanted_counts(n)
    assert sum(counts.values()) == n
    assert min(counts.values()) >= 0
    assert (min(counts[Split.TRAIN], counts[Split.SELECTION]) >= MIN_EVIDENCE) is (n >= 2 * MIN_EVIDENCE)


@given(wants())
def test_every_want_of_six_has_three_on_each_side(groups: dict[str, list[str]]) -> None:
    splits = assign_splits(groups, [], {})
    assert splits.keys() == {s for sessions in groups.values() for s in sessions}
    for sessions in groups.values():
        found = counted(splits, sessions)
        assert found == {split: n for split, n in wanted_counts(len(sessions)).items() if n}
        if len(sessions) >= 2 * MIN_EVIDENCE:
            assert min(found[Split.TRAIN], found[Split.SELECTION]) >= MIN_EVIDENCE


@given(wants())
def test_the_newest_are_sealed(groups: dict[str, list[str]]) -> None:
    splits = assign_splits(groups, [], {})
    for sessions in groups.values():
        sealed = [splits[s] is Split.TEST for s in sessions]
        assert sealed == sorted(sealed)


@given(wants(), st.permutations("edcba"))
def test_names_and_order_of_wants_do_not_matter(groups: dict[str, list[str]], names: list[str]) -> None:
    renamed = dict(sorted(zip(names, groups.values(), strict=False)))
    assert assign_splits(renamed, [], {}) == assign_splits(groups, [], {})


def test_wants_that_share_sessions_and_size_do_not_depend_on_names() -> None:
    one = [f"s{i}" for i in range(12)]
    other = [f"s{i}" for i in range(4, 16)]
    splits = assign_splits({"a": one, "b": other}, [], {})
    assert splits == assign_splits({"b": one, "a": other}, [], {})
    for sessions in (one, other):
        assert min(counted(splits, sessions)[side] for side in (Split.TRAIN, Split.SELECTION)) >= MIN_EVIDENCE


@given(wants(), st.lists(NAMES, max_size=20, unique=True), st.data())
def test_what_was_given_is_kept_for_ever(
    groups: dict[str, list[str]], new: list[str], data: st.DataObject
) -> None:
    before = assign_splits(groups, [], {})
    new = [s for s in new if s not in before]
    grown = {name: list(sessions) for name, sessions in groups.items()}
    for session in new:
        grown[data.draw(st.sampled_from(sorted(grown)))].append(session)
    added = assign_splits(grown, [], before)
    assert added.keys() == set(new)
    together = before | added
    for sessions in grown.values():
        found = counted(together, sessions)
        if len(sessions) >= 2 * MIN_EVIDENCE:
            assert min(found[Split.TRAIN], found[Split.SELECTION]) >= MIN_EVIDENCE
    assert assign_splits(grown, [], together) == {}


def test_a_want_that_grows_one_session_a_night_gets_both_sides() -> None:
    known: dict[str, Split] = {}
    for night in range(1, 13):
        sessions = [f"session-{i}" for i in range(night)]
        known |= assign_splits({"w": sessions}, [], known)
        found = counted(known, sessions)
        if night >= 2 * MIN_EVIDENCE:
            assert min(found[Split.TRAIN], found[Split.SELECTION]) >= MIN_EVIDENCE
    assert counted(known, list(known))[Split.TEST] >= 1


@given(st.lists(NAMES, min_size=1, max_size=60, unique=True))
def test_sessions_without_a_want_are_split_too(sessions: list[str]) -> None:
    splits = assign_splits({}, sessions, {})
    assert splits.keys() == set(sessions)
    assert counted(splits, sessions)[Split.TEST] == len(sessions) // 5


def test_any_id_can_be_split() -> None:
    assert assign_splits({"w": ["\ud800", "", "\0"]}, [], {}).keys() == {"\ud800", "", "\0"}
