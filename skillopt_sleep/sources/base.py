"""What every transcript source shares: the seam, the reading it gives, and lenient JSONL lines.

A source never raises for what it finds in a file: whatever cannot be read is counted by reason in
`Reading.skipped` and reported by whoever asked.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from skillopt_sleep.session import Session

Record: TypeAlias = dict[str, Any]
Counts: TypeAlias = MutableMapping[str, int]

MAX_LINE_BYTES = 16 * 1024 * 1024
"""Longer lines are skipped and counted, so one giant line cannot take the memory of the machine."""

MAX_UNKNOWN_TYPES = 40
_TYPE_NAME = re.compile(r"[A-Za-z0-9_./:-]{1,60}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one file gave.

    `skipped` counts what was not understood, by reason: `bad_json`, `not_an_object`, `wrong_type`,
    `invalid_utf8`, `torn_line`, `line_too_long`, `unreadable`, `unknown_type:NAME`, and `no_user_turns` for
    a file with content in which no words of a person were found. `event_ids` runs parallel to
    `sessions[i].events`: the client's own id of the record each event came from ("" when it has none);
    `record_ids` is the set of them. They tell a fork from its source.
    """

    sessions: tuple[Session, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    bytes_read: int = 0
    record_ids: frozenset[str] = frozenset()
    event_ids: tuple[tuple[str, ...], ...] = ()


class Source(Protocol):
    """Transcripts of one client, read-only."""

    @property
    def name(self) -> str:
        """The name users see: `claude`, `codex`, `copilot`, `vscode`."""

    def roots(self, env: Mapping[str, str], home: Path) -> tuple[Path, ...]:
        """The folders this client keeps transcripts in, existing or not."""

    def files(self, root: Path, skipped: Counts | None = None) -> Iterator[Path]:
        """The transcript files under `root`, sorted; what cannot be listed is counted in `skipped`."""

    def read(self, path: Path) -> Reading:
        """Everything one file says. Never raises for its content or for not being readable."""


def count(counts: Counts | None, reason: str) -> None:
    """Add one to a reason."""
    if counts is not None:
        counts[reason] = counts.get(reason, 0) + 1


def count_unknown(counts: Counts, kind: object) -> None:
    """Count a record type this code does not know. Names from a file are data: odd or too many are lumped."""
    if not isinstance(kind, str):
        count(counts, "wrong_type")
        return
    name = f"unknown_type:{kind}" if _TYPE_NAME.fullmatch(kind) else "unknown_type:other"
    if name not in counts and sum(key.startswith("unknown_type:") for key in counts) >= MAX_UNKNOWN_TYPES:
        name = "unknown_type:other"
    count(counts, name)


def as_dict(value: object, counts: Counts | None = None) -> Record:
    """The value when it is an object, else an empty one; anything but null then counts as `wrong_type`."""
    if isinstance(value, dict):
        return value
    if value is not None:
        count(counts, "wrong_type")
    return {}


def as_list(value: object, counts: Counts | None = None) -> list[Any]:
    """The value when it is a list, else an empty one."""
    if isinstance(value, list):
        return value
    if value is not None:
        count(counts, "wrong_type")
    return []


def as_str(value: object, counts: Counts | None = None) -> str:
    """The value when it is a string, else an empty one."""
    if isinstance(value, str):
        return value
    if value is not None:
        count(counts, "wrong_type")
    return ""


def as_int(value: object) -> int | None:
    """The value when it is a whole number (`127` or `127.0`), else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None


def parse_time(value: object) -> datetime | None:
    """An ISO 8601 time as aware UTC (a naive one is taken as UTC), or None."""
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def record_key(given: object, timestamp: object) -> str:
    """The id of a record: its UUID, which a copy keeps. Any other id could repeat in another file by chance,
    so the time, which a copy keeps too, becomes part of it."""
    if not isinstance(given, str) or not given:
        return ""
    return given if _UUID.fullmatch(given) else f"{given}@{as_str(timestamp)}"


def find_files(root: Path, wanted: Callable[[str], bool], skipped: Counts | None) -> Iterator[Path]:
    """Regular files under `root` whose name is wanted, sorted. Folder links are followed once each; dangling
    links, pipes and folders that cannot be opened are counted."""
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            info = folder.stat()
            if (info.st_dev, info.st_ino) in seen:
                continue
            seen.add((info.st_dev, info.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        except OSError:
            count(skipped, "unreadable_folder")
            continue
        folders: list[Path] = []
        for entry in entries:
            try:
                mode = entry.stat().st_mode
            except OSError:
                count(skipped, "dangling_link" if entry.is_symlink() else "unreadable")
                continue
            if stat.S_ISDIR(mode):
                folders.append(Path(entry.path))
            elif wanted(entry.name):
                if stat.S_ISREG(mode):
                    yield Path(entry.path)
                else:
                    count(skipped, "not_a_file")
        waiting.extend(reversed(folders))


class JsonLines:
    """The objects of one JSONL file, streamed. After iterating, `sha` and `n_bytes` are those of the file.

    Lines end at `\\n` only: U+2028 inside a string is text. `is_noise` sees the raw line and may drop record
    types that hold no words before they are parsed.
    """

    def __init__(self, path: Path, counts: Counts, is_noise: Callable[[bytes], bool] | None = None) -> None:
        self._path = path
        self._counts = counts
        self._is_noise = is_noise
        self._digest = hashlib.sha256()
        self.n_bytes = 0

    @property
    def sha(self) -> str:
        """SHA-256 of what was read, as hex."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[Record]:
        try:
            with self._path.open("rb") as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    count(self._counts, "not_a_file")
                    return
                while line := stream.readline(MAX_LINE_BYTES):
                    self._digest.update(line)
                    self.n_bytes += len(line)
                    if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                        self._drain(stream.readline)
                    elif not (self._is_noise and self._is_noise(line)):
                        record = self._parse(line)
                        if record is not None:
                            yield record
        except OSError:
            count(self._counts, "unreadable")

    def _drain(self, readline: Callable[[int], bytes]) -> None:
        count(self._counts, "line_too_long")
        while rest := readline(MAX_LINE_BYTES):
            self._digest.update(rest)
            self.n_bytes += len(rest)
            if rest.endswith(b"\n"):
                return

    def _parse(self, line: bytes) -> Record | None:
        body = line.strip().removeprefix(b"\xef\xbb\xbf")
        if not body:
            return None
        try:
            text = body.decode()
        except UnicodeDecodeError:
            count(self._counts, "invalid_utf8")
            text = body.decode(errors="replace")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            count(self._counts, "bad_json" if line.endswith(b"\n") else "torn_line")
            return None
        if not isinstance(value, dict):
            count(self._counts, "not_an_object")
            return None
        return value


def frozen_counts(counts: Counter[str]) -> Mapping[str, int]:
    """The counts as a read-only mapping, sorted by reason."""
    return MappingProxyType(dict(sorted(counts.items())))
