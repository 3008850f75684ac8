"""The exceptions a user can meet, one class for each boundary crossed.

SkillOptError            exit 1   something unexpected
├── ConfigError          exit 2   usage or configuration
│   └── SkillFormatError exit 2   a skill document that is not what it must be
├── BackendError         exit 4   a model or client is unavailable; nothing was consumed
│   └── ReplyError       exit 4   a model answered in a shape that cannot be used
├── LockHeldError        exit 5   another run holds the lock
├── RefusedError         exit 6   a change to a live file was refused
├── BudgetError          exit 7   a spending cap was reached; resumable
├── ProofError           exit 8   a proof did not hold
└── StorageError         exit 1   a state file is damaged, foreign, or cannot be written
"""

from __future__ import annotations


class SkillOptError(Exception):
    """An error told to a person: `what` happened, `why`, and what to do `next`."""

    exit_code = 1

    def __init__(self, what: str, *, why: str = "", next: str = "") -> None:  # noqa: A002  (the word users see)
        super().__init__(what)
        self.what = what
        self.why = why
        self.next = next

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.why, self.next) if part)


class ConfigError(SkillOptError):
    """A wrong option, key, value or input file; raised before anything is spent."""

    exit_code = 2


class SkillFormatError(ConfigError):
    """A skill document whose front matter or regions cannot be read."""


class BackendError(SkillOptError):
    """A model, login or program is unavailable; nothing was consumed.

    `is_permanent` when the same request would fail again (malformed, too long); `is_fatal` when no other
    request can do better either (a wrong key, no such model), so that a run stops at once.
    """

    exit_code = 4

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        next: str = "",  # noqa: A002  (the word users see)
        is_permanent: bool = False,
        is_fatal: bool = False,
    ) -> None:
        super().__init__(what, why=why, next=next)
        self.is_permanent = is_permanent
        self.is_fatal = is_fatal


class ReplyError(BackendError):
    """A model answered, but not in the shape that was asked for, and a repair did not help."""


class LockHeldError(SkillOptError):
    """Another process holds the run lock."""

    exit_code = 5


class RefusedError(SkillOptError):
    """A change to a live file was refused: it moved, a finding blocks it, or the id is unknown."""

    exit_code = 6


class BudgetError(SkillOptError):
    """A spending cap was reached; the same command resumes."""

    exit_code = 7


class ProofError(SkillOptError):
    """A proof did not hold."""

    exit_code = 8


class StorageError(SkillOptError):
    """A state file is damaged, written by a newer version, or cannot be written."""
