"""Tool calls of Codex as actions, whichever of its records tell of them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from skillopt_sleep.session import Outcome
from skillopt_sleep.sources import patch
from skillopt_sleep.sources.base import Counts, Record, as_dict, as_int, as_list, as_str, json_text
from skillopt_sleep.sources.draft import MAX_TEXT_CHARS, Draft, clean

_SHELL_TOOLS = frozenset(
    ("shell", "exec_command", "local_shell", "shell_command", "container.exec", "unified_exec")
)
_READ_TOOLS = frozenset(("read_file", "list_dir", "grep_files", "view_image", "list_mcp_resources"))
_CODE_MODE_TOOLS = frozenset(("exec", "wait"))
_SHELLS = (
    "bash",
    "sh",
    "zsh",
    "dash",
    "ksh",
    "fish",
    "pwsh",
    "powershell",
    "powershell.exe",
    "cmd",
    "cmd.exe",
)
_SHELL_FLAGS = frozenset(("-c", "-lc", "-ic", "-lic", "-Command", "/c", "/C"))
_ABORTED = re.compile(r"(?:Wall time: [\d.]{1,20} seconds\s{1,4})?(?:\S{1,40} )?aborted by user[^\n]{0,80}")
_REFUSED = re.compile(r"(?:\S{1,40} ){0,4}rejected by user[^\n]{0,200}", re.IGNORECASE)
_EXIT_TEXT = re.compile(r"(?:Process exited with code|Exit code:) (-?\d{1,9})\b")
_CODE_COMMAND = re.compile(r"""["']?\bcmd["']?\s{0,4}:\s{0,4}("(?:[^"\\\n]|\\.){0,4000}")""")
_FAILURES = ("apply_patch verification failed", "error", "failed to", "unsupported call")
_OUTCOMES = {
    "completed": Outcome.OK,
    "failed": Outcome.FAILED,
    "declined": Outcome.REJECTED,
    "rejected": Outcome.REJECTED,
}


class Calls:
    """The calls of one thread. A call and the item that reports it share an id and are one action."""

    def __init__(self, draft: Draft, counts: Counts) -> None:
        self._draft = draft
        self._counts = counts
        # code-mode calls whose items are still to come: call id -> (JavaScript, events so far, time)
        self._code: dict[str, tuple[str, int, datetime | None, str]] = {}

    def call(self, payload: Record, at: datetime | None, record_id: str) -> None:
        """A `function_call`, `custom_tool_call` or `local_shell_call` of the model."""
        call_id = as_str(payload.get("call_id")) or as_str(payload.get("id"))
        kind, name = payload.get("type"), as_str(payload.get("name"))
        if kind == "local_shell_call":
            given = as_dict(payload.get("action"))
            self._command(call_id, "local_shell", shell_text(given.get("command")), at, record_id)
        elif kind == "custom_tool_call":
            self._custom(call_id, payload, name, at, record_id)
        elif name in _SHELL_TOOLS:
            given = _arguments(payload)
            command = shell_text(given.get("command") or given.get("cmd"))
            self._command(call_id, name, command, at, record_id)
        elif name == "apply_patch":
            self._patch(call_id, as_str(_arguments(payload).get("input")), at, record_id)
        elif name:
            given = _arguments(payload)
            path = (
                as_str(given.get("path")) or as_str(given.get("file_path")) or as_str(given.get("dir_path"))
            )
            self._draft.act(
                call_id,
                "read" if name in _READ_TOOLS else "other",
                name,
                files=[path] if name in _READ_TOOLS else (),
                text=as_str(given.get("pattern")) if name in _READ_TOOLS else json_text(given, self._counts),
                at=at,
                record_id=record_id,
            )

    def command_item(self, item: Record, at: datetime | None, record_id: str) -> None:
        """A `CommandExecution` item: the same call when its id is known, else a call of code mode."""
        call_id = as_str(item.get("id"))
        self._command(call_id, "exec_command", shell_text(item.get("command")), at, record_id)
        code = as_int(item.get("exit_code"))
        outcome = _OUTCOMES.get(as_str(item.get("status")), Outcome.UNKNOWN)
        if code is not None and outcome is not Outcome.REJECTED:
            outcome = Outcome.OK if code == 0 else Outcome.FAILED
        self._draft.settle(call_id, outcome, code)

    def file_change(
        self, call_id: str, changes: object, status: str, at: datetime | None, record_id: str
    ) -> None:
        """Files a patch changed, in the shape of either format."""
        files: list[str] = []
        added: list[str] = []
        for path, change in as_dict(changes).items():
            how = as_dict(change)
            if len(how) == 1 and "type" not in how:
                how = as_dict(next(iter(how.values())))
            moved = as_str(how.get("move_path"))
            files += [path, moved] if moved else [path]
            content, diff = as_str(how.get("content")), as_str(how.get("unified_diff"))
            added.append(content or patch.new_text_of(diff))
        text = clean("\n".join(added), MAX_TEXT_CHARS)
        if self._draft.has_call(call_id):
            self._draft.amend(call_id, kind="edit", command="", files=self._draft.paths(files), text=text)
        else:
            self._draft.act(
                call_id, "edit", "apply_patch", files=files, text=text, at=at, record_id=record_id
            )
        self._draft.settle(call_id, _OUTCOMES.get(status, Outcome.UNKNOWN))

    def mcp(self, call_id: str, item: Record, status: str, at: datetime | None, record_id: str) -> None:
        """A call of an MCP tool."""
        name = f"mcp__{as_str(item.get('server'))}__{as_str(item.get('tool'))}"
        if self._draft.has_call(call_id):
            self._draft.amend(call_id, tool=clean(name, 200))
        else:
            given = as_dict(item.get("arguments"))
            text = json_text(given, self._counts) if given else ""
            self._draft.act(call_id, "other", name, text=text, at=at, record_id=record_id)
        self._draft.settle(call_id, _OUTCOMES.get(status, Outcome.UNKNOWN))

    def output(self, call_id: str, output: object) -> Literal["answered", "aborted", "refused"]:
        """What came back from a call: `aborted` when the person stopped the turn at it, `refused` when they
        denied it and the turn went on."""
        text, code = _output(output)
        aborted, refused = bool(_ABORTED.fullmatch(text)), bool(_REFUSED.fullmatch(text))
        if call_id in self._code:
            script, n_events, at, record_id = self._code.pop(call_id)
            command = _code_command(script)
            if not aborted and not refused:
                return "answered"
            if command and len(self._draft.events) == n_events:
                self._command(call_id, "exec_command", command, at, record_id)
        if aborted or refused:
            # the output of a stopped call can carry another id than the call
            stopped = call_id if self._draft.has_call(call_id) else self._draft.last_open_call()
            if stopped is not None:
                self._draft.settle(stopped, Outcome.REJECTED)
            return "aborted" if aborted else "refused"
        action = self._draft.action(call_id)
        if code is not None:
            self._draft.settle(call_id, Outcome.OK if code == 0 else Outcome.FAILED, code)
        elif action is not None and action.kind != "command":
            failed = text.lower().startswith(_FAILURES)
            self._draft.settle(call_id, Outcome.FAILED if failed else Outcome.OK)
        return "answered"

    def _command(self, call_id: str, tool: str, command: str, at: datetime | None, record_id: str) -> None:
        if patch.BEGIN in command and "apply_patch" in command:
            self._patch(call_id, command, at, record_id)
        else:
            self._draft.act(call_id, "command", tool, command=command, at=at, record_id=record_id)

    def _patch(self, call_id: str, text: str, at: datetime | None, record_id: str) -> None:
        files, new = patch.files_of(text), patch.new_text_of(text)
        self._draft.act(call_id, "edit", "apply_patch", files=files, text=new, at=at, record_id=record_id)

    def _custom(self, call_id: str, payload: Record, name: str, at: datetime | None, record_id: str) -> None:
        text = as_str(payload.get("input"))
        if name in _CODE_MODE_TOOLS or payload.get("namespace") == "functions":
            self._code[call_id] = (text, len(self._draft.events), at, record_id)
        elif name == "apply_patch":
            self._patch(call_id, text, at, record_id)
        elif name:
            self._draft.act(call_id, "other", name, text=text, at=at, record_id=record_id)


def shell_text(command: object) -> str:
    """A command as one line of shell: `["bash", "-lc", X]` is X."""
    if isinstance(command, str):
        return command
    words = [word for word in as_list(command) if isinstance(word, str)]
    if len(words) >= 3 and _is_shell(words[0]) and words[-2] in _SHELL_FLAGS:
        return words[-1]
    return _quoted(words)


def _is_shell(program: str) -> bool:
    return program.replace("\\", "/").rsplit("/", 1)[-1] in _SHELLS


def _quoted(words: Sequence[str]) -> str:
    plain = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
    return " ".join(
        word if plain.fullmatch(word) else "'" + word.replace("'", "'\\''") + "'" for word in words
    )


def _arguments(payload: Record) -> Record:
    given = payload.get("arguments")
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return {}
    return given if isinstance(given, dict) else {}


def _output(output: object) -> tuple[str, int | None]:
    """The text of an output and the exit code in it: JSON with `metadata.exit_code`, or a line of text."""
    if isinstance(output, list):
        output = "\n".join(as_str(as_dict(block).get("text")) for block in output)
    if isinstance(output, dict):
        output = output.get("content")
    text = as_str(output).strip()
    if text.startswith("{"):
        try:
            told = as_dict(json.loads(text))
        except (ValueError, RecursionError):
            told = {}
        code = as_int(as_dict(told.get("metadata")).get("exit_code"))
        if code is not None:
            return as_str(told.get("output")), code
    head = text.split("Output:\n", 1)[0].split("\n", 6)[:6]
    found = _EXIT_TEXT.search("\n".join(head))
    return text, int(found[1]) if found else None


def _code_command(script: str) -> str:
    """The shell command in a line of code-mode JavaScript, as far as a literal tells it."""
    found = _CODE_COMMAND.search(script)
    if not found:
        return ""
    try:
        return as_str(json.loads(found[1]))
    except ValueError:
        return ""
