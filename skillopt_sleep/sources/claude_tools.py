"""Tool calls of Claude Code as actions: which run commands, which edit, which only look."""

from __future__ import annotations

from datetime import datetime

from skillopt_sleep.sources.base import Counts, Record, as_dict, as_list, as_str, json_text
from skillopt_sleep.sources.draft import Call, Draft

_COMMAND_TOOLS = frozenset({"Bash", "PowerShell"})
_EDIT_TOOLS = frozenset({"Edit", "Write", "MultiEdit", "NotebookEdit"})
_READ_TOOLS = frozenset({"Read", "Glob", "Grep", "LS", "NotebookRead", "LSP"})


def call(draft: Draft, block: Record, at: datetime | None, record_id: str, counts: Counts) -> None:
    """Add the action of one `tool_use` block."""
    tool = as_str(block.get("name"))
    call_id = as_str(block.get("id"))
    given = as_dict(block.get("input"))
    if tool in _COMMAND_TOOLS:
        draft.act(call_id, "command", tool, command=as_str(given.get("command")), at=at, record_id=record_id)
    elif tool in _EDIT_TOOLS:
        path = as_str(given.get("file_path")) or as_str(given.get("notebook_path"))
        draft.act(call_id, "edit", tool, files=[path], text=_new_text(given), at=at, record_id=record_id)
    elif tool in _READ_TOOLS:
        path = (
            as_str(given.get("file_path")) or as_str(given.get("path")) or as_str(given.get("notebook_path"))
        )
        text = as_str(given.get("pattern")) or as_str(given.get("glob"))
        draft.act(call_id, "read", tool, files=[path], text=text, at=at, record_id=record_id)
    elif tool:
        skill = (as_str(given.get("skill")) or as_str(given.get("command"))) if tool == "Skill" else ""
        text = skill or (json_text(given, counts) if given else "")
        draft.act(call_id, "other", tool, text=text, at=at, record_id=record_id)


def silent_exit_code(action: Call | None, detail: object) -> int | None:
    """0 for a shell command that came back whole: the client only writes other codes. None when it went to
    the background or the client read another code as a success."""
    if action is None or action.kind != "command" or not isinstance(detail, dict):
        return None
    unclear = (
        detail.get("interrupted") or detail.get("backgroundTaskId") or detail.get("returnCodeInterpretation")
    )
    return None if unclear else 0


def skill_of(action: Call | None) -> str:
    """The skill a `Skill` call asked for, "" for any other call."""
    return action.text if action is not None and action.tool == "Skill" else ""


def _new_text(given: Record) -> str:
    for key in ("new_string", "content", "new_source"):
        if isinstance(given.get(key), str):
            return as_str(given.get(key))
    return "\n".join(as_str(as_dict(edit).get("new_string")) for edit in as_list(given.get("edits")))
