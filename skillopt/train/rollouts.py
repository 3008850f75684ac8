"""Running tasks with a skill: the one place where several things happen at once."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import TypeAlias

import anyio

from skillopt.core.rollout import Rollout, RolloutError, Trajectory
from skillopt.core.skill import Skill
from skillopt.core.task import Task, content_id, task_content
from skillopt.errors import BackendError, BudgetError, ConfigError, SkillOptError
from skillopt.protocols import Agent, Scorer

RolloutKey: TypeAlias = tuple[str, str, str, int]
"""Skill hash, task hash, agent identity, repeat: what a rollout depends on."""

RolloutCache: TypeAlias = MutableMapping[RolloutKey, Rollout]


class RolloutRunner:
    """Runs and scores tasks, at most `workers` at once; a scored rollout is kept and never paid for again."""

    def __init__(
        self, agent: Agent, scorer: Scorer, *, workers: int, cache: RolloutCache | None = None
    ) -> None:
        self.agent = agent
        self.scorer = scorer
        self.workers = workers
        self.cache: RolloutCache = {} if cache is None else cache

    async def run(self, tasks: Sequence[Task], skill: Skill, *, repeats: int = 1) -> tuple[Rollout, ...]:
        """One rollout for each task and repeat, in that order whatever finished first.

        An infrastructure failure is a rollout with an error; it is not kept, so a later call tries again.
        Raises BackendError when none got through, and whatever the agent or scorer raises beside.
        """
        wanted = {
            self._key(task, skill, repeat): (task, repeat) for task in tasks for repeat in range(repeats)
        }
        done = {key: self.cache[key] for key in wanted if key in self.cache}
        limiter = anyio.CapacityLimiter(self.workers)

        async def attempt(key: RolloutKey, task: Task, repeat: int) -> None:
            async with limiter:
                done[key] = await self._attempt(task, skill, repeat)
            if done[key].error is None:
                self.cache[key] = done[key]

        try:
            async with anyio.create_task_group() as group:
                for key, (task, repeat) in wanted.items():
                    if key not in done:
                        group.start_soon(attempt, key, task, repeat)
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        return _some_valid(tuple(done[key] for key in wanted))

    def _key(self, task: Task, skill: Skill, repeat: int) -> RolloutKey:
        return skill.sha, content_id(task.id, task_content(task), length=64), self.agent.identity, repeat

    async def _attempt(self, task: Task, skill: Skill, repeat: int) -> Rollout:
        try:
            trajectory = await self.agent.run(task, skill, repeat=repeat)
        except BackendError as error:
            failed = RolloutError("agent", error.what)
            return Rollout(task.id, skill.sha, Trajectory(), error=failed, repeat=repeat)
        try:
            score = await self.scorer.score(task, trajectory)
        except (ConfigError, BudgetError):
            raise
        except SkillOptError as error:
            failed = RolloutError("scorer", error.what)
            return Rollout(task.id, skill.sha, trajectory, error=failed, repeat=repeat)
        return Rollout(task.id, skill.sha, trajectory, score, repeat=repeat)


def _some_valid(rollouts: tuple[Rollout, ...]) -> tuple[Rollout, ...]:
    """An outage must not look like a bad skill, nor end a run that then seems to have learned nothing."""
    errors = [rollout.error.message for rollout in rollouts if rollout.error is not None]
    if errors and len(errors) == len(rollouts):
        raise BackendError(
            f"all {len(errors)} rollouts failed",
            why=errors[0],
            next="mend the cause and run the same command again: it goes on from the last finished step",
        )
    return rollouts


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
