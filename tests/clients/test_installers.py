"""`skillopt-sleep install` in the real clients: they read what is written; an uninstall leaves nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from harnesses import HARNESSES, PLUGIN, Asked, Harness
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
        engine(home, "install", name, *_HOOK[name])
        again = engine(home, "install", name, *_HOOK[name])
        listed = harness.listings()
        status = engine(home, "status")
        asked = harness.ask("what did it learn?")
        queue = queued(home)
        engine(home, "uninstall", name)
        return Wired(harness, before, again, listed, status, asked, queue, files(home))


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


def test_an_uninstall_leaves_every_byte_that_the_person_set_and_no_trace(wired: Wired) -> None:
    for path in wired.harness.set_by_person():
        assert wired.after[path] == wired.before[path], path
    changed = {path for path, content in wired.after.items() if wired.before.get(path) != content}
    ours = {path for path in changed if b"skillopt" in wired.after[path] or "skillopt" in path}
    assert not {path for path in ours if not path.startswith(wired.harness.remembers)}
    assert not wired.before.keys() - wired.after.keys()


def test_nothing_of_the_folder_one_works_in_is_run(wired: Wired) -> None:
    assert not (wired.harness.home / "evil").exists()
