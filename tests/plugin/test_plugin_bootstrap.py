"""The script that installs the engine: from the client's own clone or what a person names, or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from plugin_desk import ENGINE, Desk, write_program

BOOTSTRAP = "scripts/bootstrap.sh"
# A uv that makes the environment of this checkout, and notes where it stood and what it was asked.
UV = f"""
echo "$(pwd): $*" >> "$HOME/asked"
case $1 in
venv) for last; do :; done; mkdir -p "$last/bin" ;;
pip)
    [ -z "${{BROKEN-}}" ] || exit 1
    while [ "$1" != --python ]; do shift; done
    printf '#!/bin/sh\\nexec "{ENGINE}" "$@"\\n' > "${{2%/python}}/skillopt-sleep"
    chmod +x "${{2%/python}}/skillopt-sleep" ;;
esac
"""


def clone_of(desk: Desk, folder: Path, version: str = "0.1.0") -> Path:
    """What a client cloned, as far as it is looked at."""
    shutil.copytree(desk.plugin, folder / "plugins" / "claude-code")
    (folder / "skillopt_sleep").mkdir()
    (folder / "pyproject.toml").write_text(f'[project]\nname = "skillopt"\nversion = "{version}"\n')
    (folder / "constraints.txt").write_text("click==8.3.1\n")
    return folder


def uv_path(desk: Desk) -> str:
    return f"{write_program(desk.home / 'tools' / 'uv', UV).parent}:/usr/bin:/bin"


@pytest.fixture
def clone(desk: Desk) -> Path:
    return clone_of(desk, desk.home / ".claude" / "plugins" / "marketplaces" / "skillopt")


def data(desk: Desk) -> Path:
    return desk.home / ".claude" / "plugins" / "data" / "skillopt-sleep-skillopt"


def test_it_installs_from_the_clone_into_the_data_folder(desk: Desk, clone: Path) -> None:
    done = desk.sh(BOOTSTRAP, PATH=uv_path(desk), PYTHONPATH=".")
    assert done.returncode == 0, done.stderr
    assert f"from  {clone}" in done.stderr
    engine = data(desk) / "engine" / "bin" / "skillopt-sleep"
    assert desk.ask("--engine").stdout == f"{engine}\n"
    made, fetched = (desk.home / "asked").read_text().splitlines()
    # Where no configuration of the project is read, and never a name for the index to find.
    assert made.startswith(f"{data(desk)}/engines: venv ")
    assert fetched.endswith(f"--constraint {clone}/constraints.txt {clone}")


def test_a_second_time_replaces_it_and_keeps_only_the_last(desk: Desk, clone: Path) -> None:
    path = uv_path(desk)
    seen = []
    for _ in range(3):
        assert desk.sh(BOOTSTRAP, PATH=path).returncode == 0
        seen.append((data(desk) / "engine").resolve())
    assert len(set(seen)) == 3
    assert set((data(desk) / "engines").iterdir()) == set(seen[1:])


def test_what_another_run_of_it_is_making_stays(desk: Desk, clone: Path) -> None:
    theirs = data(desk) / "engines" / str(os.getpid())
    left = data(desk) / "engines" / "999999999"  # of one that was killed
    for each in (theirs, left):
        each.mkdir(parents=True)
    assert desk.sh(BOOTSTRAP, PATH=uv_path(desk)).returncode == 0
    assert (theirs.exists(), left.exists()) == (True, False)


def test_a_failure_leaves_what_was_there(desk: Desk, clone: Path) -> None:
    path = uv_path(desk)
    desk.sh(BOOTSTRAP, PATH=path)
    before = (data(desk) / "engine").resolve()
    done = desk.sh(BOOTSTRAP, PATH=path, BROKEN="1")
    assert done.returncode == 1
    assert "what was there before still is" in done.stderr
    assert (data(desk) / "engine").resolve() == before
    assert list((data(desk) / "engines").iterdir()) == [before]
    assert desk.ask("--protocol").returncode == 0


def test_a_dry_run_says_what_it_would_do_and_does_nothing(desk: Desk, clone: Path) -> None:
    done = desk.sh(BOOTSTRAP, "--dry-run", PATH=uv_path(desk))
    assert done.returncode == 0
    for told in (clone, desk.home / "tools" / "uv", data(desk) / "engine"):
        assert str(told) in done.stderr
    assert not data(desk).exists()
    assert not (desk.home / "asked").exists()


@pytest.mark.parametrize(
    ("place", "client"),
    [
        (".codex/plugins/cache/skillopt/skillopt-sleep/0.1.0", ".codex/.tmp/marketplaces/skillopt"),
        (
            ".copilot/installed-plugins/skillopt/skillopt-sleep",
            ".copilot/.cache/copilot/marketplaces/https---example-org-skillopt-git",
        ),
        ("checkout/plugins/claude-code", "checkout"),
    ],
)
def test_the_clone_of_every_client_is_found(desk: Desk, place: str, client: str) -> None:
    clone_of(desk, desk.home / client)
    if not (desk.home / place).exists():
        shutil.copytree(desk.plugin, desk.home / place)
    done = Desk(desk.home, desk.project, desk.home / place).sh(BOOTSTRAP, "--dry-run", PATH=uv_path(desk))
    assert done.returncode == 0, done.stderr
    assert f"from  {desk.home / client}\n" in done.stderr


@pytest.mark.parametrize(
    "clone", [".claude/plugins/marketplaces/skillopt", ".codex/.tmp/marketplaces/skillopt"]
)
def test_started_from_the_clone_it_installs_for_the_plugin(desk: Desk, clone: str) -> None:
    clone_of(desk, desk.home / clone)
    plugin = desk.home / clone / "plugins" / "claude-code"
    done = Desk(desk.home, desk.project, plugin).sh(BOOTSTRAP, "--dry-run", PATH=uv_path(desk))
    assert done.returncode == 0, done.stderr
    assert f"from  {desk.home / clone}\n" in done.stderr
    client = desk.home / clone.partition("/")[0]
    assert f"into  {client}/plugins/data/skillopt-sleep-skillopt/engine\n" in done.stderr


def test_the_data_folder_is_where_the_client_says(desk: Desk) -> None:
    live = Desk(desk.home, desk.project, desk.home / "checkout" / "plugins" / "claude-code")
    clone_of(desk, desk.home / "checkout")
    told = live.ask("mcp", CLAUDE_PLUGIN_ROOT=live.plugin, CLAUDE_PLUGIN_DATA=desk.home / "told").stderr
    assert (
        f"bootstrap.sh' --into '{str(desk.home).replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}/told'"
        in told
    )
    # What another plugin's hook left in the environment is not ours.
    told = live.ask("mcp", CLAUDE_PLUGIN_ROOT="/other", CLAUDE_PLUGIN_DATA=desk.home / "told").stderr
    assert "--into" not in told


@pytest.mark.parametrize(
    ("spoil", "hint"),
    [
        (("pyproject.toml", 'name = "skillopt"', 'name = "other"'), "was not found"),
        (("pyproject.toml", "0.1.0", "0.2.0"), "version 0.1.0"),
        (("plugins/claude-code/scripts/bootstrap.sh", "set -u", "set -eu"), "was not found"),
    ],
)
def test_a_clone_that_is_not_this_plugin_s_is_not_installed(
    desk: Desk, clone: Path, spoil: tuple[str, str, str], hint: str
) -> None:
    name, old, new = spoil
    text = (clone / name).read_text()
    assert old in text
    (clone / name).write_text(text.replace(old, new, 1))
    done = desk.sh(BOOTSTRAP, PATH=uv_path(desk))
    assert done.returncode == 2
    assert hint in done.stderr
    assert "--from FOLDER" in done.stderr
    assert not data(desk).exists()


@pytest.mark.parametrize(
    ("source", "code", "told"),
    [
        ("https://example.org/skillopt.git", 0, "git+https://example.org/skillopt.git"),
        ("git+https://example.org/skillopt.git", 0, "from  git+https://"),
        ("WHEEL", 0, "skillopt-0.1.0-py3-none-any.whl"),
        ("skillopt", 2, "not the source"),  # a name on an index, which is another program
        ("skillopt==0.1.0", 2, "not the source"),
        ("other-1.0-py3-none-any.whl", 2, "not a wheel of this engine"),
        (".", 2, "not the source"),
    ],
)
def test_what_a_person_names_is_looked_at(desk: Desk, source: str, code: int, told: str) -> None:
    wheel = desk.project / "skillopt-0.1.0-py3-none-any.whl"
    for path in (wheel, desk.project / "other-1.0-py3-none-any.whl"):
        path.touch()
    given = source.replace("WHEEL", wheel.name)
    done = desk.sh(BOOTSTRAP, "--from", given, "--dry-run", PATH=uv_path(desk))
    assert done.returncode == code, done.stderr
    assert told in done.stderr


def test_another_project_with_a_package_of_that_name_is_not_installed(desk: Desk) -> None:
    other = clone_of(desk, desk.home / "other")
    (other / "pyproject.toml").write_text('[project]\nname = "other"\nversion = "0.1.0"\n')
    done = desk.sh(BOOTSTRAP, "--from", other, "--dry-run", PATH=uv_path(desk))
    assert done.returncode == 2
    assert "not the source of this engine" in done.stderr


@pytest.mark.parametrize("words", [["--from"], ["--frm", "x"], ["--into", "relative"]])
def test_a_wrong_call_says_the_right_one(desk: Desk, clone: Path, words: list[str]) -> None:
    done = desk.sh(BOOTSTRAP, *words)
    assert done.returncode == 2
    assert "next: sh bootstrap.sh [--from FOLDER|WHEEL|GIT-URL]" in done.stderr


def test_without_python_and_uv_it_says_what_is_needed(desk: Desk, clone: Path) -> None:
    # A project's own tools do not count.
    ran = 'touch "$HOME/ran"'
    for name in ("uv", "python3", "python3.12"):
        write_program(desk.project / ".venv" / "bin" / name, ran)
    write_program(desk.home / "old" / "python3", "exit 1")
    done = desk.sh(BOOTSTRAP, PATH=f"{desk.project}/.venv/bin:{desk.home}/old")
    assert done.returncode == 4
    assert "Neither uv nor Python 3.11 or newer was found." in done.stderr
    assert not (desk.home / "ran").exists()


def test_the_tools_get_a_path_without_the_project(desk: Desk, clone: Path) -> None:
    write_program(desk.project / "bin" / "uv", 'touch "$HOME/ran"')
    tools = write_program(desk.home / "tools" / "uv", f'echo "$PATH" >> "$HOME/path"\n{UV}').parent
    done = desk.sh(BOOTSTRAP, PATH=f".:{desk.project}/bin:{tools}:{desk.project}:/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    assert set((desk.home / "path").read_text().splitlines()) == {f"{tools}:/usr/bin:/bin"}
    assert not (desk.home / "ran").exists()


def test_a_foreign_engine_folder_is_not_touched(desk: Desk, clone: Path) -> None:
    theirs = data(desk) / "engine" / "mine.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")
    done = desk.sh(BOOTSTRAP, PATH=uv_path(desk))
    assert done.returncode == 2
    assert theirs.read_text() == "mine"
