"""What was installed where, with the hashes that let it be taken out exactly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from skillopt_sleep.home import StateHome
from skillopt_sleep.install.edit import Cut
from skillopt_sleep.install.wiring import Syntax
from skillopt_sleep.records import read_record

INSTALLED_SCHEMA = "installed/1"
INSTALLED_FILE = "installed.json"


@dataclass(frozen=True, slots=True)
class OwnedEntry:
    """An entry that was put into a configuration; `value` is its JSON, `n_made` of its outer `keys` were made
    for it."""

    syntax: Syntax
    keys: tuple[str, ...]
    value: str
    is_item: bool
    n_made: int


@dataclass(frozen=True, slots=True)
class ChangedText:
    """A configuration file of `client` and what was put into it.

    As long as the file is `after_sha`, the `cuts` give back the file that was `before_sha` (None: there was
    none).
    """

    path: str
    client: str
    before_sha: str | None
    after_sha: str
    cuts: tuple[Cut, ...]
    entries: tuple[OwnedEntry, ...]


@dataclass(frozen=True, slots=True)
class OwnedFile:
    """A file that is wholly ours, and for which clients; without a `sha` it was there before, as it is."""

    path: str
    sha: str
    clients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnedFolder:
    """A folder that was made; it goes when nothing that is ours lies in it any more, and nothing else."""

    path: str


@dataclass(frozen=True, slots=True)
class WiredClient:
    """A client that was wired: with which version and program, and when."""

    name: str
    version: str
    program: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Installed:
    """All that is installed from one state home."""

    clients: tuple[WiredClient, ...] = ()
    texts: tuple[ChangedText, ...] = ()
    files: tuple[OwnedFile, ...] = ()
    folders: tuple[OwnedFolder, ...] = ()

    def client(self, name: str) -> WiredClient | None:
        """How a client was wired, None when it is not."""
        return next((each for each in self.clients if each.name == name), None)


def record_path(home: StateHome) -> Path:
    """Where it is kept."""
    return home.path / INSTALLED_FILE


def read_installed(home: StateHome) -> Installed:
    """What is installed; nothing when there is no record. Raises StorageError for a damaged one."""
    try:
        return read_record(Installed, record_path(home), schema=INSTALLED_SCHEMA)
    except FileNotFoundError:
        return Installed()
