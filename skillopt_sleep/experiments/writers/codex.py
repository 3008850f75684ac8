"""Codex rollouts, as 0.169 (paginated) and 0.77 (legacy) write them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
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

_ABORTED = (
    "<turn_aborted>\nThe user interrupted the previous turn on purpose. Any running unified exec processes"
    " may still be running in the background.\n</turn_aborted>"
)


def write_codex(script: Script, home: Path, rng: Random, *, old: bool = False) -> Path:
    """Write `script` below `home/.codex/sessions` and return the rollout's path.

    `old` writes the format of 0.77, else of 0.169. Codex has no comment on a refusal: the words of a
    rejection are written as what they become there, an interruption and the next prompt.
    """
    rollout = _Legacy(script, rng) if old else _Paginated(script, rng)
    day = script.started_at
    name = f"rollout-{day:%Y-%m-%dT%H-%M-%S}-{script.session_id}.jsonl"
    return write_lines(home / ".codex" / "sessions" / f"{day:%Y/%m/%d}" / name, rollout.build())


class _Rollout(ABC):
    """What both formats share; subclasses say how each thing is written."""

    version = ""

    def __init__(self, script: Script, rng: Random) -> None:
        self.script, self.rng = script, rng
        self.clock = Clock(script.started_at, rng)
        self.records: list[dict[str, object]] = []
        self.turn_id = new_uuid(rng)

    def build(self) -> list[dict[str, object]]:
        started = stamp(self.clock.at)
        self.line("session_meta", **self.meta(started))
        rules = "# AGENTS.md instructions for the folder\n\n<INSTRUCTIONS>\nAlways be brief.\n</INSTRUCTIONS>"
        self.harness(rules, "user_instructions.agents_md")
        where = f"<environment_context>\n  <cwd>{self.script.cwd}</cwd>\n  <shell>bash</shell>\n"
        self.harness(where + "</environment_context>", "environments.environment_context")
        for step in self.script.steps:
            match step:
                case Prompt(text):
                    self.clock.think()
                    self.start_turn()
                    self.user(text)
                case Queued(text):
                    self.user(text)
                case Said(text):
                    self.agent(text)
                case Tool():
                    self.tool(step)
                case Subagent():
                    self.tool(Tool("run", f"codex exec {json.dumps(step.prompt)}", output=step.reply))
                case Compaction(summary):
                    self.line("compacted", message=summary, replacement_history=[])
                case Slash():
                    continue
        return self.records

    def tool(self, tool: Tool) -> None:
        if tool.fate == "done":
            if tool.kind == "edit":
                self.edit(tool)
            else:
                self.command(_command(tool), tool)
            return
        self.aborted(_command(tool))
        if tool.fate == "rejected" and tool.words:
            self.clock.think()
            self.start_turn()
            self.user(tool.words)

    def line(self, kind: str, **payload: object) -> None:
        self.records.append({"timestamp": self.clock.tick(0.1, 5), "type": kind, "payload": payload})

    def event(self, kind: str, **payload: object) -> None:
        self.line("event_msg", type=kind, **payload)

    def response(self, kind: str, **payload: object) -> None:
        self.line("response_item", type=kind, **payload)

    def call_id(self) -> str:
        return f"call_{self.rng.getrandbits(80):020x}"

    def meta(self, started: str) -> dict[str, object]:
        return {
            "id": self.script.session_id,
            "timestamp": started,
            "cwd": self.script.cwd,
            "originator": "codex_exec" if self.script.headless else "codex-tui",
            "cli_version": self.version,
            "source": "exec" if self.script.headless else "cli",
            "model_provider": "openai",
            "git": {"commit_hash": "0" * 40, "branch": self.script.branch},
        }

    @abstractmethod
    def harness(self, text: str, kind: str) -> None: ...

    @abstractmethod
    def start_turn(self) -> None: ...

    @abstractmethod
    def user(self, text: str) -> None: ...

    @abstractmethod
    def agent(self, text: str) -> None: ...

    @abstractmethod
    def command(self, command: str, tool: Tool) -> None: ...

    @abstractmethod
    def edit(self, tool: Tool) -> None: ...

    @abstractmethod
    def aborted(self, command: str) -> None: ...


class _Paginated(_Rollout):
    """0.169: everything people see is an `item_completed`."""

    version = "0.169.0"

    def line(self, kind: str, **payload: object) -> None:
        super().line(kind, **payload)
        self.records[-1]["ordinal"] = len(self.records) - 1

    def meta(self, started: str) -> dict[str, object]:
        more: dict[str, object] = {
            "session_id": self.script.session_id,
            "thread_source": "user",
            "history_mode": "paginated",
            "base_instructions": {"text": "You are a coding agent. Always use rg. Never use git reset."},
        }
        return super().meta(started) | more

    def message(self, role: str, text: str, kind: str, source: str) -> None:
        content = {"type": "output_text" if role == "assistant" else "input_text", "text": text}
        passed = {
            "turn_id": self.turn_id,
            "content_item_kinds": [kind],
            "content_item_metadata": [{"provenance": {"type": source}}],
        }
        name = "msg_" + new_uuid(self.rng)
        self.response(
            "message",
            id=name,
            role=role,
            content=[content],
            internal_chat_message_metadata_passthrough=passed,
        )

    def item(self, **item: object) -> None:
        at_ms = int(self.clock.at.timestamp() * 1000)
        self.event(
            "item_completed",
            thread_id=self.script.session_id,
            turn_id=self.turn_id,
            item=item,
            started_at_ms=at_ms,
            completed_at_ms=at_ms,
        )

    def harness(self, text: str, kind: str) -> None:
        self.message("user", text, kind, "harness")

    def start_turn(self) -> None:
        self.turn_id = new_uuid(self.rng)
        self.event("task_started", turn_id=self.turn_id, started_at=int(self.clock.at.timestamp()))
        model = "gpt-6" if self.script.code_mode else "gpt-5.5"
        self.line("turn_context", turn_id=self.turn_id, cwd=self.script.cwd, model=model)

    def user(self, text: str) -> None:
        self.message("user", text, "user.text", "user")
        content = [{"type": "text", "text": text, "text_elements": []}]
        self.item(type="UserMessage", id=new_uuid(self.rng), client_id=new_uuid(self.rng), content=content)

    def agent(self, text: str) -> None:
        self.item(type="AgentMessage", id=new_uuid(self.rng), content=[{"type": "Text", "text": text}])
        self.message("assistant", text, "unknown", "model")

    def asked(self, command: str) -> str:
        """The model's own call; returns its id."""
        call_id = self.call_id()
        if self.script.code_mode:
            code = f"const r = await tools.exec_command({json.dumps({'cmd': command})}); text(r);"
            self.response("custom_tool_call", call_id=call_id, name="exec", namespace="functions", input=code)
        else:
            arguments = json.dumps({"cmd": command})
            self.response("function_call", name="exec_command", arguments=arguments, call_id=call_id)
        return call_id

    def answered(self, call_id: str, text: str) -> None:
        if self.script.code_mode:
            output = [{"type": "input_text", "text": f"Script completed\nOutput:\n{text}"}]
            self.response("custom_tool_call_output", call_id=call_id, output=output)
        else:
            self.response("function_call_output", call_id=call_id, output=text)

    def command(self, command: str, tool: Tool) -> None:
        call_id = self.asked(command)
        output = (tool.output or "ok") + "\n"
        self.item(
            type="CommandExecution",
            id=("exec-" + new_uuid(self.rng)) if self.script.code_mode else call_id,
            command=["/bin/bash", "-lc", command],
            cwd=f"file://{self.script.cwd}",
            source="unified_exec_startup",
            status="failed" if tool.exit_code else "completed",
            aggregated_output=output,
            exit_code=tool.exit_code,
            duration={"secs": 0, "nanos": 250_000_000},
        )
        self.answered(call_id, f"Process exited with code {tool.exit_code}\n{output}")

    def edit(self, tool: Tool) -> None:
        call_id = self.call_id()
        patch = _patch(tool)
        if self.script.code_mode:
            code = f"text(await tools.apply_patch({json.dumps(patch)}));"
            self.response("custom_tool_call", call_id=call_id, name="exec", namespace="functions", input=code)
        else:
            self.response("custom_tool_call", call_id=call_id, name="apply_patch", input=patch)
        change = {"type": "update", "unified_diff": f"@@ -1 +1 @@\n-\n+{tool.text}\n", "move_path": None}
        self.item(
            type="FileChange",
            id=call_id,
            changes={_absolute(tool.target, self.script.cwd): change},
            status="completed",
            stdout=f"Success. Updated the following files:\nM {tool.target}\n",
            stderr="",
        )
        self.answered(call_id, "{}")

    def aborted(self, command: str) -> None:
        call_id = self.asked(command)
        if self.script.code_mode:
            said = "aborted by user after 6.2s"
            self.response("custom_tool_call_output", call_id=call_id, output=said)
        else:
            self.answered(call_id, "Wall time: 6.2 seconds\naborted by user")
        self.message("user", _ABORTED, "generic.turn_aborted", "harness")
        self.event("turn_aborted", turn_id=self.turn_id, reason="interrupted")


class _Legacy(_Rollout):
    """0.77: `user_message` and `agent_message` events, results as JSON text."""

    version = "0.77.0"

    def meta(self, started: str) -> dict[str, object]:
        return super().meta(started) | {"instructions": "Always be brief."}

    def message(self, role: str, text: str) -> None:
        content = {"type": "output_text" if role == "assistant" else "input_text", "text": text}
        self.response("message", role=role, content=[content])

    def harness(self, text: str, kind: str) -> None:  # noqa: ARG002  (old files do not mark the kind)
        self.message("user", text)

    def start_turn(self) -> None:
        self.line("turn_context", cwd=self.script.cwd, approval_policy="on-request", model="gpt-5.5")

    def user(self, text: str) -> None:
        self.message("user", text)
        self.event("user_message", message=text, images=[])

    def agent(self, text: str) -> None:
        self.event("agent_message", message=text)
        self.message("assistant", text)

    def asked(self, command: str) -> str:
        call_id = self.call_id()
        arguments = json.dumps({"command": ["bash", "-lc", command]})
        self.response("function_call", name="shell", arguments=arguments, call_id=call_id)
        return call_id

    def command(self, command: str, tool: Tool) -> None:
        call_id = self.asked(command)
        result = {
            "output": (tool.output or "ok") + "\n",
            "metadata": {"exit_code": tool.exit_code, "duration_seconds": 0.2},
        }
        self.response("function_call_output", call_id=call_id, output=json.dumps(result))

    def edit(self, tool: Tool) -> None:
        call_id = self.call_id()
        self.response("custom_tool_call", name="apply_patch", call_id=call_id, input=_patch(tool))
        change = {"update": {"unified_diff": f"@@\n-\n+{tool.text}\n", "move_path": None}}
        self.event(
            "patch_apply_end",
            call_id=call_id,
            success=True,
            stdout="",
            stderr="",
            changes={_absolute(tool.target, self.script.cwd): change},
        )
        self.response("custom_tool_call_output", call_id=call_id, output='{"output":"Success."}')

    def aborted(self, command: str) -> None:
        call_id = self.asked(command)
        self.response("function_call_output", call_id=call_id, output="aborted by user")
        self.message("user", _ABORTED)
        self.event("turn_aborted", reason="interrupted")


def _command(tool: Tool) -> str:
    """Codex looks with the shell, so every tool but an edit is a command."""
    match tool.kind:
        case "read":
            return f"sed -n '1,200p' {tool.target}"
        case "search":
            return f"rg -n {json.dumps(tool.target)}"
        case "fetch":
            return f"curl -sL {tool.target}"
        case "edit":
            return f"apply_patch <<'PATCH'\n{_patch(tool)}\nPATCH"
        case "run":
            return tool.target


def _patch(tool: Tool) -> str:
    return f"*** Begin Patch\n*** Update File: {tool.target}\n@@\n-\n+{tool.text}\n*** End Patch"


def _absolute(path: str, cwd: str) -> str:
    return path if path.startswith("/") else f"{cwd}/{path}"
