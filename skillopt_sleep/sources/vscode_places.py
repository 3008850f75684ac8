"""Where VS Code and its kin keep chats, and which folder on this machine a chat was about."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

from skillopt_sleep.sources.base import Counts, as_dict, as_list, count, find_files

PRODUCTS = ("Code", "Code - Insiders", "VSCodium")
_TRANSCRIPTS = ("GitHub.copilot-chat", "transcripts")
_MAX_JSON_BYTES = 256 * 1024
_DRIVE = re.compile(r"/[A-Za-z]:")
_WORKSPACE_PATH = re.compile(r'"path"\s*:\s*("(?:[^"\\\n]|\\.){1,1000}")')


def user_folders(env: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """The `User` folders that are there, of any product in any system's layout; where the first one would be
    when there is none."""
    given = [Path(env[name]) for name in ("XDG_CONFIG_HOME", "APPDATA") if env.get(name)]
    usual = (home / ".config", home / "Library" / "Application Support", home / "AppData" / "Roaming")
    bases = [base for base in (*given, *usual) if base.is_absolute()]
    wanted = dict.fromkeys(base / product / "User" for base in bases for product in PRODUCTS)
    found = tuple(folder for folder in wanted if os.path.isdir(folder))  # noqa: PTH112 (never raises)
    base = next((base for base in bases if os.path.isdir(base)), bases[0])  # noqa: PTH112
    return found or (base / PRODUCTS[0] / "User",)


def chat_files(user: Path, skipped: Counts | None) -> Iterator[Path]:
    """The file of each chat below a `User` folder, then the transcripts of chats that have none there.

    Of one chat the log wins over the whole object of an older version, unless nothing is in it.
    """
    windows = _folders_in(user / "workspaceStorage", skipped)
    others = [
        user / "globalStorage" / name for name in ("emptyWindowChatSessions", "transferredChatSessions")
    ]
    known: set[str] = set()
    for folder in (*(window / "chatSessions" for window in windows), *others):
        chats: dict[str, Path] = {}
        for path in find_files(folder, lambda name: name.endswith((".json", ".jsonl")), skipped):
            # `.json` comes before `.jsonl`
            if path.stem not in chats or _has_content(path):
                chats[path.stem] = path
        known.update(chats)
        yield from chats.values()
    for window in windows:
        folder = window.joinpath(*_TRANSCRIPTS)
        for path in find_files(folder, lambda name: name.endswith(".jsonl"), skipped):
            if path.stem not in known:
                yield path


def is_transcript(path: Path) -> bool:
    """Whether the extension, not VS Code, wrote this file."""
    return path.parts[-3:-1] == _TRANSCRIPTS


def window_folders(path: Path) -> tuple[str, ...]:
    """The folders on this machine that were open in the window of this chat; none for an empty window, one
    on another machine, or one that cannot be told."""
    window = path.parent.parent.parent if is_transcript(path) else path.parent.parent
    said = as_dict(_json_in(window / "workspace.json"))
    if folder := local_path(said.get("folder")):
        return (folder,)
    file = local_path(said.get("workspace")) or local_path(said.get("configuration"))
    return _folders_of(Path(file)) if file and os.path.isabs(file) else ()  # noqa: PTH117


def local_path(uri: object) -> str:
    """The path of a file URI, written as text or as its parts, or a plain absolute path; "" for any other."""
    if isinstance(uri, dict):
        path = uri.get("path") if uri.get("scheme") == "file" else None
        path = uri.get("fsPath") if path is None and "scheme" not in uri else path
        return _native(path) if isinstance(path, str) else ""
    if not isinstance(uri, str):
        return ""
    if uri.startswith("/"):
        return uri
    try:
        parts = urlsplit(uri)
    except ValueError:
        return ""
    if parts.scheme != "file" or not parts.path.startswith("/"):
        return ""
    host = f"//{parts.netloc}" if parts.netloc not in ("", "localhost") else ""
    return host + _native(unquote(parts.path))


def only_folder_with(folders: tuple[str, ...], files: Iterable[str]) -> str | None:
    """The one of several folders that holds all of these files, None when that is not certain."""
    holders: set[str | None] = set()
    for name in files:
        inside = [folder for folder in folders if PurePath(name).is_relative_to(folder)]
        holders.add(max(inside, key=len, default=None))
    return holders.pop() if len(holders) == 1 else None


def _native(path: str) -> str:
    return path[1:] if _DRIVE.match(path) else path


def _folders_of(workspace: Path) -> tuple[str, ...]:
    """The local folders a `.code-workspace` file lists; relative ones lie beside it."""
    said = _json_in(workspace)
    if isinstance(said, str):  # comments and trailing commas are allowed there
        named: list[object] = [_text_of(quoted) for quoted in _WORKSPACE_PATH.findall(said)]
    else:
        entries = [as_dict(entry) for entry in as_list(as_dict(said).get("folders"))]
        named = [entry.get("path") or local_path(entry.get("uri")) for entry in entries]
    paths = [name for name in named if isinstance(name, str) and name and "\0" not in name]
    return tuple(dict.fromkeys(os.path.normpath(workspace.parent / name) for name in paths))


def _text_of(quoted: str) -> object:
    try:
        value: object = json.loads(quoted)
    except ValueError:
        return None
    return value


def _json_in(path: Path) -> object:
    """What a small JSON file holds; its text when it is not quite JSON, None when it cannot be read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            text = stream.read(_MAX_JSON_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None
    try:
        value: object = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return text
    return value


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _folders_in(folder: Path, skipped: Counts | None) -> list[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError:
        count(skipped, "unreadable_folder")
        return []
    found = []
    for entry in entries:
        try:
            if entry.is_dir():
                found.append(Path(entry.path))
            elif entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110
                count(skipped, "dangling_link")
        except OSError:
            count(skipped, "dangling_link")
    return found
