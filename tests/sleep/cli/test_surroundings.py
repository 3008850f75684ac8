"""Closed streams, no HOME, a working folder that is gone, odd names of folders: told, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

COMMAND = Path(sys.executable).with_name("skillopt-sleep")
COMMANDS = ("harvest", "tasks", "run", "status", "nights", "show", "diff", "adopt", "undo", "recover")


class Machine(Protocol):
    home: Path
    cwd: Path
    state: Path

    def run(self, *arguments: str, cwd: Path | None = None, **env: str) -> Any: ...
    def environment(self, **more: str) -> dict[str, str]: ...


def shell(machine: Machine, script: str, **changes: Any) -> subprocess.CompletedProcess[str]:
    """The script in a shell, `$SLEEP` being the command."""
    options = {"cwd": machine.cwd, "env": machine.environment(SLEEP=str(COMMAND)), **changes}
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, **options)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", COMMANDS)
def test_closed_streams_change_nothing(machine: Machine, command: str, closed: str) -> None:
    done = shell(machine, f'"$SLEEP" {command} {closed}; echo "code $?" >"$HOME/code"')

    assert (machine.home / "code").read_text() == "code 0\n"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words", ["--help", "harvest --help", "status", "status --json", "harvest --sessions"]
)
def test_when_nobody_reads_it_ends_as_other_programs_do(
    machine: Machine, claude_session: Callable[..., Path], words: str
) -> None:
    for number in range(3):
        claude_session(f"s{number}", machine.cwd, "hello")

    done = shell(machine, f'"$SLEEP" {words} | true; echo "${{PIPESTATUS[0]}}"')
    both = shell(machine, f'"$SLEEP" {words} --what 2>&1 | true; echo "${{PIPESTATUS[0]}}"')

    # Which of the two is faster is not known; either way nothing but the code is said.
    assert done.stdout in ("141\n", "0\n")
    assert both.stdout in ("141\n", "2\n", "0\n")
    assert done.stderr == both.stderr == ""


def test_nobody_reads_long_output(machine: Machine, claude_session: Callable[..., Path]) -> None:
    for number in range(40):
        claude_session(f"{'s' * 200}{number}", machine.cwd, "hello")
    machine.run("harvest")

    done = shell(machine, 'sleep 0.2 | ("$SLEEP" harvest --sessions; echo "code $?" >&2) | head -1')
    later = shell(machine, '("$SLEEP" run --json; echo "code $?" >&2) | (exec <&-; sleep 2)')

    assert done.stderr in ("code 141\n", "code 0\n")
    assert later.stderr == "code 141\n"
    assert len(machine.run("nights", "--json").json["nights"]) == 1, "the night was finished all the same"


@pytest.mark.parametrize("home", [None, ""])
def test_without_home_the_system_is_asked(machine: Machine, home: str | None, tmp_path: Path) -> None:
    env = machine.environment(SKILLOPT_SLEEP_HOME=str(tmp_path / "state"))
    del env["HOME"]
    if home is not None:
        env["HOME"] = home

    done = subprocess.run([COMMAND, "status", "--json"], env=env, cwd=machine.cwd, capture_output=True)

    assert done.returncode == 0, done.stderr
    (claude,) = json.loads(done.stdout)["sources"][0]["folders"]
    assert claude["path"].endswith("/.claude/projects")
    assert claude["path"].startswith("/")


def as_somebody_else(program: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program as a user without an entry in the system; what it imports must be imported first."""
    imports = (
        "import os, pwd, sys, pathlib\n"
        "from skillopt_sleep.cli.options import Caller, project_at\n"
        "import skillopt_sleep.sources.draft\n"
        "from skillopt_sleep.home import StateHome, user_home\n"
        "os.setgid(54321); os.setuid(54321)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", imports + program], cwd=cwd, env=env, capture_output=True, text=True
    )


only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can become somebody else")


@only_root
def test_a_user_the_system_does_not_know_is_told() -> None:
    done = as_somebody_else("user_home({})", Path("/"))
    named = as_somebody_else("print(StateHome.locate(pathlib.Path('/x'), {}).path)", Path("/"))

    assert named.stdout == "/x\n", named.stderr
    assert "ConfigError: your home folder is not known" in done.stderr
    assert "set HOME" in done.stderr


@only_root
def test_a_working_folder_that_is_closed_to_us_keeps_its_name(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o700)

    done = as_somebody_else("print(project_at(Caller.from_process(), None))", inner, PWD=str(inner))

    assert done.stdout == f"{inner}\n", done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_working_folder_that_is_gone(machine: Machine, command: str) -> None:
    gone = machine.cwd / "gone"
    gone.mkdir()

    done = shell(machine, f'rmdir "{gone}"; unset PWD; "$SLEEP" {command}', cwd=gone)

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_relative_home_in_a_folder_that_is_gone_is_refused(machine: Machine) -> None:
    gone = machine.cwd / "gone"
    gone.mkdir()

    done = shell(machine, f'rmdir "{gone}"; "$SLEEP" status --home here', cwd=gone)

    assert done.returncode == 2
    assert "absolute path" in done.stderr


def test_the_ways_to_name_a_home(machine: Machine) -> None:
    (machine.home.parent / "link").symlink_to(machine.home)
    for words, env, wanted in (
        (["--home", "here"], {}, machine.cwd / "here"),
        (["--home", "here/"], {}, machine.cwd / "here"),
        (["--home", "./here//"], {}, machine.cwd / "here"),
        (["--home", "~/there"], {}, machine.home / "there"),
        ([], {"SKILLOPT_SLEEP_HOME": "~/there/"}, machine.home / "there"),
        ([], {"HOME": str(machine.home.parent / "link")}, machine.home.parent / "link" / ".skillopt-sleep"),
    ):
        assert machine.run("status", "--json", *words, **env).json["home"] == str(wanted)


@pytest.mark.parametrize("name", ["", ".", "./"])
def test_the_working_folder_itself_is_no_home(machine: Machine, name: str) -> None:
    machine.cwd.chmod(0o755)

    refused = machine.run("harvest", "--home", name)

    assert refused.code == 2
    assert machine.cwd.stat().st_mode & 0o777 == 0o755
    assert list(machine.cwd.iterdir()) == []


def test_nobody_of_that_name(machine: Machine) -> None:
    for words in (["--home", "~nobody-of-that-name/x"], ["--project", "~nobody-of-that-name/x"]):
        refused = machine.run("harvest", *words)
        assert refused.code == 2
        assert "nobody is called nobody-of-that-name" in refused.err
    for value in ("~nobody-of-that-name/x",):
        assert machine.run("harvest", SKILLOPT_SLEEP_PROJECTS=value).code == 2


@pytest.mark.parametrize(
    "name", ["with space", "new\nline", "quo\"te'", "emoji 🙂", "-dash", "$(x)`y`", "%s{0}"]
)
def test_a_project_of_any_name(machine: Machine, claude_session: Callable[..., Path], name: str) -> None:
    project = machine.cwd / name
    project.mkdir()
    claude_session("s1", project, "hello")

    inside = machine.run("harvest", "--json", cwd=project).json
    named = machine.run("harvest", "--json", "--project", str(project)).json
    machine.run("config", "set", "projects", str(project))
    settled = machine.run("harvest", "--all-projects", "--sessions", "--json").json

    assert inside["project"] == named["project"] == str(project)
    assert inside["sources"][0]["human"] == named["sources"][0]["human"] == 1
    assert [session["project"] for session in settled["sessions"]] == [str(project)]


def test_a_home_behind_a_link_is_the_same_home(machine: Machine, claude_session: Callable[..., Path]) -> None:
    link = machine.home.parent / "link"
    link.symlink_to(machine.home)
    claude_session("s1", link / "work", "hello")

    found = machine.run("harvest", "--json", "--project", str(link / "work"), HOME=str(link)).json

    assert found["sources"][0]["human"] == 1
