"""Harvest: every transcript that is new or has changed becomes sessions in the ledger, and nothing else does.

The sources are only read. A file whose inode, size and modification time are those of its last reading is not
opened; any other is read again whole, and its sessions take the place of the ones it gave before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_columns import text_column
from skillopt_sleep.ledger_rows import FileState, FoundSession, SessionSummary, Skipped
from skillopt_sleep.session import Driver, Session
from skillopt_sleep.sources.base import Reading, Source
from skillopt_sleep.sources.forks import mark_forks

READER = 1
"""Raised when the sources learn to read more: then files that did not change are read again."""

UNREADABLE = "unreadable"
NO_USER_TURNS = "no_user_turns"


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

    A session that ran in no folder belongs to no project and is never selected.
    """
    scope = [project] if project is not None else list(projects) or None
    found = ledger.sessions(scope, list(sources) or None, since=since, drivers=[Driver.HUMAN])
    by_project: dict[str, list[Session]] = {project: []} if project is not None else {}
    for session in found:
        if session.project is not None:
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
    changed = _changed(paths, ledger.known_files(source.name), this_call)
    n_bytes = 0
    forks: list[tuple[Path, FileState, Reading]] = []
    for done, (path, state) in enumerate(changed, start=1):
        reading = _read(source, path, this_call)
        if reading is not None:
            n_bytes += reading.bytes_read
            if any(session.fork_of for session in reading.sessions):
                forks.append((path, state, reading))
            else:
                _put(ledger, source.name, path, state=state, reading=reading)
        listener(HarvestProgress(source.name, done, len(changed), n_bytes))
    # What its client calls a fork waits for its source, which may have grown larger since.
    for path, state, reading in forks:
        _put(ledger, source.name, path, state=state, reading=reading)
    kept = Counter({entry.reason: entry.n for entry in ledger.skipped(source.name, [str(p) for p in paths])})
    return SourceHarvest(
        name=source.name,
        roots=tuple(str(root) for root in roots),
        files=len(paths),
        new=len(ledger.session_ids(source.name) - ids_before),
        skipped=tuple(Skipped(reason, n) for reason, n in sorted((kept + this_call).items())),
        bytes_read=n_bytes,
    )


def _changed(
    paths: Sequence[Path], known: Mapping[str, FileState], this_call: Counter[str]
) -> tuple[tuple[Path, FileState], ...]:
    """The files to read, smallest first: a fork holds all its source had, so its source is read before it."""
    changed = []
    for path in paths:
        try:
            state = _state(path)
        except OSError:
            this_call[UNREADABLE] += 1
            continue
        if known.get(text_column(str(path))) != state:
            changed.append((path, state))
    return tuple(sorted(changed, key=lambda found: (found[1].size, found[1].mtime_ns, found[0])))


def _state(path: Path) -> FileState:
    # Taken before reading: what is written meanwhile makes the file look changed next time.
    info = path.stat()
    return FileState(inode=info.st_ino, size=info.st_size, mtime_ns=info.st_mtime_ns, reader=READER)


def _read(source: Source, path: Path, this_call: Counter[str]) -> Reading | None:
    """What the file says, None (and the reason counted) when it could not be read: then what is known of it
    stays, and the next call tries again."""
    try:
        reading = source.read(path)
    except Exception as error:  # noqa: BLE001  (a reader that fails on one file must not stop the night)
        this_call[f"reader_failed:{type(error).__name__}"] += 1
        return None
    if reading.skipped.get(UNREADABLE):
        this_call[UNREADABLE] += reading.skipped[UNREADABLE]
        return None
    return reading


def _put(ledger: Ledger, source: str, path: Path, *, state: FileState, reading: Reading) -> None:
    firsts = {next(filter(None, ids), "") for ids in reading.event_ids}
    known = {
        session_id: ids for first in firsts for session_id, ids in ledger.relatives(source, first).items()
    }
    (marked,) = mark_forks([reading], known)
    event_ids = reading.event_ids or ((),) * len(reading.sessions)
    ledger.put_reading(
        source,
        str(path),
        state=state,
        sessions=[
            _found(session, whole, own)
            for session, whole, own in zip(marked.sessions, event_ids, marked.event_ids, strict=True)
        ],
        skipped=[Skipped(reason, n) for reason, n in marked.skipped.items()],
    )


def _found(session: Session, whole: Sequence[str], own: Sequence[str]) -> FoundSession:
    # Subagents and our own runs take no part in telling forks from their source.
    if session.driver in (Driver.SUBAGENT, Driver.OWN):
        return FoundSession(session)
    return FoundSession(session, next(filter(None, whole), ""), tuple(dict.fromkeys(filter(None, own))))
