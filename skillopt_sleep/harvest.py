"""Harvest: every transcript that is new or has changed becomes sessions in the ledger, and nothing else does.

The sources are only read. A file that looks as it did when it was read is not opened. One of the same size is
compared with what was read of it; any other is read again whole, and its sessions take the place of the ones
it gave before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from skillopt_sleep.file_reading import (
    READER,
    UNREADABLE,
    FileReading,
    found_session,
    from_plain,
    look_at,
    read_file,
    to_plain,
)
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_columns import packed, text_column
from skillopt_sleep.ledger_kept_out import kept_out_ids
from skillopt_sleep.ledger_rows import FileState, FoundFile, PackedSession, SessionSummary, Skipped
from skillopt_sleep.session import Driver, Session
from skillopt_sleep.sources.base import Source
from skillopt_sleep.sources.draft import known_as
from skillopt_sleep.sources.forks import mark_forks
from skillopt_sleep.two_readers import Plain, read_all

__all__ = [
    "NO_USER_TURNS", "READER", "HarvestProgress", "HarvestReport", "Listener", "ProjectSessions",
    "SourceHarvest", "SourceReport", "harvest", "ignore", "select_sessions", "source_reports",
]  # fmt: skip

NO_USER_TURNS = "no_user_turns"

_MAX_BATCH_CHARS = 16 * 1024 * 1024
_MAX_BATCH_FILES = 1_000


@dataclass(frozen=True, slots=True)
class HarvestProgress:
    """`done` of the `total` new or changed files of a source were read, `bytes_read` in all."""

    source: str
    done: int
    total: int
    bytes_read: int


Listener: TypeAlias = Callable[[HarvestProgress], None]


def ignore(_progress: HarvestProgress) -> None:
    """Listens to nothing."""


@dataclass(frozen=True, slots=True)
class SourceHarvest:
    """What one call found of a source: `files` there now, `skipped` what all of them hold that was not kept,
    `new` sessions that were unknown before, `bytes_read` by this call."""

    name: str
    roots: tuple[str, ...]
    files: int
    new: int
    skipped: tuple[Skipped, ...]
    bytes_read: int


@dataclass(frozen=True, slots=True)
class HarvestReport:
    """What one call found, source by source in the order they were given."""

    sources: tuple[SourceHarvest, ...]


@dataclass(frozen=True, slots=True)
class SourceReport:
    """A source's harvest beside the sessions that are known of it in one scope, by who drove them."""

    harvest: SourceHarvest
    sessions: int
    human: int
    headless: int
    subagent: int
    fork: int
    own: int


@dataclass(frozen=True, slots=True)
class ProjectSessions:
    """The sessions of one project that are mined, oldest first."""

    project: str
    sessions: tuple[Session, ...]


def harvest(
    ledger: Ledger,
    sources: Sequence[Source],
    *,
    env: Mapping[str, str],
    home: Path,
    listener: Listener = ignore,
) -> HarvestReport:
    """Bring the ledger up to date with the transcripts of `sources`.

    `env` and `home` are the user's: they say where the clients keep things. What a file holds that cannot be
    read is counted by reason and stops nothing; StorageError is raised when the ledger itself fails.
    """
    return HarvestReport(tuple(_harvest_source(ledger, one, env, home, listener) for one in sources))


def source_reports(report: HarvestReport, in_scope: Sequence[SessionSummary]) -> tuple[SourceReport, ...]:
    """Each harvested source with the sessions of a scope counted."""
    reports = []
    for found in report.sources:
        drivers = Counter(session.driver for session in in_scope if session.source == found.name)
        reports.append(
            SourceReport(
                harvest=found,
                sessions=drivers.total(),
                human=drivers[Driver.HUMAN],
                headless=drivers[Driver.HEADLESS],
                subagent=drivers[Driver.SUBAGENT],
                fork=drivers[Driver.FORK],
                own=drivers[Driver.OWN],
            )
        )
    return tuple(reports)


def select_sessions(
    ledger: Ledger,
    project: str | None,
    *,
    projects: Sequence[str] = (),
    sources: Sequence[str] = (),
    since: datetime | None = None,
) -> tuple[ProjectSessions, ...]:
    """The human sessions of one project, or, with None, of every project (of `projects` when given) apart.

    A session that ran in no folder belongs to no project and is never selected; of two that bear one id, in
    two clients, only the longer one is.
    """
    scope = [project] if project is not None else list(projects) or None
    known = ledger.sessions(scope, list(sources) or None, since=since, drivers=[Driver.HUMAN])
    found = [session for session in known if session.project is not None]
    by_project: dict[str, list[Session]] = {project: []} if project is not None else {}
    longest: dict[str, Session] = {}
    for session in found:
        if len(session.events) > len(longest.setdefault(session.id, session).events):
            longest[session.id] = session
    for session in found:
        if session.project is not None and longest[session.id] is session:
            by_project.setdefault(session.project, []).append(session)
    return tuple(ProjectSessions(name, tuple(by_project[name])) for name in sorted(by_project))


def _harvest_source(
    ledger: Ledger, source: Source, env: Mapping[str, str], home: Path, listener: Listener
) -> SourceHarvest:
    roots = source.roots(env, home)
    this_call: Counter[str] = Counter()
    # A folder may lie below two roots; its files are one set all the same.
    paths = list(dict.fromkeys(path for root in roots for path in source.files(root, this_call)))
    ids_before = ledger.session_ids(source.name)
    known = ledger.known_files(source.name)
    changed = _changed(paths, known, this_call)
    n_bytes = 0
    batch = _Batch(ledger, source.name)
    forks: list[tuple[Path, FileReading]] = []

    def read(place: int) -> Plain:
        path = changed[place][0]
        return to_plain(read_file(source, path, known.get(text_column(known_as(path)))))

    readings = read_all([size for _, size in changed], read)
    for done, ((path, _), plain) in enumerate(zip(changed, readings, strict=True), start=1):
        reading = from_plain(plain)
        n_bytes += reading.bytes_read
        if reading.failures:
            this_call.update({entry.reason: entry.n for entry in reading.failures})
        elif reading.names_fork:
            forks.append((path, reading))
        else:
            batch.put(path, reading)
        listener(HarvestProgress(source.name, done, len(changed), n_bytes))
    # What its client calls a fork waits for its source, which may have grown larger since.
    for path, reading in forks:
        batch.put(path, reading)
    batch.flush()
    kept = Counter(
        {entry.reason: entry.n for entry in ledger.skipped(source.name, [known_as(path) for path in paths])}
    )
    return SourceHarvest(
        name=source.name,
        roots=tuple(str(root) for root in roots),
        files=len(paths),
        new=len(ledger.session_ids(source.name) - ids_before - kept_out_ids(ledger.file)),
        skipped=tuple(Skipped(reason, n) for reason, n in sorted((kept + this_call).items())),
        bytes_read=n_bytes,
    )


def _changed(
    paths: Sequence[Path], known: Mapping[str, FileState], this_call: Counter[str]
) -> tuple[tuple[Path, int], ...]:
    """The files to read and their sizes, smallest first: a fork holds all its source had, so its source is
    read before it."""
    changed = []
    for path in paths:
        try:
            state = look_at(path)
        except OSError:
            this_call[UNREADABLE] += 1
            continue
        before = known.get(text_column(known_as(path)))
        if before is None or not state.looks_like(before):
            changed.append((state.size, state.mtime_ns, path))
    return tuple((path, size) for size, _, path in sorted(changed))


class _Batch:
    """Readings on their way to the ledger: one transaction for many, because each has its price. What a crash
    keeps from being written is read again next time."""

    def __init__(self, ledger: Ledger, source: str) -> None:
        self._ledger = ledger
        self._source = source
        self._files: list[FoundFile] = []
        self._states: dict[str, FileState] = {}
        self._n_chars = 0
        # which sessions begin with a record: of others that do, some are their forks
        self._first_records = {first: set(ids) for first, ids in ledger.first_records(source).items()}

    def put(self, path: Path, reading: FileReading) -> None:
        """Take what was read of a file, without what its sessions copied from known ones."""
        if reading.is_known:
            self._states[known_as(path)] = reading.state
            return
        sessions = reading.sessions
        here = {session.id_column for session in sessions}
        firsts = {session.first_record for session in sessions if session.first_record}
        if any(self._first_records.get(first, here) - here for first in firsts):
            self.flush()
            sessions = self._without_copies(reading, firsts)
        for first in firsts:
            self._first_records.setdefault(first, set()).update(here)
        self._files.append(FoundFile(known_as(path), reading.state, sessions, reading.skipped))
        self._n_chars += sum(len(session.body) for session in sessions)
        if self._n_chars > _MAX_BATCH_CHARS or len(self._files) >= _MAX_BATCH_FILES:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._files:
            self._ledger.put_files(self._source, self._files)
        if self._states:
            self._ledger.put_states(self._source, self._states)
        self._files.clear()
        self._states.clear()
        self._n_chars = 0

    def _without_copies(self, reading: FileReading, firsts: Iterable[str]) -> tuple[PackedSession, ...]:
        known = {
            session_id: ids
            for first in firsts
            for session_id, ids in self._ledger.relatives(self._source, first).items()
        }
        (marked,) = mark_forks([reading.unpacked()], known)
        return tuple(
            packed(found_session(session, whole, own))
            for session, whole, own in zip(marked.sessions, reading.event_ids, marked.event_ids, strict=True)
        )
