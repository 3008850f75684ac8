"""The optimizer that asks a model, one method for each stage of a step (SkillOpt, arXiv 2605.23904)."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

from skillopt.core.edit import Candidate, Edit, EditOutcome, EditReport, Patch, apply_edits
from skillopt.core.skill import Skill
from skillopt.core.state import StepRecord
from skillopt.core.task import Json
from skillopt.errors import BackendError, ConfigError, ReplyError
from skillopt.models.ask import ask
from skillopt.prompts import Prompt, load_prompt, prompts_sha
from skillopt.protocols import Comparison, Model, ModelRequest, OptimizerContext, Stage, TrainRollout
from skillopt.train import replies, shown
from skillopt.train.modes import MODES, UpdateMode
from skillopt.train.parallel import Crew
from skillopt.train.regions import APPENDIX, SLOW_UPDATE, content_of, in_region, notes_of
from skillopt.train.rewrite import rewritten

T = TypeVar("T")

_LOG = logging.getLogger(__name__)

_PROMPTS = (
    "reflect", "suggest", "reflect_full", "aggregate", "merge_suggestions", "merge_full", "select", "rewrite",
    "slow_update", "meta_skill", "edit_budget", "appendix", "appendix_compact",
)  # fmt: skip
_FAILED = ("failed or did not fully succeed", "Say what the skill lacks or says wrongly.")
_SUCCEEDED = ("succeeded", "Say what the skill should keep or make plainer, so that it holds for others too.")
_FAILURES_FIRST = "Those from failures come first and matter most."


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSettings:
    """`minibatch_size` rollouts an analyst call, `merge_batch_size` patches a merge, at most `max_edits`
    edits in a reply. `autonomous`: the model chooses how many edits to try. `skill_aware`: lapses of the
    agent go to an appendix of at most `appendix_notes` lines. Raises ConfigError for what cannot be."""

    update_mode: UpdateMode = "patch"
    minibatch_size: int = 8
    merge_batch_size: int = 8
    max_edits: int = 4
    autonomous: bool = False
    skill_aware: bool = False
    appendix_notes: int = 10
    seed: int = 42

    def __post_init__(self) -> None:
        for name, least in (
            ("minibatch_size", 1),
            ("merge_batch_size", 2),
            ("max_edits", 1),
            ("appendix_notes", 1),
        ):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} cannot be {getattr(self, name)}", next=f"use {least} or more")
        if self.update_mode not in MODES:
            raise ConfigError(
                f"unknown update mode {self.update_mode}", next=f"use one of {', '.join(MODES)}"
            )


class ModelOptimizer:
    """Reflects, merges, selects and writes by asking `model`; calls of one stage run side by side."""

    def __init__(
        self, model: Model, settings: OptimizerSettings | None = None, crew: Crew | None = None
    ) -> None:
        self.model = model
        self.settings = settings or OptimizerSettings()
        self.crew = crew or Crew(16)
        self._mode = MODES[self.settings.update_mode]
        self._prompts: Mapping[str, Prompt] = {name: load_prompt(name) for name in _PROMPTS}

    @property
    def identity(self) -> str:
        """The model, the settings and the words of the prompts."""
        return f"model-optimizer:{self.model.identity}:{asdict(self.settings)}:{prompts_sha(self._prompts)}"

    # --- reflect

    async def reflect(self, rollouts: Sequence[TrainRollout], context: OptimizerContext) -> tuple[Patch, ...]:
        """One patch from each minibatch of failures and of successes.

        A minibatch whose reply cannot be used gives none. Raises BackendError when the model is unavailable
        or no reply could be used.
        """
        failures = [one for one in rollouts if one.rollout.score and one.rollout.score.hard < 1.0]
        successes = [one for one in rollouts if one.rollout.score and one.rollout.score.hard >= 1.0]
        cut = [("failures", part) for part in self._minibatches(failures, context.step, "failures")]
        cut += [("successes", part) for part in self._minibatches(successes, context.step, "successes")]
        jobs: list[Callable[[], Awaitable[Patch | ReplyError]]] = [
            _job(self._analyse, origin, part, context) for origin, part in cut
        ]
        if self.settings.skill_aware and failures:
            jobs.append(_job(self._lapses, failures, context))
        found = await self.crew.run("reflect", jobs)
        unusable = [one for one in found if isinstance(one, ReplyError)]
        if unusable and len(unusable) == len(found):
            raise unusable[0]
        return tuple(one for one in found if isinstance(one, Patch) and one.edits)

    def _minibatches(
        self, rollouts: Sequence[TrainRollout], step: int, origin: str
    ) -> list[tuple[TrainRollout, ...]]:
        shuffled = list(rollouts)
        # Reproducible, not secret.
        random.Random(f"{self.settings.seed}:{step}:{origin}").shuffle(shuffled)  # noqa: S311
        size = self.settings.minibatch_size
        return [tuple(shuffled[at : at + size]) for at in range(0, len(shuffled), size)]

    async def _analyse(
        self, origin: str, part: Sequence[TrainRollout], context: OptimizerContext
    ) -> Patch | ReplyError:
        outcome, aim = _FAILED if origin == "failures" else _SUCCEEDED
        try:
            patch = await self._ask(
                "reflect",
                self._mode.reflect,
                self._mode.schema,
                self._mode.read,
                skill=context.skill.text,
                tasks=shown.tasks_text(part),
                rejected=shown.rejected_text(context.rejected),
                meta_skill=context.meta_skill or shown.NOTHING,
                limit=self.settings.max_edits,
                outcome=outcome,
                aim=aim,
            )
        except BackendError as error:
            return _unusable(error, "a minibatch is left out")
        kept = patch.edits[: self.settings.max_edits]
        return replace(patch, edits=kept, origin="failures" if origin == "failures" else "successes")

    async def _lapses(
        self, failures: Sequence[TrainRollout], context: OptimizerContext
    ) -> Patch | ReplyError:
        try:
            notes = await self._ask(
                "appendix",
                "appendix",
                replies.NOTES,
                replies.read_notes,
                skill=context.skill.text,
                tasks=shown.tasks_text(failures[: self.settings.minibatch_size]),
                notes="\n".join(notes_of(context.skill)) or shown.NOTHING,
                limit=self.settings.max_edits,
            )
        except BackendError as error:
            return _unusable(error, "no lapses are noted")
        evidence = tuple(one.task.id for one in failures)
        known = set(notes_of(context.skill))
        fresh = [note for note in notes[: self.settings.max_edits] if f"- {note}" not in known]
        edits = tuple(Edit("append", f"- {note}", evidence=evidence, within=APPENDIX) for note in fresh)
        return Patch(edits, origin="failures")

    # --- aggregate and select

    async def aggregate(self, patches: Sequence[Patch], context: OptimizerContext) -> Patch:
        """One patch: failures and successes each merged by a tree of calls, then both, failures first.

        One patch passes untouched. Where a merge cannot be used the patches are joined, each edit once.
        """
        notes = tuple(edit for patch in patches for edit in patch.edits if edit.within is not None)
        bodies = [replace(p, edits=tuple(e for e in p.edits if e.within is None)) for p in patches]
        failures, successes = (
            [body for body in bodies if body.edits and body.origin == origin]
            for origin in ("failures", "successes")
        )
        both = await self._merge_trees(failures, successes, context)
        merged = [patch for patch in both if patch.edits]
        if len(merged) > 1:
            (patch,) = await self.crew.run("aggregate", [_job(self._merge, merged, context)])
        else:
            patch = merged[0] if merged else Patch()
        return replace(patch, edits=(*patch.edits, *notes))

    async def _merge_trees(
        self, failures: list[Patch], successes: list[Patch], context: OptimizerContext
    ) -> tuple[Patch, Patch]:
        """Both trees level by level, side by side."""
        size = self.settings.merge_batch_size
        trees = [failures, successes]
        while any(len(tree) > 1 for tree in trees):
            groups = [[tree[at : at + size] for at in range(0, len(tree), size)] for tree in trees]
            jobs = [_job(self._merge, group, context) for tree in groups for group in tree]
            done = await self.crew.run("aggregate", jobs)
            trees = [done[: len(groups[0])], done[len(groups[0]) :]]
        return tuple(tree[0] if tree else Patch() for tree in trees)  # type: ignore[return-value]

    async def _merge(self, patches: Sequence[Patch], context: OptimizerContext) -> Patch:
        if len(patches) == 1:
            return patches[0]
        origins = {patch.origin for patch in patches}
        origin = patches[0].origin if len(origins) == 1 else "both"
        try:
            merged = await self._ask(
                "aggregate",
                self._mode.merge,
                self._mode.schema,
                self._mode.read,
                skill=context.skill.text,
                patches=shown.patches_text(patches, self._mode.key),
                meta_skill=context.meta_skill or shown.NOTHING,
                limit=self.settings.max_edits * len(patches),
                priority=_FAILURES_FIRST if origin == "both" else "",
            )
        except BackendError as error:
            note = _unusable(error, "patches are joined unmerged")
            joined = tuple(dict.fromkeys(edit for patch in patches for edit in patch.edits))
            return Patch(joined, f"joined unmerged: {note}", origin)
        return replace(merged, origin=origin)

    async def select(self, patch: Patch, context: OptimizerContext, *, budget: int) -> Patch:
        """The edits to try, at most `budget`, the most important first; reminders are not counted.

        Where the reply cannot be used the best supported edits stay, in their order.
        """
        edits = tuple(edit for edit in patch.edits if edit.within is None)
        notes = tuple(edit for edit in patch.edits if edit.within is not None)
        if self.settings.autonomous and len(edits) > 1:
            budget = await self._budget(edits, context, budget)
        if len(edits) > budget:
            edits = await self._ranked(edits, context, budget)
        return replace(patch, edits=(*edits, *notes))

    async def _budget(self, edits: Sequence[Edit], context: OptimizerContext, most: int) -> int:
        values = self._choice(edits, context, most)
        try:
            return await self._ask(
                "edit_budget", "edit_budget", replies.BUDGET, replies.read_budget(most), alone=True, **values
            )
        except BackendError as error:
            _unusable(error, "the whole budget is used")
            return most

    async def _ranked(
        self, edits: Sequence[Edit], context: OptimizerContext, budget: int
    ) -> tuple[Edit, ...]:
        values = self._choice(edits, context, budget)
        try:
            read = replies.read_keep(len(edits))
            keep = await self._ask("select", "select", replies.KEEP, read, alone=True, **values)
        except BackendError as error:
            _unusable(error, "the best supported edits are tried")
            by_support = sorted(range(len(edits)), key=lambda i: (-len(edits[i].evidence), i))
            keep = tuple(sorted(by_support[:budget]))
        return tuple(edits[i] for i in keep[:budget])

    def _choice(self, edits: Sequence[Edit], context: OptimizerContext, budget: int) -> dict[str, object]:
        return {
            "skill": context.skill.text,
            "edits": shown.edits_text(edits),
            "meta_skill": context.meta_skill or shown.NOTHING,
            "budget": budget,
        }

    # --- update

    async def update(self, skill: Skill, patch: Patch) -> Candidate:
        """The candidate: edits applied, suggestions carried out, or the document written anew.

        Front matter and protected regions stay. Where suggestions could not be written the skill stays.
        """
        body = tuple(edit for edit in patch.edits if edit.within is None)
        notes = tuple(edit for edit in patch.edits if edit.within is not None)
        if self.settings.update_mode == "patch" or not body:
            candidate = apply_edits(skill, patch.edits)
            return await self._compacted(skill, candidate) if notes else candidate
        if self.settings.update_mode == "full_rewrite":
            candidate = rewritten(skill, body[0].text, body)
        else:
            candidate = await self._written(skill, body)
        if notes:
            added = apply_edits(Skill(candidate.text, skill.kind), notes)
            candidate = Candidate(added.text, skill.sha, (*candidate.reports, *added.reports))
            return await self._compacted(skill, candidate)
        return candidate

    async def _written(self, skill: Skill, suggestions: Sequence[Edit]) -> Candidate:
        try:
            text = await self._ask(
                "rewrite",
                "rewrite",
                replies.SKILL,
                replies.read_text("skill"),
                skill=skill.text,
                suggestions=shown.suggestions_text(suggestions),
                meta_skill=shown.NOTHING,
                alone=True,
            )
        except BackendError as error:
            _unusable(error, "the skill stays as it is")
            reports = tuple(EditReport(one, EditOutcome.NOT_WRITTEN) for one in suggestions)
            return Candidate(skill.text, skill.sha, reports)
        return rewritten(skill, text, suggestions)

    async def _compacted(self, skill: Skill, candidate: Candidate) -> Candidate:
        """The candidate with its appendix joined to at most `appendix_notes` lines."""
        now = Skill(candidate.text, skill.kind)
        notes = notes_of(now)
        if len(notes) <= self.settings.appendix_notes:
            return candidate
        try:
            kept = await self._ask(
                "appendix",
                "appendix_compact",
                replies.NOTES,
                replies.read_notes,
                skill=now.text,
                notes="\n".join(notes),
                limit=self.settings.appendix_notes,
                alone=True,
            )
        except BackendError as error:
            _unusable(error, "the latest reminders stay")
            kept = tuple(note.removeprefix("- ") for note in notes[-self.settings.appendix_notes :])
        lines = "\n".join(f"- {note}" for note in kept[: self.settings.appendix_notes])
        compact = in_region(now, APPENDIX, lines)
        return Candidate(compact.text, skill.sha, candidate.reports)

    # --- the end of an epoch

    async def slow_update(self, pairs: Sequence[Comparison], context: OptimizerContext) -> Candidate | None:
        """The current skill with guidance from the comparison in place of the guidance it had; None, so that
        the old one stays, when the reply cannot be used."""
        try:
            guidance = await self._ask(
                "slow_update",
                "slow_update",
                replies.GUIDANCE,
                replies.read_text("guidance"),
                before=context.previous.text if context.previous else context.skill.text,
                skill=context.skill.text,
                pairs=shown.pairs_text(pairs),
                meta_skill=context.meta_skill or shown.NOTHING,
                guidance=content_of(context.skill, SLOW_UPDATE) or shown.NOTHING,
                alone=True,
            )
        except BackendError as error:
            _unusable(error, "the guidance stays as it is")
            return None
        return in_region(context.skill, SLOW_UPDATE, guidance.strip())

    async def meta_skill(self, steps: Sequence[StepRecord], context: OptimizerContext) -> str:
        """The note for the next epoch; the old one stays when the reply cannot be used."""
        try:
            note = await self._ask(
                "meta_skill",
                "meta_skill",
                replies.NOTE,
                replies.read_text("note"),
                skill=context.skill.text,
                steps=shown.steps_text(steps),
                meta_skill=context.meta_skill or shown.NOTHING,
                alone=True,
            )
        except BackendError as error:
            _unusable(error, "the note stays as it is")
            return context.meta_skill
        return note.strip()

    # --- asking

    async def _ask(
        self,
        stage: Stage,
        prompt: str,
        schema: Mapping[str, Json],
        read: Callable[[Json], T],
        *,
        alone: bool = False,
        **values: object,
    ) -> T:
        """The reply to a prompt. `alone`: as a lap of its own, so that the time it takes is told."""
        system, user = self._prompts[prompt].fill(**values)
        job: Callable[[], Awaitable[T]] = _job(
            ask, self.model, ModelRequest(stage, system, user, schema), read
        )
        if not alone:
            return await job()
        (found,) = await self.crew.run(stage, [job])
        return found


def _job(work: Callable[..., Awaitable[T]], *args: object, **values: object) -> Callable[[], Awaitable[T]]:
    return lambda: work(*args, **values)


def _unusable(error: BackendError, instead: str) -> ReplyError:
    """The error when the step can go on without the reply; an outage is raised again."""
    if not isinstance(error, ReplyError) and not error.is_permanent:
        raise error
    _LOG.warning("%s (%s): %s", error.what, error.why, instead)
    return error if isinstance(error, ReplyError) else ReplyError(error.what, why=error.why)
