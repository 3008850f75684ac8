from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from skillopt.core.gate import GateDecision
from skillopt_sleep.home import StateHome
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.ledger_rows import Night
from skillopt_sleep.proposal import Lesson, Proposal, Quote, TargetFile, file_sha
from skillopt_sleep.stage import publish, stage

AT = datetime(2026, 11, 1, 3, tzinfo=UTC)


class Outcome(Protocol):
    code: int
    out: str
    err: str
    json: dict[str, Any]


class Machine(Protocol):
    home: Path
    cwd: Path
    state: Path

    def run(self, *arguments: str, cwd: Path | None = None, **env: str) -> Outcome: ...
    def environment(self, **more: str) -> dict[str, str]: ...


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["status", "--json"],
        ["nights"],
        ["nights", "--json"],
        ["config", "show"],
        ["config", "path"],
    ],
)
def test_looking_at_an_empty_home_creates_nothing(machine: Machine, arguments: list[str]) -> None:
    found = machine.run(*arguments)

    assert (found.code, found.err) == (0, "")
    assert sorted(path.name for path in machine.home.iterdir()) == ["work"]


@pytest.mark.parametrize("arguments", [["status"], ["install", "codex"], ["uninstall", "codex"], ["undo"]])
def test_a_state_that_cannot_be_looked_into_is_told(machine: Machine, arguments: list[str]) -> None:
    # What belongs to somebody else fails alike, but not for the superuser, who runs tests too.
    found = machine.run(*arguments, "--home", str(machine.home / ("x" * 300)))
    assert found.code != 0
    assert "next: " in found.err
    assert "Traceback" not in found.err


def test_the_status_of_an_empty_home(machine: Machine) -> None:
    found = machine.run("status", "--json").json

    assert (found["schema"], found["ok"]) == ("skillopt-sleep/status/1", True)
    assert found["home"] == str(machine.state)
    assert found["ledger"]["sessions"] == 0
    assert (found["last_night"], found["waiting"]) == (None, [])
    folders = {source["name"]: source["folders"] for source in found["sources"]}
    assert folders["claude"] == [{"path": str(machine.home / ".claude" / "projects"), "exists": False}]
    assert machine.run("status").out.splitlines()[-1] == "Next: skillopt-sleep harvest --all-projects"


def test_the_status_after_a_night(machine: Machine, claude_session: Callable[..., Path]) -> None:
    for number in range(3):
        claude_session(f"s{number}", machine.cwd, "hello")
    machine.run("harvest", "--all-projects")
    with Ledger.open(machine.state / "ledger.sqlite") as ledger:
        ledger.finish_night(
            Night("night-1", AT, AT + timedelta(seconds=9), verdict="proposed", seconds=9.5, summary="{}"),
            consumed=["s0", "s1"],
        )

    found = machine.run("status", "--json").json

    assert found["ledger"] == {
        "path": str(machine.state / "ledger.sqlite"),
        "files": 3,
        "sessions": 3,
        "human": 3,
        "consumed": 2,
        "projects": 1,
        "nights": 1,
    }
    night = {
        "id": "night-1",
        "started_at": "2026-11-01T03:00:00+00:00",
        "verdict": "proposed",
        "seconds": 9.5,
    }
    assert found["last_night"] == night
    nights = machine.run("nights", "--json").json
    assert nights == {"schema": "skillopt-sleep/nights/1", "ok": True, "nights": [night]}
    assert machine.run("nights").out.splitlines()[-1] == "Next: skillopt-sleep show night-1"


def test_what_waits_for_review_is_told(machine: Machine) -> None:
    new = b"# learned\n"
    quote = Quote("s1", "no, use pnpm")
    proposal = Proposal(
        id="abcd1234",
        project="/p",
        skill="skillopt-sleep-learned",
        kind="managed",
        target=TargetFile("/p/.claude/skills/skillopt-sleep-learned/SKILL.md", exists=False),
        new_sha=file_sha(new),
        lessons=(Lesson("l1", "Use pnpm", "replayed", train=(quote,)),),
        decision=GateDecision("accept", "better", n=3),
        created_at=AT,
        night="night-1",
    )
    stage(StateHome(machine.state), proposal, new)
    publish(StateHome(machine.state), "night-1")

    found = machine.run("status", "--json").json
    told = machine.run("status")

    assert found["waiting"] == [
        {
            "id": "abcd1234",
            "project": "/p",
            "skill": "skillopt-sleep-learned",
            "path": "/p/.claude/skills/skillopt-sleep-learned/SKILL.md",
            "lessons": [{"id": "l1", "text": "Use pnpm", "sessions": ["s1"]}],
        }
    ]
    assert "1 proposal to review" in told.out
    assert told.out.splitlines()[-1] == "Next: skillopt-sleep show"


def test_the_home_may_be_elsewhere(machine: Machine, tmp_path: Path) -> None:
    by_variable = {"SKILLOPT_SLEEP_HOME": str(tmp_path / "variable")}

    machine.run("harvest", **by_variable)
    machine.run("harvest", "--home", "option", **by_variable)

    assert (tmp_path / "variable" / "ledger.sqlite").exists()
    assert (machine.cwd / "option" / "ledger.sqlite").exists()
    assert not machine.state.exists()


def test_a_home_that_is_a_file_is_told(machine: Machine) -> None:
    machine.state.write_text("")

    found = machine.run("harvest", "--json")

    assert found.code == 1
    assert str(machine.state) in found.json["error"]["what"]


def test_settings_come_in_layers(machine: Machine) -> None:
    assert machine.run("config", "set", "since", "30d").code == 0
    set_ = machine.run("config", "set", "sources", "claude,codex", "--json")
    shown = machine.run("config", "show", "--json", SKILLOPT_SLEEP_SINCE="2w").json

    config = machine.state / "config.yaml"
    assert set_.json["settings"][1] == {"key": "sources", "value": ["claude", "codex"], "origin": str(config)}
    assert shown["path"] == str(config)
    assert shown["settings"] == [
        {"key": "projects", "value": [], "origin": "default"},
        {"key": "sources", "value": ["claude", "codex"], "origin": str(config)},
        {"key": "since", "value": "2w", "origin": "SKILLOPT_SLEEP_SINCE"},
        {"key": "skill_tokens", "value": 1500, "origin": "default"},
        {"key": "embedder", "value": "auto", "origin": "default"},
        {"key": "embedder_model", "value": "", "origin": "default"},
        {"key": "recall", "value": "auto", "origin": "default"},
        {"key": "at", "value": "03:00", "origin": "default"},
        {"key": "power", "value": "any", "origin": "default"},
        {"key": "quiet", "value": "off", "origin": "default"},
    ]
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert sorted(path.name for path in machine.state.iterdir()) == ["config.yaml", "delivery.lock"]


def test_settings_bound_what_all_projects_means(
    machine: Machine, claude_session: Callable[..., Path]
) -> None:
    claude_session("in", machine.home / "in", "hello")
    claude_session("out", machine.home / "out", "hello")
    machine.run("config", "set", "projects", "../in")

    found = machine.run("harvest", "--all-projects", "--sessions", "--json").json

    assert [session["id"] for session in found["sessions"]] == ["in"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sourcs: [claude]\n", "did you mean sources?"),
        ("since: 30d\nsince: 60d\n", "twice"),
        ("- a\n", "not a mapping"),
        ("since: [\n", "expected the node content"),
        ("since: 30\n", "neither an age nor a date"),
        ("projects: [web]\n", "is relative"),
        ("projects: 3\n", "a list of folders"),
        ("sources: [gemini]\n", "is not a source"),
    ],
)
def test_a_wrong_configuration_is_refused_and_kept(machine: Machine, text: str, says: str) -> None:
    machine.state.mkdir()
    config = machine.state / "config.yaml"
    config.write_text(text)

    found = machine.run("harvest", "--json")

    assert found.code == 2
    assert says in found.json["error"]["what"] + found.json["error"]["why"]
    assert found.json["error"]["next"]
    assert config.read_text() == text


def test_help_and_status_need_no_heavy_import(machine: Machine) -> None:
    program = (
        "import sys; from skillopt_sleep.cli.main import cli\n"
        "cli.main(sys.argv[1:], standalone_mode=False)\n"
        "heavy = {'numpy', 'yaml', 'rich', 'filelock', 'asyncio', 'anyio'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    for arguments in (["--help"], ["status"], ["nights", "--json"]):
        command = [sys.executable, "-c", program, *arguments]
        done = subprocess.run(
            command, env=machine.environment(), cwd=machine.cwd, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def test_help_lists_every_command_and_each_has_its_own(machine: Machine) -> None:
    whole = machine.run()

    assert whole.code == 0
    assert machine.run("--help").out == whole.out
    for name in ("harvest", "status", "nights", "config"):
        assert f"  {name} " in whole.out
        assert machine.run(name, "--help").code == 0


def test_a_folder_that_is_gone_is_no_obstacle(machine: Machine) -> None:
    gone = machine.cwd / "gone"
    gone.mkdir()
    command = f'rmdir "{gone}"; exec "{Path(sys.executable).with_name("skillopt-sleep")}" harvest --json'

    done = subprocess.run(
        ["sh", "-c", command],
        cwd=gone,
        env=machine.environment(PWD=str(gone)),
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert os.path.basename(str(gone)) in done.stdout  # noqa: PTH119


def test_an_interruption_that_cannot_be_mended_is_told(machine: Machine) -> None:
    (machine.state / "journal" / "x").mkdir(parents=True)
    (machine.state / "journal" / "x" / "plan.json").write_text("{")

    told = machine.run("status")

    assert told.code == 0
    assert "was interrupted, or is going on. To finish it: skillopt-sleep recover" in told.out
    assert machine.run("status", "--json").json["interrupted"] == ["recover"]
    for command in ("run", "adopt", "undo", "recover"):
        assert str(machine.state / "journal" / "x") in machine.run(command).err
