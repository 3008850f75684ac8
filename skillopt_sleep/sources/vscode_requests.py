"""The requests of a VS Code chat as the events of a session: what the person typed, what the agent did.

A person's words are `message.text` and what was typed into the agent's questions. A press on a button, a
vote and a request of the client's own are no words; a request the person took back by restoring an older
state is left out with all that followed from it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from skillopt_sleep.session import Outcome
from skillopt_sleep.sources import vscode_tools
from skillopt_sleep.sources.base import (
    Record,
    as_dict,
    as_int,
    as_list,
    as_str,
    count,
    count_unknown,
    parse_time,
    record_key,
)
from skillopt_sleep.sources.draft import Draft
from skillopt_sleep.sources.vscode_places import local_path

MAX_ITEMS = 200_000
"""Requests and parts of their responses; a file could hold many millions of empty ones."""

_CANCELLED = 2
_UNDONE = 2
_FIRST_MS, _LAST_MS = 10**11, 253_402_300_799_000  # 1973 to 9999: less is not in milliseconds
_TRUNCATED = "[VS Code: value truncated"
_REQUEST_ID = re.compile(r"request_([0-9a-f-]{36})", re.IGNORECASE)
_ADDRESSES = {"agent": "@", "subcommand": "/", "slash": "/", "prompt": "/"}
_FIRST_WORD = re.compile(r"\A\S+\s*")
_BARE_COMMAND = re.compile(r"/[\w.:-]{1,100}\s*")
_TOOL_PART = "toolInvocationSerialized"
_TELLING_PARTS = frozenset(
    (
        _TOOL_PART, "textEditGroup", "notebookEditGroup", "elicitationSerialized",
        "questionCarousel",
    )
)  # fmt: skip
_SILENT_PARTS = frozenset(
    (
        "autoModeResolution", "changesSummary", "clearToPreviousToolInvocation", "codeCitation",
        "codeCitations", "codeblockUri", "command", "confirmation", "disabledClaudeHooks", "elicitation",
        "elicitation2", "extensions", "externalEdit", "hook", "info", "mcpServersStarting", "move",
        "multiDiff", "multiDiffData", "notebookEdit", "prepareToolInvocation", "progressMessage",
        "progressTask", "progressTaskResult", "progressTaskSerialized", "pullRequest", "reference",
        "references", "textEdit", "thinking", "todoList", "treeData", "undoStop", "usedContext", "warning",
        "workspaceEdit",
    )
)  # fmt: skip


def moment(value: object) -> datetime | None:
    """A time in milliseconds (a number or its text) or in ISO 8601 as aware UTC, or None."""
    if isinstance(value, str):
        return parse_time(value) if not value.isdecimal() else moment(int(value) if len(value) < 20 else 0)
    ms = int(value) if isinstance(value, float) and _FIRST_MS <= value <= _LAST_MS else as_int(value)
    if ms is None or not _FIRST_MS <= ms <= _LAST_MS:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC)


@dataclass(frozen=True, slots=True)
class _Now:
    """The request whose response is being read; `told` are the files its tool calls edit."""

    at: datetime | None
    key: str
    was_cancelled: bool
    calls: Mapping[str, vscode_tools.ExactCall]
    told: frozenset[str]


class Requests:
    """Adds the requests of one chat to a draft, in order."""

    def __init__(self, draft: Draft, counts: Counter[str]) -> None:
        self.draft = draft
        self.edited: list[str] = []
        self.cwds: list[str] = []
        self._counts = counts
        self._open_edits: dict[str, list[str]] = {}
        self._n_calls = 0
        self._n_taken = 0
        self._n_taken_back = 0
        self._texts: list[str] = []

    def take_all(self, items: list[object]) -> None:
        """Use the requests of a chat, as many as any real one can have."""
        for item in items:
            self._n_taken += 1
            if self._n_taken > MAX_ITEMS:
                break
            if isinstance(item, dict):
                self._take(item)
            else:
                count(self._counts, "wrong_type")
        if self._n_taken > MAX_ITEMS:
            count(self._counts, "file_too_large")
        self._finish()

    def _take(self, request: Record) -> None:
        parts = _kept(request, as_list(request.get("response"), self._counts))
        if parts is None:
            self._n_taken_back += 1
            return
        self._n_taken, n_left = self._n_taken + len(parts), MAX_ITEMS - self._n_taken
        parts = parts[:n_left]
        at = moment(request.get("timestamp"))
        key = _fork_key(request.get("requestId"), at)
        self.draft.seen_at(at)
        self._decide_edits(request)
        self._words(request, at, key)
        self._skills(request)
        model_state = request.get("modelState")
        model_state = as_dict(model_state) if isinstance(model_state, dict) else {"value": model_state}
        self.draft.seen_at(moment(model_state.get("completedAt")))
        # a request that failed keeps its words and what was done: only the error is the agent's trouble
        was_cancelled = as_int(model_state.get("value")) == _CANCELLED or request.get("isCanceled") is True
        calls = vscode_tools.exact_calls(request, self._counts)
        told = {
            path
            for part in parts
            if isinstance(part, dict) and part.get("kind") == _TOOL_PART
            for path in vscode_tools.edited_files(vscode_tools.exact_call(calls, part), part)
        }
        self._response(parts, _Now(at, key, was_cancelled, calls, frozenset(told)))
        if was_cancelled:
            self.draft.interrupt(at, key)

    def _finish(self) -> None:
        """Nobody undid the edits that are still open."""
        for call_ids in self._open_edits.values():
            for call_id in call_ids:
                self.draft.settle(call_id, Outcome.OK)
        if self._n_taken_back:
            self.draft.notes.append(f"{self._n_taken_back} requests taken back by the person")

    def _words(self, request: Record, at: datetime | None, key: str) -> None:
        if (
            request.get("isSystemInitiated") is True
            or request.get("hiddenFromTranscript") is True
            or request.get("confirmation")
        ):
            return
        message = request.get("message")
        if isinstance(message, str):  # before version 2
            message = {"text": message}
        said = as_dict(message, self._counts)
        text, is_command = _without_address(
            self._text(said.get("text")),
            [as_str(as_dict(part).get("kind")) for part in as_list(said.get("parts"))],
        )
        if not _BARE_COMMAND.fullmatch(text):
            self.draft.say(text, "command" if is_command else "prompt", at, key)

    def _skills(self, request: Record) -> None:
        """A skill named in the request is attached to it."""
        variables = request.get("variableData")
        variables = as_dict(variables).get("variables") if isinstance(variables, dict) else None
        for item in as_list(variables, self._counts):
            variable = as_dict(item, self._counts)
            if variable.get("kind") == "promptFile":
                vscode_tools.use_skill_at(self.draft, local_path(variable.get("value")))

    def _response(self, parts: list[object], now: _Now) -> None:
        for item in parts:
            part = {"value": item} if isinstance(item, str) else as_dict(item, self._counts)
            kind = part.get("kind")
            if kind in (None, "markdownContent", "markdownVuln", "inlineReference"):
                self._texts.append(self._visible(part))
            elif not isinstance(kind, str):
                count(self._counts, "wrong_type")
            elif kind in _TELLING_PARTS:
                self._flush(now)
                self._act(part, kind, now)
            elif kind not in _SILENT_PARTS:
                count_unknown(self._counts, f"part:{kind}")
        self._flush(now)

    def _act(self, part: Record, kind: str, now: _Now) -> None:
        """A tool call, an edit, or an answer the person typed."""
        if kind == _TOOL_PART:
            if not part.get("subAgentInvocationId") and part.get("fromSubAgent") is not True:
                self._call(part, now)
        elif kind in ("elicitationSerialized", "questionCarousel"):
            for words in _answers(part):
                self.draft.say(self._text(words), "answer", now.at, now.key)
        else:
            path = local_path(part.get("uri"))
            if path and path not in now.told:  # else the call that made it tells more
                call_id = self._next_call()
                text = self._new_text(part.get("edits"))
                self.draft.act(call_id, "edit", "edit", files=[path], text=text, at=now.at, record_id=now.key)
                self._note_edit(call_id)

    def _call(self, part: Record, now: _Now) -> None:
        place = vscode_tools.Place(self._next_call(), now.at, now.key, now.was_cancelled)
        exact = vscode_tools.exact_call(now.calls, part)
        vscode_tools.call(self.draft, part, exact, place, self._counts)
        self._note_edit(place.call_id)
        data = part.get("toolSpecificData")
        if cwd := local_path(data.get("cwd")) if isinstance(data, dict) else "":
            self.cwds.append(cwd)

    def _next_call(self) -> str:
        # the client's own ids repeat from request to request
        self._n_calls += 1
        return str(self._n_calls)

    def _note_edit(self, call_id: str) -> None:
        action = self.draft.action(call_id)
        if action is not None and action.kind == "edit":
            self.edited.extend(action.files)
            if action.outcome is Outcome.UNKNOWN:
                for path in action.files:
                    self._open_edits.setdefault(path, []).append(call_id)

    def _decide_edits(self, request: Record) -> None:
        """What the person did to edited files since the request before: undoing an edit rejects it."""
        for item in as_list(request.get("editedFileEvents"), self._counts):
            event = as_dict(item, self._counts)
            kind = as_int(event.get("eventKind"))
            for path in self.draft.paths([local_path(event.get("uri"))]):
                for call_id in self._open_edits.pop(path, ()):
                    self.draft.settle(call_id, Outcome.REJECTED if kind == _UNDONE else Outcome.OK)

    def _flush(self, now: _Now) -> None:
        """What the agent said between two tools is one reply."""
        self.draft.reply("".join(self._texts), now.at, now.key)
        self._texts = []

    def _visible(self, part: Record) -> str:
        if part.get("kind") == "inlineReference":
            reference = part.get("inlineReference")
            uri = reference.get("uri", reference) if isinstance(reference, dict) else reference
            return as_str(part.get("name")) or local_path(uri).rpartition("/")[2]
        value = part.get("value") if part.get("kind") is None else part.get("content")
        return self._text(value.get("value") if isinstance(value, dict) else value)

    def _new_text(self, edits: object) -> str:
        """The text of an edit group: lists of edits, one list a change."""
        changes = [
            change if isinstance(change, list) else [change] for change in as_list(edits, self._counts)
        ]
        found = (as_str(as_dict(edit).get("text")) for change in changes for edit in change)
        return "\n".join(text for text in found if text)

    def _text(self, value: object) -> str:
        text = as_str(value, self._counts)
        if text.startswith(_TRUNCATED):
            count(self._counts, "truncated_value")
            return ""
        return text


def _fork_key(request_id: object, at: datetime | None) -> str:
    """A copy of a chat keeps the ids of its requests. Ids that merely count would make strangers copies."""
    found = _REQUEST_ID.fullmatch(as_str(request_id))
    return record_key(found[1], at) if found else ""


def _kept(request: Record, parts: list[object]) -> list[object] | None:
    """The parts of the response the person kept, None when the whole request was taken back."""
    taken_back = request.get("shouldBeRemovedOnSend") or request.get("isHidden")  # the older name
    if not taken_back:
        return parts
    stop = taken_back.get("afterUndoStop") if isinstance(taken_back, dict) else None
    for i, part in enumerate(parts if stop else ()):
        if isinstance(part, dict) and part.get("kind") == "undoStop" and part.get("id") == stop:
            return parts[:i]
    return None


def _without_address(text: str, kinds: list[str]) -> tuple[str, bool]:
    """The words without the participant and the command they are addressed to, and whether there was one.

    Only what the client recognised as such is one: a path or a package name may begin with the same signs.
    """
    text = text.strip()
    is_command = False
    addresses = [kind for kind in kinds if kind in _ADDRESSES]
    for kind in addresses[:2]:
        if not text.startswith(_ADDRESSES[kind]):
            break
        text = _FIRST_WORD.sub("", text, count=1)
        is_command = is_command or kind != "agent"
    return text, is_command


def _answers(part: Record) -> list[str]:
    """What the person typed into a question. An option that was chosen, or a default that was left, are the
    agent's words."""
    if part.get("kind") == "elicitationSerialized":
        result = part.get("acceptedResult") if part.get("state") == "accepted" else None
        return [word for word in as_dict(result).values() if isinstance(word, str)]
    questions = [as_dict(one) for one in as_list(part.get("questions"))]
    defaults = {as_str(one.get("id")): one.get("defaultValue") for one in questions}
    found = []
    for question, answer in as_dict(part.get("data")).items():
        words = answer.get("freeformValue") if isinstance(answer, dict) else answer
        if isinstance(words, str) and words != defaults.get(question):
            found.append(words)
    return found
