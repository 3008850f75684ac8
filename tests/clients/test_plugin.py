"""The plugin in the real clients: from a git marketplace, with a scripted model, in a home of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from git_server import ROOT
from harnesses import HARNESSES, MARKET, PLUGIN
from npm import Npm
from story import Story, tell

from skillopt import __version__

pytestmark = [pytest.mark.e2e, pytest.mark.network, pytest.mark.xdist_group("npm-clients")]

SKILL = ROOT / "plugins" / "claude-code" / "skills" / PLUGIN


@pytest.fixture(scope="module", params=sorted(HARNESSES))
def story(
    request: pytest.FixtureRequest, clients: Npm, marketplace: str, tmp_path_factory: pytest.TempPathFactory
) -> Story:
    home = tmp_path_factory.mktemp(request.param) / "home"
    return tell(HARNESSES[request.param], clients, home, marketplace)


def words(story: Story, what: str) -> str:
    """All that the model was sent in a session."""
    return json.dumps([request.body for request in getattr(story, what).requests])


def test_the_plugin_is_listed_with_all_its_parts(story: Story) -> None:
    plugins = story.listed["plugins"]
    assert PLUGIN in plugins
    assert MARKET in plugins
    assert __version__ in plugins
    for what, told in story.listed.items():
        assert PLUGIN in told, what
        assert PLUGIN not in story.uninstalled[what], what
    commands = story.harness.commands(story.asked)
    assert commands is None or {f"{PLUGIN}:{PLUGIN}", f"{PLUGIN}:sleep"} < commands


def test_the_model_is_told_of_the_skill(story: Story) -> None:
    said = (SKILL / "SKILL.md").read_text().split('description: "')[1][:60]
    assert said in words(story, "asked")


def test_naming_the_skill_gives_the_model_its_body(story: Story) -> None:
    body = (SKILL / "SKILL.md").read_text().split("## Answer")[1].strip().split("\n")[0]
    assert body in words(story, "slashed")
    assert body not in words(story, "asked")


def test_the_plugin_finds_the_clone_that_the_client_made_of_the_marketplace(story: Story) -> None:
    """An engine is installed from there."""
    clone = Path(story.source)
    assert story.harness.home / f".{story.harness.name}" in clone.parents
    assert "marketplaces" in clone.parts


def test_a_tool_call_gets_the_true_answer(story: Story) -> None:
    assert len(story.status["waiting"]) == 2
    for asked in (story.asked, story.slashed):
        told = asked.result()
        for what in ("schema", "home", "waiting", "last_night", "ledger"):
            assert told[what] == story.status[what], what


def test_the_end_of_a_session_is_queued_and_the_session_is_read(story: Story) -> None:
    name, sessions = story.harness.name, {story.asked.session, story.slashed.session}
    assert len(sessions) == 2
    assert story.queue.keys() == {f"{name}-{session}.json" for session in sessions}
    for entry in story.queue.values():
        assert (entry["schema"], entry["client"]) == ("queued/1", name)
    assert story.own.session not in sessions  # it ran, and left no note
    assert sessions <= {session["id"] for session in story.harvested["sessions"]}


def test_nothing_of_the_folder_one_works_in_is_run(story: Story) -> None:
    assert not (story.harness.home / "evil").exists()


def test_an_uninstall_leaves_what_the_person_set(story: Story) -> None:
    for path in story.harness.set_by_person():
        before, after = story.before[path], story.after[path]
        if after != before:
            # Claude Code and Copilot write their settings again, with two empty tables of their own.
            assert path.endswith("settings.json")
            left = json.loads(after)
            for table in ("enabledPlugins", "extraKnownMarketplaces"):
                assert left.pop(table) == {}
            assert left == json.loads(before)


def test_an_uninstall_leaves_no_trace_but_in_what_the_client_remembers(story: Story) -> None:
    changed = {path for path, content in story.after.items() if story.before.get(path) != content}
    ours = {path for path in changed if b"skillopt" in story.after[path] or "skillopt" in path}
    assert not {path for path in ours if not path.startswith(story.harness.remembers)}
    assert not story.before.keys() - story.after.keys()


def test_the_start_of_a_session_says_what_waits(story: Story) -> None:
    said = story.harness.noted(story.asked)
    if said is None:  # Codex shows it in its terminal only
        assert story.harness.name == "codex"
        return
    assert "skillopt-sleep: 2 proposals wait for your review." in said
    assert "proposals wait" not in str(story.harness.noted(story.own))


def test_the_plugin_folder_is_a_marketplace_too(clients: Npm, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    claude = clients.bin("claude")
    check([claude, "plugin", "marketplace", "add", "./plugins/claude-code"], env)
    check([claude, "plugin", "install", f"{PLUGIN}@{MARKET}"], env)
    told = check([claude, "plugin", "details", f"{PLUGIN}@{MARKET}"], env)
    for part in ("Hooks (2)  SessionStart, SessionEnd", f"MCP servers (1)  {PLUGIN}", f"  {PLUGIN}, sleep"):
        assert part in told


def test_the_manifests_and_the_skill_are_valid(clients: Npm, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    for folder in (ROOT, SKILL.parents[1]):
        check([clients.bin("claude"), "plugin", "validate", "--strict", folder], env)
    check([Path(sys.executable).with_name("agentskills"), "validate", SKILL], env)


def check(command: list[Any], env: dict[str, str]) -> str:
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
