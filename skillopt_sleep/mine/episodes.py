"""Sessions cut into episodes: one request each, what the agent did first, what the person said next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from skillopt.core.task import content_id
from skillopt_sleep.mine.cues import Cues
from skillopt_sleep.mine.feedback import Remark, is_ack, spoken_names, weigh
from skillopt_sleep.mine.heard import Heard, Said
from skillopt_sleep.mine.meaning import Meaning
from skillopt_sleep.mine.ops import Change, Op, change_between, ops_of
from skillopt_sleep.mine.words import tokens
from skillopt_sleep.session import Action, Driver, Event, Interruption, Outcome, Session, UserTurn

_USUAL = 2
_PASSES = 3


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person said about what the agent had done, with both sides of it.

    `before` are the operations the agent chose by itself, `after` those that followed the words. `strong`
    says it came with a rejection, an interruption, or while the agent worked; `certain` that it was
    recognised without help from other sessions.
    """

    id: str
    session_id: str
    project: str
    request: str
    text: str
    via: str
    strong: bool
    certain: bool
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
    refused: bool = False
    """Whether the person refused something the agent wanted to do, perhaps without a word."""

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


@dataclass(frozen=True, slots=True)
class Stretch:
    """A turn with the operations its actions come to: read once, because every pass needs them."""

    turn: Turn
    ops: tuple[Op, ...]


def turns_of(events: Iterable[Event]) -> tuple[Turn, ...]:
    """Group a session's events under the words they follow; actions before any words are left out. An
    answer the person only picked holds the agent's words, and what follows it belongs to the turn before."""
    out: list[Turn] = []
    interrupted = False
    actions: list[Action] = []
    for event in events:
        if isinstance(event, Interruption):
            interrupted = True
        elif isinstance(event, Action):
            actions.append(event)
            interrupted = event.outcome in (Outcome.REJECTED, Outcome.INTERRUPTED)
        elif isinstance(event, UserTurn) and event.text.strip() and event.via != "choice":
            if out:
                out[-1] = replace(out[-1], actions=tuple(actions))
            out.append(Turn(event, interrupted, ()))
            actions, interrupted = [], False
    if out:
        out[-1] = replace(out[-1], actions=tuple(actions))
    return tuple(out)


def stretches_of(session: Session) -> tuple[Stretch, ...]:
    """The turns of a session with their operations."""
    return tuple(Stretch(turn, ops_of(turn.actions)) for turn in turns_of(session.events))


@dataclass(slots=True)
class _Open:
    """An episode being read."""

    index: int
    turn: Turn
    first: tuple[Op, ...]
    last: tuple[Op, ...]
    corrections: list[Correction]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What other sessions say about a remark: changes that recur, what is mere looking around, and what was
    said there as a correction."""

    usual: frozenset[str] = frozenset()
    looks: Mapping[str, float] = field(default_factory=dict)
    said: tuple[Said, ...] = ()
    heard: Heard | None = None


def episodes_of(
    session: Session, stretches: Sequence[Stretch], cues: Cues, elsewhere: Elsewhere
) -> tuple[Episode, ...]:
    """Cut one human session into episodes; others give none."""
    if session.driver is not Driver.HUMAN or session.project is None:
        return ()
    out: list[Episode] = []
    current: _Open | None = None
    for index, stretch in enumerate(stretches):
        turn, ops = stretch.turn, stretch.ops
        if current is not None:
            if is_ack(turn.words.text, bool(ops), cues, later=True):
                current.last = current.last + ops
                if not current.corrections:
                    current.first = current.first + ops
                continue
            if (found := _correction(session, current, turn, ops, cues, elsewhere)) is not None:
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
    session: Session, current: _Open, turn: Turn, ops: tuple[Op, ...], cues: Cues, elsewhere: Elsewhere
) -> Correction | None:
    said = turn.words.text
    change = change_between(current.last, ops, frozenset(spoken_names(tokens(said))), elsewhere.looks)
    remark = Remark(
        text=said,
        request=current.turn.words.text,
        via=turn.words.via,
        interrupted=turn.interrupted,
        before=current.last,
        change=change,
        usual=bool(atoms(change) & elsewhere.usual),
        heard=elsewhere.heard.times(said, session.id) if elsewhere.heard else 0,
    )
    weight = weigh(remark, cues)
    if not weight.is_correction:
        return None
    return Correction(
        id=content_id(session.id, current.index, len(current.corrections)),
        session_id=session.id,
        project=session.project or "",
        request=current.turn.words.text,
        text=said,
        via=turn.words.via,
        strong=turn.words.via in ("rejection", "queued") or turn.interrupted,
        certain=weight.is_certain,
        before=current.last,
        after=ops,
        change=change,
        at=turn.words.at,
    )


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
        refused=any(action.outcome is Outcome.REJECTED for action in current.turn.actions),
    )


def atoms(change: Change) -> frozenset[str]:
    """The words lost and gained by which a change is recognised elsewhere, with their program."""
    if change.reacted is None or change.replaced is None:
        return frozenset()
    on = change.reacted.program
    return frozenset({f"{on} -{t}" for t in change.lost} | {f"{on} +{t}" for t in change.gained})


def lookness(sessions: Iterable[Sequence[Stretch]]) -> dict[str, float]:
    """For each operation key, how often it is not what a stretch of work was about, in [0, 1].

    Listing, reading and status commands come before the real operation or after it; no list of tools is
    needed to see it. First what is often followed by something else counts as a look; then, in each stretch,
    the operation that looks least (the last of equals) is the real one.
    """
    worked = [tuple(op.key for op in each.ops) for stretches in sessions for each in stretches]
    total = Counter(key for keys in worked for key in keys)
    # Followed by something else is whatever stands before the run of equal keys at the end.
    followed = Counter(key for keys in worked for key in keys[: _run_at_end(keys)])
    before = {key: followed[key] / (n + 1.0) for key, n in total.items()}
    real: Counter[str] = Counter()
    for keys in worked:
        if keys:
            _, _, main = min((round(before[k], 2), -i, k) for i, k in enumerate(keys))
            real[main] += sum(k == main for k in keys)
    return {key: max(before[key], (n - real[key]) / (n + 1.0)) for key, n in total.items()}


def _run_at_end(keys: Sequence[str]) -> int:
    """Where the run of equal keys at the end begins."""
    start = len(keys)
    while start and keys[start - 1] == keys[-1]:
        start -= 1
    return start


@dataclass(frozen=True, slots=True)
class MinedEpisodes:
    """The episodes of a project, with what was learned of its words and operations on the way."""

    episodes: tuple[Episode, ...]
    looks: Mapping[str, float]
    meaning: Meaning


def mine_episodes(sessions: Sequence[Session], cues: Cues) -> MinedEpisodes:
    """Cut the sessions of one project into episodes, in passes: what one found for certain (changes that
    recur, what was said as a correction) helps the next to recognise the rest."""
    read = [(s, stretches_of(s)) for s in sessions]
    looks = lookness(stretches for _, stretches in read)
    meaning = Meaning.of((t.text for s in sessions for t in s.user_turns), cues)
    elsewhere = Elsewhere(looks=looks)
    episodes: list[Episode] = []
    for _ in range(_PASSES):
        episodes = [e for s, stretches in read for e in episodes_of(s, stretches, cues, elsewhere)]
        found = _elsewhere([c for e in episodes for c in e.corrections], looks, meaning)
        if found.said == elsewhere.said:
            break
        elsewhere = found
    return MinedEpisodes(tuple(episodes), looks, meaning)


def _elsewhere(corrections: Sequence[Correction], looks: Mapping[str, float], meaning: Meaning) -> Elsewhere:
    counts = Counter(atom for atom, _ in {(a, c.session_id) for c in corrections for a in atoms(c.change)})
    said = tuple((c.session_id, c.text) for c in corrections if c.certain)
    return Elsewhere(
        usual=frozenset(a for a, n in counts.items() if n >= _USUAL),
        looks=looks,
        said=said,
        heard=Heard(said, meaning),
    )
