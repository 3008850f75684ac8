"""Keeping the splits apart: who has seen which task, and a test split that opens only after training."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import final

from skillopt.core.state import TrainerState
from skillopt.core.task import Split, Task, task_content
from skillopt.errors import ConfigError


def check_unique(split: Split, tasks: Iterable[Task]) -> None:
    """Raises ConfigError when a task id occurs twice, or a task says it belongs to another split."""
    tasks = tuple(tasks)
    twice = sorted(task_id for task_id, n in Counter(task.id for task in tasks).items() if n > 1)
    if twice:
        raise ConfigError(
            f"split {split}: task ids occur twice: {_some(twice)}", next="give every task its own id"
        )
    strays = [task.id for task in tasks if task.split is not split]
    if strays:
        raise ConfigError(f"split {split} holds tasks of another split: {_some(strays)}")


def check_disjoint(tasks_by_split: Mapping[Split, Iterable[Task]]) -> None:
    """Raises ConfigError when a task id occurs twice in a split, or in two splits."""
    home: dict[str, Split] = {}
    for split, tasks in tasks_by_split.items():
        members = tuple(tasks)
        check_unique(split, members)
        shared = [task.id for task in members if task.id in home]
        if shared:
            raise ConfigError(
                f"tasks are in {home[shared[0]]} and in {split}: {_some(shared)}",
                why="a score on a task that training saw means nothing",
                next="keep each task in one split",
            )
        home.update((task.id, split) for task in members)


def check_held_out(tasks_by_split: Mapping[Split, Iterable[Task]]) -> None:
    """Raises ConfigError when the gate or the test would score tasks that were seen, under other ids."""
    train, selection, test = (tuple(tasks_by_split.get(split, ())) for split in Split)
    for split, held_out, seen in (
        (Split.SELECTION, selection, train),
        (Split.TEST, test, (*train, *selection)),
    ):
        if strays := leaked(held_out, seen):
            raise ConfigError(
                f"split {split} holds {len(strays)} tasks that are in a split before it too: {_some(strays)}",
                why="they ask and check the same, and a score on a task that was seen before means nothing",
                next="keep each task in one split; `skillopt data check` says where they stand",
            )


def leaked(held_out: Iterable[Task], seen: Iterable[Task]) -> tuple[str, ...]:
    """Ids of the held-out tasks that `seen` holds too: the same id, the same content, or a shared episode."""
    seen = tuple(seen)
    ids = {task.id for task in seen}
    contents = {task_content(task) for task in seen}
    episodes = {episode for task in seen for episode in task.episodes}
    return tuple(
        task.id
        for task in held_out
        if task.id in ids or task_content(task) in contents or not episodes.isdisjoint(task.episodes)
    )


def ratio_split(
    tasks: Sequence[Task], *, ratio: tuple[int, int, int] = (2, 1, 7), seed: int = 42
) -> dict[Split, tuple[Task, ...]]:
    """Deals tasks to train, selection and test by `ratio`, at least one each from three tasks on.

    Which split a task gets depends on its id, the other ids and the seed, not on the order; each split
    keeps the order of `tasks`. Raises ConfigError for a ratio without positive parts or ids that repeat.
    """
    if min(ratio) < 0 or sum(ratio) == 0:
        raise ConfigError(f"a split ratio cannot be {ratio}", next="use positive parts such as 2:1:7")
    ids = sorted(task.id for task in tasks)
    if len(set(ids)) < len(ids):
        raise ConfigError("task ids occur twice", next="give every task its own id")
    random.Random(seed).shuffle(ids)  # noqa: S311  (reproducible, not secret)
    n_train, n_selection, _ = _sizes(len(ids), ratio)
    dealt = dict.fromkeys(ids, Split.TEST)
    dealt.update(dict.fromkeys(ids[:n_train], Split.TRAIN))
    dealt.update(dict.fromkeys(ids[n_train : n_train + n_selection], Split.SELECTION))
    return {
        split: tuple(replace(task, split=split) for task in tasks if dealt[task.id] is split)
        for split in Split
    }


def _sizes(n: int, ratio: tuple[int, int, int]) -> list[int]:
    """Shares of n by largest remainder; a part that got nothing takes one from the largest."""
    exact = [n * part / sum(ratio) for part in ratio]
    sizes = [int(share) for share in exact]
    for part in sorted(range(3), key=lambda i: sizes[i] - exact[i])[: n - sum(sizes)]:
        sizes[part] += 1
    for part in range(3):
        if n >= 3 and ratio[part] and not sizes[part]:
            sizes[part] += 1
            sizes[sizes.index(max(sizes))] -= 1
    return sizes


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")


# --- the sealed test ------------------------------------------------------------------------------------


@final
class FinishedFit:
    """The token that opens one sealed test split; only `SealedTest.finish` makes one that does."""

    __slots__ = ("_key",)

    def __init__(self, key: object) -> None:
        self._key = key


class SealedTest:
    """The test split, out of reach until training has finished."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = tuple(tasks)
        self._key = object()

    def finish(self, state: TrainerState) -> FinishedFit:
        """The token, for a finished state. Raises ConfigError while training goes on."""
        if not state.finished:
            raise _sealed()
        return FinishedFit(self._key)

    def open(self, token: FinishedFit) -> tuple[Task, ...]:
        """The test tasks. Raises ConfigError unless `token` came from this split's own `finish`."""
        if not isinstance(token, FinishedFit) or token._key is not self._key:
            raise _sealed()
        return self._tasks


def _sealed() -> ConfigError:
    return ConfigError(
        "the test split is sealed", why="it is scored after training, never before", next="finish `fit` first"
    )
