"""Tool calls of VS Code's agent as actions: which run commands, edit or only look, and how they ended."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from skillopt_sleep.session import Outcome
from skillopt_sleep.sources import patch
from skillopt_sleep.sources.base import Counts, Record, as_dict, as_int, as_list, as_str, json_text
from skillopt_sleep.sources.draft import Draft
from skillopt_sleep.sources.vscode_places import local_path

# Names without prefix, case and underscores: the same tool is `copilot_replaceString` to the window and
# `replace_string_in_file` to the model.
_COMMAND_TOOLS = frozenset({"runinterminal"})
_EDIT_TOOLS = frozenset(
    (
        "applypatch", "createfile", "createnewjupyternotebook", "editfile", "editfiles", "editnotebook",
        "editnotebookfile", "insertedit", "inserteditintofile", "multireplacestring",
        "multireplacestringinfile", "replacestring", "replacestringinfile",
    )
)  # fmt: skip
_READ_TOOLS = frozenset(
    (
        "codebase", "filesearch", "findfiles", "findtestfiles", "findtextinfiles", "getchangedfiles",
        "geterrors", "getnotebooksummary", "getsearchviewresults", "getterminaloutput", "grepsearch",
        "listcodeusages", "listdir", "listdirectory", "readfile", "readnotebookcelloutput",
        "readprojectstructure", "searchcodebase", "searchworkspacesymbols", "semanticsearch",
        "terminallastcommand", "terminalselection", "testsearch", "usages", "viewimage",
    )
)  # fmt: skip
_PREFIX = re.compile(r"(?:copilot|vscode|github)_")
_ID_SUFFIX = re.compile(r"__vscode-\d{1,20}$")
_PATH_KEYS = ("filePath", "file_path", "path", "uri")
_NEW_TEXT_KEYS = ("newString", "newCode", "content", "code", "new_string")
_SEARCH_KEYS = ("query", "pattern", "includePattern", "symbolName")
_SKILL = re.compile(r"/skills/([^/\s]{1,100})/SKILL\.md$")
_DENIED, _SKIPPED = 0, 5


@dataclass(frozen=True, slots=True)
class ExactCall:
    """A call as the model wrote it: the tool's name there and its arguments."""

    name: str
    given: Record


def exact_calls(request: Record, counts: Counts) -> dict[str, ExactCall]:
    """The calls of a request as the model wrote them, by call id."""
    metadata = as_dict(as_dict(request.get("result"), counts).get("metadata"), counts)
    found: dict[str, ExactCall] = {}
    for item in as_list(metadata.get("toolCallRounds"), counts):
        for one in as_list(as_dict(item, counts).get("toolCalls"), counts):
            call = as_dict(one, counts)
            given = _parsed(call.get("arguments"))
            if call_id := as_str(call.get("id"), counts):
                name = as_str(call.get("name"), counts)
                found[_ID_SUFFIX.sub("", call_id)] = ExactCall(name, given)
    return found


def exact_call(calls: Mapping[str, ExactCall], part: Record) -> ExactCall:
    """What the model wrote for this part, else what the part itself tells."""
    call_id = _ID_SUFFIX.sub("", as_str(part.get("toolCallId")))
    told = calls.get(call_id)
    if told is not None:
        return told
    data, details = part.get("toolSpecificData"), part.get("resultDetails")
    given = data.get("rawInput") if isinstance(data, dict) else None
    if given is None and isinstance(details, dict):
        given = details.get("input")
    return ExactCall("", _parsed(given))


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a chat a call stands: its own id there, the time and the record."""

    call_id: str
    at: datetime | None
    record_id: str
    was_cancelled: bool


def call(draft: Draft, part: Record, exact: ExactCall, place: Place, counts: Counts) -> None:
    """Add the action of one `toolInvocationSerialized` part with its outcome.

    An edit that was not refused stays open: what became of it is told by the next request.
    """
    tool = as_str(part.get("toolId"), counts) or exact.name
    kind = _kind(tool, exact.name)
    data = as_dict(part.get("toolSpecificData"), counts)
    outcome = _outcome(part, place)
    if data.get("kind") == "terminal" or kind in _COMMAND_TOOLS:
        _command(draft, tool, data, exact.given, outcome, place)
        return
    files = _files(exact.given)
    if kind in _EDIT_TOOLS:
        body = patch.find_in(exact.given)
        files = patch.files_of(body) if body else files
        text = patch.new_text_of(body) if body else _new_text(exact.given)
        draft.act(place.call_id, "edit", tool, files=files, text=text, at=place.at, record_id=place.record_id)
        outcome = Outcome.UNKNOWN if outcome is Outcome.OK else outcome
    elif kind in _READ_TOOLS:
        text = next((word for key in _SEARCH_KEYS if (word := as_str(exact.given.get(key)))), "")
        draft.act(place.call_id, "read", tool, files=files, text=text, at=place.at, record_id=place.record_id)
        for name in files:
            use_skill_at(draft, name)
    elif tool:
        text = json_text(exact.given, counts) if exact.given else ""
        draft.act(place.call_id, "other", tool, text=text, at=place.at, record_id=place.record_id)
    draft.settle(place.call_id, outcome)


def edited_files(exact: ExactCall, part: Record) -> list[str]:
    """The files this call edits, as far as it says."""
    if _kind(as_str(part.get("toolId")), exact.name) not in _EDIT_TOOLS:
        return []
    body = patch.find_in(exact.given)
    return patch.files_of(body) if body else _files(exact.given)


def use_skill_at(draft: Draft, path: str) -> None:
    """A file of the agent's was read; that of a skill means the skill was used."""
    if found := _SKILL.search(str(PurePosixPath(path.replace("\\", "/")))):
        draft.use_skill(found[1])


def _kind(tool: str, name: str) -> str:
    """The name by which a tool is known here: that of the window, or else the model's."""
    known = _COMMAND_TOOLS | _EDIT_TOOLS | _READ_TOOLS
    names = [_PREFIX.sub("", one, count=1).removesuffix("_internal") for one in (tool, name)]
    plain = [one.replace("_", "").lower() for one in names]
    return next((one for one in plain if one in known), plain[0])


def _command(draft: Draft, tool: str, data: Record, given: Record, outcome: Outcome, place: Place) -> None:
    """A command in the terminal. One the person rewrote before letting it run is two: what the agent wanted,
    rejected, and what ran instead."""
    line = as_dict(data.get("commandLine"))
    proposed = as_str(line.get("original")) or as_str(data.get("command")) or as_str(given.get("command"))
    adapted = "" if line.get("isSandboxWrapped") is True else as_str(line.get("toolEdited"))
    edited = as_str(line.get("userEdited")).strip()
    call_id = place.call_id
    if edited and edited not in (proposed.strip(), adapted.strip()):
        draft.act(
            f"{call_id}/proposed", "command", tool, command=proposed, at=place.at, record_id=place.record_id
        )
        draft.settle(f"{call_id}/proposed", Outcome.REJECTED)
        command = edited
    else:
        command = adapted.strip() or proposed
    draft.act(call_id, "command", tool, command=command, at=place.at, record_id=place.record_id)
    code = as_int(as_dict(data.get("terminalCommandState")).get("exitCode"))
    if outcome is Outcome.OK:
        # complete says nothing of a command: only its exit code does
        outcome = Outcome.UNKNOWN if code is None else Outcome.OK if code == 0 else Outcome.FAILED
    draft.settle(call_id, outcome, None if outcome is Outcome.REJECTED else code)


def _outcome(part: Record, place: Place) -> Outcome:
    """How a call ended. Before 1.104 the person's decision was a plain truth value."""
    confirmed = part.get("isConfirmed")
    if confirmed is False or (
        isinstance(confirmed, dict) and as_int(confirmed.get("type")) in (_DENIED, _SKIPPED)
    ):
        return Outcome.REJECTED
    details = part.get("resultDetails")  # a list of places looked at, or what a tool took and gave
    if isinstance(details, dict) and details.get("isError") is True:
        return Outcome.FAILED
    if part.get("isComplete") is True:
        return Outcome.OK
    return Outcome.INTERRUPTED if place.was_cancelled else Outcome.UNKNOWN


def _files(given: Record) -> list[str]:
    """The paths among the arguments of a call, those of several replacements included."""
    several = _several(given)
    found = [path for one in (given, *several) for key in _PATH_KEYS if (path := _path(one.get(key)))]
    found += [path for one in as_list(given.get("files")) if (path := _path(one))]
    return list(dict.fromkeys(found))


def _parsed(given: object) -> Record:
    """Arguments, which are often written as text."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return {}
    return as_dict(given)


def _several(given: Record) -> list[Record]:
    return [as_dict(one) for key in ("replacements", "edits") for one in as_list(given.get(key))]


def _path(value: object) -> str:
    path = local_path(value)
    return path or (value if isinstance(value, str) and "://" not in value else "")


def _new_text(given: Record) -> str:
    texts = (as_str(one.get(key)) for one in (given, *_several(given)) for key in _NEW_TEXT_KEYS)
    return "\n".join(text for text in texts if text)
