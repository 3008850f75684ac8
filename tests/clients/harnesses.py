"""Claude Code, Codex and Copilot as users run them, each in a home of its own, with a scripted model."""

from __future__ import annotations

import json
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from npm import Npm

from skillopt.testing import Answer, ModelServer, ServerRequest, ToolCall

PLUGIN, MARKET = "skillopt-sleep", "skillopt"
KEY = "a-key-of-no-account"
_SAID = "that is all"
_AT_ONCE = ("call_status", "call_skill", "call_search_0", "toolu_search", "toolu_status")
_PATIENCE = 20


@dataclass(frozen=True)
class Asked:
    """What became of one prompt: the session it made, what the client told, what the model was sent."""

    session: str
    told: str
    events: tuple[dict[str, Any], ...]
    requests: tuple[ServerRequest, ...]

    def result(self) -> Any:
        """What the tool answered, as the model got it."""
        return json.loads(_tool_result(self.requests[-1].body))


@dataclass
class Harness(ABC):
    """One client. `env` is all of the environment that it sees."""

    npm: Npm
    home: Path
    project: Path
    path: str
    env: dict[str, str] = field(init=False)
    server: ModelServer = field(init=False)

    name: ClassVar[str]
    remembers: ClassVar[tuple[str, ...]]
    """Where the client keeps, after an uninstall too, what it did and what it had: sessions, logs, caches."""

    def __post_init__(self) -> None:
        self.server = ModelServer(self._respond)
        scratch = self.home / "tmp"
        scratch.mkdir()
        self.env = {"HOME": str(self.home), "PATH": self.path, "LANG": "C.UTF-8", "TMPDIR": str(scratch)}
        for name, text in self.set_by_person().items():
            path = self.home / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def run(self, *words: str, more: Mapping[str, str] | None = None) -> str:
        """What the client says to a command of its own."""
        done = subprocess.run(
            [self.npm.bin(self.name), *words],
            env={**self.env, **(more or {})}, cwd=self.project, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, (
            f"{self.name} {' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
        return done.stdout

    def ask(self, prompt: str, *, more: Mapping[str, str] | None = None) -> Asked:
        """A session with one prompt. The model calls `sleep_status` where it is offered, and then ends."""
        before = len(self.server.requests)
        told = self.run(*self.asking(prompt), more=more)
        events = tuple(json.loads(line) for line in told.splitlines() if line.startswith("{"))
        assert not self.server.errors
        requests = tuple(one for one in self.server.requests[before:] if one.body.get("tools"))
        return Asked(self.session_of(events), told, events, requests)

    def _respond(self, request: ServerRequest) -> Answer:
        if _tool_result(request.body) is not None:
            return Answer(_SAID)
        if not request.body.get("tools"):
            return Answer(_SAID)
        call = self.call(request.body)
        # Codex waits a second for a server to start, which on a busy machine is not enough.
        return Answer("", (call,), latency_s=0.0 if call.id in _AT_ONCE else 1.0)

    @abstractmethod
    def set_by_person(self) -> dict[str, str]:
        """The files in the home with what the person set."""

    @abstractmethod
    def listings(self) -> dict[str, str]:
        """What its listings say: of plugins, of skills where it has one, of servers."""

    @abstractmethod
    def slash(self, words: str) -> str:
        """A prompt that names the skill."""

    @abstractmethod
    def install(self, url: str) -> None:
        """The marketplace at a git address, and the plugin from it."""

    @abstractmethod
    def uninstall(self) -> None:
        """Both away again."""

    @abstractmethod
    def asking(self, prompt: str) -> tuple[str, ...]:
        """The words of the command line for a prompt without a terminal."""

    @abstractmethod
    def session_of(self, events: tuple[dict[str, Any], ...]) -> str:
        """The id of the session that the events tell of."""

    def noted(self, asked: Asked) -> str | None:
        """What a hook said for the person, as far as it shows without a terminal: here it does not."""
        return None

    def commands(self, asked: Asked) -> set[str] | None:
        """The commands that were loaded, where the client tells."""
        return None

    @abstractmethod
    def call(self, body: Mapping[str, Any]) -> ToolCall:
        """The call of `sleep_status`, or of what has to come before it."""


class Claude(Harness):
    name = "claude"
    remembers = (".claude.json", ".claude/backups/", ".claude/projects/", ".claude/plugins/cache/")
    tool = f"mcp__plugin_{PLUGIN}_{PLUGIN}__sleep_status"

    def set_by_person(self) -> dict[str, str]:
        text = '{"permissions": {"allow": ["Bash(ls)"]}, "cleanupPeriodDays": 90}\n'
        return {".claude/settings.json": text}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.env |= {
            "ANTHROPIC_BASE_URL": self.server.url.removesuffix("/v1"),
            "ANTHROPIC_API_KEY": KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "MCP_CONNECTION_NONBLOCKING": "0",  # a busy machine starts the server later than the client asks
            "DISABLE_TELEMETRY": "1",
            "DISABLE_AUTOUPDATER": "1",
        }

    def listings(self) -> dict[str, str]:
        return {"plugins": self.run("plugin", "list", "--json")}

    def slash(self, words: str) -> str:
        return f"/{PLUGIN} {words}"

    def install(self, url: str) -> None:
        self.run("plugin", "marketplace", "add", url)
        self.run("plugin", "install", f"{PLUGIN}@{MARKET}")

    def uninstall(self) -> None:
        self.run("plugin", "uninstall", f"{PLUGIN}@{MARKET}")
        self.run("plugin", "marketplace", "remove", MARKET)

    def asking(self, prompt: str) -> tuple[str, ...]:
        told = ("--output-format", "stream-json", "--verbose", "--include-hook-events")
        return ("-p", prompt, *told, "--allowedTools", self.tool)

    def session_of(self, events: tuple[dict[str, Any], ...]) -> str:
        return str(self.init(events)["session_id"])

    def init(self, events: tuple[dict[str, Any], ...]) -> dict[str, Any]:
        """The event that lists what was loaded."""
        return next(event for event in events if event.get("subtype") == "init")

    def noted(self, asked: Asked) -> str:
        return "".join(event["stdout"] for event in asked.events if event.get("subtype") == "hook_response")

    def commands(self, asked: Asked) -> set[str]:
        return set(self.init(asked.events)["slash_commands"])

    def call(self, body: Mapping[str, Any]) -> ToolCall:
        if any("toolu_search" in json.dumps(message) for message in body["messages"]):
            return ToolCall(self.tool, "{}", "toolu_status")
        return ToolCall("ToolSearch", json.dumps({"query": f"select:{self.tool}"}), "toolu_search")


class Codex(Harness):
    name = "codex"
    remembers = (
        ".codex/sessions/",
        ".codex/.tmp/",
        ".codex/state_",
        ".codex/thread_history_",
        ".codex/logs_",
        ".codex/log/",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.env |= {"SOME_KEY": KEY}

    def set_by_person(self) -> dict[str, str]:
        text = f"""\
# what the person wrote
model = "gpt-5.5"
model_provider = "local"
approval_policy = "never"
check_for_update_on_startup = false

[model_providers.local]
name = "local"
base_url = "{self.server.url}"
env_key = "SOME_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0

[analytics]
enabled = false
"""
        return {".codex/config.toml": text}

    def listings(self) -> dict[str, str]:
        return {"plugins": self.run("plugin", "list", "--json"), "servers": self.run("mcp", "list")}

    def slash(self, words: str) -> str:
        return f"${PLUGIN}:{PLUGIN} {words}"

    def install(self, url: str) -> None:
        self.run("plugin", "marketplace", "add", url)
        self.run("plugin", "add", f"{PLUGIN}@{MARKET}")

    def uninstall(self) -> None:
        self.run("plugin", "remove", f"{PLUGIN}@{MARKET}")
        self.run("plugin", "marketplace", "remove", MARKET)

    def asking(self, prompt: str) -> tuple[str, ...]:
        # A hook runs only when a person has looked at it, which needs a terminal.
        return ("exec", "--json", "--dangerously-bypass-hook-trust", prompt)

    def session_of(self, events: tuple[dict[str, Any], ...]) -> str:
        return str(next(event["thread_id"] for event in events if event["type"] == "thread.started"))

    def call(self, body: Mapping[str, Any]) -> ToolCall:
        found = [item for item in body["input"] if item.get("type") == "tool_search_output"]
        if len(found) > _PATIENCE or (found and "sleep_status" in json.dumps(found[-1])):
            return ToolCall("sleep_status", "{}", "call_status", namespace="mcp__skillopt_sleep")
        query = json.dumps({"query": "what skillopt-sleep has learned", "limit": 20})
        return ToolCall("tool_search", query, f"call_search_{len(found)}")


class Copilot(Harness):
    name = "copilot"
    remembers = (
        ".copilot/session-state/",
        ".copilot/session-store.db",
        ".copilot/logs/",
        ".copilot/.cache/copilot/marketplaces/",
    )

    def set_by_person(self) -> dict[str, str]:
        return {
            ".copilot/settings.json": '{\n  "banner": "never"\n}\n',
            ".copilot/mcp-config.json": '// mine\n{"mcpServers": { }}\n',
        }

    def __post_init__(self) -> None:
        super().__post_init__()
        self.env |= {
            "COPILOT_PROVIDER_BASE_URL": self.server.url,
            "COPILOT_PROVIDER_API_KEY": KEY,
            "COPILOT_MODEL": "some-model",
            "COPILOT_OFFLINE": "true",
            "COPILOT_AUTO_UPDATE": "false",
        }

    def listings(self) -> dict[str, str]:
        return {
            "plugins": self.run("plugin", "list"),
            "skills": self.run("skill", "list", "--json"),
            "servers": self.run("mcp", "list"),
        }

    def slash(self, words: str) -> str:
        return f"/{PLUGIN} {words}"

    def install(self, url: str) -> None:
        self.run("plugin", "marketplace", "add", url)
        self.run("plugin", "install", f"{PLUGIN}@{MARKET}")

    def uninstall(self) -> None:
        self.run("plugin", "uninstall", f"{PLUGIN}@{MARKET}")
        self.run("plugin", "marketplace", "remove", MARKET)

    def asking(self, prompt: str) -> tuple[str, ...]:
        return ("-p", prompt, "--output-format", "json", "--allow-tool", PLUGIN)

    def session_of(self, events: tuple[dict[str, Any], ...]) -> str:
        return str(next(event["sessionId"] for event in reversed(events) if "sessionId" in event))

    def noted(self, asked: Asked) -> str:
        return json.dumps([request.body for request in asked.requests])  # the model is to say it

    def call(self, body: Mapping[str, Any]) -> ToolCall:
        # Without a terminal it expands no command: the model reads `/name` and asks for the skill.
        said = json.dumps(body["messages"])
        if f"/{PLUGIN} status" in said and "call_skill" not in said:
            return ToolCall("skill", json.dumps({"skill": PLUGIN}), "call_skill")
        return ToolCall(f"{PLUGIN}-sleep_status", "{}", "call_status")


HARNESSES: dict[str, type[Harness]] = {each.name: each for each in (Claude, Codex, Copilot)}


def _tool_result(body: Mapping[str, Any]) -> str | None:
    """The answer of `sleep_status` in what the model is sent, in whichever protocol."""
    for message in body.get("messages") or body.get("input") or ():
        content = message.get("content")
        if message.get("role") == "tool" and message["tool_call_id"] == "call_status":
            return _text(content)
        if message.get("type") == "function_call_output" and message["call_id"] == "call_status":
            return _text(message["output"]).split("Output:\n", 1)[-1]
        for block in content if isinstance(content, list) else ():
            if block.get("type") == "tool_result" and block["tool_use_id"] == "toolu_status":
                return _text(block["content"])
    return None


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)
