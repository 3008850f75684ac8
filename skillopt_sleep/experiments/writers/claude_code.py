"""Claude Code transcripts, as 2.1.329 and 2.0.31 write them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random

from skillopt_sleep.experiments.writers.record import Clock, new_uuid, write_lines
from skillopt_sleep.experiments.writers.script import (
    Compaction,
    Prompt,
    Queued,
    Said,
    Script,
    Slash,
    Subagent,
    Tool,
)

_MODEL = "claude-sonnet-4-5"
_REFUSED = (
    "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file"
    " edit, the new_string was NOT written to the file). "
)
_STOPPED = _REFUSED + "STOP what you are doing and wait for the user to tell you how to proceed."
_SAID = _REFUSED + "To tell you how to proceed, the user said:\n"


def write_claude_code(script: Script, home: Path, rng: Random, *, old: bool = False) -> Path:
    """Write `script` below `home/.claude/projects` and return the transcript's path.

    `old` writes the format of 2.0.31, else of 2.1.329. Subagents get their own files.
    """
    return _Transcript(script, home, rng, old).write()


def fork_claude_code(path: Path, session_id: str, rng: Random) -> Path:
    """Copy a transcript as `--fork-session` does: the same record ids under a new session id."""
    old_id = path.stem
    records = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line:
            record = json.loads(line)
            if record.get("sessionId") == old_id:
                record["sessionId"] = session_id
            if "promptId" in record:
                record["promptId"] = new_uuid(rng)
            records.append(record)
    return write_lines(path.with_name(f"{session_id}.jsonl"), records)


def folder_name(cwd: str) -> str:
    """The name Claude Code gives the transcript folder of a working folder."""
    return re.sub(r"[^A-Za-z0-9]", "-", cwd)


class _Transcript:
    def __init__(self, script: Script, home: Path, rng: Random, old: bool, agent_id: str = "") -> None:
        self.script, self.home, self.rng, self.old, self.agent_id = script, home, rng, old, agent_id
        self.clock = Clock(script.started_at, rng)
        self.records: list[dict[str, object]] = []
        self.parent: str | None = None
        self.prompt_id = ""
        self.turn = 0
        self.folder = home / ".claude" / "projects" / folder_name(script.cwd)

    def write(self) -> Path:
        if not self.old and not self.agent_id:
            self._opening()
        for step in self.script.steps:
            self._step(step)
        if not self.old:
            self._end_turn()
        if not self.agent_id:
            path = self.folder / f"{self.script.session_id}.jsonl"
        elif self.old:
            path = self.folder / f"agent-{self.agent_id[:8]}.jsonl"
        else:
            path = self.folder / self.script.session_id / "subagents" / f"agent-{self.agent_id}.jsonl"
        return write_lines(path, self.records)

    def _step(self, step: object) -> None:
        match step:
            case Prompt(text):
                self._prompt(text)
            case Queued(text):
                self._queued(text)
            case Said(text):
                self._assistant({"type": "text", "text": text})
            case Tool():
                self._tool(step)
            case Slash(name):
                self._slash(name)
            case Compaction(summary):
                self._compaction(summary)
            case Subagent():
                self._subagent(step)

    # -- records -------------------------------------------------------------------------------------------

    def _add(self, kind: str, when: str = "", **fields: object) -> str:
        """Append a record of the conversation tree and return its id."""
        record_id = new_uuid(self.rng)
        record: dict[str, object] = {"parentUuid": self.parent, "isSidechain": bool(self.agent_id)}
        if self.agent_id:
            record["agentId"] = self.agent_id[:8] if self.old else self.agent_id
        if kind == "user" and not self.old and self.prompt_id:
            record["promptId"] = self.prompt_id
        record |= {"type": kind, **fields, "uuid": record_id, "timestamp": when or self.clock.tick()}
        record["userType"] = "external"
        if not self.old:
            record["entrypoint"] = "sdk-cli" if self.script.headless else "cli"
        record |= {
            "cwd": self.script.cwd,
            "sessionId": self.script.session_id,
            "version": "2.0.31" if self.old else "2.1.329",
            "gitBranch": self.script.branch,
        }
        self.records.append(record)
        self.parent = record_id
        return record_id

    def _aside(self, kind: str, **fields: object) -> None:
        """Append a record outside the tree."""
        self.records.append({"type": kind, **fields, "sessionId": self.script.session_id})

    def _attachment(self, kind: str, **fields: object) -> None:
        self._add("attachment", attachment={"type": kind, **fields}, renderedRole="system")

    def _assistant(self, block: dict[str, object]) -> str:
        tokens: dict[str, object] = {"input_tokens": 11, "cache_read_input_tokens": 0, "output_tokens": 7}
        message: dict[str, object] = {
            "id": "msg_" + new_uuid(self.rng).replace("-", "")[:24],
            "type": "message",
            "role": "assistant",
            "model": _MODEL,
            "content": [block],
            "stop_reason": "tool_use" if block["type"] == "tool_use" else "end_turn",
            "stop_sequence": None,
            "usage": tokens,
        }
        return self._add("assistant", message=message, requestId=f"req_{self.rng.getrandbits(32):08x}")

    # -- what people do ------------------------------------------------------------------------------------

    def _opening(self) -> None:
        self._aside("mode", mode="normal")
        if self.script.headless:
            return
        snapshot = {"messageId": new_uuid(self.rng), "trackedFileBackups": {}, "timestamp": self.clock.tick()}
        name = str(snapshot["messageId"])
        self.records.append(
            {
                "type": "file-history-snapshot",
                "messageId": name,
                "snapshot": snapshot,
                "isSnapshotUpdate": False,
            }
        )

    def _prompt(self, text: str) -> None:
        if self.turn and not self.old:
            self._end_turn()
        self.turn += 1
        self.prompt_id = new_uuid(self.rng)
        when = self.clock.think()
        if self.script.headless:
            self._aside("queue-operation", operation="enqueue", timestamp=when, content=text)
            self._aside("queue-operation", operation="dequeue", timestamp=when)
        message = {"role": "user", "content": text}
        if self.old or self.agent_id:
            self._add("user", when, message=message)
            return
        marks: dict[str, object] = {"promptSource": "sdk", "turnOrigin": "sdk"}
        if not self.script.headless:
            marks = {"origin": {"kind": "human"}, "promptSource": "typed", "turnOrigin": "human"}
        place = {"promptIndex": self.turn, "turnIndex": self.turn}
        leaf = self._add("user", when, message=message, permissionMode="default", **marks, turnPosition=place)
        if self.turn == 1:
            self._context()
        blob = {"role": "user", "content": [{"type": "text", "text": text}]}
        digest = f"{self.rng.getrandbits(256):064x}"
        self._aside("api-request-blob", hash=digest, message=blob)
        self._aside("api-request", id=new_uuid(self.rng), keep=[], tail=[digest])
        self._aside("last-prompt", lastPrompt=text, leafUuid=leaf)

    def _context(self) -> None:
        where = {"workingDirectory": self.script.cwd, "isGitRepo": True, "platform": "linux", "shell": "bash"}
        self._attachment("environment", snapshot=where)
        listing = "- run: start the app of this project\n- review: always read the diff before you answer"
        self._attachment("skill_listing", content=listing, names=["run", "review"], skillCount=2)
        prompt = ["You are a coding agent.", "Never commit unless asked. Always use the dedicated tools."]
        self._add("attachment", attachment={"type": "prompt_snapshot", "systemPrompt": prompt})

    def _end_turn(self) -> None:
        if not self.agent_id:
            took = self.rng.randrange(900, 90_000)
            self._add("system", subtype="turn_duration", durationMs=took, isMeta=False, messageCount=4)

    def _queued(self, text: str) -> None:
        when = self.clock.tick(1, 20)
        if self.old:
            self._add("user", when, message={"role": "user", "content": text})
            return
        source, delivery = new_uuid(self.rng), new_uuid(self.rng)
        self._aside("queue-operation", operation="enqueue", timestamp=when, content=text)
        self._aside(
            "queue-operation",
            operation="remove",
            timestamp=self.clock.tick(0, 2),
            content=text,
            reason="absorbed_mid_turn",
            commandUuid=source,
            deliveryId=delivery,
        )
        self._attachment(
            "queued_command",
            prompt=text,
            source_uuid=source,
            delivery_id=delivery,
            commandMode="prompt",
            origin={"kind": "human"},
            timestamp=when,
            humanTurn=True,
        )

    def _slash(self, name: str) -> None:
        content = f"<command-name>/{name}</command-name>\n            <command-message>{name}"
        content += "</command-message>\n            <command-args></command-args>"
        self._add("user", message={"role": "user", "content": content})
        output = "<local-command-stdout></local-command-stdout>"
        self._add("system", subtype="local_command", content=output, level="info", isMeta=False)

    def _compaction(self, summary: str) -> None:
        before, self.parent = self.parent, None
        self._add(
            "system",
            subtype="compact_boundary",
            content="Conversation compacted",
            logicalParentUuid=before,
            level="info",
            compactMetadata={"trigger": "auto", "preTokens": 161_000},
        )
        lead = "This session is being continued from a previous conversation that ran out of context.\n"
        self._add(
            "user",
            message={"role": "user", "content": lead + summary},
            isVisibleInTranscriptOnly=True,
            isCompactSummary=True,
        )

    # -- what the agent does -------------------------------------------------------------------------------

    def _tool(self, tool: Tool) -> None:
        name, arguments = _call(tool, self.script.cwd)
        call_id = "toolu_" + new_uuid(self.rng).replace("-", "")[:24]
        call = self._assistant({"type": "tool_use", "id": call_id, "name": name, "input": arguments})
        extra: dict[str, object] = {} if self.old else {"sourceToolAssistantUUID": call}
        if tool.fate == "done":
            self._result(tool, call_id, extra)
        elif tool.fate == "rejected" and tool.words:
            told = _SAID + tool.words
            if not self.old:
                extra |= {
                    "toolDenialKind": "user-rejected",
                    "userFeedback": tool.words,
                    "holdsPersonsWords": True,
                    "permissionDecision": {"decision": "reject", "source": "user_reject"},
                }
            self._answer(call_id, told, is_error=True, outcome="Error: " + told, extra=extra, slow=True)
        else:
            if not self.old:
                extra |= {"toolDenialKind": "user-rejected", "toolDenialBeforeRun": True}
            self._answer(
                call_id, _STOPPED, is_error=True, outcome="User rejected tool use", extra=extra, slow=True
            )
            stopped = [{"type": "text", "text": "[Request interrupted by user for tool use]"}]
            self._add("user", message={"role": "user", "content": stopped})

    def _result(self, tool: Tool, call_id: str, extra: dict[str, object]) -> None:
        output = tool.output or ("ok" if tool.kind == "run" else "")
        if not self.old:
            extra["permissionDecision"] = {"decision": "accept", "source": "config"}
        if tool.exit_code:
            text = f"Exit code {tool.exit_code}\n{output}"
            self._answer(call_id, text, is_error=True, outcome="Error: " + text, extra=extra)
            return
        outcome: object = {"stdout": output, "stderr": "", "interrupted": False, "isImage": False}
        if tool.kind == "edit":
            path = _absolute(tool.target, self.script.cwd)
            output = f"The file {path} has been updated successfully."
            outcome = {"filePath": path, "oldString": "", "newString": tool.text, "userModified": False}
        elif tool.kind == "read":
            outcome = {"type": "text", "file": {"filePath": tool.target, "content": output}}
        self._answer(call_id, output, is_error=False, outcome=outcome, extra=extra)

    def _answer(
        self,
        call_id: str,
        text: str,
        *,
        is_error: bool,
        outcome: object,
        extra: dict[str, object],
        slow: bool = False,
    ) -> None:
        block = {"type": "tool_result", "tool_use_id": call_id, "content": text, "is_error": is_error}
        when = self.clock.think() if slow else self.clock.tick()
        message = {"role": "user", "content": [block]}
        self._add("user", when, message=message, toolUseResult=outcome, **extra)

    def _subagent(self, step: Subagent) -> None:
        call_id = "toolu_" + new_uuid(self.rng).replace("-", "")[:24]
        arguments = {
            "description": "look around",
            "prompt": step.prompt,
            "subagent_type": "general-purpose",
        }
        name = "Task" if self.old else "Agent"
        self._assistant({"type": "tool_use", "id": call_id, "name": name, "input": arguments})
        inner = Script(
            session_id=self.script.session_id,
            cwd=self.script.cwd,
            started_at=self.clock.at,
            steps=(Prompt(step.prompt), *step.tools, Said(step.reply)),
            branch=self.script.branch,
        )
        agent_id = f"a{self.rng.getrandbits(64):016x}"
        _Transcript(inner, self.home, self.rng, self.old, agent_id).write()
        self._answer(call_id, step.reply, is_error=False, outcome={"status": "completed"}, extra={})


def _absolute(path: str, cwd: str) -> str:
    return path if path.startswith("/") else f"{cwd}/{path}"


def _call(tool: Tool, cwd: str) -> tuple[str, dict[str, object]]:
    """The tool's name and input."""
    match tool.kind:
        case "run":
            return "Bash", {"command": tool.target, "description": "Run " + tool.target.split(" ")[0]}
        case "edit":
            path = _absolute(tool.target, cwd)
            return "Edit", {"file_path": path, "old_string": "", "new_string": tool.text}
        case "read":
            return "Read", {"file_path": _absolute(tool.target, cwd)}
        case "search":
            return "Grep", {"pattern": tool.target, "output_mode": "files_with_matches"}
        case "fetch":
            return "WebFetch", {"url": tool.target, "prompt": "What does the page say?"}
