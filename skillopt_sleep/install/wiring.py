"""What a client needs to have: entries in its configuration, and files that are wholly ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from skillopt_sleep.install.edit import Keys

Syntax: TypeAlias = Literal["json", "jsonc", "toml"]
"""How a client reads a file; `jsonc` takes comments and trailing commas."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A JSON value at `keys` of a configuration file; with `is_item` one item of the list there.

    `by_hand` tells a person how to take out what stands there instead.
    """

    path: Path
    syntax: Syntax
    keys: Keys
    value: Any
    is_item: bool = False
    by_hand: str = ""

    @property
    def name(self) -> str:
        """The entry for people."""
        return ".".join(self.keys)


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file that is ours from the first byte to the last."""

    path: Path
    data: bytes
    mode: int = 0o600


@dataclass(frozen=True, slots=True)
class Wiring:
    """All that wires one client: nothing of either kind takes it out.

    `notes` tell a person what else matters, `leftovers` are what the client itself noted of ours: they go,
    whatever they say.
    """

    client: str
    entries: tuple[Entry, ...] = ()
    files: tuple[OwnFile, ...] = ()
    notes: tuple[str, ...] = ()
    leftovers: tuple[Entry, ...] = ()
