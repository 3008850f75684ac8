"""Sessions cut into episodes: one request each, what the agent did first, what the person said next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from skillopt.core.task import content_id
from skillopt_sleep.mine.cues import Cues
from skillopt_sleep.mine.feedback import Remark, is_ack, weigh
from skillopt_sleep.mine.ops import Change, Op, change_between, ops_of
from skillopt_sleep.mine.words import tokens
from skillopt_sleep.session import Action, Driver, Event, Interruption, Outcome, Session, UserTurn


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person said about what the agent had done, with both sides of it.

    `before` are the operations the agent chose by itself, `after` those that followed the words. `strong`
    says it came with a rejection, an interruption, or while the agent worked.
    """

    id: str
    session_id: str
    project: str
    request: str
    text: str
    via: str
    strong: bool
    before: tuple[Op, ...]
    after: tuple[Op, ...]
    change: Change
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Episode:
    """One request of the person inside a session with what followed."""

    id: str
    session_id: str
    source: str
    project: str
    request: str
    first: tuple[Op, ...]
    final: tuple[Op, ...]
    corrections: tuple[Correction, ...]
    skills: tuple[str, ...]
    at: datetime | None

    @property
    def corrected(self) -> bool:
        """Whether the person had to say something."""
        return bool(self.corrections)


@dataclass(frozen=True, slots=True)
class Turn:
    """Words with what stood just before (an interruption or rejection) and the actions that followed."""

    words: UserTurn
    interrupted: bool
    actions: tuple[Action, ...]


def turns_of(events: Iterable[Event]) -> tuple[Turn, ...]:
    """Group a session's events under the words they follow; actions before any words are left out."""
    out: list[Turn] = []
    interrupted = False
    actions: list[Action] = []
    for event in events:
        if isinstance(event, Interruption):
            interrupted = True
        elif isinstance(event, Action):
            actions.append(event)
            interrupted = event.outcome in (Outcome.REJECTED, Outcome.INTERRUPTED)
        elif isinstance(event, UserTurn) and event.text.strip():
            if out:
                out[-1] = replace(out[-1], actions=tuple(actions))
            out.append(Turn(event, interrupted, ()))
            actions, interrupted = [], False
    if out:
        out[-1] = replace(out[-1], actions=tuple(actions))
    return tuple(out)


@dataclass(slots=True)
class _Open:
    """An episode being read."""

    index: int
    turn: Turn
    first: tuple[Op, ...]
    last: tuple[Op, ...]
    corrections: list[Correction]


def episodes_of(session: Session, cues: Cues, usual: frozenset[str] = frozenset()) -> tuple[Episode, ...]:
    """Cut one human session into episodes; others give none.

    `usual` are change atoms known to recur across sessions (see `recurring_changes`): the same first-to-next
    change elsewhere speaks for a correction when the words alone cannot be read.
    """
    if session.driver not in (Driver.HUMAN, Driver.FORK) or session.project is None:
        return ()
    out: list[Episode] = []
    current: _Open | None = None
    for index, turn in enumerate(turns_of(session.events)):
        ops = ops_of(turn.actions)
        if current is not None:
            if is_ack(turn.words.text, bool(ops), cues):
                current.last = current.last + ops
                if not current.corrections:
                    current.first = current.first + ops
                continue
            if (found := _correction(session, current, turn, ops, cues, usual)) is not None:
                current.corrections.append(found)
                current.last = ops or current.last
                continue
            out.append(_close(session, current))
        elif is_ack(turn.words.text, bool(ops), cues):
            continue
        current = _Open(index, turn, ops, ops, [])
    if current is not None:
        out.append(_close(session, current))
    return tuple(out)


def _correction(
    session: Session, current: _Open, turn: Turn, ops: tuple[Op, ...], cues: Cues, usual: frozenset[str]
) -> Correction | None:
    said = turn.words.text
    change = change_between(current.last, ops, frozenset(_spoken(said)))
    remark = Remark(
        text=said,
        via=turn.words.via,
        interrupted=turn.interrupted,
        before=current.last,
        after=ops,
        change=change,
        usual=bool(atoms(change) & usual),
    )
    if not weigh(remark, cues).is_correction:
        return None
    return Correction(
        id=content_id(session.id, current.index, len(current.corrections)),
        session_id=session.id,
        project=session.project or "",
        request=current.turn.words.text,
        text=said,
        via=turn.words.via,
        strong=turn.words.via in ("rejection", "queued") or turn.interrupted,
        before=current.last,
        after=ops,
        change=change,
        at=turn.words.at,
    )


def _spoken(text: str) -> tuple[str, ...]:
    from skillopt_sleep.mine.feedback import spoken_names

    return tuple(spoken_names(tokens(text)))


def _close(session: Session, current: _Open) -> Episode:
    return Episode(
        id=content_id(session.id, current.index),
        session_id=session.id,
        source=session.source,
        project=session.project or "",
        request=current.turn.words.text,
        first=current.first,
        final=current.last,
        corrections=tuple(current.corrections),
        skills=session.skills,
        at=current.turn.words.at,
    )


def atoms(change: Change) -> frozenset[str]:
    """The parts of a change by which it is recognised elsewhere: words lost and gained, operations added."""
    if change.reacted is None:
        return frozenset()
    lost = {f"-{t}" for t in change.lost}
    gained = {f"+{t}" for t in change.gained}
    added = {f"+{op.key}" for op in change.added}
    return frozenset(lost | gained | added)
