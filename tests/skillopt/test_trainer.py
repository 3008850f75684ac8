"""The trainer: what it learns, what it refuses, and that nothing but its inputs changes the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import anyio
import pytest

from skillopt.core.edit import Edit, Patch
from skillopt.core.gate import Always, NoRegression, Strict
from skillopt.core.rollout import Score, Trajectory
from skillopt.core.schedule import EditBudget
from skillopt.core.skill import Skill
from skillopt.core.splits import FinishedFit
from skillopt.core.state import TrainerState
from skillopt.core.task import Check, Split, Task
from skillopt.errors import BackendError, ConfigError, SkillOptError
from skillopt.events import Event, ListenerDropped, RunFinished
from skillopt.protocols import Agent, Environment, Gate, RunStore, Scorer
from skillopt.scoring.checks import RuleScorer
from skillopt.store.run_store import FileStore, MemoryStore
from skillopt.testing import FaultyAgent, ListEnvironment, MemoryListener, RuleAgent, ScriptedOptimizer
from skillopt.train.config import TrainConfig
from skillopt.train.trainer import Trainer, TrainResult

pytestmark = pytest.mark.anyio

TOPICS = ("tea", "milk", "rice")
SEED = Skill("---\nname: shop\n---\n# Shop\n")


def tasks() -> list[Task]:
    """For each topic two tasks a split; an answer must name the aisle and must not shout."""
    return [
        Task(
            f"{split}-{topic}-{i}",
            f"where is the {topic}, asks customer {split} {i}",
            split,
            (Check("contains", f"aisle {topic}"), Check("not_contains", "!")),
            group=topic,
        )
        for split in Split
        for topic in TOPICS
        for i in (1, 2)
    ]


def learn(topic: str) -> Edit:
    return Edit("append", f"- when asked about {topic}, say `aisle {topic}`", evidence=(f"train-{topic}-1",))


SHOUT = Edit("append", "- when asked about tea, say `tea!`")
SCRIPT = [Patch((learn("milk"),)), Patch((learn("rice"),)), Patch((learn("tea"),))]


def trainer(
    script: Sequence[Patch | BackendError] = SCRIPT,
    *,
    environment: Environment | None = None,
    agent: Agent | None = None,
    gate: Gate | None = None,
    store: RunStore | None = None,
    workers: int = 3,
    epochs: int = 1,
    listeners: Sequence[object] = (),
    skill: Skill = SEED,
) -> Trainer:
    return Trainer(
        environment or ListEnvironment(tasks()),
        agent or RuleAgent(),
        ScriptedOptimizer(script),
        gate or NoRegression(Strict()),
        skill=skill,
        config=TrainConfig(epochs=epochs, batches="by_group", workers=workers),
        store=store,
        listeners=listeners,  # type: ignore[arg-type]
    )


async def test_it_learns_what_helps() -> None:
    result = await trainer().fit()
    assert [record.decision.verdict for record in result.history] == ["accept"] * 3
    assert [record.batch for record in result.history] == [
        (f"train-{topic}-1", f"train-{topic}-2") for topic in ("milk", "rice", "tea")
    ]
    assert result.best == result.state.skill
    assert result.best.text.startswith(SEED.text)
    assert result.state.best_score == 1.0
    assert [round(record.decision.candidate or 0, 3) for record in result.history] == [0.333, 0.667, 1.0]


async def test_it_rejects_what_harms_and_remembers() -> None:
    optimizer = ScriptedOptimizer([Patch((learn("tea"),)), Patch((SHOUT,)), Patch()])
    config = TrainConfig(epochs=1, batches="by_group")
    result = await Trainer(
        ListEnvironment(tasks()), RuleAgent(), optimizer, NoRegression(Strict()), skill=SEED, config=config
    ).fit()
    assert [record.decision.verdict for record in result.history] == ["accept", "reject", "reject"]
    assert "selection-tea-1, selection-tea-2" in result.history[1].decision.reason
    assert SHOUT.text not in result.best.text
    assert [rejected.edit for rejected in optimizer.contexts[2].rejected] == [SHOUT]
    assert optimizer.contexts[2].rejected[0].candidate == 0
    assert result.history[2].decision.reason == "unchanged"


async def test_the_optimizer_sees_training_tasks_only() -> None:
    optimizer = ScriptedOptimizer(SCRIPT)
    config = TrainConfig(epochs=1, batches="by_group")
    await Trainer(ListEnvironment(tasks()), RuleAgent(), optimizer, Strict(), skill=SEED, config=config).fit()
    assert {seen.task.split for rollouts in optimizer.rollouts for seen in rollouts} == {Split.TRAIN}
    assert [len(rollouts) for rollouts in optimizer.rollouts] == [2, 2, 2]


class Counting:
    """Counts the calls of an agent, by task."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.calls: list[str] = []

    @property
    def identity(self) -> str:
        return self.agent.identity

    async def run(self, task: Task, skill: Skill, *, repeat: int = 0) -> Trajectory:
        self.calls.append(task.id)
        return await self.agent.run(task, skill, repeat=repeat)


@pytest.mark.parametrize(
    "patch", [Patch(), Patch((Edit("delete", anchor="nowhere"),)), Patch((Edit("append", "# Shop"),))]
)
async def test_an_unchanged_candidate_costs_no_evaluation(patch: Patch) -> None:
    agent = Counting(RuleAgent())
    result = await trainer([patch] * 3, agent=agent).fit()
    assert len(agent.calls) == 6
    assert all(call.startswith("train-") for call in agent.calls)
    assert result.best == SEED
    assert result.state.rejected == ()


async def test_nothing_is_paid_for_twice() -> None:
    agent = Counting(RuleAgent())
    await trainer(agent=agent).fit()
    # 6 training rollouts, and the seed and three candidates on 6 held-out tasks.
    assert len(agent.calls) == 6 + 4 * 6


# --- the second try -------------------------------------------------------------------------------------


async def test_a_good_edit_is_not_lost_to_a_bad_neighbour() -> None:
    store = MemoryStore()
    start = Skill(SEED.text + learn("tea").text + "\n")
    patch = Patch((learn("milk"), SHOUT, learn("rice")))
    result = await trainer([patch, Patch(), Patch()], store=store, skill=start).fit()
    first = result.history[0]
    assert [attempt.decision.verdict for attempt in first.attempts] == ["reject", "accept"]
    assert first.accepted == (learn("milk"), learn("rice"))
    assert [rejected.edit for rejected in result.state.rejected] == [SHOUT]
    assert "!" not in result.best.text


async def test_the_edit_to_blame_is_found_alone_or_not_at_all() -> None:
    start = Skill(SEED.text + learn("tea").text + "\n")
    swap = Patch((Edit("delete", anchor=learn("tea").text), replace(learn("milk"), text="x"), learn("rice")))
    result = await trainer([swap, Patch(), Patch()], skill=start).fit()
    assert len(result.history[0].attempts) == 2
    assert result.history[0].accepted == (replace(learn("milk"), text="x"), learn("rice"))
    only_bad = Patch((SHOUT,))
    result = await trainer([only_bad, Patch(), Patch()], skill=start).fit()
    assert len(result.history[0].attempts) == 1


THOROUGH = NoRegression(Strict(), thorough=True)


async def test_harm_that_no_drop_shows_is_found() -> None:
    """Tea failed before, so shouting makes no task fall; it keeps the new rule about tea from helping."""
    patch = Patch((learn("milk"), SHOUT, learn("tea")))
    blind = await trainer([patch, Patch(), Patch()]).fit()
    assert "!" in blind.best.text
    result = await trainer([patch, Patch(), Patch()], gate=THOROUGH).fit()
    first = result.history[0]
    assert [attempt.decision.verdict for attempt in first.attempts] == ["accept", "accept"]
    assert first.accepted == (learn("milk"), learn("tea"))
    assert [rejected.edit for rejected in result.state.rejected] == [SHOUT]
    assert "without it, mean score rose" in result.state.rejected[0].reason
    assert "!" not in result.best.text


async def test_a_good_edit_is_not_lost_to_a_neighbour_that_spoils_everything() -> None:
    ruin = Edit("append", "- when asked about milk, say `milk!`")
    patch = Patch((ruin, learn("milk")))
    result = await trainer([patch, Patch(), Patch()], gate=THOROUGH).fit()
    assert [attempt.decision.verdict for attempt in result.history[0].attempts] == ["reject", "accept"]
    assert result.history[0].accepted == (learn("milk"),)


async def test_an_accepted_candidate_stays_where_no_edit_does_harm() -> None:
    patch = Patch((learn("milk"), learn("rice")))
    result = await trainer([patch, Patch(), Patch()], gate=THOROUGH).fit()
    assert len(result.history[0].attempts) == 1
    assert result.history[0].accepted == patch.edits


async def test_strict_alone_has_no_second_try() -> None:
    start = Skill(SEED.text + learn("tea").text + "\n")
    result = await trainer(
        [Patch((learn("milk"), SHOUT)), Patch(), Patch()], skill=start, gate=Strict()
    ).fit()
    assert len(result.history[0].attempts) == 1
    assert result.history[0].decision.verdict == "reject"


# --- failure is data ------------------------------------------------------------------------------------


async def test_a_failed_rollout_is_no_score() -> None:
    optimizer = ScriptedOptimizer(SCRIPT)
    config = TrainConfig(epochs=1, batches="by_group")
    agent = FaultyAgent(RuleAgent(), {"train-milk-1", "selection-milk-1"})
    result = await Trainer(
        ListEnvironment(tasks()), agent, optimizer, Strict(), skill=SEED, config=config
    ).fit()
    assert [seen.task.id for seen in optimizer.rollouts[0]] == ["train-milk-2"]
    assert result.history[0].n_errors == 1
    assert result.history[0].decision.n == 5


async def test_too_many_errors_and_the_gate_abstains() -> None:
    agent = FaultyAgent(RuleAgent(), {f"selection-{topic}-1" for topic in TOPICS})
    result = await trainer(agent=agent).fit()
    assert [record.decision.verdict for record in result.history] == ["abstain"] * 3
    assert (result.best, result.state.rejected) == (SEED, ())


async def test_an_outage_stops_the_run_and_it_goes_on_later(tmp_path: Path) -> None:
    expected = (await trainer().fit()).state.to_json()
    down = {f"train-rice-{i}" for i in (1, 2)}
    store = FileStore(tmp_path / "run")
    with pytest.raises(BackendError, match="all 2 rollouts failed") as caught:
        await trainer(store=store, agent=FaultyAgent(RuleAgent(), down)).fit()
    assert "the backend is down" in caught.value.why
    saved = store.load()
    assert saved is not None
    assert (saved.step, saved.finished) == (1, False)
    assert (await trainer(store=store).fit()).state.to_json() == expected


class Refusing(FaultyAgent):
    """Refuses, for good, every held-out request with a skill that has learned something."""

    async def run(self, task: Task, skill: Skill, *, repeat: int = 0) -> Trajectory:
        if task.split == Split.SELECTION and skill.sha != SEED.sha:
            raise BackendError("too long", is_permanent=True)
        return await super().run(task, skill, repeat=repeat)


async def test_a_candidate_whose_every_request_is_refused_is_not_judged() -> None:
    result = await trainer(agent=Refusing(RuleAgent(), set())).fit()
    assert [record.decision.verdict for record in result.history] == ["abstain"] * 3
    assert result.best == SEED


async def test_a_step_whose_optimizer_failed_is_not_done() -> None:
    store = MemoryStore()
    expected = (await trainer().fit()).state.to_json()
    with pytest.raises(BackendError, match="no login"):
        await trainer([SCRIPT[0], BackendError("no login"), SCRIPT[2]], store=store).fit()
    saved = store.load()
    assert saved is not None
    assert saved.step == 1
    assert (await trainer(store=store).fit()).state.to_json() == expected


class Judge:
    """Fails as told."""

    def __init__(self, error: Exception, task_id: str) -> None:
        self.error, self.task_id = error, task_id

    async def score(self, task: Task, trajectory: Trajectory) -> Score:
        if task.id == self.task_id:
            raise self.error
        return await RuleScorer().score(task, trajectory)


@pytest.mark.parametrize("error", [SkillOptError("the judge's reply cannot be read"), BackendError("busy")])
async def test_a_scorer_that_cannot_score_leaves_a_gap(error: Exception) -> None:
    scorer: Scorer = Judge(error, "selection-tea-1")
    result = await trainer(environment=ListEnvironment(tasks(), scorer)).fit()
    assert [record.decision.n for record in result.history] == [5, 5, 5]


class Strictness(RuleScorer):
    """A scorer that says how it is set up."""

    def __init__(self, identity: str) -> None:
        self.identity = identity


async def test_a_run_is_not_gone_on_with_under_another_judge() -> None:
    store = MemoryStore()
    await trainer(environment=ListEnvironment(tasks(), Strictness("strict/1")), store=store).fit()
    again = trainer(environment=ListEnvironment(tasks(), Strictness("strict/2")), store=store)
    with pytest.raises(ConfigError, match="another scorer"):
        await again.fit()


@pytest.mark.parametrize("error", [ConfigError("no checks"), ValueError("a defect")])
async def test_a_defect_is_raised_as_it_is(error: Exception) -> None:
    scorer: Scorer = Judge(error, "train-milk-2")
    with pytest.raises(type(error), match=str(error)):
        await trainer(environment=ListEnvironment(tasks(), scorer)).fit()


# --- one result -----------------------------------------------------------------------------------------


class Shuffling:
    """Finishes in another order than it starts."""

    def __init__(self) -> None:
        self.agent = RuleAgent()
        self.identity = self.agent.identity
        self.n = self.n_running = self.most = 0

    async def run(self, task: Task, skill: Skill, *, repeat: int = 0) -> Trajectory:
        self.n += 1
        self.n_running += 1
        self.most = max(self.most, self.n_running)
        await anyio.sleep(0.002 * (7 - self.n % 7))
        self.n_running -= 1
        return await self.agent.run(task, skill, repeat=repeat)


@pytest.mark.parametrize("workers", [1, 3, 20])
async def test_workers_change_nothing(workers: int) -> None:
    expected = (await trainer().fit()).state.to_json()
    agent = Shuffling()
    assert (await trainer(workers=workers, agent=agent).fit()).state.to_json() == expected
    assert agent.most == min(workers, 6)


class StopError(Exception):
    """Stands for a kill."""


class StoppingStore(FileStore):
    """Kills the run right after a save."""

    def __init__(self, run_dir: Path, saves: int) -> None:
        super().__init__(run_dir)
        self.saves = saves

    def save(self, state: TrainerState) -> None:
        super().save(state)
        self.saves -= 1
        if self.saves == 0:
            raise StopError


@pytest.mark.parametrize("saves", range(1, 8))
async def test_a_run_stopped_after_any_step_ends_the_same(tmp_path: Path, saves: int) -> None:
    script = [Patch((learn("milk"), SHOUT)), Patch((SHOUT,)), Patch((learn("tea"),)), *SCRIPT]
    whole = FileStore(tmp_path / "whole")
    await trainer(script, store=whole, epochs=2).fit()
    with pytest.raises(StopError):
        await trainer(script, store=StoppingStore(tmp_path / "cut", saves), epochs=2).fit()
    cut = FileStore(tmp_path / "cut")
    result = await trainer(script, store=cut, epochs=2).fit()
    assert cut.path.read_bytes() == whole.path.read_bytes()
    assert len(result.history) == 6


@pytest.mark.parametrize(("buffer", "seen"), [("epoch", [0, 1, 1, 0, 0, 0]), ("run", [0, 1, 1, 1, 1, 1])])
async def test_how_long_rejected_edits_are_remembered(
    buffer: Literal["epoch", "run"], seen: list[int]
) -> None:
    script = [Patch((SHOUT,)), Patch(), Patch(), Patch(), Patch(), Patch()]
    optimizer = ScriptedOptimizer(script)
    config = TrainConfig(epochs=2, batches="by_group", rejected_buffer=buffer)
    start = Skill(SEED.text + learn("tea").text + "\n")
    await Trainer(
        ListEnvironment(tasks()), RuleAgent(), optimizer, Strict(), skill=start, config=config
    ).fit()
    assert [len(context.rejected) for context in optimizer.contexts] == seen


async def test_another_configuration_is_refused() -> None:
    store = MemoryStore()
    await trainer(store=store).fit()
    before = store.text
    with pytest.raises(ConfigError, match="another gate") as caught:
        await trainer(store=store, gate=Always()).fit()
    assert "Always" in caught.value.why
    with pytest.raises(ConfigError, match="another skill"):
        await trainer(store=store, skill=Skill("x")).fit()
    with pytest.raises(ConfigError, match="another epochs"):
        await trainer(store=store, epochs=2).fit()
    assert store.text == before
    assert (await trainer(store=store, workers=1).fit()).state.finished


async def test_listeners_change_nothing() -> None:
    expected = (await trainer().fit()).state.to_json()
    heard = MemoryListener()

    def broken(event: Event) -> None:
        raise RuntimeError("the disk is full")

    result = await trainer(listeners=[broken, heard]).fit()
    assert result.state.to_json() == expected
    assert [type(event).__name__ for event in heard.events] == [
        "ListenerDropped",
        "RunStarted",
        *(
            [
                "RolloutsDone",
                "Reflected",
                "Merged",
                "EditsProposed",
                "CandidateMade",
                "GateDecided",
                "StepDone",
            ]
            * 3
        ),
        "EpochDone",
        "RunFinished",
    ]
    dropped, finished = heard.events[0], heard.events[-1]
    assert isinstance(dropped, ListenerDropped)
    assert "the disk is full" in dropped.error
    assert finished == RunFinished(result.state)


# --- held out means held out ----------------------------------------------------------------------------


class LeakyEnvironment:
    """Held-out tasks are in training too."""

    def __init__(self, leak: Task) -> None:
        self.leak = leak
        self.scorer = RuleScorer()

    def tasks(self, split: Split) -> list[Task]:
        leak = [self.leak] if split is Split.TRAIN else []
        return [task for task in tasks() if task.split is split] + leak


def held_out() -> Task:
    return next(task for task in tasks() if task.id == "selection-tea-1")


@pytest.mark.parametrize(
    "leak",
    [
        replace(held_out(), split=Split.TRAIN),
        replace(held_out(), split=Split.TRAIN, id="new", group="milk"),
    ],
)
async def test_leaked_tasks_and_the_gate_abstains(leak: Task) -> None:
    for gate in (Strict(), NoRegression(Strict()), Always()):
        result = await trainer(environment=LeakyEnvironment(leak), gate=gate).fit()
        assert {record.decision.verdict for record in result.history} == {"abstain"}
        assert "selection-tea-1" in result.history[0].decision.reason


async def test_no_training_tasks() -> None:
    with pytest.raises(ConfigError, match="no training tasks"):
        trainer(environment=ListEnvironment([held_out()]))


async def test_the_test_split_is_sealed_until_fit_is_done() -> None:
    agent = Counting(RuleAgent())
    one, other = trainer(agent=agent), trainer()
    assert not [call for call in agent.calls if call.startswith("test-")]
    result = await one.fit()
    assert not [call for call in agent.calls if call.startswith("test-")]
    seed, best = await one.test(result, SEED, result.best)
    assert (seed.mean, best.mean, best.n, best.split) == (0.0, 1.0, 6, Split.TEST)
    for token in (FinishedFit(object()), (await other.fit()).token, None):
        forged = TrainResult(result.state, result.best, result.history, token)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="sealed"):
            await one.test(forged, SEED)


async def test_the_budget_clips() -> None:
    script = [Patch(tuple(learn(topic) for topic in TOPICS)), Patch(), Patch()]
    optimizer = ScriptedOptimizer(script)
    config = TrainConfig(epochs=1, batches="by_group", edit_budget=EditBudget("constant", 2, 2))
    result = await Trainer(
        ListEnvironment(tasks()), RuleAgent(), optimizer, Strict(), skill=SEED, config=config
    ).fit()
    assert result.history[0].accepted == (learn("tea"), learn("milk"))
