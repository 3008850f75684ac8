"""The settings of a training run that are part of the method."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from skillopt.core.gate import Metric
from skillopt.core.sampling import group_batches, shuffled_batches
from skillopt.core.schedule import EditBudget
from skillopt.core.task import Task
from skillopt.errors import ConfigError

_WITHOUT_EFFECT = ("workers", "measures_seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Defaults are the paper's. `batches` are seeded shuffles of `batch_size`, or one for each `Task.group`.

    `repeats` counts rollouts of a held-out task; `metric` and `mixed_weight` are those of the batch's mean (a
    gate has its own). A step makes one update from `accumulation` batches. `rejected_buffer` says how long
    edits the gate turned down are remembered. `slow_update_samples` training tasks are compared at the end of
    an epoch (0: never), and what is learned from them is `slow_update_gated` or taken as it is; `meta_skill`
    asks for a note on optimizing. `measures_seed` scores the seed skill on the held-out tasks beside the
    first batch, rather than when a candidate first has to be compared with it. `workers` rollouts run at once
    and never change a result. Raises ConfigError for a count below one.
    """

    epochs: int = 4
    batch_size: int = 40
    batches: Literal["shuffled", "by_group"] = "shuffled"
    edit_budget: EditBudget = field(default_factory=EditBudget)
    accumulation: int = 1
    repeats: int = 1
    slow_update_samples: int = 20
    slow_update_gated: bool = True
    meta_skill: bool = True
    measures_seed: bool = False
    metric: Metric = "hard"
    mixed_weight: float = 0.5
    rejected_buffer: Literal["epoch", "run"] = "epoch"
    seed: int = 42
    workers: int = 8

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulation", "repeats", "workers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} cannot be {getattr(self, name)}", next="use 1 or more")

    def steps_of(self, tasks: Sequence[Task], epoch: int) -> tuple[tuple[tuple[Task, ...], ...], ...]:
        """The steps of one epoch, each with the batches it accumulates; every epoch has as many."""
        if self.batches == "by_group":
            batches = group_batches(tasks)
        else:
            batches = shuffled_batches(tasks, self.batch_size, seed=self.seed, epoch=epoch)
        size = self.accumulation
        return tuple(batches[at : at + size] for at in range(0, len(batches), size))

    def slow_update_sample(self, tasks: Sequence[Task], epoch: int) -> tuple[Task, ...]:
        """The training tasks compared at the end of an epoch, in their own order."""
        if len(tasks) <= self.slow_update_samples:
            return tuple(tasks)
        draw = random.Random(f"{self.seed}:slow:{epoch}")  # noqa: S311  (reproducible, not secret)
        chosen = set(draw.sample(range(len(tasks)), self.slow_update_samples))
        return tuple(task for place, task in enumerate(tasks) if place in chosen)

    def identity(self) -> tuple[tuple[str, str], ...]:
        """The settings that can change a result, as text."""
        return tuple(
            (name, str(value)) for name, value in asdict(self).items() if name not in _WITHOUT_EFFECT
        )
