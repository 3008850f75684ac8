"""Budgets, batches and splits are what they say on every machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillopt.core.sampling import group_batches, shuffled_batches
from skillopt.core.schedule import EditBudget
from skillopt.core.skill import Skill
from skillopt.core.splits import SealedTest, check_disjoint, check_unique, leaked, ratio_split
from skillopt.core.state import TrainerState
from skillopt.core.task import Check, Split, Task
from skillopt.errors import ConfigError
from skillopt.train.config import TrainConfig


@pytest.mark.parametrize(
    ("kind", "budgets"),
    [
        ("cosine", [4, 4, 3, 3, 3, 2, 2, 2]),
        ("linear", [4, 4, 3, 3, 3, 3, 2, 2]),
        ("constant", [4] * 8),
        ("none", [None] * 8),
    ],
)
def test_budget(kind: Literal["cosine", "linear", "constant", "none"], budgets: list[int | None]) -> None:
    assert [EditBudget(kind, 4, 2).at(step, 8) for step in range(8)] == budgets


def test_budget_ends() -> None:
    assert EditBudget("cosine", 4, 2).at(0, 1) == 2
    assert EditBudget("cosine", 4, 2).at(99, 8) == 2
    for start, end in [(2, 3), (2, 0)]:
        with pytest.raises(ConfigError, match="edit budget"):
            EditBudget("cosine", start, end)


@pytest.mark.parametrize("name", ["epochs", "batch_size", "repeats", "workers"])
def test_counts_are_positive(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} cannot be 0"):
        TrainConfig(**{name: 0})  # type: ignore[arg-type]


def task(task_id: str, split: Split = Split.TRAIN, **changes: object) -> Task:
    made = Task(task_id, f"prompt of {task_id}", split, (Check("contains", "x"),))
    return replace(made, **changes)  # type: ignore[arg-type]


TASKS = [task(f"t{i}", group="ab"[i % 2]) for i in range(7)]


def test_batches() -> None:
    first = shuffled_batches(TASKS, 3, seed=1, epoch=0)
    assert [len(batch) for batch in first] == [3, 3, 1]
    assert sorted(t.id for batch in first for t in batch) == [t.id for t in TASKS]
    assert first == shuffled_batches(TASKS, 3, seed=1, epoch=0)
    assert first != shuffled_batches(TASKS, 3, seed=1, epoch=1)
    assert first != shuffled_batches(TASKS, 3, seed=2, epoch=0)
    # The order itself is a promise: a resumed run must cut the same batches.
    assert [[t.id for t in batch] for batch in first] == [["t0", "t1", "t6"], ["t4", "t2", "t3"], ["t5"]]
    assert [[t.id for t in b] for b in group_batches(TASKS)] == [["t0", "t2", "t4", "t6"], ["t1", "t3", "t5"]]


def test_disjoint() -> None:
    check_disjoint({Split.TRAIN: [task("a")], Split.SELECTION: [task("b", Split.SELECTION)]})
    with pytest.raises(ConfigError, match="in train and in test: a"):
        check_disjoint({Split.TRAIN: [task("a")], Split.TEST: [task("a", Split.TEST)]})
    with pytest.raises(ConfigError, match="occur twice: a"):
        check_unique(Split.TRAIN, [task("a"), task("a")])
    with pytest.raises(ConfigError, match="another split: a"):
        check_unique(Split.TEST, [task("a")])


def test_leaked() -> None:
    held_out = [task("a", Split.SELECTION, episodes=("e1",)), task("b", Split.SELECTION)]
    assert leaked(held_out, [task("c", episodes=("e2",))]) == ()
    assert leaked(held_out, [task("a", prompt="another")]) == ("a",)
    assert leaked(held_out, [task("c", prompt="prompt of b")]) == ("b",)
    assert leaked(held_out, [task("c", prompt="prompt of b", context={"x": 1})]) == ()
    assert leaked(held_out, [task("c", episodes=("e1",))]) == ("a",)


@given(st.integers(0, 40), st.integers(0, 5))
def test_ratio_split(n: int, seed: int) -> None:
    tasks = [task(f"t{i}") for i in range(n)]
    dealt = ratio_split(tasks, seed=seed)
    check_disjoint(dealt)
    assert sorted(t.id for part in dealt.values() for t in part) == sorted(t.id for t in tasks)
    assert [t.id for t in dealt[Split.TEST]] == [
        t.id for t in tasks if t in [replace(u, split=Split.TRAIN) for u in dealt[Split.TEST]]
    ]
    if n >= 3:
        assert all(dealt.values())
    if n >= 10:
        assert [
            abs(len(dealt[split]) - n * part / 10) < 1 for split, part in zip(Split, (2, 1, 7), strict=True)
        ] == [True] * 3
    backwards = ratio_split(tasks[::-1], seed=seed)
    assert {t for part in backwards.values() for t in ((u.id, u.split) for u in part)} == {
        (t.id, t.split) for part in dealt.values() for t in part
    }


def test_ratio_split_of_ten() -> None:
    assert [len(part) for part in ratio_split([task(f"t{i}") for i in range(10)]).values()] == [2, 1, 7]


@pytest.mark.parametrize("ratio", [(0, 0, 0), (1, -1, 1)])
def test_a_bad_ratio(ratio: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError, match="ratio"):
        ratio_split(TASKS, ratio=ratio)


def test_the_seal() -> None:
    sealed = SealedTest([task("a", Split.TEST)])
    state = TrainerState.begin(Skill("x"))
    with pytest.raises(ConfigError, match="sealed"):
        sealed.finish(state)
    token = sealed.finish(state.finish())
    assert len(sealed.open(token)) == 1
    with pytest.raises(ConfigError, match="sealed"):
        SealedTest([]).open(token)
