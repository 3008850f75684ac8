"""The end of a night: it counts, and its sessions are consumed, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_rows import KnownLesson, LessonStatus, Night, RejectedLesson
from skillopt_sleep.mined_before import found_key
from skillopt_sleep.night import ProjectNight, Surroundings, tested_key, verdict_of


def finish_night(
    ledger: Ledger,
    around: Surroundings,
    nights: Sequence[ProjectNight],
    *,
    finished_at: datetime,
    seconds: float,
    summary: str,
    also: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Record a night with all it leaves behind. `summary` is what `run --json` tells of it; `also` are
    single values, by key, that come to count with it."""
    rejected, lessons = [], []
    for night in nights:
        turned_down, known = _record_of(night)
        rejected += [replace(r, night_id=around.night_id) for r in turned_down]
        lessons += known
    finished = Night(
        id=around.night_id,
        started_at=around.now,
        finished_at=finished_at,
        verdict=verdict_of(nights),
        seconds=seconds,
        summary=summary,
    )
    consumed = [session for night in nights for session in night.consumed]
    values = {tested_key(n.project): json.dumps(sorted(n.tested)) for n in nights if n.tested}
    values |= {found_key(n.project): n.found.to_text() for n in nights if n.mined is not None}
    values |= also
    ledger.finish_night(finished, consumed=consumed, rejected=rejected, lessons=lessons, values=values)


def _record_of(night: ProjectNight) -> tuple[list[RejectedLesson], list[KnownLesson]]:
    """What the ledger remembers of a project's night."""
    project = night.project
    rejected = [
        RejectedLesson(
            project,
            r.turned_down.lesson.id,
            r.turned_down.lesson.text,
            r.turned_down.decision.reason,
            r.evidence_sha,
            evidence=tuple(c.id for c in r.turned_down.want.corrections),
        )
        for r in night.rejected
    ]
    proposed = [
        KnownLesson(
            project,
            lesson.id,
            lesson.text,
            lesson.sessions,
            LessonStatus.PROPOSED,
            skill_path=p.target.path,
            proposed_night=p.night,
        )
        for p in night.proposals
        for lesson in p.lessons
    ]
    return rejected, [*night.past, *proposed]
