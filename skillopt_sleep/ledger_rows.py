"""What goes into the ledger and comes out of it, beside sessions themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from skillopt_sleep.session import Driver, Session


@dataclass(frozen=True, slots=True)
class FileState:
    """A transcript file as it was when it was read; an equal state means the file need not be opened.

    `reader` is the version of the reading code: a newer reader reads known files again.
    """

    inode: int
    size: int
    mtime_ns: int
    reader: int


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
    """A lesson the gate or the person turned down, on the evidence that `evidence_sha` names."""

    project: str
    lesson_id: str
    text: str
    reason: str
    evidence_sha: str
    night_id: str | None = None


class LessonStatus(StrEnum):
    """Where a lesson stands: waiting for review, in a live file, turned down by the person, taken back."""

    PROPOSED = "proposed"
    ADOPTED = "adopted"
    DISCARDED = "discarded"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class KnownLesson:
    """A lesson that was once proposed, and the ids of the sessions it came from."""

    project: str
    lesson_id: str
    text: str
    sessions: tuple[str, ...]
    status: LessonStatus
