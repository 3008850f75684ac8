"""The seam between `schedule` and the schedulers of the systems."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from skillopt.errors import ConfigError, StorageError
from skillopt_sleep.schedule.entry import Entry

MANAGED = "managed by `skillopt-sleep schedule`; changes by hand are lost when it is installed again"


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of ours as a scheduler has it. `entry` is None when it can no longer be read; `is_whole` says
    that every byte is as it was written, `is_active` that the scheduler goes by it."""

    entry: Entry | None
    is_whole: bool
    is_active: bool


@dataclass(frozen=True, slots=True)
class Written:
    """A text and the file or table it goes to."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What installing comes to: what is written, then the commands that are run, and what has to hold for
    the scheduler to start anything."""

    written: tuple[Written, ...]
    commands: tuple[tuple[str, ...], ...]
    note: str


class Scheduler(Protocol):
    """Keeps one entry of a name and touches no other. What fails half way leaves everything as it was."""

    @property
    def name(self) -> str:
        """As `--with` names it."""

    def unusable(self) -> str:
        """Why it cannot be used here, "" when it can."""

    def find(self, name: str) -> Found | None:
        """The entry of this name. Raises ConfigError when there is no telling, or when it is not ours."""

    def plan(self, entry: Entry) -> Plan:
        """What `install` would write and run."""

    def install(self, entry: Entry) -> bool:
        """Put the entry in the place of any of its name; whether anything changed. Raises ConfigError as
        `find` does, StorageError when it failed and was taken back."""

    def remove(self, name: str) -> bool:
        """Take the entry of this name out; whether there was one. Raises as `install` does."""


def unreadable(what: str, why: str) -> ConfigError:
    """What is there cannot be read: then nothing is written over it."""
    return ConfigError(f"{what} cannot be read, so nothing was changed", why=why, next=BY_HAND)


def foreign(path: Path, why: str) -> ConfigError:
    """Something that is not ours has the place."""
    return ConfigError(
        f"{path} is not an entry of skillopt-sleep, so it was left alone",
        why=why,
        next="look at it, move it away if it is of no use, then run the same command again",
    )


def taken_back(what: str, why: str, *, is_restored: bool) -> StorageError:
    """A step failed; what was done before it was undone, or could not be."""
    told = "everything is as it was before" if is_restored else "and what was there could not be put back"
    return StorageError(f"{what}: {told}", why=why, next="skillopt-sleep schedule status")


BY_HAND = (
    "mend that and try again; or leave `skillopt-sleep daemon` running instead; or add the entry yourself: "
    "`skillopt-sleep schedule install --dry-run` prints it"
)
