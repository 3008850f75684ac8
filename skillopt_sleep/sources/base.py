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
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import RawIOBase
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Protocol, TypeAlias

import orjson

from skillopt_sleep.redact import redact, redact_name
from skillopt_sleep.session import Session
from skillopt_sleep.sources import compressed

Record: TypeAlias = dict[str, Any]
Counts: TypeAlias = MutableMapping[str, int]

MAX_LINE_BYTES = 16 * 1024 * 1024
"""Longer lines are skipped and counted, so one giant line cannot take the memory of the machine."""

_BUFFER_BYTES = 256 * 1024

MAX_UNKNOWN_TYPES = 40
_TYPE_NAME = re.compile(r"[A-Za-z0-9_./:-]{1,60}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one file gave.

    `skipped` counts what was not understood, by reason: `bad_json`, `not_an_object`, `wrong_type`,
    `invalid_utf8`, `torn_line`, `line_too_long`, `too_deep`, `unreadable`, `unknown_type:NAME`, and
    `no_user_turns` for a file with content in which no words of a person were found. `event_ids` runs
    parallel to `sessions[i].events`: the client's own id of the record each event came from ("" when it has
    none); `record_ids` is the set of them. They tell a fork from its source. (Of a session that is kept out
    the ids stay, though no event does.) `prefix_sha` is the SHA-256 of
    the first `offset` bytes, the whole lines; "" when the source tells none.
    """

    sessions: tuple[Session, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    bytes_read: int = 0
    record_ids: frozenset[str] = frozenset()
    event_ids: tuple[tuple[str, ...], ...] = ()
    offset: int = 0
    prefix_sha: str = ""


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
    is_a_name = _TYPE_NAME.fullmatch(kind) and redact(kind) == kind
    name = f"unknown_type:{kind}" if is_a_name else "unknown_type:other"
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


def json_text(value: Record, counts: Counts) -> str:
    """The value as JSON; "" (and counted) when it is nested too deeply to be written."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        count(counts, "too_deep")
        return ""


def parse_time(value: object) -> datetime | None:
    """An ISO 8601 time as aware UTC (a naive one is taken as UTC), or None."""
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is UTC:
            return at
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def record_key(given: object, timestamp: object) -> str:
    """The id of a record: its UUID, which a copy keeps. Any other id could repeat in another file by chance,
    so the time, which a copy keeps too, becomes part of it."""
    if not isinstance(given, str) or not given:
        return ""
    return given if _UUID.fullmatch(given) else redact_name(f"{given}@{as_str(timestamp)}")


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
    """The objects of one JSONL file, streamed. After iterating, `sha` and `n_bytes` are those of what was
    read, `prefix_sha` and `offset` those of its whole lines: a torn last line is not among them.

    Lines end at `\\n` only: U+2028 inside a string is text.
    """

    def __init__(self, path: Path, counts: Counts) -> None:
        self._path = path
        self._counts = counts
        self._digest = hashlib.sha256()
        self._prefix_digest = hashlib.sha256()
        self._is_torn = False
        self.n_bytes = 0
        self.offset = 0

    @property
    def sha(self) -> str:
        """SHA-256 of what was read, as hex."""
        return self._digest.hexdigest()

    @property
    def prefix_sha(self) -> str:
        """SHA-256 of the first `offset` bytes, as hex."""
        return self._prefix_digest.hexdigest()

    def __iter__(self) -> Iterator[Record]:
        try:
            with self._open() as stream:
                info = os.fstat(stream.fileno())
                if not stat.S_ISREG(info.st_mode):
                    count(self._counts, "not_a_file")
                    return
                yield from self._records(stream, min(max(info.st_size + 1, 4096), _BUFFER_BYTES))
        except OSError:
            count(self._counts, "unreadable")

    def reading(self, session: Session | None = None, ids: tuple[str, ...] = ()) -> Reading:
        """What the file gave: the session made of it, if any, and all that was counted."""
        return Reading(
            sessions=() if session is None else (session,),
            skipped=frozen_counts(self._counts),
            bytes_read=self.n_bytes,
            record_ids=frozenset(ids) - {""},
            event_ids=() if session is None else (ids,),
            offset=self.offset,
            prefix_sha=self.prefix_sha,
        )

    def _open(self) -> RawIOBase | BinaryIO:
        if self._path.name.endswith(compressed.SUFFIX):
            return compressed.open_transcript(self._path, self._counts)
        return self._path.open("rb", buffering=0)

    def _records(self, stream: RawIOBase | BinaryIO, n_bytes: int) -> Iterator[Record]:
        """Lines are parsed where they lie in one buffer, which grows with the longest of them."""
        buffer = bytearray(n_bytes)
        held = 0  # bytes at the start of the buffer: of a line whose end has not come
        is_too_long = False  # the rest of the line is not wanted
        while n := stream.readinto(memoryview(buffer)[held:]):  # type: ignore[union-attr]
            end = buffer.rfind(b"\n", held, held + n) + 1
            with memoryview(buffer) as view:
                self._digest_part(view[held : held + n], end - held)
                start = 0
                if is_too_long and end:
                    start = buffer.find(b"\n", 0, end) + 1
                    is_too_long = False
                while start < end:
                    stop = buffer.find(b"\n", start, end)
                    try:
                        value = orjson.loads(view[start:stop])
                    except orjson.JSONDecodeError:
                        value = self._parse(bytes(view[start:stop]))
                        if value is None:
                            start = stop + 1
                            continue
                    start = stop + 1
                    if type(value) is dict:
                        yield value
                    else:
                        count(self._counts, "not_an_object")
                    value = None  # so that no more than one line is held
            held = 0 if is_too_long else held + n - end
            if held >= MAX_LINE_BYTES:
                count(self._counts, "line_too_long")
                is_too_long, held = True, 0
            if end and held:
                buffer[:held] = buffer[end : end + held]
            if held * 2 > len(buffer):
                buffer.extend(bytes(min(len(buffer), MAX_LINE_BYTES - len(buffer))))
            elif len(buffer) > _BUFFER_BYTES and held * 2 <= _BUFFER_BYTES:
                del buffer[_BUFFER_BYTES:]
        if held:
            self._is_torn = True
            value = self._parse(bytes(buffer[:held]))
            if type(value) is dict:
                yield value
            elif value is not None:
                count(self._counts, "not_an_object")

    def _digest_part(self, part: memoryview, end: int) -> None:
        """Take a part of the file into the digests; its whole lines end at `end`."""
        if end > 0:
            self._digest.update(part[:end])
            self._prefix_digest = self._digest.copy()
            self.offset = self.n_bytes + end
            part = part[end:]
        self._digest.update(part)
        self.n_bytes += max(end, 0) + len(part)

    def _parse(self, line: bytes) -> object:
        """A line the fast parser turned down, by the standard one: infinities and lone surrogates are read,
        bad bytes replaced. None when nothing can be made of it, which is counted."""
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
            count(self._counts, "torn_line" if self._is_torn else "bad_json")
            return None
        if value is None:
            count(self._counts, "not_an_object")
        return value


def frozen_counts(counts: Counts) -> Mapping[str, int]:
    """The counts as a read-only mapping, sorted by reason."""
    return MappingProxyType(dict(sorted(counts.items())))
