"""What goes into the ledger and comes out of it, beside sessions themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from skillopt_sleep.session import Driver, Session

PackedColumns: TypeAlias = tuple[
    str,
    str,
    str | None,
    str | None,
    str,
    str | None,
    str | None,
    int,
    int,
    int,
    str,
    str,
    str,
    str,
    str | None,
]


@dataclass(frozen=True, slots=True)
class FileState:
    """A transcript file as it was when it was read, and how far it was.

    `reader` is the version of the reading code: a newer reader reads known files again. `offset` is the end
    of the last whole line that was taken and `prefix_sha` the SHA-256 of all before it, "" when not known.
    """

    inode: int
    size: int
    mtime_ns: int
    reader: int
    device: int = 0
    ctime_ns: int = 0
    offset: int = 0
    prefix_sha: str = ""

    def looks_like(self, other: FileState) -> bool:
        """Whether the file need not be opened: it is the same one, and nothing wrote to it. Times are only
        compared for being equal; whether one is in the past or the future says nothing."""
        return (self.device, self.inode, self.size, self.mtime_ns, self.ctime_ns, self.reader) == (
            other.device,
            other.inode,
            other.size,
            other.mtime_ns,
            other.ctime_ns,
            other.reader,
        )


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in the transcripts that was not kept, and how often."""

    reason: str
    n: int


@dataclass(frozen=True, slots=True)
class FoundSession:
    """A session as it was found in a file.

    `first_record` is the client's id of the first record in that file, which every fork of it repeats, and
    `record_ids` are those of the records that are this session's own.
    """

    session: Session
    first_record: str = ""
    record_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PackedSession:
    """A found session as its columns in the ledger, so that a process can hand it on as plain values.

    `columns` are the ones after source and path, without the night that consumed it.
    """

    source: str
    path: str
    columns: PackedColumns

    @property
    def id_column(self) -> str:
        return self.columns[0]

    @property
    def sha_column(self) -> str:
        return self.columns[1]

    @property
    def n_events(self) -> int:
        return self.columns[9]

    @property
    def first_record(self) -> str:
        return self.columns[11]

    @property
    def body(self) -> str:
        return self.columns[13]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """What one transcript file holds now."""

    path: str
    state: FileState
    sessions: tuple[FoundSession | PackedSession, ...] = ()
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A known session without its events. `consumed_by` is the night that used it, if one did."""

    id: str
    source: str
    path: str
    project: str | None
    branch: str | None
    started_at: datetime | None
    ended_at: datetime | None
    driver: Driver
    user_turns: int
    tool_calls: int
    skills: tuple[str, ...]
    consumed_by: str | None


@dataclass(frozen=True, slots=True)
class ProjectCount:
    """A project with its known sessions. `last_at` is when one was last active, as far as any says."""

    project: str
    sessions: int
    human: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class LedgerCounts:
    """How much a ledger holds. `human` sessions are the ones that are mined, `consumed` of them used."""

    files: int
    sessions: int
    human: int
    consumed: int
    projects: int
    nights: int


@dataclass(frozen=True, slots=True)
class Night:
    """A finished night. `summary` is the JSON object that `run --json` printed."""

    id: str
    started_at: datetime
    finished_at: datetime
    verdict: str
    seconds: float
    summary: str


@dataclass(frozen=True, slots=True)
class RejectedLesson:
    """A lesson the gate or the person turned down, on the evidence that `evidence_sha` names: the ids of its
    corrections are `evidence`."""

    project: str
    lesson_id: str
    text: str
    reason: str
    evidence_sha: str
    night_id: str | None = None
    evidence: tuple[str, ...] = ()


class LessonStatus(StrEnum):
    """Where a lesson stands: waiting for review, in a live file, turned down by the person, taken back, taken
    out of the file by hand, replaced by another lesson, or retired because its task is gone."""

    PROPOSED = "proposed"
    ADOPTED = "adopted"
    DISCARDED = "discarded"
    UNDONE = "undone"
    REMOVED = "removed"
    SUPERSEDED = "superseded"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class KnownLesson:
    """A lesson that was once proposed, the ids of the sessions it came from, and what became of it.

    `skill_path` is the file it is for; `proposed_night` the first night that proposed it, `adopted_night` the
    one whose proposal was adopted, by `receipt`. `superseded_by` is the id of the lesson that took its place;
    `retired_at` is when it left its file or its proposal for good, `reason` why, in words.
    """

    project: str
    lesson_id: str
    text: str
    sessions: tuple[str, ...]
    status: LessonStatus
    skill_path: str = ""
    proposed_night: str | None = None
    adopted_night: str | None = None
    adopted_at: datetime | None = None
    receipt: str | None = None
    superseded_by: str | None = None
    retired_at: datetime | None = None
    reason: str = ""
