"""`skillopt-sleep install` in the real clients: they read what is written; an uninstall leaves nothing."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from git_server import ROOT
from harnesses import HARNESSES, PLUGIN, Asked, Copilot, Harness
from npm import Npm
from story import begin, engine, files, queued

pytestmark = [pytest.mark.e2e, pytest.mark.network, pytest.mark.xdist_group("npm-clients")]

_HOOK = {"claude": (), "codex": ("--hook",), "copilot": ("--hook",)}


@dataclass(frozen=True)
class Wired:
    harness: Harness
    before: dict[str, bytes]
    again: Any
    listed: dict[str, str]
    status: Any
    asked: Asked
    queue: dict[str, Any]
    after: dict[str, bytes]


@pytest.fixture(scope="module", params=sorted(HARNESSES))
def wired(request: pytest.FixtureRequest, clients: Npm, tmp_path_factory: pytest.TempPathFactory) -> Wired:
    name = request.param
    harness = begin(HARNESSES[name], clients, tmp_path_factory.mktemp(name) / "home")
    home = harness.home
    with harness.server:
        before = files(home)
        installed(harness, "install", *_HOOK[name])
        again = engine(home, "install", name, *_HOOK[name])
        listed = harness.listings()
        status = engine(home, "status")
        asked = harness.ask("what did it learn?")
        queue = queued(home)
        installed(harness, "uninstall")
        return Wired(harness, before, again, listed, status, asked, queue, files(home))


def installed(harness: Harness, *words: str) -> None:
    """By the command; for Codex by the script, which finds the command."""
    if harness.name != "codex":
        act, *more = words
        engine(harness.home, act, harness.name, *more)
        return
    script = ROOT / "plugins" / "codex" / "install.sh"
    done = subprocess.run(
        ["sh", script, *words], env=harness.env, cwd=harness.project, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_client_lists_what_was_installed(wired: Wired) -> None:
    # Claude Code lists what its own command installed, and tells of the rest in the session that loads it.
    assert PLUGIN in wired.listed.get("servers", wired.asked.told)
    assert wired.again["changed"] is False


def test_a_tool_call_gets_the_true_answer(wired: Wired) -> None:
    told = wired.asked.result()
    for what in ("schema", "home", "waiting", "last_night", "ledger"):
        assert told[what] == wired.status[what], what


def test_the_end_of_the_session_is_queued(wired: Wired) -> None:
    assert wired.queue.keys() == {f"{wired.harness.name}-{wired.asked.session}.json"}


def test_the_start_of_a_session_says_what_waits(wired: Wired) -> None:
    said = wired.harness.noted(wired.asked)
    assert said is None or "skillopt-sleep: 2 proposals wait for your review." in said


def test_an_uninstall_leaves_every_byte_that_the_person_set_and_no_trace(wired: Wired) -> None:
    for path in wired.harness.set_by_person():
        assert wired.after[path] == wired.before[path], path
    changed = {path for path, content in wired.after.items() if wired.before.get(path) != content}
    ours = {path for path in changed if b"skillopt" in wired.after[path] or "skillopt" in path}
    assert not {path for path in ours if not path.startswith(wired.harness.remembers)}
    assert not wired.before.keys() - wired.after.keys()


def test_nothing_of_the_folder_one_works_in_is_run(wired: Wired) -> None:
    assert not (wired.harness.home / "evil").exists()


def test_a_server_that_is_configured_by_hand_becomes_the_engine(
    clients: Npm, tmp_path_factory: pytest.TempPathFactory
) -> None:
    harness = begin(Copilot, clients, tmp_path_factory.mktemp("by-hand") / "home")
    script = ROOT / "plugins" / "copilot" / "mcp_server.py"
    with harness.server:
        harness.run("mcp", "add", PLUGIN, "--", sys.executable, "-I", str(script))
        told = harness.ask("what did it learn?").result()
    assert told["waiting"] == engine(harness.home, "status")["waiting"]
    assert not (harness.home / "evil").exists()
