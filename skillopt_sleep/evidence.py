"""The extractive optimizer: lessons in the user's own words, chosen on training sessions alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import TypeAlias

from skillopt.core.edit import Candidate, Edit, EditOp, Patch, apply_edits
from skillopt.core.skill import Skill
from skillopt.core.task import Task
from skillopt.protocols import OptimizerContext, TrainRollout
from skillopt_sleep.lessons import (
    Clause,
    capital_safe,
    clauses,
    names_one_session,
    names_only_flags,
    occasion_words,
    sessions_naming,
)
from skillopt_sleep.mine.cues import Cues
from skillopt_sleep.mine.feedback import spoken_names
from skillopt_sleep.mine.words import content, parts, stem, tokens
from skillopt_sleep.proposal import lesson_id
from skillopt_sleep.reading import ScopeKind, read_scope, scoped
from skillopt_sleep.replay import CONTROLS, REPLAYED, RESTATED, EvidenceScorer, Recorded, RecordedAgent
from skillopt_sleep.rules import Occasion
from skillopt_sleep.skillfile import REGION, item_of, read_lessons
from skillopt_sleep.split import MIN_EVIDENCE

_Counting: TypeAlias = Callable[[Sequence[Recorded]], Counter[str]]
_LEAST = 2
_LEAST_SHARE = 0.34
_COMMON = 2
_COMMON_SHARE = 0.001
_COVERED = 0.6
"""A want most of whose training corrections the skill pre-empts already needs no other words for it."""
_CONTRARY_SHARE = 0.26


@dataclass(frozen=True, slots=True)
class Draft:
    """A lesson as it could stand in the skill, with what the training sessions say about it."""

    text: str
    clause: Clause
    readable: bool
    scoped: bool
    sessions: int
    contrary: int
    harms: bool
    n: int

    @property
    def is_sound(self) -> bool:
        """Whether training speaks for it: enough sessions, no control harmed, and for a mere sentence hardly
        any contradiction."""
        return (
            not self.harms
            and self.sessions >= max(_LEAST, _LEAST_SHARE * self.n)
            and (self.readable or self.contrary <= _CONTRARY_SHARE * self.n)
        )

    @property
    def rank(self) -> tuple[float, int, str]:
        """Higher is better: sessions pre-empted, an action rather than a mere sentence, plain words."""
        share = self.sessions / self.n
        return (
            share + (0.3 if self.readable else 0.0) + 0.25 * self.clause.plainness,
            -len(self.text),
            self.text,
        )


@dataclass(frozen=True, slots=True)
class Settled:
    """What is known of a group from earlier nights: the ids of lessons in the skill that are `former`, of a
    habit the person gave up, or `standing`, of this one; nothing is proposed for a `closed` group."""

    former: tuple[str, ...] = ()
    standing: tuple[str, ...] = ()
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """An occasion by the names that stand for it."""

    kind: ScopeKind
    names: tuple[str, ...]


@dataclass(frozen=True)
class ExtractiveOptimizer:
    """Proposes one lesson for each group of training rollouts, and never writes a word of its own.

    A lesson is a whole clause that was typed in a training session, with a scope put before it by a fixed
    template when its own words give none. `controls` are the training tasks that went well; `refused` the
    ids of lessons that were turned down before on this very evidence, by group, `settled` what earlier nights
    left there. A lesson takes the place of one of a habit that was given up, and of one that says the same.
    """

    agent: RecordedAgent
    scorer: EvidenceScorer
    controls: tuple[Task, ...]
    project: str
    cues: Cues
    refused: Mapping[str, frozenset[str]]
    settled: Mapping[str, Settled] = field(default_factory=dict)

    async def reflect(self, rollouts: Sequence[TrainRollout], context: OptimizerContext) -> tuple[Patch, ...]:
        """See `skillopt.protocols.Optimizer`."""
        corrected = [r for r in rollouts if r.task.group != CONTROLS]
        won = sum(r.rollout.score is not None and r.rollout.score.hard >= 1.0 for r in corrected)
        if not corrected or won >= _COVERED * len(corrected):
            return ()
        settled = self.settled.get(corrected[0].task.group, Settled())
        if settled.closed:
            return ()
        turned_down = {r.edit.text for r in context.rejected}
        tasks = [r.task for r in corrected]
        draft = self.best(tasks, turned_down)
        if draft is None:
            return ()
        evidence = tuple(r.task.id for r in corrected)
        if (anchor := self._in_place_of(draft, tasks, context.skill, settled)) is None:
            return ()
        op: EditOp = "replace" if anchor else "append"
        edit = Edit(op, self.line(draft.text), anchor, rationale=_rationale(draft), evidence=evidence)
        return (Patch((edit,), _rationale(draft)),)

    def _in_place_of(self, draft: Draft, tasks: Sequence[Task], skill: Skill, settled: Settled) -> str | None:
        """The item a lesson takes the place of, "" when it stands beside the others, None when what it says
        is said already."""
        learned = dict(read_lessons(skill.to_bytes()))
        if lesson_id(draft.text, self.project) in learned:
            return None
        for name in settled.former:
            if (item := item_of(skill, name)) is not None:
                return item
        new = self._won(draft.text, tasks)
        for name, text in self._akin(draft, tasks, learned, settled):
            old = self._won(text, tasks)
            if old <= new and (item := item_of(skill, name)) is not None:
                return item
            is_rule = draft.readable and bool(self.agent.read((text,)).rules)
            if not is_rule or len(new - old) < _LEAST:
                return None
        return ""

    def _akin(
        self, draft: Draft, tasks: Sequence[Task], learned: Mapping[str, str], settled: Settled
    ) -> list[tuple[str, str]]:
        """The lessons of the skill that came from this group, or say the same as a draft without a rule."""
        said = dict.fromkeys(Recorded.of(task).said for task in tasks) if learned else ()
        own = {clause.text.casefold() for words in said for clause in clauses(words, self.cues)}
        return [
            (name, text)
            for name, text in learned.items()
            if name in settled.standing
            or read_scope(text, self.cues)[1].casefold() in own
            or (not draft.readable and self.scorer.meaning.restates(text, draft.text))
        ]

    def _won(self, text: str, tasks: Sequence[Task]) -> frozenset[str]:
        """The sessions whose corrections a lesson alone pre-empts."""
        mind = self.agent.read((text,))
        judge = self.scorer.judge
        recorded = [(task, Recorded.of(task)) for task in tasks]
        return frozenset(
            r.session_id
            for task, r in recorded
            if judge(task.checks, r, self.agent.replay(r, mind), self.agent.in_mind(r, mind)).hard >= 1.0
        )

    async def aggregate(self, patches: Sequence[Patch], context: OptimizerContext) -> Patch:  # noqa: ARG002
        """Nothing to merge: each lesson is its own candidate."""
        return Patch(tuple(e for p in patches for e in p.edits), "\n".join(p.reasoning for p in patches))

    async def select(self, patch: Patch, context: OptimizerContext, *, budget: int) -> Patch:  # noqa: ARG002
        """The first `budget` edits."""
        return Patch(patch.edits[:budget], patch.reasoning)

    async def update(self, skill: Skill, patch: Patch) -> Candidate:
        """Append to the block of learned lessons; nothing outside it changes."""
        return apply_edits(skill, patch.edits, within=REGION)

    def line(self, text: str) -> str:
        """The list item a lesson becomes."""
        return f"- {text} <!-- id: {lesson_id(text, self.project)} -->"

    def best(self, tasks: Sequence[Task], turned_down: Set[str]) -> Draft | None:
        """The soundest draft for tasks of one group, or None when training does not carry any."""
        recorded = [Recorded.of(t) for t in tasks]
        if len({r.session_id for r in recorded}) < MIN_EVIDENCE:
            return None
        before = self.refused.get(tasks[0].group, frozenset())
        drafts = [
            d
            for d in self.drafts(tasks)
            if d.is_sound
            and self.line(d.text) not in turned_down
            and lesson_id(d.text, self.project) not in before
        ]
        return max(drafts, key=lambda d: d.rank, default=None)

    def drafts(self, tasks: Sequence[Task]) -> list[Draft]:
        """Every clause that was said in these tasks, with and without a scope, judged on training."""
        recorded = [Recorded.of(t) for t in tasks]
        wanted = self._wanted_names(tasks, recorded)
        named = sessions_naming(
            (r.session_id, f"{r.said} {' '.join(' '.join(op.tokens) for op in r.first)}") for r in recorded
        )
        # A scope is ours, so it is written only in a language that is surely the person's.
        said = [word for r in recorded for word in tokens(r.said)]
        sure = self.cues.knows(said)
        scopes = self._scopes(recorded) if sure else []
        out: dict[str, Draft] = {}
        for clause in dict.fromkeys(c for r in recorded for c in clauses(r.said, self.cues)):
            plain = capital_safe(clause.text, self.agent.vocabulary.programs)
            if names_one_session(plain, named) or (wanted and not wanted & _names(plain)):
                continue
            for text in self._versions(plain, scopes, said):
                out.setdefault(text, self._judge(text, clause, tasks, recorded))
        return list(out.values())

    @cached_property
    def _went_well(self) -> tuple[Recorded, ...]:
        """The controls as they were recorded."""
        return tuple(map(Recorded.of, self.controls))

    def _wanted_names(self, tasks: Sequence[Task], recorded: Sequence[Recorded]) -> frozenset[str]:
        """What the changes of most of these tasks gained and the person mostly named: a lesson that does not
        name it says something else, or only what not to do. Words that requests use too name nothing."""
        gained = Counter(
            name
            for t in tasks
            for name in {p for c in t.checks if c.op != "command_not_ran" for p in _names(str(c.arg))}
        )
        said = Counter(name for r in recorded for name in _names(r.said))
        others = (*recorded, *self._went_well)
        asked = Counter(word for r in others for word in set(tokens(r.request)))
        n = len(tasks)
        wanted = frozenset(
            name
            for name, count in gained.items()
            if 2 * count >= n
            and 2.5 * said[name] >= n
            and name not in self.cues.stop
            and asked[name] < max(_COMMON, _COMMON_SHARE * len(others))
        )
        # "--check" is meant exactly; the word in it may mean anything.
        return frozenset(name for name in wanted if not name.isalpha()) or wanted

    def _versions(self, text: str, scopes: Sequence[Scope], said: Sequence[str]) -> list[str]:
        """The text alone, unless a flag is all it names, and under each scope that its own words do not name
        already."""
        versions = [] if names_only_flags(text, self.cues) else [text]
        own = set(content(tokens(text), self.cues))
        for scope in scopes:
            named = {stem(p) for name in scope.names for w in tokens(name) for p in (w, *parts(w))}
            if not named & own:
                versions.append(scoped(scope.names, text, kind=scope.kind, cues=self.cues, among=said))
        return versions

    def _scopes(self, recorded: Sequence[Recorded]) -> list[Scope]:
        """Occasions of these tasks: the command or kind of file they share, and the words of the requests,
        where they tell these tasks from training tasks that went well."""
        out = []
        sessions = len({r.session_id for r in recorded})
        controls = self._went_well
        sides: tuple[tuple[ScopeKind, _Counting], ...] = (("command", _commands), ("files", _files))
        for kind, names_of in sides:
            here, elsewhere = names_of(recorded), names_of(controls)
            usual = [
                (round(n / sessions - elsewhere[k] / (len(controls) + 1), 3), len(k.split()), k)
                for k, n in here.items()
                if 2 * n >= sessions
            ]
            if usual:
                out.append(Scope(kind, (max(usual)[-1],)))
        words = occasion_words([r.request for r in recorded], [r.request for r in controls], self.cues)
        if words:
            out.append(Scope("words", words))
        return out

    def _judge(
        self,
        text: str,
        clause: Clause,
        tasks: Sequence[Task],
        recorded: Sequence[Recorded],
    ) -> Draft:
        mind = self.agent.read((text,))
        readable = bool(mind.rules)
        how = REPLAYED if readable else RESTATED
        judge = self.scorer.judge
        won = {
            r.session_id
            for task, r in zip(tasks, recorded, strict=True)
            if judge(task.checks, r, self.agent.replay(r, mind), self.agent.in_mind(r, mind)).detail == how
        }
        contrary = 0 if readable else sum(self.scorer.meaning.contradicts(text, r.said) for r in recorded)
        n = len({r.session_id for r in recorded})
        scoped_text = read_scope(text, self.cues)[0] != Occasion()
        draft = Draft(text, clause, readable, scoped_text, len(won), contrary, harms=False, n=n)
        # Without a rule nothing is done otherwise, so no control can be harmed; a draft that is not sound
        # anyway is not worth the look at all of them.
        harms = (
            readable
            and draft.is_sound
            and any(self.agent.replay(c, mind) != c.first for c in self._went_well)
        )
        return replace(draft, harms=harms)


def _commands(recorded: Sequence[Recorded]) -> Counter[str]:
    """In how many episodes each program, and each program with the word after it, was run."""
    return Counter(
        name
        for r in recorded
        for name in {n for op in r.first if op.kind == "command" for n in (op.program, op.key)}
    )


def _files(recorded: Sequence[Recorded]) -> Counter[str]:
    """In how many episodes each kind of file was edited, as `*.ending`."""
    return Counter(
        name
        for r in recorded
        for name in {
            f"*{PurePosixPath(op.tokens[0]).suffix}"
            for op in r.first
            if op.kind == "edit" and PurePosixPath(op.tokens[0]).suffix
        }
    )


def _names(text: str) -> frozenset[str]:
    return frozenset(spoken_names(tokens(text)))


def _rationale(draft: Draft) -> str:
    how = "replayed" if draft.readable else "said again"
    return f"{how} in {draft.sessions} of {draft.n} training sessions"
