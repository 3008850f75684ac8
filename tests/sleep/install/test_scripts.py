"""The script for Codex and the server for Copilot find the program and nothing else, wherever they lie."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
PROGRAM = Path(sys.executable).with_name("skillopt-sleep")
SCRIPTS = {
    "install.sh": ["/bin/sh", "install.sh", "--dry-run"],
    "mcp_server.py": [sys.executable, "mcp_server.py"],
}


@dataclass(frozen=True)
class Copied:
    """A script alone in a folder, a home, and a project somebody else made."""

    home: Path
    project: Path
    words: tuple[str, ...]

    def run(self, *more: str, stdin: str = "", **env: object) -> subprocess.CompletedProcess[str]:
        given = {"HOME": self.home, "PATH": "/usr/bin:/bin", **env}
        return subprocess.run(
            [*self.words, *more],
            cwd=self.project, input=stdin, text=True, capture_output=True, timeout=60,
            env={name: str(value) for name, value in given.items()},
        )  # fmt: skip


@pytest.fixture(params=SCRIPTS)
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> Copied:
    program, name, *more = SCRIPTS[request.param]
    folder = tmp_path / "a copy"
    folder.mkdir()
    (source,) = PLUGINS.glob(f"*/{name}")
    shutil.copy(source, folder)
    home = tmp_path / "it's a home"
    project = home / "code" / "shop"
    (project / ".git").mkdir(parents=True)
    return Copied(home, project, (program, str(folder / name), *more))


def write_program(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def write_engine(path: Path, found: Path) -> Path:
    """A program that answers as ours, and tells what it was called with."""
    answer = '[ "$1" = --protocol ] && echo "skillopt-sleep-protocol 1 9.9" && exit'
    return write_program(path, f"{answer}\necho \"$@\" >'{found}'")


def test_with_nothing_installed_it_says_what_is_missing(copied: Copied) -> None:
    before = sorted(copied.home.rglob("*"))
    done = copied.run()
    assert done.returncode == 4
    assert done.stdout == ""
    assert "not installed" in done.stderr
    assert "next: sh FOLDER" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(copied.home.rglob("*")) == before


@pytest.mark.parametrize("place", ["recorded", "data", "path", "named"])
def test_it_is_found_in_each_of_its_places(copied: Copied, tmp_path: Path, place: str) -> None:
    found = tmp_path / "called"
    env: dict[str, object] = {}
    if place == "data":
        write_engine(copied.home / ".local/share/skillopt-sleep/engine/bin/skillopt-sleep", found)
    else:
        engine = write_engine(tmp_path / "some bin" / "skillopt-sleep", found)
        if place == "recorded":
            (copied.home / ".skillopt-sleep").mkdir()
            (copied.home / ".skillopt-sleep" / "engine").write_text(f"{engine}\n")
        else:
            searched = {"PATH": f":.:{engine.parent}:/usr/bin"}
            env = {"SKILLOPT_SLEEP_ENGINE": engine} if place == "named" else searched
    done = copied.run(**env)
    assert (done.returncode, done.stderr) == (0, "")
    assert found.read_text() in ("mcp\n", "install codex --dry-run\n")


def test_nothing_of_the_project_is_run(copied: Copied, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for name in ("skillopt-sleep", ".venv/bin/skillopt-sleep", "sub/skillopt-sleep", "timeout", "sed"):
        write_engine(copied.project / name, ran)
    touch = f"open({str(ran)!r}, 'w').close()\n"
    for name in ("subprocess.py", "selectors.py", "skillopt_sleep/__init__.py", "skillopt/__init__.py"):
        path = copied.project / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(touch)
    path = f":.:{copied.project}:{copied.project / '.venv/bin'}:sub:/usr/bin:/bin"
    done = copied.run(PATH=path, PYTHONPATH=f"{copied.project}:.:")
    assert done.returncode == 4, done.stderr
    assert not ran.exists()
    mine = write_engine(copied.project / "data/skillopt-sleep/engine/bin/skillopt-sleep", ran)
    (copied.project / "state").mkdir()
    (copied.project / "state" / "engine").write_text(f"{mine}\n")
    given = {"SKILLOPT_SLEEP_HOME": copied.project / "state", "XDG_DATA_HOME": copied.project / "data"}
    assert copied.run(**given).returncode == 4
    assert not ran.exists()
    engine = write_engine(tmp_path / "bin" / "skillopt-sleep", tmp_path / "called")
    assert copied.run(PATH=f"{path}:{engine.parent}", PYTHONPATH=copied.project).returncode == 0
    assert not ran.exists()


def test_another_program_of_that_name_is_told_and_passed_over(copied: Copied, tmp_path: Path) -> None:
    other = write_program(tmp_path / "other" / "skillopt-sleep", "echo 1.2.3")
    done = copied.run(PATH=f"{other.parent}:/usr/bin:/bin")
    assert done.returncode == 4
    assert f"found: {other}" in done.stderr
    engine = write_engine(tmp_path / "bin" / "skillopt-sleep", tmp_path / "called")
    assert copied.run(PATH=f"{other.parent}:{engine.parent}:/usr/bin:/bin").returncode == 0


def test_a_named_program_that_is_not_ours_is_refused(copied: Copied) -> None:
    done = copied.run(SKILLOPT_SLEEP_ENGINE="/bin/true")
    assert done.returncode == 2
    assert "SKILLOPT_SLEEP_ENGINE" in done.stderr


def test_the_script_wires_codex_and_takes_it_out_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script = Copied(home, home, ("/bin/sh", str(PLUGINS / "codex" / "install.sh")))
    env = {"SKILLOPT_SLEEP_ENGINE": PROGRAM}
    plan = script.run("--dry-run", "--hook", **env)
    assert "mcp_servers.skillopt-sleep" in plan.stdout
    assert not list(home.iterdir())
    assert script.run("--hook", **env).returncode == 0
    assert (home / ".codex" / "skills" / "skillopt-sleep" / "SKILL.md").exists()
    assert "nothing to change" in script.run("--hook", **env).stdout
    assert script.run("uninstall", "--json").returncode == 0  # found by its record
    assert not (home / ".codex").exists()
    assert script.run("--unknown", **env).returncode == 2


def test_the_engine_is_fetched_when_it_is_asked_for_and_not_to_tell_the_plan(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    uv = f"""
case $1 in
venv) for last; do :; done; mkdir -p "$last/bin" ;;
pip) while [ "$1" != --python ]; do shift; done; ln -s '{PROGRAM}' "${{2%/python}}/skillopt-sleep" ;;
esac"""
    path = f"{write_program(tmp_path / 'tools' / 'uv', uv).parent}:/usr/bin:/bin"
    script = Copied(home, home, ("/bin/sh", str(PLUGINS / "codex" / "install.sh"), "--with-engine"))
    plan = script.run("--dry-run", PATH=path)
    assert (plan.returncode, list(home.iterdir())) == (0, []), plan.stderr
    assert "Nothing was done" in plan.stderr
    done = script.run(PATH=path)
    engine = home / ".local" / "share" / "skillopt-sleep" / "engine" / "bin" / "skillopt-sleep"
    assert done.returncode == 0, done.stderr
    assert f"'{engine}'" in done.stderr
    assert str(engine) in (home / ".codex" / "config.toml").read_text()


def test_the_server_answers_as_the_program_does(tmp_path: Path) -> None:
    server = Copied(tmp_path, tmp_path, (sys.executable, str(PLUGINS / "copilot" / "mcp_server.py")))
    hello = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}
        },
    }  # fmt: skip
    done = server.run(stdin=json.dumps(hello) + "\n", SKILLOPT_SLEEP_ENGINE=PROGRAM)
    assert json.loads(done.stdout.splitlines()[0])["result"]["serverInfo"]["name"] == "skillopt-sleep"
