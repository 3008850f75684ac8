"""One transcript file as plain values: what it says, ready for the ledger, whichever process read it."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skillopt_sleep.kept_out import BY_MARKER, BY_WORDS, is_marked, without_words
from skillopt_sleep.ledger_columns import packed
from skillopt_sleep.ledger_rows import FileState, FoundSession, PackedSession, Skipped
from skillopt_sleep.session import Driver, Session
from skillopt_sleep.session_codec import session_from_json
from skillopt_sleep.sources.base import Reading, Source

READER = 3
"""Raised when the sources learn to read more: then files that did not change are read again."""

UNREADABLE = "unreadable"

_TICK_NS = 20_000_000
"""Longer than the step of any clock a file system stamps files with."""

_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileReading:
    """What one file gave. `event_ids` are those of each session's events, before any fork is told.

    `failures` says why nothing could be read; then what is known of the file stays. `is_known` means that the
    content is the one the ledger knows, and only `state` is new.
    """

    state: FileState
    sessions: tuple[PackedSession, ...] = ()
    event_ids: tuple[tuple[str, ...], ...] = ()
    skipped: tuple[Skipped, ...] = ()
    bytes_read: int = 0
    failures: tuple[Skipped, ...] = ()
    is_known: bool = False
    names_fork: bool = False

    def unpacked(self) -> Reading:
        """The sessions themselves, as far as telling forks needs them."""
        return Reading(
            sessions=tuple(session_from_json(session.body) for session in self.sessions),
            event_ids=self.event_ids,
        )


def look_at(path: Path) -> FileState:
    """The file as it is now. Raises OSError."""
    info = path.stat()
    return FileState(
        inode=info.st_ino,
        size=info.st_size,
        mtime_ns=_stored(info.st_mtime_ns),
        reader=READER,
        device=info.st_dev,
        ctime_ns=_stored(info.st_ctime_ns),
    )


def _stored(time_ns: int) -> int:
    """The time as the ledger can hold it; only whether two are equal is ever asked."""
    return time_ns % (1 << 63)


def look_at_rest(
    path: Path, now_ns: Callable[[], int] = time.time_ns, sleep: Callable[[float], None] = time.sleep
) -> FileState:
    """`look_at` at a moment from which on every change of the file gives it another time: two changes within
    one step of the clock look alike."""
    state = look_at(path)
    if abs(now_ns() - state.ctime_ns) < _TICK_NS:
        sleep(_TICK_NS / 1e9)
        state = look_at(path)
    return state


def read_file(source: Source, path: Path, known: FileState | None) -> FileReading:
    """Read a file that is new or looks changed. Never raises for what the file is or holds.

    Its state is taken before it is read: what is written meanwhile makes the file look changed next time.
    """
    try:
        state = look_at_rest(path)
        if known is not None and _has_known_content(path, state, known):
            state = replace(state, offset=known.offset, prefix_sha=known.prefix_sha)
            return FileReading(state, bytes_read=state.size, is_known=True)
    except OSError:
        return FileReading(FileState(0, 0, 0, READER), failures=(Skipped(UNREADABLE, 1),))
    try:
        reading = source.read(path)
    except Exception as error:  # noqa: BLE001  (a reader that fails on one file must not stop the night)
        return FileReading(state, failures=(Skipped(f"reader_failed:{type(error).__name__}", 1),))
    if n := reading.skipped.get(UNREADABLE):
        return FileReading(state, failures=(Skipped(UNREADABLE, n),))
    reading, n_out = _without_kept_out(reading)
    event_ids = reading.event_ids or ((),) * len(reading.sessions)
    return FileReading(
        state=replace(state, offset=reading.offset, prefix_sha=reading.prefix_sha),
        sessions=tuple(
            packed(found_session(session, ids, ids))
            for session, ids in zip(reading.sessions, event_ids, strict=True)
        ),
        event_ids=event_ids,
        skipped=tuple(Skipped(reason, n) for reason, n in (*reading.skipped.items(), *n_out.items())),
        bytes_read=reading.bytes_read,
        names_fork=any(session.fork_of for session in reading.sessions),
    )


def _without_kept_out(reading: Reading) -> tuple[Reading, Counter[str]]:
    """The reading without the words of sessions that are kept out, and how many are, by reason."""
    found: list[Session] = []
    reasons: Counter[str] = Counter()
    for session in reading.sessions:
        if session.driver is Driver.KEPT_OUT:
            reasons[BY_WORDS] += 1
        elif is_marked(session.cwd, session.project):
            reasons[BY_MARKER] += 1
            session = without_words(session)  # noqa: PLW2901
        found.append(session)
    return (replace(reading, sessions=tuple(found)) if reasons else reading), reasons


def found_session(session: Session, whole: tuple[str, ...], own: tuple[str, ...]) -> FoundSession:
    """The session with the ids of its records: `whole` of all in its file, `own` of those no other has."""
    # Subagents and our own runs take no part in telling forks from their source.
    if session.driver in (Driver.SUBAGENT, Driver.OWN):
        return FoundSession(session)
    return FoundSession(session, next(filter(None, whole), ""), tuple(dict.fromkeys(filter(None, own))))


def _has_known_content(path: Path, state: FileState, known: FileState) -> bool:
    """Whether only the times or the place of the file changed: its content is the one that was read."""
    if not (known.reader == READER and known.prefix_sha and known.offset == known.size == state.size):
        return False
    digest = hashlib.sha256()
    n_bytes = 0
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
            n_bytes += len(block)
    return n_bytes == state.size and digest.hexdigest() == known.prefix_sha


def to_plain(reading: FileReading) -> tuple[Any, ...]:
    """The reading as tuples, texts and numbers, for `marshal`."""
    state = reading.state
    return (
        (
            state.inode, state.size, state.mtime_ns, state.reader, state.device, state.ctime_ns, state.offset,
            state.prefix_sha,
        ),
        tuple((session.source, session.path, session.columns) for session in reading.sessions),
        reading.event_ids,
        tuple((entry.reason, entry.n) for entry in reading.skipped),
        reading.bytes_read,
        tuple((entry.reason, entry.n) for entry in reading.failures),
        reading.is_known,
        reading.names_fork,
    )  # fmt: skip


def from_plain(value: tuple[Any, ...]) -> FileReading:
    """The reading `to_plain` took apart."""
    state, sessions, event_ids, skipped, bytes_read, failures, is_known, names_fork = value
    return FileReading(
        state=FileState(*state),
        sessions=tuple(PackedSession(*session) for session in sessions),
        event_ids=event_ids,
        skipped=tuple(Skipped(*entry) for entry in skipped),
        bytes_read=bytes_read,
        failures=tuple(Skipped(*entry) for entry in failures),
        is_known=is_known,
        names_fork=names_fork,
    )
