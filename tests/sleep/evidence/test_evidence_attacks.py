"""Lessons that must lose when a hostile optimizer forces them on the trainer."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from spoken import session
from workshop import PROJECT, SEARCHES, WRITINGS, material, sessions

from skillopt.core.edit import Candidate, Edit, Patch, apply_edits
from skillopt.core.skill import Skill
from skillopt.core.task import Split, Task
from skillopt.protocols import OptimizerContext, TrainRollout
from skillopt.testing import ScriptedOptimizer
from skillopt_sleep.consolidate import Consolidated, Material, consolidate
from skillopt_sleep.evidence import ExtractiveOptimizer
from skillopt_sleep.mine.project import MinedProject
from skillopt_sleep.proposal import lesson_id
from skillopt_sleep.reading import Vocabulary
from skillopt_sleep.replay import CONTROLS, MinedEnvironment, Recorded, RecordedAgent
from skillopt_sleep.session import Session
from skillopt_sleep.skillfile import REGION

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Workshop:
    mined: MinedProject
    material: Material

    def tasks(self, split: Split, saying: str = "") -> list[Task]:
        return [t for t in self.material.tasks if t.split is split and saying in str(t.context["said"])]

    def held_out_words(self) -> list[str]:
        return [Recorded.of(t).said for t in self.material.tasks if t.split is not Split.TRAIN]


@pytest.fixture(scope="module")
def workshop() -> Workshop:
    return Workshop(*material(sessions()))


def item(text: str) -> Edit:
    return Edit("append", text=f"- {text} <!-- id: {lesson_id(text, PROJECT)} -->")


class Stubborn(ScriptedOptimizer):
    """Proposes one lesson in every step, whatever it is shown."""

    def __init__(self, text: str) -> None:
        super().__init__([Patch((item(text),))] * 100, within=REGION)


async def forced(workshop: Workshop, text: str) -> Consolidated:
    return await consolidate(workshop.material, workshop.mined.cues, Stubborn(text))


# --- what honest lessons get ----------------------------------------------------------------------------


async def test_honest_lessons_win(workshop: Workshop) -> None:
    done = await consolidate(workshop.material, workshop.mined.cues)
    modes = {
        lesson.mode: [each.text for each in done.lessons if each.mode == lesson.mode]
        for lesson in done.lessons
    }
    assert [len(modes["replayed"]), len(modes["restated"])] == [2, 1]
    assert "comments" in modes["restated"][0]
    for lesson in done.lessons:
        assert lesson.n == 3
        assert (lesson.replayed, lesson.restated) == ((3, 0) if lesson.mode == "replayed" else (0, 3))
        assert {q.session for q in lesson.train}.isdisjoint(q.session for q in lesson.held_out)
    assert done.decision.verdict == "accept"
    assert (done.decision.current, done.decision.candidate, done.decision.n) == (0.0, 1.0, 9)
    assert done.test is not None
    assert (done.test.before, done.test.after) == (0.0, 1.0)


@pytest.mark.parametrize("text", ["Use rg instead of grep.", "Pnpm, never npm.", "Use pnpm instead of npm."])
async def test_a_right_lesson_wins_whoever_proposes_it(workshop: Workshop, text: str) -> None:
    done = await forced(workshop, text[0].lower() + text[1:])
    assert [lesson.mode for lesson in done.lessons] == ["replayed"]


# --- what must lose -------------------------------------------------------------------------------------

STUFFED = [
    "Use rg, pnpm, uv and ruff.",
    "Use rg, grep, pnpm, npm, git and prettier.",
    "Rg, grep, pnpm, npm, no comments, comments.",
    "Use rg and pnpm and no comments and git and prettier always in the code please.",
    "Use rg, not grep, and never use pnpm.",
    "Use pnpm instead of npm. Never use rg.",
    "Use pnpm instead of npm; put comments in the code.",
    "Use rg instead of grep and yarn instead of npm.",
    "Use rg, pnpm, uv, ruff, cargo, make, docker, poetry, bun and deno, no comments in the code please.",
]
NEGATED = [
    "Do not use rg.",
    "Never rg.",
    "Never use pnpm.",
    "Do not use rg, not pnpm either.",
    "Don't leave the comments out.",
    "Never without comments in the code.",
    "rg is forbidden.",
]
REVERSED = [
    "Use grep instead of rg.",
    "grep, not rg.",
    "Use npm, not pnpm.",
    "npm instead of pnpm, never pnpm.",
    "Comments in the code please.",
    "Write comments in the code.",
    "Code with comments please.",
]
OVERREACHING = [
    "Use rg instead of git.",
    "Use rg instead of cat.",
    "Use pnpm instead of prettier.",
    "git push without origin.",
    "Use rg instead of tail, not tail.",
]
WRONG = [
    "Use yarn instead of npm.",
    "Use ag instead of grep.",
    "No npm, pnpm is forbidden too.",
    "Always use the right tools in this repo.",
    "Use them.",
    "Be careful with comments, npm and grep.",
    "When editing `*.rs`: use pnpm instead of npm.",
    'When the request is about "quantum": use rg, not grep.',
]


@pytest.mark.parametrize("text", STUFFED + NEGATED + REVERSED + OVERREACHING + WRONG)
async def test_it_must_lose(workshop: Workshop, text: str) -> None:
    done = await forced(workshop, text)
    assert done.lessons == ()
    assert done.test is None
    assert done.decision.verdict != "accept"
    assert {r.lesson.text for r in done.rejected} <= {text}
    assert all(not r.decision.accepted for r in done.rejected)


async def test_one_that_changes_what_went_well_is_turned_down_for_that(workshop: Workshop) -> None:
    known = workshop.material.vocabulary.programs
    controls = [Recorded.of(t) for t in workshop.tasks(Split.SELECTION) if t.group == CONTROLS]
    programs = {op.program for r in controls for op in r.first} & known - {"rg", "grep", "npm", "pnpm"}
    assert programs
    for program in sorted(programs):
        done = await forced(workshop, f"Use rg instead of {program}.")
        assert done.lessons == ()
        assert any("got worse" in r.decision.reason for r in done.rejected)


async def test_a_held_out_sentence_without_a_command_cannot_be_quoted(workshop: Workshop) -> None:
    trained = " ".join(Recorded.of(t).said for t in workshop.tasks(Split.TRAIN))
    quotes = [said for said in workshop.held_out_words() if "comment" in said and said not in trained]
    assert len(quotes) >= 3
    for quote in quotes:
        done = await forced(workshop, quote.split(": ")[-1].capitalize() + " forthwith.")
        assert done.lessons == ()


async def test_quoting_a_held_out_sentence_word_for_word_wins_nothing(workshop: Workshop) -> None:
    """An optimizer that peeked: the words are not among those typed in training."""
    trained = {" ".join(Recorded.of(t).said.split()) for t in workshop.tasks(Split.TRAIN)}
    won = 0
    for said in {text for text in workshop.held_out_words() if "comment" in text} - trained:
        done = await forced(workshop, said)
        contained = any(said.rstrip(".") in text for text in trained)
        won += bool(done.lessons) and not contained
    assert won == 0


async def test_what_one_session_said_against_the_majority_loses() -> None:
    odd = session(
        90,
        "write a token bucket",
        "! @edit src/bucket.ts | export const bucket = 1",
        "!~ add comments to the code please",
        "$ @edit src/bucket.ts | // bucket\nexport const bucket = 1",
        name="0dd",
    )
    mined, full = material([*sessions(), odd])
    tasks = tuple(
        replace(t, split=Split.TRAIN) if Recorded.of(t).session_id == "0dd" else t for t in full.tasks
    )
    done = await forced(Workshop(mined, replace(full, tasks=tasks)), "Add comments to the code.")
    assert done.lessons == ()


# --- what the score depends on --------------------------------------------------------------------------


def with_tasks(workshop: Workshop, change: Callable[[Task], Task]) -> Material:
    return replace(workshop.material, tasks=tuple(change(t) for t in workshop.material.tasks))


async def test_swapped_checks_make_the_score_fall(workshop: Workshop) -> None:
    """Held-out searches are scored by the checks of installs, and the other way round."""
    checks = {}
    for name in ("rg", "pnpm"):
        first = next(t for t in workshop.tasks(Split.SELECTION, name))
        checks[name] = first.checks

    def swap(task: Task) -> Task:
        if task.split is not Split.SELECTION or not task.checks:
            return task
        said = str(task.context["said"])
        return replace(task, checks=checks["rg" if "pnpm" in said else "pnpm"])

    done = await consolidate(with_tasks(workshop, swap), workshop.mined.cues)
    assert [lesson.mode for lesson in done.lessons] == ["restated"]
    turned_down = {r.lesson.mode for r in done.rejected}
    assert turned_down == {"replayed"}
    assert all(r.decision.candidate == 0.0 for r in done.rejected)


async def test_swapped_words_make_the_score_fall(workshop: Workshop) -> None:
    """Held-out sessions in which the person asked for something else restate nothing."""

    def swap(task: Task) -> Task:
        if task.split is not Split.SELECTION or "comment" not in str(task.context["said"]):
            return task
        return replace(task, context={**task.context, "said": "make it shorter and name it better"})

    done = await consolidate(with_tasks(workshop, swap), workshop.mined.cues)
    assert {lesson.mode for lesson in done.lessons} == {"replayed"}
    assert len(done.lessons) == 2


async def test_an_agent_that_knows_no_commands_replays_nothing(workshop: Workshop) -> None:
    unknowing = replace(workshop.material, vocabulary=Vocabulary.of([]))
    done = await consolidate(unknowing, workshop.mined.cues)
    assert all(lesson.replayed == 0 and lesson.mode == "restated" for lesson in done.lessons)


async def test_controls_in_training_keep_an_overreaching_lesson_from_being_proposed() -> None:
    """Where grep was fine in work that went well, "rg, not grep" would change it."""
    fine = [
        session(100 + n, f"count the errors in log {n}", f"$ grep -c ERROR server{n}.log", name=f"f1ne{n}")
        for n in range(6)
    ]
    mined, full = material([*sessions(), *fine])
    assert sum(t.group == CONTROLS and "f1ne" in str(t.context["session"]) for t in full.tasks) == 6
    done = await consolidate(full, mined.cues)
    for lesson in done.lessons:
        if "rg" in lesson.text and lesson.mode == "replayed":
            assert lesson.scope, "only under a scope that leaves the counting alone"


async def test_few_sessions_prove_nothing() -> None:
    few = [s for s in sessions() if s.user_turns[0].text in [asked for asked, _ in SEARCHES[:5]]]
    _, found = material(few)
    assert found.wants == ()


# --- who may see what -----------------------------------------------------------------------------------


@dataclass
class Spy:
    """Passes everything on to the shipped optimizer and keeps what was shown."""

    inner: ExtractiveOptimizer
    log: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)

    async def reflect(self, rollouts: Sequence[TrainRollout], context: OptimizerContext) -> tuple[Patch, ...]:
        self.log.append("reflect")
        self.shown.append(repr((rollouts, context)))
        self.tasks += [r.task for r in rollouts]
        return await self.inner.reflect(rollouts, context)

    async def aggregate(self, patches: Sequence[Patch], context: OptimizerContext) -> Patch:
        self.shown.append(repr((patches, context)))
        return await self.inner.aggregate(patches, context)

    async def select(self, patch: Patch, context: OptimizerContext, *, budget: int) -> Patch:
        return await self.inner.select(patch, context, budget=budget)

    async def update(self, skill: Skill, patch: Patch) -> Candidate:
        return await self.inner.update(skill, patch)


def shipped(material: Material, mined: MinedProject) -> ExtractiveOptimizer:
    environment = MinedEnvironment(material.tasks, material.meaning)
    train = environment.tasks(Split.TRAIN)
    agent = RecordedAgent(material.vocabulary, tuple(map(Recorded.of, train)), mined.cues)
    controls = tuple(t for t in train if t.group == CONTROLS)
    return ExtractiveOptimizer(agent, environment.scorer, controls, PROJECT, mined.cues, {})


class Sealed(Mapping[str, object]):
    """The context of a sealed task, which notes when it is read."""

    def __init__(self, inner: Mapping[str, object], log: list[str]) -> None:
        self.inner, self.log = inner, log

    def __getitem__(self, key: str) -> object:
        self.log.append("sealed")
        return self.inner[key]

    def __iter__(self) -> Iterator[str]:
        self.log.append("sealed")
        return iter(self.inner)

    def __len__(self) -> int:
        return len(self.inner)


async def test_the_optimizer_never_sees_what_is_held_out(workshop: Workshop) -> None:
    spy = Spy(shipped(workshop.material, workshop.mined))
    done = await consolidate(workshop.material, workshop.mined.cues, spy)
    assert done == await consolidate(workshop.material, workshop.mined.cues), "the spy changed the night"
    assert spy.tasks
    assert {task.split for task in spy.tasks} == {Split.TRAIN}
    everything = "\n".join(spy.shown)
    trained = {Recorded.of(t).session_id for t in workshop.tasks(Split.TRAIN)}
    for task in workshop.material.tasks:
        if task.split is Split.TRAIN:
            continue
        recorded = Recorded.of(task)
        assert task.id not in everything
        assert recorded.session_id in trained or recorded.session_id not in everything
        assert task.prompt not in everything


async def test_lessons_come_from_training_words_alone(workshop: Workshop) -> None:
    """The same night without any held-out session proposes the same lessons."""
    inner = shipped(workshop.material, workshop.mined)
    train_only = replace(
        workshop.material, tasks=tuple(t for t in workshop.material.tasks if t.split is Split.TRAIN)
    )
    blind = shipped(train_only, workshop.mined)
    for want in workshop.material.wants:
        tasks = [t for t in workshop.tasks(Split.TRAIN) if t.group == want.id]
        assert inner.best(tasks, set()) == blind.best(tasks, set())
        draft = inner.best(tasks, set())
        assert draft is not None
        body = draft.text.split(": ")[-1].rstrip(".").lower()
        assert any(body in Recorded.of(t).said.lower() for t in tasks)


async def test_the_sealed_test_is_not_read_before_the_end(workshop: Workshop) -> None:
    log: list[str] = []

    def seal(task: Task) -> Task:
        if task.split is not Split.TEST:
            return task
        return replace(task, context=Sealed(task.context, log))  # type: ignore[arg-type]

    sealed = with_tasks(workshop, seal)
    spy = Spy(shipped(workshop.material, workshop.mined), log)
    done = await consolidate(sealed, workshop.mined.cues, spy)
    assert done.test is not None
    assert done.test.n == len([t for t in workshop.tasks(Split.TEST) if t.group != CONTROLS])
    assert "sealed" in log
    assert "sealed" not in log[: len(log) - log[::-1].index("reflect")]


async def test_the_sealed_test_decides_nothing(workshop: Workshop) -> None:
    """Whatever stands in it, the lessons and their numbers stay the same."""
    done = await consolidate(workshop.material, workshop.mined.cues)
    spoiled = with_tasks(workshop, lambda t: replace(t, checks=()) if t.split is Split.TEST else t)
    other = await consolidate(spoiled, workshop.mined.cues)
    assert replace(other, test=done.test) == done
    assert other.test is not None
    assert done.test is not None
    assert other.test.after < done.test.after


async def test_without_an_accepted_lesson_the_sealed_test_stays_sealed(workshop: Workshop) -> None:
    log: list[str] = []
    sealed = with_tasks(
        workshop,
        lambda t: replace(t, context=Sealed(t.context, log)) if t.split is Split.TEST else t,  # type: ignore[arg-type]
    )
    done = await consolidate(sealed, workshop.mined.cues, Stubborn("Never rg."))
    assert done.test is None
    assert log == []


# --- the same every time --------------------------------------------------------------------------------


async def test_the_same_sessions_in_any_order_give_the_same_night(workshop: Workshop) -> None:
    first = repr(await consolidate(workshop.material, workshop.mined.cues))
    for seed in (1, 2):
        shuffled: list[Session] = sessions()
        random.Random(seed).shuffle(shuffled)
        mined, full = material(shuffled)
        assert full.tasks == workshop.material.tasks
        assert repr(await consolidate(full, mined.cues)) == first


async def test_a_lesson_that_was_refused_is_not_proposed_on_the_same_evidence(workshop: Workshop) -> None:
    done = await consolidate(workshop.material, workshop.mined.cues)
    refused = {want.id: frozenset({lesson.id}) for lesson, want in zip(done.lessons, done.wants, strict=True)}
    again = await consolidate(replace(workshop.material, refused=refused), workshop.mined.cues)
    assert {lesson.id for lesson in done.lessons}.isdisjoint(lesson.id for lesson in again.lessons)


async def test_an_adopted_lesson_is_not_proposed_again(workshop: Workshop) -> None:
    """Nor when the person reworded it: it is theirs now."""
    done = await consolidate(workshop.material, workshop.mined.cues)
    edits = [item(lesson.text) for lesson in done.lessons]
    reworded = [
        replace(e, text=e.text.replace("Leave the comments out", "Comments are out, no comments"))
        for e in edits
    ]
    for adopted in (edits, reworded):
        skill = Skill(apply_edits(Skill(""), adopted, within=REGION).text)
        again = await consolidate(replace(workshop.material, skill=skill), workshop.mined.cues)
        assert again.lessons == ()
        assert again.rejected == ()


def test_these_sessions_hold_what_the_attacks_need(workshop: Workshop) -> None:
    assert len(workshop.material.wants) == 3
    assert {len(w.session_ids) for w in workshop.material.wants} == {len(SEARCHES), len(WRITINGS)}
    assert {t.split for t in workshop.material.tasks if t.group == CONTROLS} == set(Split)
    assert Path(PROJECT).is_absolute()
