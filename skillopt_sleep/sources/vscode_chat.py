"""Copilot Chat in VS Code and its kin: whole objects (`.json`), mutation logs (`.jsonl`), and transcripts.

A chat is one object, its requests in order. Versions before 1.109 write it whole; later ones append changes
to a log. The extension keeps transcripts of some chats in the form of Copilot CLI; they are read when the
chat itself is gone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from skillopt_sleep.scope import project_of
from skillopt_sleep.session import Driver, Session
from skillopt_sleep.sources.base import (
    Counts,
    JsonLines,
    Reading,
    Record,
    as_dict,
    as_int,
    as_list,
    as_str,
    count,
    count_unknown,
    frozen_counts,
)
from skillopt_sleep.sources.copilot_cli import CopilotCli
from skillopt_sleep.sources.draft import Draft, ProjectOf, clean
from skillopt_sleep.sources.mutation_log import MAX_BYTES, MutationLog
from skillopt_sleep.sources.vscode_places import (
    chat_files,
    is_transcript,
    local_path,
    only_folder_with,
    user_folders,
    window_folders,
)
from skillopt_sleep.sources.vscode_requests import Requests, moment

_NEWEST_VERSION = 3
_SEPARATORS = (b",", b"[", b"{")
_MAX_VALUES = 3_000_000
"""Small values take many times their length in memory."""


class VsCodeChat:
    """The chats of VS Code. Chats about a folder below `own_dirs` are ours, never a person's."""

    name = "vscode"

    def __init__(self, own_dirs: tuple[Path, ...] = (), project: ProjectOf = project_of) -> None:
        self._own_dirs = own_dirs
        self._project_of = project

    def roots(self, env: Mapping[str, str], home: Path) -> tuple[Path, ...]:
        """The `User` folders of Code, Code - Insiders and VSCodium that are there, else a likely one."""
        return user_folders(env, home)

    def files(self, root: Path, skipped: Counts | None = None) -> Iterator[Path]:
        """One file a chat: its log, else its object, else the extension's transcript."""
        return chat_files(root, skipped)

    def read(self, path: Path) -> Reading:
        """One session a file."""
        if is_transcript(path):
            return self._transcript(path)
        counts: Counter[str] = Counter()
        found = _whole(path, counts) if path.suffix == ".json" else _log(path, counts)
        state = found.state
        draft = Draft()
        requests = Requests(draft, counts)
        folders = window_folders(path) if state else ()
        draft.cwd = local_path(state.get("workingDirectory")) or (folders[0] if len(folders) == 1 else None)
        draft.seen_at(moment(state.get("creationDate")))
        draft.branch = as_str(as_dict(state.get("repoData")).get("localBranch")) or None
        if (as_int(state.get("version")) or 0) > _NEWEST_VERSION:
            count_unknown(counts, f"version:{as_int(state.get('version'))}")
        requests.take_all(as_list(state.get("requests"), counts))
        # a chat that was opened and never used says so; anything else without words was not understood
        if found.n_bytes and not draft.has_user_turns and state.get("requests") != []:
            count(counts, "no_user_turns")
        if not draft.events:
            return found.reading(counts)
        draft.cwd = draft.cwd or only_folder_with(folders, requests.edited or requests.cwds)
        session = draft.session(
            session_id=as_str(state.get("sessionId"), counts) or path.stem,
            source=self.name,
            path=path,
            content_sha=found.sha,
            driver=Driver.OWN if draft.is_own(self._own_dirs) else Driver.HUMAN,
            project_of=self._project_of,
        )
        return found.reading(counts, session, tuple(draft.ids))

    def _transcript(self, path: Path) -> Reading:
        """A transcript in the form of Copilot CLI, which does not say which folder was open."""
        reading = CopilotCli(self._own_dirs, self._project_of).read(path)
        return replace(reading, sessions=tuple(self._as_chat(session, path) for session in reading.sessions))

    def _as_chat(self, session: Session, path: Path) -> Session:
        folders = window_folders(path) if session.cwd is None else ()
        draft = Draft(cwd=session.cwd or (clean(folders[0], 4096) if len(folders) == 1 else None))
        return replace(
            session,
            id=path.stem if session.id == path.parent.name else session.id,
            source=self.name,
            cwd=draft.cwd,
            project=session.project or self._project_of(draft.cwd, None),
            driver=Driver.OWN if draft.is_own(self._own_dirs) else session.driver,
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """The object a file holds, empty when it cannot be read; `prefix_sha` is of the first `offset` bytes."""

    state: Record
    sha: str
    n_bytes: int
    prefix_sha: str
    offset: int

    def reading(self, counts: Counts, session: Session | None = None, ids: tuple[str, ...] = ()) -> Reading:
        return Reading(
            sessions=() if session is None else (session,),
            skipped=frozen_counts(counts),
            bytes_read=self.n_bytes,
            record_ids=frozenset(ids) - {""},
            event_ids=() if session is None else (ids,),
            offset=self.offset,
            prefix_sha=self.prefix_sha,
        )


def _log(path: Path, counts: Counter[str]) -> _Found:
    lines = JsonLines(path, counts)
    log = MutationLog(counts)
    n_before = 0
    for entry in lines:
        log.apply(entry, lines.n_bytes - n_before)
        n_before = lines.n_bytes
    return _Found(log.state or {}, lines.sha, lines.n_bytes, lines.prefix_sha, lines.offset)


def _whole(path: Path, counts: Counter[str]) -> _Found:
    nothing = _Found({}, "", 0, "", 0)
    try:
        with path.open("rb") as stream:
            is_too_large = os.fstat(stream.fileno()).st_size > MAX_BYTES
            content = b"" if is_too_large else stream.read(MAX_BYTES + 1)
    except OSError:
        count(counts, "unreadable")
        return nothing
    if is_too_large or len(content) > MAX_BYTES or sum(map(content.count, _SEPARATORS)) > _MAX_VALUES:
        count(counts, "file_too_large")
        return nothing
    sha, n_bytes = hashlib.sha256(content).hexdigest(), len(content)
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        count(counts, "invalid_utf8")
        text = content.decode(errors="replace")
    del content
    try:
        value = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        count(counts, "bad_json")
        value = {}
    if not isinstance(value, dict):
        count(counts, "not_an_object")
        value = {}
    return _Found(value, sha, n_bytes, sha, n_bytes)
