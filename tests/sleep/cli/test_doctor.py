"""The doctor sees what is wrong, says what to do, works when everything is broken, and changes nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest

from skillopt_sleep.doctor.ledger import looking
from skillopt_sleep.ledger import Ledger
from skillopt_sleep.migrations import MIGRATIONS, VERSION
from skillopt_sleep.programs import find_program, version_of
from skillopt_sleep.runlock import run_lock

AT = datetime(2026, 11, 1, tzinfo=UTC)
Write = Callable[..., Path]


class Machine(Protocol):
    home: Path
    cwd: Path
    state: Path

    def run(self, *arguments: str, cwd: Path | None = None, **env: str) -> Any: ...
    def environment(self, **more: str) -> dict[str, str]: ...


def checks(machine: Machine, *words: str, **env: str) -> dict[str, dict[str, str]]:
    """The checks by name, the worst of a name; they are told in text as in JSON."""
    found = machine.run("doctor", "--json", *words, **env)
    payload = found.json
    failed = [check for check in payload["checks"] if check["status"] == "fail"]
    assert payload["schema"] == "skillopt-sleep/doctor/1"
    assert (payload["ok"], found.code) == ((False, 1) if failed else (True, 0))
    assert all(check["next"] for check in payload["checks"] if check["status"] != "ok")
    assert not failed or set(payload["error"]) == {"what", "why", "next"}
    order = ("ok", "warn", "fail")
    by_name: dict[str, dict[str, str]] = {}
    for check in sorted(payload["checks"], key=lambda check: order.index(check["status"])):
        by_name[check["name"]] = check
    told = machine.run("doctor", *words, **env)
    assert told.code == found.code
    assert told.err == found.err == ""
    return by_name


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def used(machine: Machine, claude_session: Write) -> Machine:
    claude_session("s1", machine.cwd, "hello")
    assert machine.run("run").code == 0
    return machine


def test_a_fresh_home_is_well_and_stays_empty(machine: Machine) -> None:
    found = checks(machine)

    assert {name: check["status"] for name, check in found.items() if check["status"] != "ok"} == {
        "transcripts": "warn"
    }
    assert [path.name for path in machine.home.iterdir()] == ["work"]


def test_a_used_home_is_well_and_not_a_byte_changes(used: Machine) -> None:
    before = snapshot(used.home)

    found = checks(used)

    assert {check["status"] for check in found.values()} == {"ok"}
    told = found["transcripts claude"]["what"]
    assert re.search(r"/projects: 1 file, \d+ bytes, the newest of \d{4}-\d\d-\d\d$", told)
    assert found["read claude"]["what"] == "1 file read, 1 session of yours"
    assert found["sessions"]["what"].startswith(
        "1 session, 1 yours, of those 1 used by a night and 0 waiting"
    )
    assert snapshot(used.home) == before
    told = used.run("doctor").out
    assert told.splitlines()[-2:] == ["Nothing is wrong.", "Next: skillopt-sleep status"]
    assert len(told.splitlines()) < 30, "one screen"


def _open(machine: Machine) -> None:
    machine.state.chmod(0o755)
    (machine.state / "ledger.sqlite").chmod(0o644)


def _repository(machine: Machine) -> None:
    subprocess.run(["git", "init", "-q", str(machine.home)], check=True)


def _damaged(machine: Machine) -> None:
    (machine.state / "ledger.sqlite").write_bytes(b"SQLite format 3\0" + bytes(5000))


def _torn(machine: Machine) -> None:
    path = machine.state / "ledger.sqlite"
    data = bytearray(path.read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096 : page * 4096 + 8] = b"\xff" * 8
    path.write_bytes(data)


def _unseen(machine: Machine) -> None:
    """A page that no question of the doctor reads."""
    path = machine.state / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as ledger:
        (page,) = ledger.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'rejected_lessons'"
        ).fetchone()
    data = bytearray(path.read_bytes())
    data[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(data)


def _newer(machine: Machine) -> None:
    with closing(sqlite3.connect(machine.state / "ledger.sqlite", isolation_level=None)) as ledger:
        ledger.execute(f"PRAGMA user_version = {VERSION + 1}")


def _foreign(machine: Machine) -> None:
    path = machine.state / "ledger.sqlite"
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE x (y)")


def _write(relative: str, text: str) -> Callable[[Machine], None]:
    def write(machine: Machine) -> None:
        path = machine.home / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


def _link(relative: str, target: str) -> Callable[[Machine], None]:
    def link(machine: Machine) -> None:
        path = machine.home / relative
        if path.is_dir():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    return link


STATE = ".skillopt-sleep"
UNKNOWN = '{"type": "some-future-record"}\n'


@pytest.mark.parametrize(
    ("hurt", "name", "status", "says", "following"),
    [
        (_open, "permissions", "fail", "others may look into", "chmod -R go="),
        (_repository, "repository", "fail", "could be committed", "SKILLOPT_SLEEP_HOME"),
        (_damaged, "ledger", "fail", "is damaged", "mv "),
        (_torn, "ledger", "fail", "is damaged", "mv "),
        (_unseen, "ledger", "fail", "is damaged", "mv "),
        (_newer, "ledger", "fail", "newer skillopt-sleep", "update this program"),
        (_foreign, "ledger", "fail", "is not a ledger", "move it away"),
        (_link(f"{STATE}/ledger.sqlite", "nowhere"), "ledger", "fail", "link to nothing", "rm "),
        (_link(STATE, "nowhere"), "state", "fail", "link to nothing", "rm "),
        (_write(f"{STATE}/config.yaml", "since: [\n"), "settings", "fail", "cannot be used", "repair"),
        (_write(f"{STATE}/config.yaml", "projects: [/no/where]\n"), "settings", "warn", "/no/where", "set"),
        (_write(f"{STATE}/journal/x/plan.json", "{"), "journal", "fail", "interrupted", "recover"),
        (_write(f"{STATE}/purge.json", "{"), "purge", "fail", "interrupted", "skillopt-sleep purge"),
        (_write(f"{STATE}/proposals/p/proposal.json", "{"), "proposals", "fail", "be read", "discard p"),
        (_write(f"{STATE}/receipts/r/receipt.json", "{"), "records", "fail", "cannot be read", "mv "),
        (_write(f"{STATE}/discarded/d.json", "{"), "records", "fail", "cannot be read", "mv "),
        (_write(f"{STATE}/run.holder.json", "{"), "lock", "warn", "cannot be read", "next run"),
        (_link(f"{STATE}/proposals", "/tmp"), "links", "warn", "no place", "rm"),
        (_link(".codex/sessions", "nowhere"), "transcripts codex", "fail", "link to nothing", "ls -l"),
        (_write(".codex/sessions", "x"), "transcripts codex", "fail", "not a folder", "what put it"),
        (_link(".claude/projects/p/x.jsonl", "no"), "transcripts claude", "warn", "dangling_link 1", "ls"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_seen_with_a_way_out_and_left_as_it_is(
    used: Machine, hurt: Callable[[Machine], None], name: str, status: str, says: str, following: str
) -> None:
    hurt(used)
    before = snapshot(used.home)

    found = checks(used)[name]

    assert (found["status"], says in found["what"], following in found["next"]) == (status, True, True), found
    assert snapshot(used.home) == before


def test_a_change_of_format_is_loud(used: Machine, claude_session: Write) -> None:
    path = claude_session("silent", used.cwd, "hello")
    path.write_text(UNKNOWN)
    used.run("harvest")

    found = checks(used)["read claude"]

    assert found["status"] == "warn"
    assert "records this version does not know: some-future-record (1)" in found["what"]
    assert f"content, but no words of a person, in {path}" in found["what"]
    assert "report" in found["next"]


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_an_older_ledger_is_not_brought_up_to_date(machine: Machine, version: int) -> None:
    machine.state.mkdir(mode=0o700)
    path = machine.state / "ledger.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for step in MIGRATIONS[:version]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {version}")
    path.chmod(0o600)
    before = path.read_bytes()

    assert f"from version {version} to {VERSION}" in checks(machine)["version"]["what"]

    assert path.read_bytes() == before


def test_what_a_killed_writer_left_beside_the_ledger_is_seen_and_left(used: Machine) -> None:
    program = (
        "import os, sys, pathlib, signal; from skillopt_sleep.ledger import Ledger\n"
        "ledger = Ledger.open(pathlib.Path(sys.argv[1])); ledger.put_value('seen', 'yes')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = used.state / "ledger.sqlite"
    done = subprocess.run([sys.executable, "-c", program, str(path)])
    assert done.returncode == -signal.SIGKILL
    assert (used.state / "ledger.sqlite-wal").stat().st_size
    before = snapshot(used.state)

    with looking(path) as connection:
        assert connection.execute("SELECT value FROM kv WHERE key = 'seen'").fetchone() == ("yes",)
    assert checks(used)["ledger"]["status"] == "ok"

    assert snapshot(used.state) == before


def test_who_holds_the_lock_is_told_and_the_lock_left_alone(used: Machine) -> None:
    from skillopt_sleep.home import StateHome

    with run_lock(StateHome(used.state), AT), Ledger.open(used.state / "ledger.sqlite"):
        assert f"process {os.getpid()} is at work since" in checks(used)["lock"]["what"]
        assert used.run("run").code == 5
    (used.state / "run.holder.json").write_text(json.dumps({"pid": 2**22 + 1, "since": AT.isoformat()}))
    (used.state / "run.holder.json").chmod(0o600)
    assert "has ended" in checks(used)["lock"]["what"]


def test_everything_broken_at_once(machine: Machine) -> None:
    env = machine.environment(
        CLAUDE_CONFIG_DIR="relative\x1b[31m",
        CODEX_HOME="/dev/null",
        COPILOT_HOME=str(machine.home / "nowhere"),
        SKILLOPT_SLEEP_SINCE="\x1b[2J",
        PATH="relative::.",
    )
    machine.state.mkdir()
    for name in ("ledger.sqlite", "config.yaml", "journal", "receipts", "proposals", "run.holder.json"):
        (machine.state / name).symlink_to(machine.state / name)
    del env["HOME"]
    env["SKILLOPT_SLEEP_HOME"] = str(machine.state)

    for words in (["doctor"], ["doctor", "--json"]):
        done = subprocess.run(
            [Path(sys.executable).with_name("skillopt-sleep"), *words],
            env=env,
            cwd=machine.cwd,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1, done.stderr
        assert done.stderr == ""
        assert "\x1b" not in done.stdout
        assert "could not be looked at" not in done.stdout
        assert "COPILOT_HOME is" in done.stdout


def test_a_state_that_is_a_file_or_is_not_there(machine: Machine) -> None:
    machine.state.write_text("")

    assert checks(machine)["state"]["what"].endswith("is not a folder")
    assert checks(machine, "--home", "/no/where/at/all")["state"]["status"] == "ok"


def script(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_clients_are_asked_for_their_version_and_nothing_else(machine: Machine, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    claude = script(tools, "claude", 'echo "2.1.329 $*"; env >"$HOME/env"; pwd >"$HOME/pwd"; ls -a "$HOME"')
    script(tools, "codex", "sleep 60 & echo never; sleep 60")
    script(tools, "copilot", "echo broken; exit 3")
    script(tools, "code", "printf '\\033[31m1.99\\n'; yes")
    planted = script(machine.cwd, "claude", "touch ../planted; echo 6.6.6")
    began = time.monotonic()

    found = checks(machine, PATH=f".::{planted.parent.name}:{tools}:{os.defpath}", SECRET_TOKEN="x")

    assert found["client claude"]["what"] == f"2.1.329 --version ({claude})"
    assert [found[f"client {name}"]["status"] for name in ("codex", "copilot", "vscode")] == ["warn"] * 3
    assert not (machine.home / "planted").exists()
    assert list(machine.home.iterdir()) == [machine.cwd]
    assert time.monotonic() - began < 60


def test_a_program_is_never_one_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path, "claude", "echo 6.6.6")
    monkeypatch.chdir(tmp_path)

    for path in ("", ".", ":", "./", tmp_path.name, f"/no/where:{os.curdir}"):
        assert find_program("claude", {"PATH": path}) is None
    assert find_program("claude", {"PATH": str(tmp_path)}) == tmp_path / "claude"


def test_a_program_that_talks_for_ever_is_ended(tmp_path: Path) -> None:
    assert version_of(script(tmp_path, "x", "yes"), {"PATH": os.defpath}, 20.0) is None
    assert version_of(script(tmp_path, "y", "echo 1.2; echo more"), {"PATH": os.defpath}, 20.0) == "1.2"
    assert version_of(tmp_path / "nowhere", {}, 20.0) is None
