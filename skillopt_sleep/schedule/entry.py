"""What a scheduler is to keep: one command, its environment, and the minute of the hour it is started at."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillopt.errors import ConfigError

OWN_RUN = "SKILLOPT_SLEEP_OWN"
"""Set in everything we start ourselves: hooks that see it do nothing."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """`command` begins with the absolute path of the program. It is started at `minute` of every hour, and
    when the machine wakes or begins: whether a night is due it finds out itself."""

    name: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    minute: int

    def __post_init__(self) -> None:
        """Raises ConfigError for what no scheduler can keep: its files have lines."""
        for text in (*self.command, *(text for pair in self.environment for text in pair)):
            if _CONTROL.search(text):
                raise ConfigError(
                    "this cannot be written into a schedule",
                    why=f"{text!r} holds a line break, a control character or bytes that are no text",
                    next="give the folder another name, or choose another with --home",
                )

    @property
    def program(self) -> Path:
        return Path(self.command[0])


def name_of(home: Path) -> str:
    """The name of the entry of a home: two homes have two, and the same home always the same."""
    return f"skillopt-sleep-{hashlib.sha256(bytes(home)).hexdigest()[:8]}"


def to_record(entry: Entry) -> str:
    """The entry on one line of ASCII, kept beside what is made of it so that it can be read back."""
    told = {
        "name": entry.name,
        "command": list(entry.command),
        "environment": dict(entry.environment),
        "minute": entry.minute,
    }
    return json.dumps(told)


def from_record(line: str) -> Entry | None:
    """The entry of `to_record`, None when this is none (any more)."""
    try:
        return entry_of(json.loads(line))
    except (ValueError, RecursionError):
        return None


def entry_of(told: Any) -> Entry | None:
    """An entry from plain values, None when they do not make one."""
    if not isinstance(told, dict) or set(told) != {"name", "command", "environment", "minute"}:
        return None
    command, environment, minute = told["command"], told["environment"], told["minute"]
    if not (
        isinstance(told["name"], str)
        and isinstance(command, list)
        and command
        and all(isinstance(word, str) for word in command)
        and isinstance(environment, dict)
        and all(isinstance(text, str) for pair in environment.items() for text in pair)
        and type(minute) is int
        and 0 <= minute < 60
    ):
        return None
    try:
        return Entry(told["name"], tuple(command), tuple(sorted(environment.items())), minute)
    except ConfigError:
        return None
