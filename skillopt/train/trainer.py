"""The training loop: rollout, reflect, aggregate, select, update, gate (SkillOpt, arXiv 2605.23904)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, is_dataclass

from skillopt.core.edit import Candidate, Patch
from skillopt.core.gate import Evaluation, GateDecision, measure
from skillopt.core.rollout import Rollout
from skillopt.core.skill import Skill
from skillopt.core.splits import FinishedFit, SealedTest, check_unique, leaked
from skillopt.core.state import Attempt, StepRecord, TrainerState
from skillopt.core.task import Split, Task, content_id, task_content
from skillopt.errors import ConfigError
from skillopt.events import (
    Broadcast,
    CandidateMade,
    EditsProposed,
    EpochDone,
    GateDecided,
    Listener,
    RolloutsDone,
    RunFinished,
    RunStarted,
    StepDone,
)
from skillopt.protocols import Agent, Environment, Gate, Optimizer, OptimizerContext, RunStore, TrainRollout
from skillopt.store.run_store import MemoryStore
from skillopt.train.config import TrainConfig
from skillopt.train.evaluate import Evaluator
from skillopt.train.mend import mended
from skillopt.train.rollouts import RolloutCache, RolloutRunner


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A finished run. `best` scored highest on the selection split; `token` opens the sealed test."""

    state: TrainerState
    best: Skill
    history: tuple[StepRecord, ...]
    token: FinishedFit


class Trainer:
    """Trains `skill` on an environment's train split, behind a gate on its selection split.

    The same inputs give a byte-equal result with any number of workers, any listeners, and any number of
    interruptions. Raises ConfigError when there is nothing to train on or task ids repeat within a split.
    """

    def __init__(
        self,
        environment: Environment,
        agent: Agent,
        optimizer: Optimizer,
        gate: Gate,
        *,
        skill: Skill,
        config: TrainConfig | None = None,
        store: RunStore | None = None,
        listeners: Iterable[Listener] = (),
        cache: RolloutCache | None = None,
    ) -> None:
        self.config = config or TrainConfig()
        self.optimizer = optimizer
        self.gate = gate
        self.store: RunStore = store or MemoryStore()
        self.emit = Broadcast(listeners)
        train, selection, test = (_tasks(environment, split) for split in Split)
        if not train:
            raise ConfigError("there are no training tasks", next="give the environment a train split")
        self.batches = [self.config.batches_of(train, epoch) for epoch in range(self.config.epochs)]
        self.runner = RolloutRunner(agent, environment.scorer, workers=self.config.workers, cache=cache)
        self.evaluate = self._evaluator(Split.SELECTION, selection, seen=train)
        self._sealed_test = SealedTest(test)
        self._seen = (*train, *selection)
        self._start = TrainerState.begin(
            skill,
            (
                *self.config.identity(),
                ("agent", agent.identity),
                ("optimizer", _name(optimizer)),
                ("gate", _name(gate)),
                ("skill", skill.sha),
                ("tasks", _content(self._seen)),
            ),
        )

    # --- the loop

    async def fit(self) -> TrainResult:
        """Trains to the end, from the last finished step when the store has one.

        Raises ConfigError when the store holds a run of other inputs, BackendError when the agent or the
        optimizer is unavailable: the step is then not done, and `fit` goes on from it when called again.
        """
        state = self._resume()
        for epoch in self._epochs_left(state):
            for batch in self._batches_left(state, epoch):
                state = self._save(await self.step(self._enter(state, epoch), batch))
                self.emit(StepDone(state.history[-1]))
            self.emit(EpochDone(epoch, state.skill.sha))
        state = self._save(state.finish())
        self.emit(RunFinished(state))
        return TrainResult(state, state.best_skill, state.history, self._sealed_test.finish(state))

    async def step(self, state: TrainerState, batch: Sequence[Task]) -> TrainerState:
        """One step on a batch of training tasks; the state given is left as it is."""
        skill, context = state.skill, _context(state)
        rollouts = await self._rollout(state, batch)
        patches = await self.optimizer.reflect(_scored(batch, rollouts), context)
        patch = await self.optimizer.aggregate(patches, context)
        patch = await self.optimizer.select(patch, context, budget=self._budget(state, patch))
        self.emit(EditsProposed(state.step, patch))
        candidate = self.optimizer.update(skill, patch)
        decision = await self._decide(state, candidate)
        attempts = [(candidate, decision)]
        if second := await self._second_try(state, candidate, decision):
            attempts.append((second, await self._decide(state, second)))
        return state.after(self._record(state, batch, rollouts, attempts), attempts[-1][0])

    async def test(self, result: TrainResult, skill: Skill) -> Evaluation:
        """Scores `skill` on the test split. Raises ConfigError unless this trainer's `fit` made `result`."""
        tasks = self._sealed_test.open(result.token)
        return await self._evaluator(Split.TEST, tasks, seen=self._seen)(skill)

    # --- the stages

    async def _rollout(self, state: TrainerState, batch: Sequence[Task]) -> tuple[Rollout, ...]:
        rollouts = await self.runner.run(batch, state.skill)
        self.emit(RolloutsDone(state.step, rollouts))
        return rollouts

    def _budget(self, state: TrainerState, patch: Patch) -> int:
        n_steps = sum(len(batches) for batches in self.batches)
        budget = self.config.edit_budget.at(state.step, n_steps)
        return len(patch.edits) if budget is None else budget

    async def _decide(self, state: TrainerState, candidate: Candidate) -> GateDecision:
        self.emit(CandidateMade(state.step, candidate))
        skill = Skill(candidate.text, state.kind)
        decision = await self.gate.decide(state.skill, skill, self.evaluate)
        self.emit(GateDecided(state.step, decision))
        return decision

    async def _second_try(
        self, state: TrainerState, candidate: Candidate, decision: GateDecision
    ) -> Candidate | None:
        update, gate, evaluator = self.optimizer.update, self.gate, self.evaluate
        return await mended(state.skill, candidate, decision, update=update, gate=gate, evaluator=evaluator)

    def _record(
        self,
        state: TrainerState,
        batch: Sequence[Task],
        rollouts: Sequence[Rollout],
        attempts: Sequence[tuple[Candidate, GateDecision]],
    ) -> StepRecord:
        metric, weight = self.config.metric, self.config.mixed_weight
        scores = [measure(rollout.score, metric, weight) for rollout in rollouts if rollout.score is not None]
        return StepRecord(
            step=state.step,
            epoch=state.epoch,
            batch=tuple(task.id for task in batch),
            train_mean=sum(scores) / len(scores) if scores else None,
            n_errors=len(rollouts) - len(scores),
            attempts=tuple(
                Attempt(Skill(candidate.text).sha, candidate.reports, decision)
                for candidate, decision in attempts
            ),
        )

    # --- the run

    def _resume(self) -> TrainerState:
        state = self.store.load() or self._start
        changed = dict(self._start.identity).items() ^ dict(state.identity).items()
        if changed:
            names = sorted({name for name, _ in changed})
            was, now = dict(state.identity), dict(self._start.identity)
            raise ConfigError(
                f"the stored run was made with another {', '.join(names)}",
                why="; ".join(f"{name} was {was.get(name)}, is {now.get(name)}" for name in names),
                next="use the inputs of that run, or another run folder",
            )
        n_steps = sum(len(batches) for batches in self.batches)
        n_selection = len(self.evaluate.tasks)
        self.emit(RunStarted(state.step, n_steps, len(self._seen) - n_selection, n_selection))
        return state

    def _epochs_left(self, state: TrainerState) -> range:
        return range(state.step // len(self.batches[0]), len(self.batches))

    def _batches_left(self, state: TrainerState, epoch: int) -> Sequence[tuple[Task, ...]]:
        return self.batches[epoch][state.step - epoch * len(self.batches[0]) :]

    def _enter(self, state: TrainerState, epoch: int) -> TrainerState:
        return state.in_epoch(epoch, forget=self.config.rejected_buffer == "epoch")

    def _save(self, state: TrainerState) -> TrainerState:
        self.store.save(state)
        return state

    def _evaluator(self, split: Split, tasks: Sequence[Task], *, seen: Sequence[Task]) -> Evaluator:
        return Evaluator(split, tasks, self.runner, repeats=self.config.repeats, leaked=leaked(tasks, seen))


def _tasks(environment: Environment, split: Split) -> tuple[Task, ...]:
    tasks = tuple(environment.tasks(split))
    check_unique(split, tasks)
    return tasks


def _context(state: TrainerState) -> OptimizerContext:
    return OptimizerContext(state.skill, state.step, state.rejected, state.meta_skill)


def _scored(batch: Sequence[Task], rollouts: Sequence[Rollout]) -> tuple[TrainRollout, ...]:
    """The rollouts an optimizer can learn from: a failure of the infrastructure teaches nothing."""
    tasks = {task.id: task for task in batch}
    return tuple(TrainRollout(tasks[r.task_id], r) for r in rollouts if r.score is not None)


def _content(tasks: Iterable[Task]) -> str:
    return content_id([[task.id, task.split, task_content(task)] for task in tasks])


def _name(part: object) -> str:
    """Values describe themselves with their settings; anything else goes by its type."""
    if not is_dataclass(part):
        return f"{type(part).__module__}.{type(part).__qualname__}"
    text = re.sub(r" at 0x[0-9a-f]+", "", repr(part))
    return text if len(text) < 200 else f"{type(part).__qualname__} {content_id(text)}"
