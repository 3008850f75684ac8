"""A night and a look at what recurs, from reading to result: what `run` and `tasks` do, whoever asks."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeAlias

import anyio

from skillopt.cli.output import print_error
from skillopt.core.task import Split
from skillopt.errors import ConfigError, StorageError
from skillopt_sleep.amounts import counted
from skillopt_sleep.cli.collecting import rarely_collected
from skillopt_sleep.cli.harvest_commands import left_out, read_sources, sources_json
from skillopt_sleep.cli.options import Caller, Common, Scope
from skillopt_sleep.cli.progress import timed
from skillopt_sleep.cli.recalling import recalled_json, recalling_of
from skillopt_sleep.cli.recovering import say_recovered
from skillopt_sleep.describe import proposal_json
from skillopt_sleep.finish import finish_night
from skillopt_sleep.harvest import Listener, ProjectSessions, SourceReport, select_sessions, source_reports
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_look import FileLeftOut
from skillopt_sleep.ledger_rows import ProjectCount
from skillopt_sleep.mine.embed import Embedder, HashedNgrams
from skillopt_sleep.mine.project import MinedProject, mine_project
from skillopt_sleep.night import ProjectNight, Rejected, Surroundings, project_night, verdict_of
from skillopt_sleep.parts import SHIPPED, Parts
from skillopt_sleep.recall import Recalling
from skillopt_sleep.recovery import clear_unfinished
from skillopt_sleep.redact import redact
from skillopt_sleep.runlock import run_lock
from skillopt_sleep.stage import publish
from skillopt_sleep.task_view import TaskView, task_views

if TYPE_CHECKING:
    from skillopt_sleep.task_file import TaskFile

RUN_SCHEMA = "skillopt-sleep/run/1"
TASKS_SCHEMA = "skillopt-sleep/tasks/1"


def _nobody(_done: int, _total: int) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Watch:
    """Who follows a night. Each is called while it works, never once it has begun to count: what one raises
    ends the night as a kill would, with nothing staged or consumed.

    `reading` hears of transcripts (None: progress goes to stderr), `learning` how many of the projects in
    scope are done; `embedder` and `parts` are what the night is made of.
    """

    reading: Listener | None = None
    learning: Callable[[int, int], None] = _nobody
    embedder: Embedder | None = None
    parts: Parts = SHIPPED


Claim: TypeAlias = Callable[[Ledger], AbstractContextManager[Mapping[str, str]]]
"""Entered under the run lock for as long as the night takes. It gives single values that come to count with
the night, or raises when this night is not to be."""


NOBODY = Watch()


def anybodys(_ledger: Ledger) -> AbstractContextManager[Mapping[str, str]]:
    """A night that somebody asked for."""
    return nullcontext({})


@dataclass(frozen=True, slots=True)
class Slept:
    """What a night did, project by project; `payload` is what `run --json` tells of it."""

    nights: tuple[ProjectNight, ...]
    reports: tuple[SourceReport, ...]
    files: tuple[FileLeftOut, ...]
    known: tuple[ProjectCount, ...]
    payload: dict[str, object]
    recalling: Recalling | None = None


@dataclass(frozen=True, slots=True)
class Recurring:
    """What recurs in a scope; `known` are all projects with sessions of a person, in scope or not. `mined`
    and `found` are the projects in scope, `splits` those given by the name of a project."""

    views: tuple[TaskView, ...]
    episodes: int
    reports: tuple[SourceReport, ...]
    known: tuple[ProjectCount, ...]
    mined: tuple[MinedProject, ...]
    found: tuple[ProjectSessions, ...]
    splits: Mapping[str, Mapping[str, Split]]


def whole_night(
    caller: Caller,
    given: Common,
    chosen: Scope,
    *,
    dry_run: bool,
    watch: Watch = NOBODY,
    reviewed: TaskFile | None = None,
    claim: Claim = anybodys,
) -> Slept:
    """One night over all that is in scope, with the tasks as a person `reviewed` them, if they did, and
    entered by `claim`. A dry run stages and consumes nothing.

    Raises LockHeldError when another night is going on, StorageError when the state fails, ConfigError for a
    single project whose skill file cannot be used.
    """
    started = time.monotonic()
    recalling = recalling_of(caller, given.home)
    with (
        rarely_collected(),
        run_lock(given.home, caller.now),
        Ledger.open(given.home.ledger) as ledger,
        claim(ledger) as claimed,
    ):
        # A lesson is written against the live file: what a crash left there is mended first.
        say_recovered(given.home, must_recover=True)
        clear_unfinished(given.home)
        report = read_sources(ledger, caller, given, chosen, watch.reading, holds_lock=True)
        files = left_out(ledger, given, chosen)
        around = Surroundings(
            state=given.home,
            user_home=caller.user_home,
            now=caller.now,
            night_id=ledger.begin_night(caller.now),
            embedder=watch.embedder or HashedNgrams(),
            parts=watch.parts,
            skill_tokens=chosen.skill_tokens,
            recalling=recalling,
            reviewed=reviewed,
        )
        found = select_sessions(
            ledger, chosen.project, projects=chosen.projects, sources=chosen.sources, since=chosen.since
        )
        with timed("learning", given):
            nights: list[ProjectNight] = []
            anyio.run(_nights, found, ledger, around, dry_run, nights, watch)
        _refuse_if_all_blocked(nights, chosen)
        reports = source_reports(report, ledger.summaries(chosen.folders, chosen.sources, since=chosen.since))
        told = sources_json(reports, files)
        seconds = round(time.monotonic() - started, 3)
        payload = _run_json(around.night_id, nights, told, seconds, dry_run=dry_run)
        payload |= recalled_json(nights, recalling)
        if reviewed is not None:
            payload |= {"tasks_file": redact(reviewed.path), "reviewed": reviewed_rows(reviewed, nights)}
        if not dry_run:
            finish_night(
                ledger,
                around,
                nights,
                finished_at=Caller.from_process().now,
                seconds=seconds,
                summary=json.dumps(payload),
                also=claimed,
            )
            publish(given.home, around.night_id)
            if payload["consumed"]:
                _keep_copy(ledger)
        known = tuple(one for one in ledger.projects() if one.human)
    return Slept(tuple(nights), reports, files, known, payload, recalling)


def recurring_tasks(caller: Caller, given: Common, chosen: Scope, *, watch: Watch = NOBODY) -> Recurring:
    """Read what is new and mine all that is known in scope; nothing is consumed."""
    given.home.make()
    with Ledger.open(given.home.ledger) as ledger:
        report = read_sources(ledger, caller, given, chosen, watch.reading)
        left_out(ledger, given, chosen)
        found = select_sessions(
            ledger, chosen.project, projects=chosen.projects, sources=chosen.sources, since=chosen.since
        )
        known = tuple(one for one in ledger.projects() if one.human)
        in_scope = ledger.summaries(chosen.folders, chosen.sources, since=chosen.since)
        splits = {each.project: ledger.splits(each.project) for each in found}
    mined: list[MinedProject] = []
    with rarely_collected(), timed("mining", given):
        for each in found:
            watch.learning(len(mined), len(found))
            mined.append(mine_project(each.project, each.sessions, watch.embedder or HashedNgrams()))
    views = tuple(view for each in mined for view in task_views(each))
    n_episodes = sum(len(each.episodes) for each in mined)
    reports = source_reports(report, in_scope)
    return Recurring(views, n_episodes, reports, known, tuple(mined), tuple(found), splits)


def tasks_json(found: Recurring) -> dict[str, object]:
    """What `tasks --json` tells."""
    return {"tasks": [_task_json(view) for view in found.views], "episodes": found.episodes}


def reviewed_rows(reviewed: TaskFile, nights: Sequence[ProjectNight]) -> list[dict[str, str]]:
    """What a person changed, by project, and what of the file this night could not use."""
    rows = [{"project": night.project, "change": change} for night in nights for change in night.reviewed]
    told = [] if rows else ["nothing was changed"]
    if n := len(reviewed.own):
        told.append(f"not used: {counted(n, 'task')} without a session, which no recording can answer")
    projects = {night.project for night in nights}
    if n := sum(task.project not in projects for task in reviewed.tasks):
        told.append(f"not used: {counted(n, 'task')} of projects that are not in scope")
    return rows + [{"project": "", "change": change} for change in told]


def _refuse_if_all_blocked(nights: Sequence[ProjectNight], chosen: Scope) -> None:
    """The night of one project whose skill cannot be used is none; among several it stops no other."""
    if chosen.project is not None:
        for one in (blocked for night in nights for blocked in night.blocked):
            raise ConfigError(f"{one.path}: {one.what}", why=one.why, next=one.next)


async def _nights(
    found: Sequence[ProjectSessions],
    ledger: Ledger,
    around: Surroundings,
    dry_run: bool,
    nights: list[ProjectNight],
    watch: Watch,
) -> None:
    # Handed over in a list: asyncio writes out what its main task returns, a whole project of it.
    for each in found:
        watch.learning(len(nights), len(found))
        nights.append(await project_night(each, ledger, around, dry_run=dry_run))


def _keep_copy(ledger: Ledger) -> None:
    """The night has finished; that its copy could not be kept is told, and is no failure of it."""
    try:
        ledger.file.keep_copy()
    except StorageError as error:
        print_error(RUN_SCHEMA, error, as_json=False)


def no_night_json() -> dict[str, object]:
    """What `run --json` tells where no night was to be."""
    return _run_json(None, (), (), 0.0, dry_run=False)


def _run_json(
    night_id: str | None,
    nights: Sequence[ProjectNight],
    sources: Sequence[dict[str, object]],
    seconds: float,
    *,
    dry_run: bool,
) -> dict[str, object]:
    counts = Counter(split for n in nights for split in n.splits.values())
    return {
        "night": None if dry_run else night_id,
        "dry_run": dry_run,
        "verdict": verdict_of(nights),
        "sources": list(sources),
        "episodes": sum(n.found.episodes for n in nights),
        "recurring_tasks": sum(n.found.tasks for n in nights),
        "splits": {split.value: counts[split] for split in Split},
        "consumed": sum(len(n.consumed) for n in nights),
        "proposals": [proposal_json(p) for n in nights for p in n.proposals],
        "rejected": [_rejected_json(r) for n in nights for r in n.rejected],
        "pending": [
            {"project": p.project, "said": p.said, "sessions": p.sessions, "missing": p.missing}
            for n in nights
            for p in n.pending
        ],
        "blocked": [asdict(b) for n in nights for b in n.blocked],
        "idle": [{"project": n.project, "why": n.idle.value} for n in nights if n.idle],
        "no_room": [{"project": n.project, "text": text} for n in nights for text in n.no_room],
        "controls_left_out": sum(n.controls_left_out for n in nights),
        "spend": {"calls": 0, "tokens": 0, "usd": 0.0},
        "seconds": seconds,
    }


def _rejected_json(rejected: Rejected) -> dict[str, object]:
    lesson, decision = rejected.turned_down.lesson, rejected.turned_down.decision
    return {
        "id": lesson.id,
        "project": rejected.project,
        "skill": rejected.route.skill,
        "path": str(rejected.route.path),
        "verdict": decision.verdict,
        "reason": decision.reason,
        "baseline": decision.current,
        "candidate": decision.candidate,
        "n": decision.n,
        "interval": list(decision.interval) if decision.interval else None,
        "lessons": [{"id": lesson.id, "text": lesson.text, "sessions": list(lesson.sessions)}],
        "findings": [],
    }


def _task_json(view: TaskView) -> dict[str, object]:
    return {
        "id": view.id,
        "intent": view.intent,
        "project": view.project,
        "sessions": list(view.sessions),
        "episodes": view.episodes,
        "sources": list(view.sources),
        "skill": view.skill,
        "outcome": view.outcome,
        "checks": [{"op": check.op, "arg": check.arg} for check in view.checks],
        "corrections": [{"session": said.session, "text": said.words} for said in view.corrections],
    }
