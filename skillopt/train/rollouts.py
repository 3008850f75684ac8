"""Running tasks with a skill, and keeping what was scored."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from skillopt.core.rollout import Rollout, RolloutCache, RolloutError, RolloutKey, Trajectory
from skillopt.core.skill import Skill
from skillopt.core.task import Task, content_id, task_content
from skillopt.errors import BackendError, BudgetError, ConfigError, SkillOptError
from skillopt.protocols import Agent, Scorer, scorer_identity
from skillopt.train.parallel import Crew


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rollouts to run: each of `tasks` with `skill`, `repeats` times."""

    tasks: Sequence[Task]
    skill: Skill
    repeats: int = 1


class RolloutRunner:
    """Runs and scores tasks with a crew; a scored rollout is kept and never paid for again."""

    def __init__(
        self,
        agent: Agent,
        scorer: Scorer,
        *,
        crew: Crew,
        cache: RolloutCache | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.agent = agent
        self.scorer = scorer
        self.crew = crew
        self._clock = clock
        self.cache: RolloutCache = {} if cache is None else cache
        # What would fail again is not asked again, in this process; a later one may have better luck.
        self._hopeless: dict[RolloutKey, Rollout] = {}
        self._has_scored = False
        # The same tasks come with every skill, by the thousand.
        self._contents: dict[int, tuple[Task, str]] = {}

    async def run(
        self, tasks: Sequence[Task], skill: Skill, *, repeats: int = 1, stage: str = "rollout"
    ) -> tuple[Rollout, ...]:
        """One rollout for each task and repeat, in that order whatever finished first.

        An infrastructure failure is a rollout with an error; it is not kept, so a later call tries again.
        Raises BackendError when none got through, unless each was refused for itself while others were not,
        or when a failure is fatal; and whatever the agent or scorer raises beside.
        """
        (rollouts,) = await self.run_all([Wanted(tasks, skill, repeats)], stage=stage)
        return rollouts

    async def run_all(self, wanted: Sequence[Wanted], *, stage: str = "rollout") -> list[tuple[Rollout, ...]]:
        """`run` for several skills and sets of tasks side by side; what two of them share is run once."""
        keys = [self._keys(one) for one in wanted]
        todo = {key: attempt for each in keys for key, attempt in each.items()}
        done = {key: found for key in todo if (found := self.cache.get(key) or self._hopeless.get(key))}
        missing = [key for key in todo if key not in done]
        jobs = [self._job(key, *todo[key]) for key in missing]
        done.update(zip(missing, await self.crew.run(stage, jobs), strict=True))
        self._has_scored = self._has_scored or any(rollout.error is None for rollout in done.values())
        return [self._some_valid(tuple(done[key] for key in each)) for each in keys]

    def _some_valid(self, rollouts: tuple[Rollout, ...]) -> tuple[Rollout, ...]:
        """An outage must not look like a bad skill, nor end a run that then seems to have learned nothing.

        A skill that every request is refused with, as one that became too long is, could not be measured:
        to stop there would be to stop there each time.
        """
        errors = [rollout.error for rollout in rollouts if rollout.error is not None]
        if not errors or len(errors) < len(rollouts):
            return rollouts
        if self._has_scored and all(error.is_permanent for error in errors):
            return rollouts
        raise BackendError(
            f"all {len(errors)} rollouts failed",
            why=errors[0].message,
            next="mend the cause and run the same command again: it goes on from the last finished step",
        )

    def known(self, wanted: Wanted) -> tuple[Rollout, ...]:
        """Those of the rollouts that were scored before."""
        return tuple(found for key in self._keys(wanted) if (found := self.cache.get(key)))

    def _keys(self, wanted: Wanted) -> dict[RolloutKey, tuple[Task, Skill, int]]:
        sha, agent = wanted.skill.sha, self.agent.identity
        if judge := scorer_identity(self.scorer):
            agent = f"{agent} scored by {judge}"
        return {
            (sha, self._content(task), agent, repeat): (task, wanted.skill, repeat)
            for task in wanted.tasks
            for repeat in range(wanted.repeats)
        }

    def _content(self, task: Task) -> str:
        """The hash of a task that its rollouts are kept under."""
        known = self._contents.get(id(task))
        if known is None or known[0] is not task:
            known = self._contents[id(task)] = task, content_id(task.id, task_content(task), length=64)
        return known[1]

    def _job(
        self, key: RolloutKey, task: Task, skill: Skill, repeat: int
    ) -> Callable[[], Awaitable[Rollout]]:
        async def attempt() -> Rollout:
            began = self._clock()
            rollout = await self._attempt(task, skill, repeat)
            rollout = replace(rollout, seconds=round(self._clock() - began, 6))
            if rollout.error is None:
                self.cache[key] = rollout
            elif rollout.error.is_permanent:
                self._hopeless[key] = rollout
            return rollout

        return attempt

    async def _attempt(self, task: Task, skill: Skill, repeat: int) -> Rollout:
        try:
            trajectory = await self.agent.run(task, skill, repeat=repeat)
        except BackendError as error:
            return _failed(task, skill, repeat, "agent", error)
        try:
            score = await self.scorer.score(task, trajectory)
        except (ConfigError, BudgetError):
            raise
        except SkillOptError as error:
            return _failed(task, skill, repeat, "scorer", error, trajectory)
        return Rollout(task.id, skill.sha, trajectory, score, repeat=repeat)


def _failed(
    task: Task,
    skill: Skill,
    repeat: int,
    kind: str,
    error: SkillOptError,
    trajectory: Trajectory = Trajectory(),  # noqa: B008  (frozen)
) -> Rollout:
    if isinstance(error, BackendError) and error.is_fatal:
        raise error
    is_permanent = isinstance(error, BackendError) and error.is_permanent
    why = RolloutError(kind, error.what if not error.why else f"{error.what}: {error.why}", is_permanent)
    return Rollout(task.id, skill.sha, trajectory, error=why, repeat=repeat)
