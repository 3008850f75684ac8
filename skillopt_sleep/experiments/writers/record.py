"""What every writer needs: identifiers and times from a given random generator, and lines on disk."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from random import Random


def new_uuid(rng: Random) -> str:
    """A random version 4 identifier that depends on `rng` alone."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


class Clock:
    """Times that only go forward; `at` is aware UTC."""

    def __init__(self, start: datetime, rng: Random) -> None:
        self.at = start
        self._rng = rng

    def tick(self, least_s: float = 0.2, most_s: float = 9.0) -> str:
        """Let some seconds pass; the new time as the clients write it."""
        self.at += timedelta(milliseconds=int(self._rng.uniform(least_s, most_s) * 1000))
        return stamp(self.at)

    def think(self) -> str:
        """Let a person read and type."""
        return self.tick(8, 150)


def stamp(at: datetime) -> str:
    """ISO 8601 with milliseconds and `Z`."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def write_lines(path: Path, records: Iterable[Mapping[str, object]]) -> Path:
    """Write one JSON object a line, private to the user; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_text(text, encoding="utf-8", newline="\n")
    path.chmod(0o600)
    return path
