"""Copilot CLI sessions, as 1.0.102 writes them."""

from __future__ import annotations

from pathlib import Path
from random import Random

from skillopt_sleep.experiments.writers.record import Clock, new_uuid, stamp, write_lines
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

_MODEL = "gpt-5.5"


def write_copilot_cli(script: Script, home: Path, rng: Random) -> Path:
    """Write `script` below `home/.copilot/session-state` and return the path of `events.jsonl`.

    Nothing in these files tells a headless run from a person, so `headless` changes nothing.
    """
    events = _Events(script, rng)
    records = events.build()
    folder = home / ".copilot" / "session-state" / script.session_id
    path = write_lines(folder / "events.jsonl", records)
    first = next((step.text for step in script.steps if isinstance(step, Prompt)), "")
    lines = {
        "id": script.session_id,
        "cwd": script.cwd,
        "git_root": script.git_root or script.cwd,
        "branch": script.branch,
        "client_name": "github/cli",
        "name": '"' + first[:60].replace("\\", "").replace('"', "'").replace("\n", " ") + '"',
        "user_named": "false",
        "summary_count": "0",
        "fork_count": "0",
        "created_at": stamp(script.started_at),
        "updated_at": stamp(events.clock.at),
    }
    text = "".join(f"{key}: {value}\n" for key, value in lines.items())
    (folder / "workspace.yaml").write_text(text, encoding="utf-8", newline="\n")
    return path


class _Events:
    def __init__(self, script: Script, rng: Random) -> None:
        self.script, self.rng = script, rng
        self.clock = Clock(script.started_at, rng)
        self.records: list[dict[str, object]] = []
        self.parent: str | None = None
        self.interaction = ""
        self.turn = 0
        self.open = False

    def build(self) -> list[dict[str, object]]:
        root = self.script.git_root or self.script.cwd
        context = {"cwd": self.script.cwd, "gitRoot": root, "branch": self.script.branch}
        self.add(
            "session.start",
            sessionId=self.script.session_id,
            version=1,
            producer="copilot-agent",
            copilotVersion="1.0.102",
            startTime=stamp(self.clock.at),
            selectedModel=_MODEL,
            contextTier=None,
            context=context,
            alreadyInUse=False,
            remoteSteerable=False,
        )
        for step in self.script.steps:
            self.step(step)
        self.end_turn()
        self.add("session.shutdown", shutdownType="routine", totalApiDurationMs=109)
        return self.records

    def step(self, step: object) -> None:
        match step:
            case Prompt(text):
                self.prompt(text)
            case Queued(text):
                self.words(text, "steering")
            case Said(text):
                self.message(text)
            case Tool():
                self.tool(step)
            case Subagent():
                self.tool(Tool("run", f"gh agent task {step.prompt!r}", output=step.reply))
            case Compaction(summary):
                self.add("session.compaction_complete", success=True, summaryContent=summary)
            case Slash():
                return

    def add(self, kind: str, **data: object) -> None:
        record_id = new_uuid(self.rng)
        when = self.clock.tick(0.1, 6)
        self.records.append(
            {"type": kind, "data": data, "id": record_id, "timestamp": when, "parentId": self.parent}
        )
        self.parent = record_id

    # -- people --------------------------------------------------------------------------------------------

    def prompt(self, text: str) -> None:
        self.end_turn()
        self.clock.think()
        first = not self.interaction
        self.interaction = new_uuid(self.rng)
        self.turn = 0
        self.words(text, "idle")
        if first:
            system = "You are a coding agent. Always prefer small commits. From now on never mention this."
            self.add("system.message", role="system", content=system, interactionId=self.interaction)
        self.start_turn()

    def words(self, text: str, delivery: str) -> None:
        data: dict[str, object] = {"content": text}
        if delivery == "idle":
            now = stamp(self.clock.at)
            data["transformedContent"] = f"<current_datetime>{now}</current_datetime>\n\n{text}"
        else:
            data |= {"attachments": [], "agentMode": "interactive"}
        self.add(
            "user.message",
            **data,
            messageId=new_uuid(self.rng),
            delivery=delivery,
            interactionId=self.interaction,
            turnId=str(self.turn),
        )

    # -- the agent -----------------------------------------------------------------------------------------

    def start_turn(self) -> None:
        self.add("assistant.turn_start", turnId=str(self.turn), interactionId=self.interaction)
        self.open = True

    def end_turn(self) -> None:
        if self.open:
            self.add("assistant.turn_end", turnId=str(self.turn))
            self.open = False

    def message(self, text: str, requests: list[dict[str, object]] | None = None) -> None:
        self.add(
            "assistant.message",
            messageId=new_uuid(self.rng),
            model=_MODEL,
            content=text,
            toolRequests=requests or [],
            interactionId=self.interaction,
            turnId=str(self.turn),
        )

    def tool(self, tool: Tool) -> None:
        call_id = f"call_{self.rng.getrandbits(80):020x}"
        name, arguments = _call(tool, self.script.cwd)
        self.message("", [{"toolCallId": call_id, "name": name, "arguments": arguments, "type": "function"}])
        self.add(
            "tool.execution_start",
            toolCallId=call_id,
            toolName=name,
            arguments=arguments,
            turnId=str(self.turn),
            model=_MODEL,
        )
        if tool.fate == "done":
            self.done(tool, call_id)
        else:
            self.refused(tool, call_id)
        self.end_turn()
        self.turn += 1
        self.start_turn()

    def done(self, tool: Tool, call_id: str) -> None:
        data: dict[str, object] = {"toolCallId": call_id, "model": _MODEL, "success": True}
        output = tool.output or "ok"
        if tool.kind in ("run", "fetch"):
            data["shellExecution"] = {"exitCode": tool.exit_code}
            output += f"\n<shellId: 0 completed with exit code {tool.exit_code}>"
            data["toolTelemetry"] = {"metrics": {"exit_code": tool.exit_code}}
        result = {"content": output}
        if tool.kind == "edit":
            path = _absolute(tool.target, self.script.cwd)
            data["fileEdits"] = [{"path": path, "kind": "edit"}]
            result["content"] = f"File {path} updated with changes."
            result["detailedContent"] = f"\n--- a{path}\n+++ b{path}\n@@ -1 +1 @@\n-\n+{tool.text}\n"
        self.add("tool.execution_complete", **data, result=result)

    def refused(self, tool: Tool, call_id: str) -> None:
        self.clock.think()
        result = {"kind": "denied-interactively-by-user"}
        message = "The user rejected this tool call."
        if tool.words:
            result["feedback"] = tool.words
            message += f" User feedback: {tool.words}"
        self.add(
            "permission.completed",
            requestId=new_uuid(self.rng),
            toolCallId=call_id,
            result=result,
            decisionSource="human_response",
        )
        error = {"message": message, "code": "denied"}
        self.add("tool.execution_complete", toolCallId=call_id, model=_MODEL, success=False, error=error)
        if tool.fate == "interrupted":
            self.add("abort", reason="user initiated")


def _absolute(path: str, cwd: str) -> str:
    return path if path.startswith("/") else f"{cwd}/{path}"


def _call(tool: Tool, cwd: str) -> tuple[str, dict[str, object]]:
    """The tool's name and arguments."""
    match tool.kind:
        case "run":
            return "bash", {"command": tool.target, "description": "Run " + tool.target.split(" ")[0]}
        case "edit":
            return "edit", {"path": _absolute(tool.target, cwd), "old_str": "", "new_str": tool.text}
        case "read":
            return "view", {"path": _absolute(tool.target, cwd)}
        case "search":
            return "grep", {"pattern": tool.target, "output_mode": "files_with_matches"}
        case "fetch":
            return "bash", {"command": f"curl -sL {tool.target}", "description": "Read the page"}
