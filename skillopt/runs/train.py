"""Training in a run folder: from a plan to a finished summary, resumed wherever it stopped."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from skillopt.agents.chat import ChatAgent
from skillopt.config.schema import Resolved
from skillopt.core.gate import Evaluation
from skillopt.core.skill import Skill
from skillopt.core.task import Split, task_content
from skillopt.core.text import utf8
from skillopt.envs.jsonl import JsonlEnvironment, JsonlScorer
from skillopt.errors import ConfigError
from skillopt.events import Listener
from skillopt.models.metered import Metered, Purse
from skillopt.protocols import Agent, Environment, scorer_identity
from skillopt.runs.backends import Backend, Switchboard
from skillopt.runs.event_log import EventLog
from skillopt.runs.folder import RunFolder
from skillopt.runs.history import as_json
from skillopt.runs.plan import Plan
from skillopt.runs.step_files import StepFiles, lines_of, rollout_json
from skillopt.runs.summary import read_summary, summarize
from skillopt.runs.timeline import Timeline
from skillopt.scoring.judge import Judge
from skillopt.store.cache import Cache
from skillopt.store.files import make_private_dir, write_atomic
from skillopt.train.model_optimizer import ModelOptimizer
from skillopt.train.parallel import Crew
from skillopt.train.trainer import Trainer, tasks_id

_TESTED = ("seed", "best", "final")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a plan becomes once it is open: who does the tasks, who edits, and the purse they pay from."""

    environment: Environment
    agent: Agent
    optimizer: ModelOptimizer | None
    purse: Purse
    crew: Crew


def check_same(folder: RunFolder, resolved: Resolved) -> None:
    """Raises ConfigError when the run in `folder` was begun with a configuration that gives other results."""
    changed = folder.differences(resolved)
    if changed:
        raise ConfigError(
            f"the run in {folder.path} was begun with another configuration",
            why="; ".join(
                f"{key} was {_shown(was)}, is {_shown(now)}" for key, (was, now) in changed.items()
            ),
            next="use the values of that run, or another folder with --out",
        )


def whole_summary(folder: RunFolder) -> Mapping[str, Any] | None:
    """The summary of a run, None when there is none or some test task still has no score."""
    summary = read_summary(folder.summary)
    if summary is None or any(summary["test"][which]["n_missing"] for which in _TESTED):
        return None
    return summary


async def train(
    plan: Plan,
    folder: RunFolder,
    *,
    listeners: Callable[[Purse], Iterable[Listener]] = lambda _: (),
    clock: Callable[[], float] = time.perf_counter,
) -> Mapping[str, Any]:
    """Trains to the end and scores the test split once; the summary, as `summary.json` holds it.

    A run that is done in every part is told again, and nothing is spent.

    Raises ConfigError when the folder holds another run, LockHeldError when it is in use, BackendError when a
    provider is unavailable and BudgetError at a cap: the same call then goes on where this one stopped.
    """
    began = clock()
    timeline = Timeline()
    with folder.opened() as cache:
        check_same(folder, plan.resolved)
        async with opened(plan, cache, timeline) as parts:
            if parts.optimizer is None:
                raise ConfigError("this plan only scores", next="make one that trains")
            trainer = Trainer(
                parts.environment,
                parts.agent,
                parts.optimizer,
                plan.gate,
                skill=plan.skill,
                config=plan.train,
                store=folder.store,
                epoch_optimizer=parts.optimizer,
                listeners=[StepFiles(folder.path), EventLog(folder.events), *listeners(parts.purse)],
                cache=cache.rollouts,
                crew=parts.crew,
                # The trainer itself does not look at the test before the end.
                also=[("test", tasks_id(parts.environment.tasks(Split.TEST)))],
            )
            state = trainer.stored()
            if state.finished and (done := whole_summary(folder)) is not None:
                return done
            write_atomic(folder.config, plan.resolved.to_yaml().encode())
            if state.step:
                folder.store.write_derived(state)
            result = await trainer.fit()
            skills = plan.skill, result.best, result.state.skill
            test = await trainer.test(result, *skills)
            _write_test(folder, plan, parts.environment, test, skills)
            summary = summarize(
                folder.name,
                result.state,
                selection=[trainer.measured(skill) for skill in skills],
                test=test,
                n_tasks=(len(trainer.evaluate.tasks), len(parts.environment.tasks(Split.TEST))),
                calls=cache.calls.calls(),
                timeline=timeline,
                wall_s=clock() - began,
                metric=plan.train.metric,
                weight=plan.train.mixed_weight,
                confidence=plan.config.evaluation.confidence,
            )
            write_atomic(folder.summary, summary.to_json().encode())
            return read_summary(folder.summary) or {}


@asynccontextmanager
async def opened(plan: Plan, cache: Cache, timeline: Timeline) -> AsyncIterator[Parts]:
    """The parts of a plan, paying from one purse and telling `timeline` how long they took."""
    purse = Purse(cache.calls, plan.caps)
    async with Switchboard(plan.config) as board:

        async def metered(backend: Backend) -> Metered:
            model = await board.open(backend)
            return Metered(model, backend.role, purse, plan.prices, name=backend.model)

        environment = plan.environment
        if plan.judge is not None and isinstance(environment, JsonlEnvironment):
            environment = replace(environment, scorer=JsonlScorer(Judge(await metered(plan.judge))))
        analysts = Crew(plan.config.gradient.analyst_workers, on_lap=timeline)
        yield Parts(
            environment,
            ChatAgent(await metered(plan.target)),
            ModelOptimizer(await metered(plan.optimizer), plan.settings, analysts)
            if plan.optimizer
            else None,
            purse,
            Crew(plan.config.env.workers, on_lap=timeline),
        )


def _write_test(
    folder: RunFolder,
    plan: Plan,
    environment: Environment,
    test: Sequence[Evaluation],
    skills: Sequence[Skill],
) -> None:
    """What each skill did on the test split, and what was asked and how it was measured: other runs are
    compared with it. Equal skills share their rollouts."""
    metric, weight = plan.train.metric, plan.train.mixed_weight
    make_private_dir(folder.path / "test")
    by_skill = {found.skill_sha: found for found in test}
    rows = [rollout_json(rollout) for found in by_skill.values() for rollout in found.rollouts]
    write_atomic(folder.path / "test" / "rollouts.jsonl", utf8(lines_of(rows)), is_durable=False)
    scores = {
        which: {"skill": skill.sha, "scores": by_skill[skill.sha].scores(metric, weight)}
        for which, skill in zip(_TESTED, skills, strict=True)
    }
    told = as_json(
        {
            "schema": "skillopt/test/2",
            "split": str(Split.TEST),
            "metric": f"{metric} {weight:g}" if metric == "mixed" else metric,
            "judge": scorer_identity(environment.scorer),
            "tasks": {task.id: task_content(task) for task in environment.tasks(Split.TEST)},
            **scores,
        }
    )
    write_atomic(folder.path / "test" / "scores.json", utf8(told), is_durable=False)


def _shown(value: object) -> str:
    return "not there" if value is None else str(value)
