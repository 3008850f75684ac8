"""The training loop: rollout, reflect, aggregate, select, update, gate (SkillOpt, arXiv 2605.23904)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, is_dataclass

from skillopt.core.edit import Candidate, Patch
from skillopt.core.gate import Evaluation, GateDecision, measure
from skillopt.core.rollout import Rollout, RolloutCache
from skillopt.core.skill import Skill
from skillopt.core.splits import FinishedFit, SealedTest, check_unique, leaked
from skillopt.core.state import Attempt, EpochRecord, StepRecord, TrainerState
from skillopt.core.task import Split, Task, content_id, task_content
from skillopt.errors import ConfigError
from skillopt.events import (
    Broadcast,
    CandidateMade,
    EditsProposed,
    EpochDone,
    GateDecided,
    Listener,
    Merged,
    Reflected,
    RolloutsDone,
    RunFinished,
    RunStarted,
    StepDone,
)
from skillopt.protocols import (
    Agent,
    Comparison,
    Environment,
    EpochOptimizer,
    Gate,
    Optimizer,
    OptimizerContext,
    RunStore,
    TrainRollout,
    scorer_identity,
)
from skillopt.store.run_store import MemoryStore
from skillopt.train.config import TrainConfig
from skillopt.train.evaluate import Evaluator
from skillopt.train.mend import mended
from skillopt.train.parallel import Crew
from skillopt.train.rollouts import RolloutRunner, Wanted


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
    interruptions. `also` names and says what else must be equal for a stored run to go on. Raises
    ConfigError when there is nothing to train on or task ids repeat within a split.
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
        epoch_optimizer: EpochOptimizer | None = None,
        listeners: Iterable[Listener] = (),
        cache: RolloutCache | None = None,
        crew: Crew | None = None,
        also: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.config = config or TrainConfig()
        self.optimizer = optimizer
        self.epoch_optimizer = epoch_optimizer
        self.gate = gate
        self.store: RunStore = store or MemoryStore()
        self.emit = Broadcast(listeners)
        train, selection, test = (_tasks(environment, split) for split in Split)
        if not train:
            raise ConfigError("there are no training tasks", next="give the environment a train split")
        self.steps = [self.config.steps_of(train, epoch) for epoch in range(self.config.epochs)]
        crew = crew or Crew(self.config.workers)
        self.runner = RolloutRunner(agent, environment.scorer, crew=crew, cache=cache)
        self.evaluate = self._evaluator(Split.SELECTION, selection, seen=train)
        self._sealed_test = SealedTest(test)
        self._train = train
        self._seen = (*train, *selection)
        judge = scorer_identity(environment.scorer)
        self._start = TrainerState.begin(
            skill,
            (
                *self.config.identity(),
                ("agent", agent.identity),
                *([("scorer", judge)] if judge else []),
                ("optimizer", _name(optimizer)),
                ("epoch_optimizer", _name(epoch_optimizer) if epoch_optimizer else ""),
                ("gate", _name(gate)),
                ("skill", skill.sha),
                ("tasks", tasks_id(self._seen)),
                *also,
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
            for batches in self._steps_left(state, epoch):
                state = self._save(await self.step(self._enter(state, epoch), batches))
                self.emit(StepDone(state.history[-1]))
            state = self._save(await self.end_epoch(state, epoch))
            self.emit(EpochDone(epoch, state.skill.sha, state.epochs[-1]))
        state = self._save(state.finish())
        self.emit(RunFinished(state))
        return TrainResult(state, state.best_skill, state.history, self._sealed_test.finish(state))

    async def step(self, state: TrainerState, batches: Sequence[Sequence[Task]]) -> TrainerState:
        """One step on batches of training tasks; the state given is left as it is."""
        skill, context = state.skill, _context(state)
        rollouts = await self._rollout(state, batches)
        patches = [
            patch
            for batch in batches
            for patch in await self.optimizer.reflect(_scored(batch, rollouts), context)
        ]
        self.emit(Reflected(state.step, tuple(patches)))
        patch = await self.optimizer.aggregate(patches, context)
        self.emit(Merged(state.step, patch))
        patch = await self.optimizer.select(patch, context, budget=self._budget(state, patch))
        self.emit(EditsProposed(state.step, patch))
        candidate = await self.optimizer.update(skill, patch)
        decision = await self._decide(state, candidate)
        attempts = [(candidate, decision)]
        if second := await self._second_try(state, candidate, decision):
            attempts.append(second)
        return state.after(self._record(state, rollouts, attempts), attempts[-1][0])

    async def end_epoch(self, state: TrainerState, epoch: int) -> TrainerState:
        """What an epoch as a whole teaches: the slow update, from the second on, then the meta skill."""
        slow: str | None = None
        outcomes: tuple[tuple[str, str], ...] = ()
        attempt: Attempt | None = None
        if self.epoch_optimizer is not None and epoch and self.config.slow_update_samples:
            slow, outcomes, attempt = await self._slow_update(state, epoch, self.epoch_optimizer)
        state = state.after_epoch(EpochRecord(epoch, outcomes, attempt, state.meta_skill), slow)
        if self.epoch_optimizer is not None and self.config.meta_skill and epoch + 1 < self.config.epochs:
            steps = [record for record in state.history if record.epoch == epoch]
            state = state.with_meta_skill(await self.epoch_optimizer.meta_skill(steps, _context(state)))
        return state

    async def test(self, result: TrainResult, *skills: Skill) -> tuple[Evaluation, ...]:
        """Scores `skills` on the test split, side by side; equal ones are scored once. Raises ConfigError
        unless this trainer's `fit` made `result`."""
        tasks = self._sealed_test.open(result.token)
        return await self._evaluator(Split.TEST, tasks, seen=self._seen).each(skills)

    def measured(self, skill: Skill) -> Evaluation:
        """What is known of `skill` on the selection split; nothing is run for it."""
        return self.evaluate.known(skill)

    # --- the stages

    async def _rollout(self, state: TrainerState, batches: Sequence[Sequence[Task]]) -> tuple[Rollout, ...]:
        wanted = [Wanted([task for batch in batches for task in batch], state.skill)]
        if self.config.measures_seed and state.step == 0 and self.evaluate.tasks:
            wanted.append(self.evaluate.wanted(state.skill))
        rollouts, *_ = await self.runner.run_all(wanted)
        self.emit(RolloutsDone(state.step, rollouts))
        return rollouts

    async def _slow_update(
        self, state: TrainerState, epoch: int, learner: EpochOptimizer
    ) -> tuple[str | None, tuple[tuple[str, str], ...], Attempt | None]:
        """The text with new guidance, the outcomes it was learned from, and what the gate said of it."""
        before, after = Skill(state.before_epoch, state.kind), state.skill
        if before.sha == after.sha:
            return None, (), None
        sample = self.config.slow_update_sample(self._train, epoch)
        was, now = await self.runner.run_all(
            [Wanted(sample, before), Wanted(sample, after)], stage="slow_update rollouts"
        )
        pairs = [
            Comparison(task, a, b)
            for task, a, b in zip(sample, was, now, strict=True)
            if a.score is not None and b.score is not None
        ]
        outcomes = tuple((pair.task.id, pair.outcome) for pair in pairs)
        if all(outcome == "stable_success" for _, outcome in outcomes):
            return None, outcomes, None
        candidate = await learner.slow_update(pairs, _context(state))
        if candidate is None:
            return None, outcomes, None
        if not self.config.slow_update_gated:
            return candidate.text, outcomes, None
        decision = await self._decide(state, candidate, slow_update_of=epoch)
        return candidate.text, outcomes, Attempt(Skill(candidate.text).sha, candidate.reports, decision)

    def _budget(self, state: TrainerState, patch: Patch) -> int:
        n_steps = sum(map(len, self.steps))
        budget = self.config.edit_budget.at(state.step, n_steps)
        return len(patch.edits) if budget is None else budget

    async def _decide(
        self, state: TrainerState, candidate: Candidate, *, slow_update_of: int | None = None
    ) -> GateDecision:
        self.emit(CandidateMade(state.step, candidate, slow_update_of))
        skill = Skill(candidate.text, state.kind)
        decision = await self.gate.decide(state.skill, skill, self.evaluate)
        self.emit(GateDecided(state.step, decision, slow_update_of))
        return decision

    async def _second_try(
        self, state: TrainerState, candidate: Candidate, decision: GateDecision
    ) -> tuple[Candidate, GateDecision] | None:
        """A candidate mended of harmful edits, unless one that was accepted as it is does as well."""
        update, gate, evaluator = self.optimizer.update, self.gate, self.evaluate
        second = await mended(state.skill, candidate, decision, update=update, gate=gate, evaluator=evaluator)
        if second is None:
            return None
        if decision.accepted:
            measured = await gate.decide(state.skill, Skill(second.text, state.kind), evaluator)
            if not measured.accepted or (measured.candidate or 0.0) <= (decision.candidate or 0.0):
                return None
        return second, await self._decide(state, second)

    def _record(
        self,
        state: TrainerState,
        rollouts: Sequence[Rollout],
        attempts: Sequence[tuple[Candidate, GateDecision]],
    ) -> StepRecord:
        metric, weight = self.config.metric, self.config.mixed_weight
        scores = [measure(rollout.score, metric, weight) for rollout in rollouts if rollout.score is not None]
        return StepRecord(
            step=state.step,
            epoch=state.epoch,
            batch=tuple(rollout.task_id for rollout in rollouts),
            train_mean=sum(scores) / len(scores) if scores else None,
            n_errors=len(rollouts) - len(scores),
            attempts=tuple(
                Attempt(Skill(candidate.text).sha, candidate.reports, decision)
                for candidate, decision in attempts
            ),
        )

    # --- the run

    def stored(self) -> TrainerState:
        """The state to begin from. Raises ConfigError when the store holds a run of other inputs."""
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
        return state

    def _resume(self) -> TrainerState:
        state = self.stored()
        n_steps = sum(map(len, self.steps))
        n_selection = len(self.evaluate.tasks)
        self.emit(RunStarted(state.step, n_steps, len(self._seen) - n_selection, n_selection))
        return state

    def _epochs_left(self, state: TrainerState) -> range:
        return range(len(state.epochs), len(self.steps))

    def _steps_left(self, state: TrainerState, epoch: int) -> Sequence[tuple[tuple[Task, ...], ...]]:
        return self.steps[epoch][state.step - epoch * len(self.steps[0]) :]

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
    previous = Skill(state.before_epoch, state.kind)
    return OptimizerContext(state.skill, state.step, state.rejected, state.meta_skill, previous)


def _scored(batch: Sequence[Task], rollouts: Sequence[Rollout]) -> tuple[TrainRollout, ...]:
    """The rollouts an optimizer can learn from: a failure of the infrastructure teaches nothing."""
    tasks = {task.id: task for task in batch}
    mine = (r for r in rollouts if r.score is not None and r.task_id in tasks)
    return tuple(TrainRollout(tasks[r.task_id], r) for r in mine)


def tasks_id(tasks: Iterable[Task]) -> str:
    """A hash of tasks with all that is asked and checked."""
    return content_id([[task.id, task.split, task_content(task)] for task in tasks])


def _name(part: object) -> str:
    """Values describe themselves with their settings; anything else goes by its identity or its type."""
    if isinstance(identity := getattr(part, "identity", None), str):
        return identity
    if not is_dataclass(part):
        return f"{type(part).__module__}.{type(part).__qualname__}"
    text = re.sub(r" at 0x[0-9a-f]+", "", repr(part))
    return text if len(text) < 200 else f"{type(part).__qualname__} {content_id(text)}"
