"""What the clients read of the plugin before they run anything: names, one version, files that are there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import skillopt

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "plugins" / "claude-code"
MARKETPLACES = (ROOT / ".claude-plugin" / "marketplace.json", PLUGIN / ".claude-plugin" / "marketplace.json")
MANIFESTS = (PLUGIN / ".claude-plugin" / "plugin.json", PLUGIN / ".codex-plugin" / "plugin.json")


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def tracked() -> dict[str, str]:
    """The mode of each file of the plugin that git has, by its path in the plugin."""
    done = subprocess.run(
        ["git", "ls-files", "--stage", "plugins/claude-code"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip("this is no checkout")
    rows = (line.split("\t") for line in done.stdout.splitlines())
    return {path.removeprefix("plugins/claude-code/"): left.split()[0] for left, path in rows}


def test_there_is_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    stamped = {skillopt.__version__}
    for path in (*MARKETPLACES, *MANIFESTS):
        stamped |= set(re.findall(r'"version": "(.*?)"', path.read_text(encoding="utf-8")))
    assert stamped == {project["version"]}


def test_a_marketplace_leads_to_the_plugin_from_either_folder() -> None:
    for path in MARKETPLACES:
        market = read(path)
        (plugin,) = market["plugins"]
        assert (market["name"], plugin["name"]) == ("skillopt", "skillopt-sleep")
        assert (path.parent.parent / plugin["source"]).resolve() == PLUGIN
        assert plugin["version"] == read(MANIFESTS[0])["version"]


def test_everything_is_named_alike() -> None:
    assert {read(path)["name"] for path in MANIFESTS} == {"skillopt-sleep"}
    assert [path.name for path in (PLUGIN / "skills").iterdir()] == ["skillopt-sleep"]
    for name in (".mcp.json", "codex.mcp.json"):
        assert list(read(PLUGIN / name)["mcpServers"]) == ["skillopt-sleep"]
    assert read(MANIFESTS[1])["mcpServers"] == "./codex.mcp.json"
    # Clients offer skills and commands in one list: a command of the skill's name would hide it.
    assert [path.stem for path in (PLUGIN / "commands").iterdir()] == ["sleep"]


def test_every_file_a_manifest_names_is_tracked() -> None:
    named = {"codex.mcp.json"}
    texts = [(PLUGIN / name).read_text(encoding="utf-8") for name in (".mcp.json", "hooks/hooks.json")]
    named |= {path for text in texts for path in re.findall(r"\$\{CLAUDE_PLUGIN_ROOT\}/([\w./-]+)", text)}
    (server,) = read(PLUGIN / "codex.mcp.json")["mcpServers"].values()
    named.add(server["args"][0].removeprefix("./"))
    assert len(named) == 4
    assert named <= set(tracked())


def test_the_tree_survives_every_client() -> None:
    modes = tracked()
    # Codex drops links; a plugin.json at the root turns the hooks of two clients off.
    assert set(modes.values()) <= {"100644", "100755"}
    assert "plugin.json" not in modes
    for path, mode in modes.items():
        is_run = (PLUGIN / path).read_bytes().startswith(b"#!")
        assert (mode == "100755") == is_run, path
    assert (PLUGIN / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_hooks_are_as_quick_as_the_clients_want() -> None:
    for hook in hooks():
        assert hook["type"] == "command"
        assert hook["timeout"] <= 3  # Codex allows no more at the end of a session


def test_the_skill_is_valid() -> None:
    validate = Path(sys.executable).with_name("agentskills")
    done = subprocess.run(
        [validate, "validate", PLUGIN / "skills" / "skillopt-sleep"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    text = (PLUGIN / "skills" / "skillopt-sleep" / "SKILL.md").read_text(encoding="ascii")
    assert len(text.partition("description: ")[2].partition("\n")[0]) < 1024


def test_the_skill_names_the_tools_that_there_are() -> None:
    from skillopt_sleep.mcp_server.tools import TOOLS

    text = (PLUGIN / "skills" / "skillopt-sleep" / "SKILL.md").read_text(encoding="ascii")
    words = re.findall(r"\w+", (PLUGIN / "commands" / "sleep.md").read_text().partition("argument-hint")[2])
    assert set(re.findall(r"`(sleep_\w+)`", text)) <= {tool.name for tool in TOOLS}
    for word in ("status", "run", "tasks", "show", "adopt", "undo", "schedule", "doctor"):
        assert f"| `{word}`" in text
        assert word in words


def test_what_clients_start_does_not_depend_on_a_path() -> None:
    started = [hook["command"].split()[0] for hook in hooks()]
    for name in (".mcp.json", "codex.mcp.json"):
        started += [server["command"] for server in read(PLUGIN / name)["mcpServers"].values()]
    assert started == ["/bin/sh"] * 4


def hooks() -> list[Any]:
    events = read(PLUGIN / "hooks" / "hooks.json")["hooks"].values()
    return [hook for (rule,) in events for hook in rule["hooks"]]
