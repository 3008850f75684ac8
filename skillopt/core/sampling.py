"""Cutting training tasks into batches, the same on every machine."""

from __future__ import annotations

import random
from collections.abc import Sequence

from skillopt.core.task import Task


def shuffled_batches(
    tasks: Sequence[Task], batch_size: int, *, seed: int, epoch: int
) -> tuple[tuple[Task, ...], ...]:
    """The tasks shuffled by `(seed, epoch)` and cut in batches; the last one may be smaller."""
    shuffled = list(tasks)
    random.Random(f"{seed}:{epoch}").shuffle(shuffled)  # noqa: S311  (reproducible, not secret)
    return tuple(tuple(shuffled[at : at + batch_size]) for at in range(0, len(shuffled), batch_size))


def group_batches(tasks: Sequence[Task]) -> tuple[tuple[Task, ...], ...]:
    """One batch for each `Task.group`, groups sorted by name, tasks in their own order."""
    groups = sorted({task.group for task in tasks})
    return tuple(tuple(task for task in tasks if task.group == group) for group in groups)
