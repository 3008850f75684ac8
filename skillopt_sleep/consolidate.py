"""One skill's training of a night: the engine's trainer on mined tasks, and the evidence for each lesson."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from skillopt.core.edit import Edit
from skillopt.core.gate import GateDecision, NoRegression, Pair, Strict
from skillopt.core.interval import mean_interval
from skillopt.core.rollout import Rollout, RolloutKey
from skillopt.core.schedule import EditBudget
from skillopt.core.skill import Skill
from skillopt.core.state import TrainerState
from skillopt.core.task import Split, Task
from skillopt.protocols import Gate, Optimizer
from skillopt.train.config import TrainConfig
from skillopt.train.trainer import Trainer, TrainResult
from skillopt_sleep.evidence import ExtractiveOptimizer, Settled
from skillopt_sleep.lessons import occasion_words
from skillopt_sleep.mine.cues import Cues
from skillopt_sleep.mine.meaning import Meaning
from skillopt_sleep.mine.recur import Want
from skillopt_sleep.parts import SHIPPED, Parts
from skillopt_sleep.proposal import Lesson, Quote, SealedTest, lesson_id
from skillopt_sleep.reading import Vocabulary, read_scope
from skillopt_sleep.replay import CONTROLS, REPLAYED, RESTATED, MinedEnvironment, Recorded, RecordedAgent
from skillopt_sleep.safety import screen
from skillopt_sleep.skillfile import id_of, read_lessons
from skillopt_sleep.split import MIN_EVIDENCE

EPOCHS = 3
"""A want whose first lesson was turned down gets two more tries; each is a look at the held-out tasks."""

CHANGED = "the habit changed"
MERGED = "it says the same for more sessions"

MIN_GAINED = 2
"""A lesson must pre-empt corrections of at least two held-out tasks."""


@dataclass(frozen=True, slots=True)
class Material:
    """What one skill is trained on. By want, `refused` are lessons already turned down on this evidence and
    `settled` is what earlier nights left."""

    project: str
    skill: Skill
    wants: tuple[Want, ...]
    tasks: tuple[Task, ...]
    vocabulary: Vocabulary
    meaning: Meaning
    refused: Mapping[str, frozenset[str]]
    settled: Mapping[str, Settled] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TurnedDown:
    """A lesson the gate did not accept, and why."""

    lesson: Lesson
    want: Want
    decision: GateDecision


@dataclass(frozen=True, slots=True)
class Consolidated:
    """A finished training: the lessons accepted (with the wants they belong to), those turned down, and the
    wants that are `unsaid`: no whole sentence of training says them."""

    lessons: tuple[Lesson, ...]
    wants: tuple[Want, ...]
    decision: GateDecision
    rejected: tuple[TurnedDown, ...]
    test: SealedTest | None
    unsaid: tuple[Want, ...] = ()


NOTHING = Consolidated((), (), GateDecision("reject", "nothing was tried"), (), None)
"""Where no want of a skill is ready."""


class Unkept:
    """A store that keeps nothing: a night's training takes moments and is never resumed."""

    def load(self) -> None:
        """See `RunStore`."""

    def save(self, state: TrainerState) -> None:
        """See `RunStore`."""


class LastSkills(MutableMapping[RolloutKey, Rollout]):
    """The rollouts of the skills last asked for; candidates that were turned down are not tried again."""

    _KEPT = 3

    def __init__(self) -> None:
        self._by_skill: dict[str, dict[RolloutKey, Rollout]] = {}

    def __getitem__(self, key: RolloutKey) -> Rollout:
        found = self._by_skill[key[0]][key]
        if key[0] != self._last:
            self._by_skill[key[0]] = self._by_skill.pop(key[0])
        return found

    def __setitem__(self, key: RolloutKey, rollout: Rollout) -> None:
        if key[0] not in self._by_skill:
            for skill_sha in list(self._by_skill)[: 1 - self._KEPT]:
                del self._by_skill[skill_sha]
        self._by_skill.setdefault(key[0], {})[key] = rollout

    @property
    def _last(self) -> str:
        return next(reversed(self._by_skill))

    def __delitem__(self, key: RolloutKey) -> None:
        del self._by_skill[key[0]][key]

    def __iter__(self) -> Iterator[RolloutKey]:
        return (key for rollouts in self._by_skill.values() for key in rollouts)

    def __len__(self) -> int:
        return sum(map(len, self._by_skill.values()))


def shipped_gate() -> Gate:
    """No held-out task may get worse, and the mean must rise on enough of them."""
    return NoRegression(Strict(min_pairs=MIN_EVIDENCE, min_gained=MIN_GAINED))


async def consolidate(
    material: Material, cues: Cues, optimizer: Optimizer | None = None, *, parts: Parts = SHIPPED
) -> Consolidated:
    """Train one skill behind the gate, one lesson a step, and score the sealed test once at the end.

    The lessons are the user's own clauses unless another `optimizer` proposes them; it must append list items
    that end in an id (see `skillfile`), and only the gate decides what it is worth.
    """
    environment = MinedEnvironment(material.tasks, material.meaning)
    practice = tuple(Recorded.of(t) for t in environment.tasks(Split.TRAIN))
    adopted = frozenset(text for _, text in read_lessons(material.skill.to_bytes()))
    agent = RecordedAgent(material.vocabulary, practice, cues, adopted)
    controls = tuple(t for t in environment.tasks(Split.TRAIN) if t.group == CONTROLS)
    extractive = ExtractiveOptimizer(
        agent,
        environment.scorer,
        controls,
        material.project,
        cues,
        dict(material.refused),
        material.settled,
    )
    trainer = Trainer(
        environment,
        agent,
        parts.optimizer(optimizer or extractive),
        parts.gate(shipped_gate()),
        skill=material.skill,
        store=Unkept(),
        cache=LastSkills(),
        config=TrainConfig(
            epochs=EPOCHS,
            batches="by_group",
            edit_budget=EditBudget("constant", 1, 1),
            rejected_buffer="run",
        ),
    )
    result = await trainer.fit()
    wants = {w.id: w for w in material.wants}
    groups = {t.id: t.group for t in material.tasks}
    judge = _Evidence(environment, agent, cues, material.project)
    accepted: list[tuple[Lesson, Want]] = []
    rejected: list[TurnedDown] = []
    for record in result.history:
        want = wants.get(groups[record.batch[0]])
        if want is None:
            continue
        for attempt in record.attempts:
            for edit in attempt.applied:
                lesson = judge.lesson(edit, want)
                if attempt.decision.accepted:
                    accepted.append((lesson, want))
                else:
                    held_out = {t.id for t in environment.tasks(Split.SELECTION) if t.group == want.id}
                    rejected.append(TurnedDown(lesson, want, decision_of(attempt.decision, held_out)))
    accepted = _lasting(accepted, material.skill, result.state.skill, material.settled)
    # What was said most comes first; ids, which depend on where the project lies, decide nothing here.
    accepted.sort(key=lambda each: (-len(each[1].session_ids), each[0].text))
    test = await _sealed(trainer, result, material.skill, environment) if accepted else None
    won = {want.id for _, want in accepted}
    tried_wants = won | {r.want.id for r in rejected}
    tried = {t.id for t in environment.tasks(Split.SELECTION) if t.group in won}
    return Consolidated(
        lessons=tuple(lesson for lesson, _ in accepted),
        wants=tuple(want for _, want in accepted),
        decision=_overall([r.decision for r in result.history if r.accepted], tried),
        rejected=tuple(r for r in rejected if r.want.id not in won),
        test=test,
        unsaid=tuple(
            want for want in material.wants
            if want.id not in tried_wants and _is_unsaid(want, material, extractive, environment)
        ),
    )  # fmt: skip


def _is_unsaid(
    want: Want, material: Material, optimizer: ExtractiveOptimizer, environment: MinedEnvironment
) -> bool:
    """Whether nothing was proposed for a want because training has no sentence for it, and not because an
    earlier night has settled it."""
    if material.refused.get(want.id) or material.settled.get(want.id, Settled()) != Settled():
        return False
    tasks = [t for t in environment.tasks(Split.TRAIN) if t.group == want.id]
    return bool(tasks) and optimizer.best(tasks, frozenset()) is None


def _lasting(
    accepted: Sequence[tuple[Lesson, Want]], base: Skill, final: Skill, settled: Mapping[str, Settled]
) -> list[tuple[Lesson, Want]]:
    """The accepted lessons that still stand at the end, each with what of the first skill it replaced."""
    at_first = {name for name, _ in read_lessons(base.to_bytes())}
    at_last = {name for name, _ in read_lessons(final.to_bytes())}
    replaced = {lesson.id: lesson.supersedes for lesson, _ in accepted}

    def beneath(name: str) -> tuple[str, ...]:
        # What was accepted tonight and replaced tonight never stood anywhere.
        return tuple(old for one in replaced.get(name, ()) for old in (one, *beneath(one)))

    out = []
    for lesson, want in accepted:
        if lesson.id in at_last:
            old = tuple(dict.fromkeys(name for name in beneath(lesson.id) if name in at_first))
            former = settled.get(want.id, Settled()).former
            why = CHANGED if set(old) & set(former) else MERGED
            out.append((replace(lesson, supersedes=old, because=why if old else ""), want))
    return out


async def _sealed(
    trainer: Trainer, result: TrainResult, base: Skill, environment: MinedEnvironment
) -> SealedTest | None:
    corrected = {t.id for t in environment.tasks(Split.TEST) if t.group != CONTROLS}
    if not corrected:
        return None
    seed, best = await trainer.test(result, base, result.best)
    before, after = seed.scores(), best.scores()
    n = len(corrected)
    return SealedTest(sum(before[i] for i in corrected) / n, sum(after[i] for i in corrected) / n, n)


def decision_of(decision: GateDecision, tasks: set[str]) -> GateDecision:
    """The gate's decision on the held-out tasks it is about, others left out."""
    return _on([p for p in decision.pairs if p[0] in tasks], decision)


def _on(pairs: Sequence[Pair], decision: GateDecision) -> GateDecision:
    n = len(pairs)
    return replace(
        decision,
        n=n,
        current=sum(p[1] for p in pairs) / n if n else None,
        candidate=sum(p[2] for p in pairs) / n if n else None,
        pairs=tuple(pairs),
        interval=mean_interval([after - before for _, before, after in pairs], decision.confidence),
    )


def _overall(decisions: Sequence[GateDecision], tasks: set[str]) -> GateDecision:
    """From before the first accepted lesson to after the last, on the held-out tasks of the lessons."""
    if not decisions:
        return GateDecision("reject", "no lesson was accepted")
    before = {i: b for i, b, _ in decisions[0].pairs}
    after = {i: a for i, _, a in decisions[-1].pairs}
    pairs = [(i, before[i], after[i]) for i in before if i in tasks and i in after]
    others = len(decisions[-1].pairs) - len(pairs)
    gained = sum(b < a for _, b, a in pairs)
    reason = f"{gained} of {len(pairs)} held-out corrections would not have been needed; none got worse"
    if others:
        reason += f", nor did {others} other held-out {'episode' if others == 1 else 'episodes'}"
    return replace(_on(pairs, decisions[-1]), reason=reason)


@dataclass(frozen=True, slots=True)
class _Evidence:
    """Counts what one lesson alone does on the held-out corrections of its want."""

    environment: MinedEnvironment
    agent: RecordedAgent
    cues: Cues
    project: str

    def lesson(self, edit: Edit, want: Want) -> Lesson:
        ((_, text),) = read_lessons(_alone(edit.text))
        train = self._tasks(Split.TRAIN, want)
        held_out = self._tasks(Split.SELECTION, want)
        mind = self.agent.read((text,))
        judge = self.environment.scorer.judge
        how = Counter(
            judge(t.checks, r, self.agent.replay(r, mind), self.agent.in_mind(r, mind)).detail
            for t in held_out
            for r in (Recorded.of(t),)
        )
        said = {Recorded.of(t).said.casefold().strip() for t in train}
        _, body = read_scope(text, self.cues)
        at = {c.session_id: c.at for c in want.corrections}
        return Lesson(
            id=lesson_id(text, self.project),
            text=text,
            supersedes=(old,) if edit.anchor and (old := id_of(edit.anchor)) else (),
            mode="replayed" if mind.rules else "restated",
            train=tuple(_quote(t, at) for t in train),
            held_out=tuple(_quote(t, at) for t in held_out),
            n=len(held_out),
            replayed=how[REPLAYED],
            restated=how[RESTATED],
            fresh_wording=sum(Recorded.of(t).said.casefold().strip() not in said for t in held_out),
            scope=text[: len(text) - len(body)].strip() or None,
            occasions=occasions_of(want, self._requests(want), self.cues),
        )

    def _requests(self, want: Want) -> list[str]:
        return [t.prompt for t in self.environment.tasks(Split.TRAIN) if t.group != want.id]

    def _tasks(self, split: Split, want: Want) -> list[Task]:
        return [t for t in self.environment.tasks(split) if t.group == want.id]


def _quote(task: Task, at: Mapping[str, datetime | None]) -> Quote:
    recorded = Recorded.of(task)
    origin: Literal["real", "recall"] = "recall" if task.origin == "recall" else "real"
    return Quote(recorded.session_id, recorded.said, at.get(recorded.session_id), origin)


def _alone(line: str) -> bytes:
    return f"<!-- SKILLOPT_LEARNED_START -->\n{line}\n<!-- SKILLOPT_LEARNED_END -->\n".encode()


def occasions_of(want: Want, others: Sequence[str], cues: Cues) -> tuple[str, ...]:
    """When the lesson of a want applies, for the description: words that tell its requests from the
    `others`, and the commands or files it was said about."""
    words = occasion_words([c.request for c in want.corrections], others, cues, most=2)
    keys: Counter[str] = Counter()
    for c in want.corrections:
        for op in {c.change.reacted, c.change.replaced} - {None}:
            if op is not None and op.kind != "look":
                keys[op.key] += 1
    often = sorted(keys.items(), key=lambda k: (-k[1], k[0]))
    usual = [key for key, n in often if n >= MIN_EVIDENCE and 3 * n >= len(want.corrections)][:2]
    named = (
        *(f"asked about {word}" for word in words),
        *(
            f"editing {key.removeprefix('edit:')}" if key.startswith("edit:") else f"running {key}"
            for key in usual
        ),
    )
    # An occasion is written into the description; one that would need a person's consent is left out.
    return tuple(occasion for occasion in named if not screen(occasion))
