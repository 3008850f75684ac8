from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures"

Write = Callable[..., Path]


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
    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]: ...


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {source["name"]: source for source in found["sources"]}


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and ".skillopt-sleep" not in path.parts
    }


@pytest.fixture
def corpus(machine: Machine) -> dict[str, Any]:
    """The labelled developer home, in place of the machine's own; gives its labels."""
    shutil.copytree(FIXTURES / "corpus" / "home", machine.home, dirs_exist_ok=True)
    truth = json.loads((FIXTURES / "corpus" / "truth.json").read_text())
    assert isinstance(truth, dict)
    return truth


def test_the_labelled_home_is_read_as_it_is_labelled(machine: Machine, corpus: dict[str, Any]) -> None:
    before = tree(machine.home)

    found = machine.run("harvest", "--all-projects", "--sessions", "--json")

    assert found.code == 0, found.err
    assert found.err == ""
    assert (found.json["schema"], found.json["ok"]) == ("skillopt-sleep/harvest/1", True)
    listed = {session["id"]: session for session in found.json["sessions"]}
    for label in corpus["sessions"]:
        session = listed.pop(label["id"])
        said = (session["source"], session["project"], session["driver"], session["user_turns"])
        assert said == (label["source"], label["project"], label["driver"], label["user_words"])
        assert session["path"] == str(machine.home / label["path"])
    assert {session["driver"] for session in listed.values()} == {"subagent"}
    drivers = Counter((session["source"], session["driver"]) for session in found.json["sessions"])
    for name, source in by_name(found.json).items():
        assert source["human"] == drivers[name, "human"]
        assert source["sessions"] == sum(n for (one, _), n in drivers.items() if one == name)
        assert (source["bytes_read"] > 0) == (source["files"] > 0) == (name != "vscode")
    assert tree(machine.home) == before


def test_a_second_harvest_reads_nothing_and_reports_the_same(
    machine: Machine, corpus: dict[str, Any]
) -> None:
    first = machine.run("harvest", "--all-projects", "--sessions", "--json").json
    second = machine.run("harvest", "--all-projects", "--sessions", "--json").json

    assert {source["bytes_read"] for source in second["sources"]} == {0}
    assert {source["new"] for source in second["sources"]} == {0}
    for found in (first, second):
        for source in found["sources"]:
            del source["bytes_read"], source["new"]
    assert first == second


def test_a_project_has_only_its_own_sessions(machine: Machine, corpus: dict[str, Any]) -> None:
    found = machine.run("harvest", "--project", "/home/dev/web", "--sessions", "--json").json

    assert {session["project"] for session in found["sessions"]} == {"/home/dev/web"}
    labelled = [label for label in corpus["sessions"] if label["project"] == "/home/dev/web"]
    human = sum(label["driver"] == "human" for label in labelled)
    assert sum(source["human"] for source in found["sources"]) == human


def test_a_session_says_all_that_is_promised(machine: Machine, claude_session: Write) -> None:
    path = claude_session("s1", machine.cwd, "hello", "use pnpm")

    (session,) = machine.run("harvest", "--sessions", "--json").json["sessions"]

    assert session == {
        "id": "s1",
        "source": "claude",
        "path": str(path),
        "project": str(machine.cwd),
        "branch": "main",
        "started_at": "2026-11-01T10:00:00+00:00",
        "ended_at": "2026-11-01T10:00:00+00:00",
        "driver": "human",
        "user_turns": 2,
        "tool_calls": 0,
        "skills": [],
    }


def test_the_project_is_the_git_root_of_the_current_folder(machine: Machine, claude_session: Write) -> None:
    repository, outside = machine.cwd / "web", machine.cwd / "notes"
    for folder in (repository / "src" / "deep", outside):
        folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", repository], check=True)
    claude_session("in-git", repository / "src", "hello")
    claude_session("outside", outside, "hello")

    def ids(*arguments: str, cwd: Path) -> set[str]:
        found = machine.run("harvest", "--sessions", "--json", *arguments, cwd=cwd).json
        return {session["id"] for session in found["sessions"]}

    assert ids(cwd=repository / "src" / "deep") == {"in-git"}
    assert ids("--project", "../web", cwd=outside) == {"in-git"}
    assert ids(cwd=outside) == {"outside"}
    assert ids(cwd=machine.cwd) == set()
    assert ids("--all-projects", cwd=machine.cwd) == {"in-git", "outside"}


def test_source_and_since_narrow_what_is_reported(machine: Machine, claude_session: Write) -> None:
    claude_session("old", machine.cwd, "hello", at="2020-01-01T00:00:00Z")
    claude_session("new", machine.cwd, "hello", at="2026-10-01T00:00:00Z")

    def ids(*arguments: str, **env: str) -> set[str]:
        found = machine.run("harvest", "--sessions", "--json", *arguments, **env).json
        return {session["id"] for session in found["sessions"]}

    assert ids() == {"old", "new"}
    assert ids("--since", "2026-01-01") == {"new"}
    assert ids("--since", "all", SKILLOPT_SLEEP_SINCE="2026-01-01") == {"old", "new"}
    assert ids(SKILLOPT_SLEEP_SINCE="2026-01-01") == {"new"}
    assert ids("--source", "codex,copilot") == set()
    assert ids("--source", "claude") == {"old", "new"}
    names = machine.run("harvest", "--json", "--source", "codex,copilot").json["sources"]
    assert [source["name"] for source in names] == ["codex", "copilot"]


def test_the_folders_of_the_clients_follow_their_variables(machine: Machine, claude_session: Write) -> None:
    path = claude_session("s1", machine.cwd, "hello")
    moved = machine.home / "elsewhere" / "projects"
    shutil.move(path.parent.parent, moved)

    found = machine.run("harvest", "--json", CLAUDE_CONFIG_DIR=str(moved.parent)).json

    assert by_name(found)["claude"]["folders"] == [str(moved)]
    assert by_name(found)["claude"]["human"] == 1


def test_an_empty_home_is_told_where_was_looked(machine: Machine) -> None:
    found = machine.run("harvest")

    assert found.code == 0
    for folder in (".claude/projects", ".codex/sessions", ".copilot/session-state"):
        assert str(machine.home / folder) in found.out
    assert found.out.splitlines()[-1] == "Next: skillopt-sleep harvest"
    assert found.err == ""


def test_a_project_without_sessions_is_told_which_have_some(machine: Machine, claude_session: Write) -> None:
    claude_session("s1", machine.home / "web", "hello")

    told = machine.run("harvest")
    as_json = machine.run("harvest", "--json")

    assert f"{machine.home / 'web'} (1)" in told.out
    assert told.out.splitlines()[-1] == "Next: skillopt-sleep harvest --all-projects"
    assert as_json.json["elsewhere"] == [{"project": str(machine.home / "web"), "sessions": 1, "human": 1}]


def test_a_result_ends_with_the_next_command(machine: Machine, claude_session: Write) -> None:
    claude_session("s1", machine.cwd, "hello")

    assert machine.run("harvest").out.splitlines()[-1] == "Next: skillopt-sleep run"


def test_a_file_without_a_persons_words_is_warned_of(machine: Machine, claude_session: Write) -> None:
    claude_session("silent", machine.cwd, "hello").write_text('{"type": "some-future-record"}\n')

    told = machine.run("harvest")
    as_json = machine.run("harvest", "--json")

    path = machine.home / ".claude" / "projects" / "p" / "silent.jsonl"
    assert f"Warning: 1 file of claude with content and without any words of a person: {path}.\n" in told.out
    assert (
        "Formats change: claude wrote records that this version does not know: some-future-record (1).\n"
        in told.out
    )
    assert "Report this line with the version of the client" in told.out
    claude = by_name(as_json.json)["claude"]
    assert claude["skipped"] == {"no_user_turns": 1, "unknown_type:some-future-record": 1}
    assert claude["silent_files"] == [str(path)]


def test_verbose_names_what_was_left_out_of_each_file_and_the_times(
    machine: Machine, claude_session: Write
) -> None:
    path = claude_session("s1", machine.cwd, "hello")
    path.write_text(path.read_text() + "[]\n{\n")

    for command in ("harvest", "tasks", "run"):
        told = machine.run(command, "--verbose")
        assert f"claude: {path}: bad_json 1, not_an_object 1\n" in told.err
        assert "reading took 0." in told.err
    assert machine.run("harvest").err == ""


def test_what_is_kept_is_private_and_holds_no_secret(machine: Machine, claude_session: Write) -> None:
    secret = "sk-ant-" + "api03-Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8"
    claude_session("s1", machine.cwd, f"the key is {secret} ok")

    machine.run("harvest")

    assert stat.S_IMODE(machine.state.stat().st_mode) == 0o700
    kept = [path for path in machine.state.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
    assert not any(secret.encode() in path.read_bytes() for path in kept)


def test_nothing_in_a_transcript_reaches_the_terminal_raw(machine: Machine, claude_session: Write) -> None:
    folder = machine.cwd / "red\x1b[31m\u202e\udcff"
    folder.mkdir()
    claude_session("s\x1b]0;title\x07", folder, "hello")

    for arguments in (["harvest", "--sessions", "--all-projects"], ["status"], ["harvest", "--json"]):
        told = machine.run(*arguments)
        assert told.code == 0, told.err
        assert not set(told.out + told.err) & set("\x1b\x07\u202e")
    refused = machine.run("harvest", "--source", "\x1b[31m")
    assert refused.code == 2
    assert "\x1b" not in refused.err


def test_our_own_runs_are_not_the_persons(machine: Machine, claude_session: Write) -> None:
    claude_session("replay", machine.state / "replays" / "1", "do the task")

    found = machine.run("harvest", "--all-projects", "--json").json

    assert by_name(found)["claude"]["drivers"]["own"] == 1
    assert by_name(found)["claude"]["human"] == 0


KILLED_AT = (1, 7, 20)


@pytest.mark.parametrize("at", KILLED_AT)
def test_a_killed_harvest_loses_nothing(machine: Machine, corpus: dict[str, Any], at: int) -> None:
    """The process is killed, as by `kill -9`, while a source reads its nth file."""
    program = """
import os, signal, sys
from skillopt_sleep.sources.claude_code import ClaudeCode
from skillopt_sleep.sources import registry

class Killed(ClaudeCode):
    n = 0
    def read(self, path):
        Killed.n += 1
        if Killed.n == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(path)

from pathlib import Path
from skillopt_sleep.harvest import harvest
from skillopt_sleep.home import StateHome
from skillopt_sleep.ledger import Ledger
home = StateHome.locate(None, os.environ)
home.make()
with Ledger.open(home.ledger) as ledger:
    harvest(ledger, [Killed()], env={}, home=Path(os.environ["HOME"]))
"""
    killed = subprocess.run([sys.executable, "-c", program, str(at)], env={"HOME": str(machine.home)})
    assert killed.returncode == -9
    with closing(sqlite3.connect(machine.state / "ledger.sqlite")) as ledger:
        (n_files,) = ledger.execute("SELECT count(*) FROM files").fetchone()
        assert n_files < at  # what was read may still have been on its way into the ledger

    found = machine.run("harvest", "--all-projects", "--sessions", "--json").json

    listed = {session["id"]: session["driver"] for session in found["sessions"]}
    for label in corpus["sessions"]:
        assert listed[label["id"]] == label["driver"]


def test_harvests_at_the_same_time_agree(machine: Machine, corpus: dict[str, Any]) -> None:
    running = [machine.start("harvest", "--all-projects", "--json") for _ in range(3)]
    told = [process.communicate(timeout=60) for process in running]

    assert [process.returncode for process in running] == [0, 0, 0], told
    found = machine.run("harvest", "--all-projects", "--json").json
    assert sum(source["bytes_read"] for source in found["sources"]) == 0
    human = sum(label["driver"] == "human" for label in corpus["sessions"])
    assert sum(source["human"] for source in found["sources"]) == human
    with closing(sqlite3.connect(machine.state / "ledger.sqlite")) as ledger:
        assert ledger.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert ledger.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["harvest", "--source", "clade"], "did you mean claude?"),
        (["harvest", "--since", "yesterday"], "neither an age nor a date"),
        (["harvest", "--project", ".", "--all-projects"], "exclude each other"),
        (["harvest", "--sesions"], "No such option"),
        (["harvst"], "No such command"),
        (["config", "set", "sinc", "30d"], "did you mean since?"),
    ],
)
def test_wrong_usage_is_told_with_code_2(machine: Machine, arguments: list[str], says: str) -> None:
    told = machine.run(*arguments)
    as_json = machine.run(*arguments, "--json")

    assert told.code == as_json.code == 2
    assert says in told.err
    assert told.out == ""
    assert as_json.json["ok"] is False
    assert set(as_json.json["error"]) == {"what", "why", "next"}
    assert says in as_json.json["error"]["what"] + as_json.json["error"]["why"]
    assert not machine.state.exists()


def test_a_damaged_ledger_is_refused_and_kept(machine: Machine) -> None:
    machine.state.mkdir()
    ledger = machine.state / "ledger.sqlite"
    ledger.write_bytes(b"no database, but the only copy of something" * 100)
    before = ledger.read_bytes()

    for arguments in (["harvest", "--json"], ["status", "--json"], ["nights", "--json"]):
        found = machine.run(*arguments)
        assert found.code == 1
        assert "damaged" in found.json["error"]["what"]
        assert found.json["error"]["next"]
    assert ledger.read_bytes() == before


def test_an_interrupted_harvest_says_so(machine: Machine, corpus: dict[str, Any]) -> None:
    fifo = machine.home / ".claude" / "projects" / "-home-dev-web"
    big = fifo / "11111111-1111-4111-8111-111111111111.jsonl"
    with big.open("w") as file:
        for number in range(60_000):
            record = {"type": "user", "uuid": str(number), "message": {"content": "say " * 20}}
            file.write(json.dumps(record) + "\n")
    process = machine.start("harvest", "--all-projects", "--json")
    for _ in range(600):
        if (machine.state / "ledger.sqlite-wal").exists():
            break
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
    process.send_signal(2)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    assert json.loads(out)["error"]["what"] == "interrupted"
