"""The seams of the engine: what a model, agent, scorer, environment, optimizer and gate must do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol

from skillopt.core.edit import Candidate, Patch
from skillopt.core.edit import RejectedEdit as RejectedEdit
from skillopt.core.gate import Evaluate as Evaluate
from skillopt.core.gate import GateDecision
from skillopt.core.rollout import Rollout, Score, Trajectory, Usage
from skillopt.core.skill import Skill
from skillopt.core.state import EpochRecord as EpochRecord
from skillopt.core.state import StepRecord as StepRecord
from skillopt.core.state import TrainerState
from skillopt.core.task import Json, Split, Task
from skillopt.core.text import storable

Stage = Literal[
    "target", "reflect", "aggregate", "select", "rewrite", "slow_update", "meta_skill", "edit_budget",
    "appendix", "mine", "judge",
]  # fmt: skip
"""What a call is for; the first line of every system prompt but the target's names it."""

NO_SCHEMA: Mapping[str, Json] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of a model: a standing `system` message and a `user` message, in characters that can be sent.

    With a `schema` (JSON Schema of an object) the reply must be such an object. `attempt` tells apart calls
    that are otherwise equal and must not share an answer: repeats of a measurement, repairs of a reply.
    """

    stage: Stage
    system: str
    user: str
    schema: Mapping[str, Json] = field(default_factory=lambda: NO_SCHEMA)
    attempt: int = 0

    def __post_init__(self) -> None:
        for name in ("system", "user"):
            object.__setattr__(self, name, storable(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What a model said, in characters that can be stored. `is_cut` when it ran into its limit of tokens."""

    text: str
    usage: Usage = field(default_factory=Usage)
    is_cut: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", storable(self.text))


Role = Literal["target", "optimizer", "judge"]


@dataclass(frozen=True, slots=True)
class Call:
    """An answered call: who asked what model for which stage, the reply, its cost (None when the model has no
    price) and how long it took."""

    role: Role
    stage: Stage
    model: str
    reply: ModelReply
    usd: float | None = None
    seconds: float = 0.0


class CallStore(Protocol):
    """Keeps answered calls by content, so that none is paid twice, and so knows what was spent."""

    def get(self, key: str) -> Call | None:
        """The call of this key, None when it was never answered."""
        ...

    def put(self, key: str, call: Call) -> None:
        """Keeps a call, durably before it returns. Raises StorageError when that is impossible."""
        ...

    def forget(self, key: str) -> None:
        """Gives this answer no more, and still counts what it cost: it could not be used."""
        ...

    def calls(self) -> tuple[Call, ...]:
        """Every call kept or forgotten, in the order they were put."""
        ...


class Model(Protocol):
    """Text in, text out."""

    @property
    def identity(self) -> str:
        """Names all that can change an answer (backend, model, sampling), never an address or a key."""
        ...

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One answer. Raises BackendError when there is none, BudgetError when a cap forbids asking."""
        ...

    def forget(self, request: ModelRequest) -> None:
        """The answer to this request was of no use: asked again, a new one is wanted."""
        ...


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
    """What an optimizer may know beside the rollouts: the current skill and that at the end of the epoch
    before, edits turned down, its own note."""

    skill: Skill
    step: int
    rejected: tuple[RejectedEdit, ...] = ()
    meta_skill: str = ""
    previous: Skill | None = None


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
    """Scores a trajectory. Raises when it cannot (an unreadable judge), never a zero for that.

    One that may score the same trajectory otherwise when it is set up otherwise, as a judge does, has an
    `identity` as an agent has; see `scorer_identity`.
    """

    async def score(self, task: Task, trajectory: Trajectory) -> Score: ...


def scorer_identity(scorer: Scorer) -> str:
    """What scores depend on beside the task and the trajectory, empty for nothing."""
    identity = getattr(scorer, "identity", "")
    return identity if isinstance(identity, str) else ""


class Environment(Protocol):
    """Gives tasks by split, and their scorer."""

    @property
    def scorer(self) -> Scorer: ...

    def tasks(self, split: Split) -> Sequence[Task]:
        """The tasks of one split, always in the same order."""
        ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """A training task done with the skill of the epoch before and with the current one. Raises ValueError
    for a held-out task and for a rollout without a score."""

    task: Task
    before: Rollout
    after: Rollout

    def __post_init__(self) -> None:
        for rollout in (self.before, self.after):
            TrainRollout(self.task, rollout)
            if rollout.score is None:
                raise ValueError(f"a rollout of {self.task.id} has no score to compare")

    @property
    def outcome(self) -> Literal["improved", "regressed", "persistent_failure", "stable_success"]:
        """What became of the task, by its hard score; a change for the better wins over still failing."""
        assert self.before.score is not None  # noqa: S101  (seen to in __post_init__)
        assert self.after.score is not None  # noqa: S101
        was, now = self.before.score.hard, self.after.score.hard
        if now != was:
            return "improved" if now > was else "regressed"
        return "stable_success" if now >= 1.0 else "persistent_failure"


class Optimizer(Protocol):
    """The role that edits, one method for each stage of a step."""

    async def reflect(
        self, rollouts: Sequence[TrainRollout], context: OptimizerContext
    ) -> tuple[Patch, ...]: ...

    async def aggregate(self, patches: Sequence[Patch], context: OptimizerContext) -> Patch: ...

    async def select(self, patch: Patch, context: OptimizerContext, *, budget: int) -> Patch: ...

    async def update(self, skill: Skill, patch: Patch) -> Candidate: ...


class EpochOptimizer(Protocol):
    """What an optimizer learns at the end of an epoch."""

    async def slow_update(self, pairs: Sequence[Comparison], context: OptimizerContext) -> Candidate | None:
        """The current skill with longitudinal guidance in its protected region, None when none can be had."""
        ...

    async def meta_skill(self, steps: Sequence[StepRecord], context: OptimizerContext) -> str:
        """The note on optimizing for the next epoch; it is never part of a skill."""
        ...


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
