"""The settings of a training run that are part of the method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from skillopt.core.gate import Metric
from skillopt.core.sampling import group_batches, shuffled_batches
from skillopt.core.schedule import EditBudget
from skillopt.core.task import Task
from skillopt.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Defaults are the paper's. `batches` are seeded shuffles of `batch_size`, or one for each `Task.group`.

    `repeats` counts rollouts of a held-out task; `metric` and `mixed_weight` are those of the batch's mean (a
    gate has its own). `rejected_buffer` says how long edits the gate turned down are remembered. `workers`
    rollouts run at once and never change a result. Raises ConfigError for a count below one.
    """

    epochs: int = 4
    batch_size: int = 40
    batches: Literal["shuffled", "by_group"] = "shuffled"
    edit_budget: EditBudget = field(default_factory=EditBudget)
    repeats: int = 1
    metric: Metric = "hard"
    mixed_weight: float = 0.5
    rejected_buffer: Literal["epoch", "run"] = "epoch"
    seed: int = 42
    workers: int = 8

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "repeats", "workers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} cannot be {getattr(self, name)}", next="use 1 or more")

    def batches_of(self, tasks: Sequence[Task], epoch: int) -> tuple[tuple[Task, ...], ...]:
        """The training batches of one epoch, in order; every epoch has as many."""
        if self.batches == "by_group":
            return group_batches(tasks)
        return shuffled_batches(tasks, self.batch_size, seed=self.seed, epoch=epoch)

    def identity(self) -> tuple[tuple[str, str], ...]:
        """The settings that can change a result, as text."""
        return tuple((name, str(value)) for name, value in asdict(self).items() if name != "workers")
