"""The nightly loop: harvest, mine, replay, consolidate, stage."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from skillopt.core.skill import Skill
from skillopt.core.task import Split
from skillopt.errors import SkillOptError
from skillopt_sleep.consolidate import NOTHING, Material, TurnedDown, consolidate
from skillopt_sleep.draft import Drafted, Origin, draft, held_out_of, live_bytes, redrafted, rendered, tidied
from skillopt_sleep.evidence import Settled
from skillopt_sleep.habits import Habit, present_habits
from skillopt_sleep.harvest import ProjectSessions
from skillopt_sleep.home import StateHome
from skillopt_sleep.installed_skills import existing_skills
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_rows import KnownLesson, LessonStatus
from skillopt_sleep.mine.embed import Embedder
from skillopt_sleep.mine.project import MinedProject, mine_project
from skillopt_sleep.mine.recur import Want
from skillopt_sleep.mined_before import Found, digest_of, found_before
from skillopt_sleep.parts import SHIPPED, Parts
from skillopt_sleep.past import (
    Memory,
    Past,
    changed_rows,
    contradicted,
    evidence_sha,
    kept_by_person,
    past_lessons,
)
from skillopt_sleep.proposal import Lesson, Proposal
from skillopt_sleep.reading import Vocabulary
from skillopt_sleep.recall import NOT_RECALLED, Recalled, Recalling, recall_from
from skillopt_sleep.replay import Recorded
from skillopt_sleep.replay_tasks import controls_left_out, mined_tasks
from skillopt_sleep.room import Housekeeping, Occurrences
from skillopt_sleep.route import Route, managed_route, route
from skillopt_sleep.safety import HeldOut
from skillopt_sleep.scope import is_folder
from skillopt_sleep.settings import SKILL_TOKENS
from skillopt_sleep.split import MIN_EVIDENCE, give_splits
from skillopt_sleep.stage import open_proposal_for, stage, waiting
from skillopt_sleep.task_review import TaskReview, review_tasks

if TYPE_CHECKING:
    from skillopt_sleep.task_file import TaskFile


class Idle(StrEnum):
    """Why a project had no night: its sessions were all used before, its folder is gone, or it is the user's
    home, where a lesson of one project would hold in every other."""

    USED = "used"
    GONE = "gone"
    HOME = "home"


@dataclass(frozen=True, slots=True)
class Pending:
    """Something that keeps being corrected and cannot be learned yet: `missing` sessions are needed for it,
    or (0) a whole sentence that says it. `said` is one of the corrections."""

    project: str
    said: str
    sessions: int
    missing: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A lesson that was turned down tonight, and for which skill."""

    project: str
    route: Route
    turned_down: TurnedDown
    evidence_sha: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """A skill file that could not be used, with the error in words: nothing was learned for it."""

    project: str
    path: str
    what: str
    why: str
    next: str


@dataclass(frozen=True, slots=True)
class ProjectNight:
    """What a night did in one project. `mined` is None where an earlier night `found` the same and nothing
    is new. `consumed` are the sessions it used (none while a skill file is `blocked`), `new_splits` those it
    gave; `tested` are all sessions of the sealed test that were scored, in this night or before;
    `controls_left_out` counts the episodes that went well and were not replayed, being too many. `reviewed`
    says what a person changed in the tasks, `idle` why nothing was tried."""

    project: str
    found: Found
    mined: MinedProject | None
    splits: Mapping[str, Split]
    new_splits: Mapping[str, Split]
    proposals: tuple[Proposal, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    pending: tuple[Pending, ...] = ()
    consumed: tuple[str, ...] = ()
    tested: frozenset[str] = frozenset()
    blocked: tuple[Blocked, ...] = ()
    controls_left_out: int = 0
    past: Sequence[KnownLesson] = ()
    no_room: tuple[str, ...] = ()
    recalled: Recalled = NOT_RECALLED
    reviewed: tuple[str, ...] = ()
    idle: Idle | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a night needs beside sessions: where state is kept, the user's home, the moment, its own id, the
    parts it is made of, and how many tokens the learned block of a skill may hold. Nothing is recalled
    without `recalling`. `reviewed` are the tasks as a person left them."""

    state: StateHome
    user_home: Path
    now: datetime
    night_id: str
    embedder: Embedder
    parts: Parts = SHIPPED
    skill_tokens: int = SKILL_TOKENS
    recalling: Recalling | None = None
    reviewed: TaskFile | None = None


def verdict_of(projects: Sequence[ProjectNight]) -> str:
    """One word for a night: `proposed`, `rejected`, `inconclusive` or `nothing_to_learn`."""
    if any(p.proposals for p in projects):
        return "proposed"
    if any(p.rejected for p in projects):
        return "rejected"
    return "inconclusive" if any(p.pending for p in projects) else "nothing_to_learn"


async def project_night(
    found: ProjectSessions, ledger: Ledger, around: Surroundings, *, dry_run: bool
) -> ProjectNight:
    """One night in one project. Nothing is staged and no split is kept in a dry run.

    A project without new sessions, whose folder is gone, or which is the user's home is not trained, and
    mined only when it was not mined as it is before.
    """
    digest = digest_of(found.sessions, around.embedder)
    known = ledger.splits(found.project)
    fresh = {s.id for s in ledger.summaries([found.project]) if s.consumed_by is None} & {
        s.id for s in found.sessions
    }
    folder = Path(found.project)
    file = around.reviewed if around.reviewed and around.reviewed.is_about(found.project) else None
    idle = _idle(folder, around.user_home, is_new=bool(fresh) or file is not None)
    told = _told(ledger, around, found.project) if idle else ()
    if idle and (before := found_before(ledger, found.project, digest)) is not None:
        return ProjectNight(found.project, before, None, known, {}, past=told, idle=idle)
    mined = mine_project(found.project, found.sessions, around.embedder)
    counts = Found(digest, len(mined.episodes), len(mined.tasks))
    review = review_tasks(mined, found.sessions, file) if file else TaskReview(mined)
    if idle or not (fresh or review.changes):
        told = _told(ledger, around, found.project)
        return ProjectNight(found.project, counts, mined, known, {}, past=told, idle=idle or Idle.USED)
    habits = present_habits(mined.wants, mined.controls, mined.meaning)
    # By what was mined, whatever a person made of it: no review moves a session.
    new_splits = give_splits(habits, found.sessions, known)
    mined = review.mined
    # After a review only what the person saw is learned from.
    seen = None if review.changes else around.recalling
    recalled = recall_from(ledger, mined, {**known, **new_splits}, seen)
    trained = recalled.into(mined)
    if recalled.ids or review.changes:
        habits = present_habits(trained.wants, trained.controls, trained.meaning)
    new_splits = {**new_splits, **recalled.splits}
    splits = {**known, **new_splits}
    if not dry_run:
        ledger.assign_splits(found.project, new_splits)
    sealed = frozenset(i for i, split in splits.items() if split is Split.TEST)
    memory = Memory.of(around.state, ledger, found.project, around.now, sealed)
    enough, pending = _ready(found.project, habits, splits)
    by_route = _routed([habit for habit in enough if not memory.is_turned_down(habit)], found, memory, around)
    origin = Origin(found.project, _sources(found), around.night_id, around.now)
    # A test session is scored once: what an earlier night has read is sealed no more.
    tested = set(json.loads(ledger.value(tested_key(found.project)) or "[]"))
    open_splits = {i: s for i, s in splits.items() if s is not Split.TEST or i not in tested}
    house = Housekeeping(
        Occurrences.of(mined, found.sessions),
        (*sorted(set(memory.used_at.values())), around.now),
        kept_by_person(around.state, found.project),
        around.skill_tokens,
    )
    drafted: list[Drafted] = []
    no_room: list[Lesson] = []
    rejected: list[Rejected] = []
    blocked: list[Blocked] = []
    for target, chosen in sorted(by_route.items(), key=lambda r: str(r[0].path)):
        try:
            live = live_bytes(target, folder, around.user_home)
        except SkillOptError as error:
            blocked.append(Blocked(found.project, str(target.path), error.what, error.why, error.next))
            continue
        waits = open_proposal_for(around.state, target.path)
        outcome, hidden = NOTHING, HeldOut()
        if chosen:
            base = Skill.from_bytes(rendered(target, live, waits.lessons if waits else ()))
            material = _material(trained, chosen, open_splits, base, memory, recalled.ids)
            material = replace(material, tasks=around.parts.tasks(review.on(material.tasks)))
            outcome = await consolidate(material, mined.cues, parts=around.parts)
            hidden = held_out_of(material)
            pending += tuple(_pending(found.project, want, 0) for want in outcome.unsaid)
            rejected += [_rejected(found.project, target, turned) for turned in outcome.rejected]
            if outcome.test is not None:
                tested |= {Recorded.of(t).session_id for t in material.tasks if t.split is Split.TEST}
        change, crowded = tidied(outcome, waits, live, memory.at(target.path), house)
        no_room += crowded
        if change is not None:
            drafted.append(draft(target, live, change, hidden, origin))
    drafted += _redrafted(drafted, folder, around, origin)
    if not dry_run:
        drafted = [
            Drafted(stage(around.state, d.proposal, d.new_bytes, d.held_out), d.new_bytes, d.held_out)
            for d in drafted
        ]
    return ProjectNight(
        project=found.project,
        found=counts,
        mined=mined,
        splits=splits,
        new_splits=new_splits,
        proposals=tuple(d.proposal for d in drafted),
        rejected=tuple(rejected),
        pending=pending,
        consumed=() if blocked else tuple(sorted(fresh)),
        tested=frozenset(tested),
        blocked=tuple(blocked),
        controls_left_out=controls_left_out(trained.controls, open_splits) if enough else 0,
        recalled=recalled,
        past=changed_rows(ledger.lessons(found.project), memory.past),
        no_room=tuple(lesson.text for lesson in no_room),
        reviewed=review.changes,
    )


def tested_key(project: str) -> str:
    """Where the ledger keeps which sessions of the sealed test were scored."""
    return f"tested:{project}"


def _ready(
    project: str, habits: Sequence[Habit], splits: Mapping[str, Split]
) -> tuple[tuple[Habit, ...], tuple[Pending, ...]]:
    """The habits with enough sessions on both sides, and those that wait for more."""
    ready, pending = [], []
    for habit in habits:
        want = habit.want
        counts = {split: sum(splits.get(i) is split for i in want.session_ids) for split in Split}
        missing = sum(max(0, MIN_EVIDENCE - counts[s]) for s in (Split.TRAIN, Split.SELECTION))
        if missing:
            pending.append(_pending(project, want, missing))
        else:
            ready.append(habit)
    return tuple(ready), tuple(pending)


def _pending(project: str, want: Want, missing: int) -> Pending:
    said = min((c.text for c in want.corrections), key=lambda t: (len(t), t))
    return Pending(project, said, len(want.session_ids), missing)


def _idle(folder: Path, user_home: Path, *, is_new: bool) -> Idle | None:
    if not is_folder(folder):
        return Idle.GONE
    if folder.resolve() == user_home.resolve():
        return Idle.HOME
    return None if is_new else Idle.USED


def _told(ledger: Ledger, around: Surroundings, project: str) -> Sequence[KnownLesson]:
    """What a person decided since the last night, where there is nothing new to learn from."""
    past = past_lessons(around.state, ledger, project, around.now)
    return changed_rows(ledger.lessons(project), past)


def _sources(found: ProjectSessions) -> tuple[str, ...]:
    return tuple(sorted({s.source for s in found.sessions}))


def _routed(
    habits: Sequence[Habit], found: ProjectSessions, memory: Memory, around: Surroundings
) -> dict[Route, list[Habit]]:
    """The habits by the skill file they belong to; one that a lesson was learned from stays where that is."""
    folder = Path(found.project)
    used = {s.id: s.skills for s in found.sessions}
    managed = managed_route(folder, _sources(found))
    installed = existing_skills(folder, around.user_home)
    by_route: dict[Route, list[Habit]] = defaultdict(list)
    for habit in habits:
        # What a recalled session used long ago says nothing.
        tonight = tuple(c for c in habit.want.corrections if c.session_id in used)
        target = route(replace(habit.want, corrections=tonight), used, installed, managed, around.embedder)
        for past in memory.standing(habit):
            kept = _route_of(past, managed)
            target = kept if kept == managed or kept.path.is_file() else target
        by_route[target].append(habit)
    for past in memory.past:
        target = _route_of(past, managed)
        if past.fate is LessonStatus.ADOPTED and target.path.is_file():
            by_route.setdefault(target, [])
    return by_route


def _route_of(past: Past, managed: Route) -> Route:
    kept = past.proposal
    is_managed = kept.target.path == str(managed.path)
    return managed if is_managed else Route(kept.skill, kept.kind, Path(kept.target.path))


def _settled(habit: Habit, memory: Memory) -> Settled:
    """What earlier nights leave to the optimizer about one habit."""
    standing = memory.standing(habit)
    former = [past for past in standing if contradicted(past, habit)]
    present = [past for past in standing if past not in former]
    # Words a person chose by hand, or has not yet decided on, are not bettered unless the habit changes.
    closed = any(p.is_edited or not memory.is_renewed(habit, p.at) for p in present)
    return Settled(tuple(p.lesson.id for p in former), tuple(p.lesson.id for p in present), closed)


def _rejected(project: str, target: Route, turned_down: TurnedDown) -> Rejected:
    return Rejected(project, target, turned_down, evidence_sha(turned_down.want))


def _redrafted(
    drafted: Sequence[Drafted], folder: Path, around: Surroundings, origin: Origin
) -> Iterator[Drafted]:
    """What waits for a file that somebody changed since, as it is now for the new text."""
    tonight = {d.proposal.target.path for d in drafted}
    for proposal in waiting(around.state):
        if proposal.project == origin.project and proposal.target.path not in tonight:
            # A file that cannot be used tonight keeps what waits for it.
            with suppress(SkillOptError):
                if again := redrafted(proposal, folder, around.user_home, origin):
                    yield again


def _material(
    mined: MinedProject,
    habits: Sequence[Habit],
    splits: Mapping[str, Split],
    base: Skill,
    memory: Memory,
    recalled: frozenset[str],
) -> Material:
    training = [e for e in mined.episodes if splits.get(e.session_id) is Split.TRAIN]
    seen = [op for e in training for ops in (e.first, *(c.after for c in e.corrections)) for op in ops]
    wants = tuple(habit.want for habit in habits)
    # What went well before a habit changed says nothing of whether the new one does harm.
    controls = [e for e in mined.controls if not any(habit.is_past(e) for habit in habits)]
    return Material(
        project=mined.project,
        skill=base,
        wants=wants,
        tasks=mined_tasks(wants, controls, splits, mined.cues, recalled),
        vocabulary=Vocabulary.of(seen),
        meaning=mined.meaning,
        refused={},
        settled={habit.want.id: _settled(habit, memory) for habit in habits},
    )
