"""What each client reads, where: its MCP server, its skill, its hooks."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from skillopt.errors import BackendError, ConfigError
from skillopt_sleep.home import HOME_VARIABLE, StateHome
from skillopt_sleep.install import live
from skillopt_sleep.install.config_text import find
from skillopt_sleep.install.edit import Keys
from skillopt_sleep.install.engine import engine_file
from skillopt_sleep.install.payload import (
    MARKETPLACE,
    NAME,
    ON_END,
    ON_START,
    SKILL,
    file_of_plugin,
    whole_plugin,
)
from skillopt_sleep.install.wiring import Entry, OwnFile, Syntax, Wiring
from skillopt_sleep.programs import find_program
from skillopt_sleep.sources.vscode_places import PRODUCTS, user_folders

PLUGIN_FOLDER = "plugin"
"""In the state home: the copy of the plugin that clients run from."""

_PLUGIN = f"{NAME}@{MARKETPLACE}"
_HOOK_SECONDS = 3
_FORWARDED = (
    "CLAUDE_CONFIG_DIR", "CODEX_HOME", "COPILOT_HOME", "XDG_CONFIG_HOME",
)  # fmt: skip
"""Where transcripts are; a client that strips the environment of its servers has to let them through."""
_BARE = MappingProxyType({"PYTHONPATH": "", "PYTHONHOME": "", "PYTHONSAFEPATH": "1"})
"""For a client that hands its own environment on: no Python file of the folder one works in is imported."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What wiring depends on: the state home, the program, the environment, the user's home folder."""

    home: StateHome
    program: Path
    env: Mapping[str, str]
    user_home: Path
    has_hooks: bool = False

    def folder(self, variable: str, usual: str) -> Path:
        """The folder of a client: named by its variable, else the usual one. Raises ConfigError for a
        relative one, which would be another in every folder."""
        named = Path(self.env.get(variable) or self.user_home / usual)
        if not named.is_absolute():
            raise ConfigError(
                f"{variable} is {str(named)!r}",
                why="a relative folder is another one in every place",
                next=f"set {variable} to an absolute folder, or unset it",
            )
        return named

    @property
    def server(self) -> dict[str, Any]:
        """The command of the MCP server."""
        place = [] if self.home.is_default else ["--home", str(self.home.path)]
        return {"command": str(self.program), "args": ["mcp", *place]}

    def hook(self, name: str, *arguments: str) -> str:
        """A shell command that runs a hook of the plugin copy."""
        place = "" if self.home.is_default else f"{HOME_VARIABLE}={shlex.quote(str(self.home.path))} "
        script = self.home.path / PLUGIN_FOLDER / name
        return place + shlex.join(["sh", str(script), *arguments])

    def hook_files(self) -> Iterator[OwnFile]:
        """The hooks of the plugin, in the state home."""
        for name in (ON_START, ON_END):
            yield file_of_plugin(name, self.home.path / PLUGIN_FOLDER / name)


def claude(around: Surroundings) -> Wiring:
    """The plugin, from a copy in the state home that the settings name as a marketplace.

    It is what `claude plugin marketplace add` and `plugin install` write there, but for the layout of the
    file, which they lose; the client does the rest when it starts.
    """
    config = around.folder("CLAUDE_CONFIG_DIR", ".claude")
    settings, copy = config / "settings.json", around.home.path / PLUGIN_FOLDER
    source = {"source": _source(around)}
    remove = f"`claude plugin marketplace remove {MARKETPLACE}` takes it out."
    entries = [
        Entry(settings, "json", ("extraKnownMarketplaces", MARKETPLACE), source, by_hand=remove),
        Entry(
            settings, "json", ("enabledPlugins", _PLUGIN), True, by_hand=f"`claude plugin enable {_PLUGIN}`."
        ),
    ]
    if not around.home.is_default:
        entries.append(Entry(settings, "json", ("env", HOME_VARIABLE), str(around.home.path)))
    notes = ["Claude Code loads the plugin when it starts the next time: /skillopt-sleep status"]
    files = list(whole_plugin(copy))
    if (
        other := _other_source(settings, ("extraKnownMarketplaces", MARKETPLACE), _source(around))
    ) is not None:
        # The plugin is the same, and finds the program that is recorded here.
        entries, files = [], []
        install = f"`claude plugin install {_PLUGIN}` if it is not installed yet"
        notes = [f"Claude Code knows a marketplace {MARKETPLACE} already, from {other}: it stays. {install}."]
    return _wiring("claude", around, entries, files, notes)


def claude_leftovers(around: Surroundings) -> tuple[Entry, ...]:
    """What Claude Code notes of a plugin by itself, and keeps when the settings no longer name it."""
    folder = around.folder("CLAUDE_CONFIG_DIR", ".claude") / "plugins"
    if _other_source(folder / "known_marketplaces.json", (MARKETPLACE,), _source(around)) is not None:
        return ()
    return (
        Entry(folder / "known_marketplaces.json", "json", (MARKETPLACE,), None),
        Entry(folder / "installed_plugins.json", "json", ("plugins", _PLUGIN), None),
    )


def _source(around: Surroundings) -> dict[str, str]:
    """Where the marketplace comes from, as Claude Code says it."""
    return {"source": "directory", "path": str(around.home.path / PLUGIN_FOLDER)}


def _other_source(path: Path, keys: Keys, ours: dict[str, str]) -> str | None:
    """Where the marketplace of our name at `keys` comes from, None when there is none but ours; what cannot
    be read is for the plan to refuse."""
    found = _found(path, "json", keys)[1]
    source = found.get("source") if isinstance(found, dict) else None
    if not isinstance(source, dict) or source == ours:
        return None
    return str(source.get("repo") or source.get("url") or source.get("path") or "elsewhere")


def codex(around: Surroundings) -> Wiring:
    """The MCP server, the skill, and hooks if asked for."""
    folder = around.folder("CODEX_HOME", ".codex")
    by_hand = f"`codex mcp remove {NAME}` takes it out."
    server = {**around.server, "env_vars": list(_FORWARDED)}
    entries = [Entry(folder / "config.toml", "toml", ("mcp_servers", NAME), server, by_hand=by_hand)]
    files = [file_of_plugin(SKILL, folder / SKILL)]
    notes = []
    if around.has_hooks:
        hooks = folder / "hooks.json"
        for event, name in (("SessionStart", ON_START), ("SessionEnd", ON_END)):
            arguments = ("codex",) if name == ON_END else ()
            command = {"type": "command", "command": around.hook(name, *arguments), "timeout": _HOOK_SECONDS}
            matcher = {"matcher": "startup|resume"} if name == ON_START else {}
            item = {**matcher, "hooks": [command]}
            entries.append(Entry(hooks, "json", ("hooks", event), item, is_item=True))
        files += around.hook_files()
        notes.append(
            "Codex runs no hook that you have not approved: start `codex`, look at the two it asks about "
            "(`/hooks` shows them), and approve them. `codex exec` skips them silently until then."
        )
    notes += _said_twice(
        folder / "config.toml", "toml", ("plugins", _PLUGIN), f"codex plugin remove {_PLUGIN}"
    )
    return _wiring("codex", around, entries, files, notes)


def copilot(around: Surroundings) -> Wiring:
    """The MCP server, the skill, and hooks if asked for."""
    folder = around.folder("COPILOT_HOME", ".copilot")
    by_hand = f"`copilot mcp remove {NAME}` takes it out."
    server = {"type": "local", **around.server, "env": dict(_BARE), "tools": ["*"]}
    entries = [Entry(folder / "mcp-config.json", "jsonc", ("mcpServers", NAME), server, by_hand=by_hand)]
    files = [file_of_plugin(SKILL, folder / SKILL)]
    if around.has_hooks:
        hooks = {
            event: [{"type": "command", "bash": around.hook(*words), "timeoutSec": _HOOK_SECONDS}]
            for event, words in (("sessionStart", (ON_START,)), ("sessionEnd", (ON_END, "copilot")))
        }
        told = json.dumps({"version": 1, "hooks": hooks}, indent=2) + "\n"
        files += [OwnFile(folder / "hooks" / f"{NAME}.json", told.encode()), *around.hook_files()]
    settings, remove = folder / "settings.json", f"copilot plugin uninstall {_PLUGIN}"
    notes = _said_twice(settings, "jsonc", ("enabledPlugins", _PLUGIN), remove)
    return _wiring("copilot", around, entries, files, notes)


def vscode(around: Surroundings) -> Wiring:
    """The MCP server in the profile of every product that is there, and the skill where they all read it.

    Raises BackendError when none is there.
    """
    folders = [folder for folder in user_folders(around.env, around.user_home) if folder.is_dir()]
    if not folders:
        (usual,) = user_folders(around.env, around.user_home)
        raise BackendError(
            "no VS Code was found",
            why=f"none of {', '.join(PRODUCTS)} keeps its settings here; {usual} is not there",
            next="start it once, then run the same command again",
        )
    server = {"type": "stdio", **around.server, "env": dict(_BARE)}
    entries = [Entry(folder / "mcp.json", "jsonc", ("servers", NAME), server) for folder in folders]
    skills = around.folder("COPILOT_HOME", ".copilot")
    notes = ["VS Code asks whether you trust the server when a chat starts it for the first time."]
    return _wiring("vscode", around, entries, [file_of_plugin(SKILL, skills / SKILL)], notes)


def _said_twice(path: Path, syntax: Syntax, keys: Keys, remove: str) -> list[str]:
    """A note when the client has the plugin too, which brings the same."""
    told = (
        f"The plugin {_PLUGIN} is installed too and brings the same: keep one, `{remove}` takes that one out."
    )
    return [told] if _found(path, syntax, keys)[0] else []


def _found(path: Path, syntax: Syntax, keys: Keys) -> tuple[bool, Any]:
    """Whether something is at `keys`, and what; nothing in what cannot be read, which is for the plan to
    refuse."""
    try:
        real = live.real_path(path)
        return find(live.decoded(real, live.read(real)), syntax, keys)
    except (ConfigError, ValueError, RecursionError):
        return False, None


def _wiring(
    client: str, around: Surroundings, entries: list[Entry], files: list[OwnFile], notes: list[str]
) -> Wiring:
    if client != "vscode" and find_program(client, around.env) is None:
        notes = [*notes, f"{client} is not on the PATH; what was written is read once it is installed."]
    engine = engine_file(around.home, around.program)
    return Wiring(client, tuple(entries), (*files, engine), tuple(notes))


CLIENTS: Mapping[str, Callable[[Surroundings], Wiring]] = MappingProxyType(
    {"claude": claude, "codex": codex, "copilot": copilot, "vscode": vscode}
)
