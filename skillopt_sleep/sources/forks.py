"""Forks: a client copies the records of one session into a new file; the copy must not count twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from skillopt_sleep.session import Driver, Session, UserTurn
from skillopt_sleep.sources.base import Reading

NOTHING_KNOWN: Mapping[str, Collection[str]] = {}


def mark_forks(
    readings: Sequence[Reading], known: Mapping[str, Collection[str]] = NOTHING_KNOWN
) -> tuple[Reading, ...]:
    """The same readings, in the same order, with what a session copied from another taken out of it.

    A session whose records appeared in an earlier one keeps only its new events and names the other in
    `fork_of`; when none of those are a person's words its driver becomes `fork`. Of two sessions that share
    records the earlier is the one in `known` (record ids by session id, of sessions read before and not again
    now), else the one its client did not record as a fork, else the one with fewer records: a fork holds all
    its source had. `Reading.record_ids` stays whole. Subagents and our own sessions are left alone.
    """
    here = {session.id for reading in readings for session in reading.sessions}
    owner: dict[str, str] = {
        record_id: session_id
        for session_id in sorted(known)
        if session_id not in here
        for record_id in known[session_id]
    }
    marked: dict[tuple[int, int], tuple[Session, tuple[str, ...]]] = {}
    places = [(i, j) for i, reading in enumerate(readings) for j in range(len(reading.sessions))]
    for i, j in sorted(places, key=lambda place: _age(readings, *place)):
        session, ids = readings[i].sessions[j], _ids(readings[i], j)
        if session.driver in (Driver.SUBAGENT, Driver.OWN):
            continue
        if session.driver is Driver.KEPT_OUT:
            continue  # (it has no events to take out)
        marked[i, j] = _without_copies(session, ids, owner)
        for record_id in ids:
            if record_id:
                owner.setdefault(record_id, session.id)
    return tuple(_with(reading, i, marked) for i, reading in enumerate(readings))


def _age(readings: Sequence[Reading], i: int, j: int) -> tuple[bool, int, str, int]:
    session = readings[i].sessions[j]
    return session.fork_of is not None, len(set(_ids(readings[i], j))), session.id, i


def _ids(reading: Reading, j: int) -> tuple[str, ...]:
    """The record id of each event; a source that tells none has no forks."""
    return reading.event_ids[j] if reading.event_ids else ("",) * len(reading.sessions[j].events)


def _without_copies(
    session: Session, ids: tuple[str, ...], owner: Mapping[str, str]
) -> tuple[Session, tuple[str, ...]]:
    sources = [owner[record_id] for record_id in ids if owner.get(record_id, session.id) != session.id]
    if not sources:
        return session, ids
    kept = [k for k, record_id in enumerate(ids) if owner.get(record_id, session.id) == session.id]
    events = tuple(session.events[k] for k in kept)
    times = [event.at for event in events if event.at is not None]
    is_new = any(isinstance(event, UserTurn) for event in events)
    changed = replace(
        session,
        events=events,
        driver=session.driver if is_new else Driver.FORK,
        fork_of=sources[0],
        started_at=min(times, default=session.started_at),
        ended_at=max(times, default=session.ended_at),
    )
    return changed, tuple(ids[k] for k in kept)


def _with(
    reading: Reading, i: int, marked: Mapping[tuple[int, int], tuple[Session, tuple[str, ...]]]
) -> Reading:
    pairs = [marked.get((i, j), (session, _ids(reading, j))) for j, session in enumerate(reading.sessions)]
    return replace(
        reading,
        sessions=tuple(session for session, _ in pairs),
        event_ids=tuple(ids for _, ids in pairs),
    )
