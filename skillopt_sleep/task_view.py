"""A recurring task as people and programs see it: its sessions, what was said, and its checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from skillopt.core.task import Check
from skillopt_sleep.mine.checks import Recurrence, checks_of
from skillopt_sleep.mine.project import MinedProject
from skillopt_sleep.mine.recur import RecurringTask
from skillopt_sleep.proposal import Quote
from skillopt_sleep.skillfile import MANAGED_SKILL


@dataclass(frozen=True, slots=True)
class TaskView:
    """One recurring task. `outcome` says in how many sessions it had to be corrected; `skill` is the one its
    sessions used most, else the managed one."""

    id: str
    intent: str
    project: str
    sessions: tuple[str, ...]
    episodes: int
    sources: tuple[str, ...]
    skill: str
    outcome: str
    checks: tuple[Check, ...]
    corrections: tuple[Quote, ...]

    @property
    def corrected(self) -> int:
        """In how many sessions the person had to say something."""
        return len({c.session for c in self.corrections})


def task_views(mined: MinedProject) -> tuple[TaskView, ...]:
    """The recurring tasks of a project, the most corrected first, then the most frequent."""
    recurrences: dict[str, Recurrence] = {}
    for want in mined.wants:
        recurrences |= dict.fromkeys((c.id for c in want.corrections), Recurrence.of(want.corrections))
    views = (_view(task, mined, recurrences) for task in mined.tasks)
    return tuple(sorted(views, key=lambda v: (-v.corrected, -len(v.sessions), v.id)))


def _view(task: RecurringTask, mined: MinedProject, recurrences: Mapping[str, Recurrence]) -> TaskView:
    corrections = [c for e in task.episodes for c in e.corrections]
    checks = Counter(
        check
        for c in corrections
        if c.id in recurrences
        for check in checks_of(c, recurrences[c.id], mined.cues)
    )
    skills = Counter(s for e in task.episodes for s in set(e.skills))
    said = tuple(Quote(c.session_id, c.text, c.at) for c in corrections)
    n, total = len({c.session for c in said}), len(task.session_ids)
    return TaskView(
        id=task.id,
        intent=task.intent,
        project=mined.project,
        sessions=task.session_ids,
        episodes=len(task.episodes),
        sources=tuple(sorted({e.source for e in task.episodes})),
        skill=skills.most_common(1)[0][0] if skills else MANAGED_SKILL,
        outcome=f"corrected in {n} of {total} sessions" if n else f"went well in {total} sessions",
        checks=tuple(check for check, count in checks.most_common() if count >= 2),
        corrections=said,
    )
