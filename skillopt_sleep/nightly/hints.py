"""What hooks leave in `queue/` when a session has ended: a hint that there is something to read, no more.

A transcript is read whether it was announced or not, so any of these may be lost or removed.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from skillopt_sleep.home import StateHome

SCHEMA = "queued/1"
_NAME = re.compile(r"(claude|codex|copilot)-[A-Za-z0-9._-]{1,200}\.json")
_MOST_BYTES = 4096
_MOST_HINTS = 10_000


@dataclass(frozen=True, slots=True)
class Hint:
    """One announcement. `client` is "" for a damaged one. By `stamp` a later one of the same name is told
    from it."""

    path: Path
    client: str
    stamp: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Queue:
    """The hints that wait, and how many things lie there that are none of ours."""

    hints: tuple[Hint, ...] = ()
    foreign: int = 0


def waiting_hints(home: StateHome) -> Queue:
    """What waits. Never raises for what is there."""
    hints: list[Hint] = []
    foreign = 0
    try:
        with os.scandir(home.queue) as entries:
            for entry in entries:
                if not _NAME.fullmatch(entry.name):
                    # (what begins with a dot is only being written)
                    foreign += not entry.name.startswith(".")
                elif hint := _read(Path(entry.path)):
                    hints.append(hint)
                else:
                    foreign += 1
                if len(hints) >= _MOST_HINTS:
                    break
    except OSError:
        pass
    return Queue(tuple(sorted(hints, key=lambda hint: hint.path)), foreign)


def drop(hints: Collection[Hint], clients: Collection[str]) -> int:
    """Remove the hints of clients that were read since, and damaged ones; gives how many. One that was
    written again meanwhile stays."""
    dropped = 0
    for hint in hints:
        if hint.client and hint.client not in clients:
            continue
        try:
            found = hint.path.lstat()
            if (found.st_ino, found.st_mtime_ns) == hint.stamp:
                hint.path.unlink()
                dropped += 1
        except OSError:
            continue
    return dropped


def _read(path: Path) -> Hint | None:
    """The hint at `path`, None for what is no plain file of ours."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return None
        told = json.loads(os.read(handle, _MOST_BYTES))
        is_ours = told["schema"] == SCHEMA and path.name == f"{told['client']}-{told['session']}.json"
    except OSError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError):
        is_ours = False
    finally:
        os.close(handle)
    stamp = (found.st_ino, found.st_mtime_ns)
    return Hint(path, path.name.partition("-")[0] if is_ours else "", stamp)
