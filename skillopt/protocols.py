"""The seams of the engine: what an agent, scorer, environment, optimizer and gate must do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from skillopt.core.edit import Candidate, Patch
from skillopt.core.edit import RejectedEdit as RejectedEdit
from skillopt.core.gate import Evaluate as Evaluate
from skillopt.core.gate import GateDecision
from skillopt.core.rollout import Rollout, Score, Trajectory
from skillopt.core.skill import Skill
from skillopt.core.state import TrainerState
from skillopt.core.task import Split, Task


@dataclass(frozen=True, slots=True)
class TrainRollout:
    """A rollout of a train task, as an optimizer sees it. Raises ValueError for a held-out task."""

    task: Task
    rollout: Rollout

    def __post_init__(self) -> None:
        if self.task.split is not Split.TRAIN:
            raise ValueError(
                f"task {self.task.id} is held out ({self.task.split}); an optimizer must not see it"
            )


@dataclass(frozen=True, slots=True)
class OptimizerContext:
    """What an optimizer may know beside the rollouts: the current skill, edits turned down, its own note."""

    skill: Skill
    step: int
    rejected: tuple[RejectedEdit, ...] = ()
    meta_skill: str = ""


class Agent(Protocol):
    """The frozen target: runs a task with a skill mounted."""

    @property
    def identity(self) -> str:
        """Names everything that can change a result (product, version, settings); part of cache keys."""
        ...

    async def run(self, task: Task, skill: Skill, *, repeat: int = 0) -> Trajectory:
        """One attempt. Raises `BackendError` when the infrastructure failed, never a made-up trajectory."""
        ...


class Scorer(Protocol):
    """Scores a trajectory. Raises when it cannot (an unreadable judge), never a zero for that."""

    async def score(self, task: Task, trajectory: Trajectory) -> Score: ...


class Environment(Protocol):
    """Gives tasks by split, and their scorer."""

    @property
    def scorer(self) -> Scorer: ...

    def tasks(self, split: Split) -> Sequence[Task]:
        """The tasks of one split, always in the same order."""
        ...


class Optimizer(Protocol):
    """The role that edits, one method for each stage of a step."""

    async def reflect(
        self, rollouts: Sequence[TrainRollout], context: OptimizerContext
    ) -> tuple[Patch, ...]: ...

    async def aggregate(self, patches: Sequence[Patch], context: OptimizerContext) -> Patch: ...

    async def select(self, patch: Patch, context: OptimizerContext, *, budget: int) -> Patch: ...

    def update(self, skill: Skill, patch: Patch) -> Candidate: ...


class Gate(Protocol):
    """Decides whether a candidate replaces the current skill, on held-out evidence only."""

    async def decide(self, current: Skill, candidate: Skill, evaluate: Evaluate) -> GateDecision: ...


class RunStore(Protocol):
    """Keeps the state of one run between steps."""

    def load(self) -> TrainerState | None:
        """The state saved last, None for a new run. Raises StorageError rather than lose one."""
        ...

    def save(self, state: TrainerState) -> None:
        """Replaces the state, wholly or not at all."""
        ...
