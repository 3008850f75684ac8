"""Scoring one skill on one split: the mean with its interval, and what a task took and cost."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from skillopt.core.gate import Evaluation
from skillopt.core.skill import Skill
from skillopt.core.splits import leaked
from skillopt.core.task import Split, Task
from skillopt.errors import ConfigError
from skillopt.models.prices import Price
from skillopt.runs.folder import RunFolder
from skillopt.runs.plan import Plan
from skillopt.runs.summary import Measured, measured
from skillopt.runs.timeline import Timeline
from skillopt.runs.train import opened
from skillopt.train.evaluate import Evaluator
from skillopt.train.rollouts import RolloutRunner

SPLIT_NAMES = {
    "train": Split.TRAIN,
    "selection": Split.SELECTION,
    "val": Split.SELECTION,
    "valid_seen": Split.SELECTION,
    "test": Split.TEST,
    "valid_unseen": Split.TEST,
}


@dataclass(frozen=True, slots=True)
class Scored:
    """A task's score, None when its rollouts failed, then `error` says why."""

    task: str
    hard: float | None
    soft: float | None
    detail: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class EvalReport:
    """A skill on a split. `seconds` and `usd` are means over rollouts that were scored, whenever they were
    run; `usd` is None without a price. `paid` counts the calls this evaluation made.
    `leaked` names tasks that are in a split before this one too: a skill trained on them knows them."""

    split: str
    skill: str
    metric: str
    score: Measured
    tasks: tuple[Scored, ...]
    seconds: float | None
    tokens: float | None
    usd: float | None
    paid: int
    leaked: tuple[str, ...] = ()

    def payload(self) -> dict[str, object]:
        """As the command prints it."""
        return asdict(self)


async def evaluate(plan: Plan, folder: RunFolder, skill: Skill, split: Split) -> EvalReport:
    """Scores `skill`; what the run in `folder` has measured already is free.

    Raises ConfigError for a split without tasks, BackendError and BudgetError as training does.
    """
    tasks = tuple(plan.environment.tasks(split))
    if not tasks:
        raise ConfigError(f"the {split} split has no tasks", next="check the split folders")
    with folder.shared() as cache:
        async with opened(plan, cache, Timeline()) as parts:
            before = parts.purse.spend.usage.calls
            runner = RolloutRunner(
                parts.agent, parts.environment.scorer, crew=parts.crew, cache=cache.rollouts
            )
            evaluator = Evaluator(
                split, tasks, runner, repeats=plan.train.repeats, leaked=leaked(tasks, _before(plan, split))
            )
            found = await evaluator(skill)
            paid = parts.purse.spend.usage.calls - before
    return _report(plan, found, paid)


def _report(plan: Plan, found: Evaluation, paid: int) -> EvalReport:
    valid = [rollout for rollout in found.rollouts if rollout.score is not None]
    price = plan.prices.of(plan.target.model)
    tokens = [rollout.usage.input_tokens + rollout.usage.output_tokens for rollout in valid]
    return EvalReport(
        split=str(found.split),
        skill=found.skill_sha,
        metric=plan.train.metric,
        score=measured(
            found,
            len(found.task_ids),
            plan.train.metric,
            plan.train.mixed_weight,
            plan.config.evaluation.confidence,
        ),
        tasks=tuple(_scored(found, task_id) for task_id in found.task_ids),
        seconds=_mean([rollout.seconds for rollout in valid]),
        tokens=_mean(tokens),
        usd=_mean([price.usd(rollout.usage) for rollout in valid]) if isinstance(price, Price) else None,
        paid=paid,
        leaked=found.leaked,
    )


def _before(plan: Plan, split: Split) -> tuple[Task, ...]:
    """The tasks of the splits that come before one."""
    earlier = itertools.takewhile(lambda each: each is not split, Split)
    return tuple(task for each in earlier for task in plan.environment.tasks(each))


def _scored(found: Evaluation, task_id: str) -> Scored:
    mine = [rollout for rollout in found.rollouts if rollout.task_id == task_id]
    scores = [rollout.score for rollout in mine if rollout.score is not None]
    if not scores:
        why = next((rollout.error.message for rollout in mine if rollout.error), None)
        return Scored(task_id, None, None, error=why)
    n = len(scores)
    hard, soft = sum(score.hard for score in scores) / n, sum(score.soft for score in scores) / n
    return Scored(task_id, hard, soft, scores[0].detail)


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 6) if values else None


def skill_at(path: Path | None) -> Skill:
    """The skill in a file; an empty one, the baseline, without. Raises ConfigError for an unreadable file."""
    if path is None:
        return Skill("")
    try:
        return Skill.from_bytes(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"cannot read the skill {path}", why=error.strerror or str(error), next="check --skill"
        ) from error
