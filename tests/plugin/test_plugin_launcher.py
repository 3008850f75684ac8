"""The launcher becomes the engine wherever it is, and runs nothing of the folder it stands in."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from plugin_desk import ENGINE, Desk, write_engine, write_program

ANSWER = "skillopt-sleep-protocol 1 "
BOOBY_TRAP = 'echo "$0" >> "$HOME/ran"'


def record(desk: Desk, engine: Path | str) -> None:
    desk.state.mkdir(mode=0o700, exist_ok=True)
    (desk.state / "engine").write_text(f"{engine}\n")


def in_data(desk: Desk) -> Path:
    data = desk.home / ".claude" / "plugins" / "data" / "skillopt-sleep-skillopt"
    return data / "engine" / "bin" / "skillopt-sleep"


def test_the_places_are_searched_in_their_order(desk: Desk) -> None:
    on_path = write_engine(desk.home / "bin" / "skillopt-sleep")
    path = f"{on_path.parent}:/usr/bin:/bin"
    assert desk.ask("--engine", PATH=path).stdout == f"{on_path}\n"

    shared = write_engine(desk.home / ".local" / "share" / "skillopt-sleep" / "engine/bin/skillopt-sleep")
    assert desk.ask("--engine", PATH=path).stdout == f"{shared}\n"

    own = write_engine(in_data(desk))
    assert desk.ask("--engine", PATH=path).stdout == f"{own}\n"

    recorded = write_engine(desk.home / "recorded")
    record(desk, recorded)
    assert desk.ask("--engine", PATH=path).stdout == f"{recorded}\n"

    named = write_engine(desk.home / "named")
    assert desk.ask("--engine", PATH=path, SKILLOPT_SLEEP_ENGINE=named).stdout == f"{named}\n"


def test_it_becomes_the_engine_with_all_that_was_given(desk: Desk) -> None:
    env = "${PYTHONPATH-none} $PYTHONSAFEPATH $PATH ${SKILLOPT_SLEEP_ASKED-none}"
    show = f'printf "%s|" "$@"; pwd; printf "%s\\n" "{env}"'
    engine = write_program(
        desk.home / "engine", f'[ "$1" != --protocol ] || {{ echo "{ANSWER}0.1.0"; exit; }}\n{show}\nexit 7'
    )

    done = desk.ask("run", "a b", "", SKILLOPT_SLEEP_ENGINE=engine, PYTHONPATH=".", PATH="/usr/bin:/x")

    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == f"run|a b||{desk.project}\nnone 1 /usr/bin:/x none\n"


def test_a_server_started_in_the_folder_of_the_plugin_works_where_the_client_does(desk: Desk) -> None:
    if not Path("/proc/self/cwd").exists():
        pytest.skip("this system does not tell where a process works")
    engine = write_program(
        desk.home / "engine", f'case $1 in --protocol) echo "{ANSWER}0.1.0";; *) pwd;; esac'
    )
    done = ask_from_plugin(desk, "mcp", PATH="/usr/bin:/bin", SKILLOPT_SLEEP_ENGINE=engine)
    assert done.stdout == f"{desk.project}\n"


def test_a_server_started_in_the_folder_of_the_plugin_runs_nothing_of_where_the_client_works(
    desk: Desk,
) -> None:
    if not Path("/proc/self/cwd").exists():
        pytest.skip("this system does not tell where a process works")
    malicious(desk.project)
    ours = write_engine(desk.home / "ours" / "skillopt-sleep")
    path = f"{desk.project}:{desk.project}/.venv/bin:{ours.parent}:/usr/bin:/bin"
    assert ask_from_plugin(desk, "--engine", PATH=path).stdout == f"{ours}\n"
    assert not (desk.home / "ran").exists()


def ask_from_plugin(desk: Desk, *arguments: str, **env: object) -> subprocess.CompletedProcess[str]:
    """Runs the launcher as Codex does: in the folder of the plugin, by who works in the project."""
    words = (
        shlex.join(["cd", str(desk.plugin)])
        + " && exec "
        + shlex.join(["/bin/sh", "./scripts/skillopt-sleep", *arguments])
    )
    return subprocess.run(
        # The outer shell stays where it is, as a client does.
        ["/bin/sh", "-c", f"(exec /bin/sh -c {shlex.quote(words)}) & wait $!"],
        cwd=desk.project,
        env={"HOME": str(desk.home), **{name: str(value) for name, value in env.items()}},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("arguments", [["mcp"], ["status", "--json"], [], ["--engine"]])
def test_with_nothing_there_it_says_what_is_missing_and_what_to_run(
    tmp_path: Path, desk: Desk, arguments: list[str]
) -> None:
    alone = tmp_path / "a copy"
    shutil.copytree(desk.plugin, alone)
    done = Desk(desk.home, tmp_path, alone).ask(*arguments, PATH="/nowhere")

    assert (done.returncode, done.stdout) == (4, "")
    error, why, following = done.stderr.splitlines()[:3]
    assert error == "error: The engine of the plugin skillopt-sleep is not installed."
    assert "on PATH" in why
    words = shlex.split(following.removeprefix("  next: "))
    assert words == ["/bin/sh", str(alone / "scripts" / "bootstrap.sh"), "--from", "FOLDER"]
    assert not desk.state.exists()


def test_without_a_home_it_says_the_same(desk: Desk) -> None:
    done = desk.ask("mcp", HOME=None)
    assert done.returncode == 4
    assert "HOME is not set" in done.stderr


def test_the_command_it_shows_is_whole_when_the_client_keeps_a_clone(desk: Desk) -> None:
    clone = desk.home / ".claude" / "plugins" / "marketplaces" / "skillopt"
    clone_of(desk, clone)
    done = desk.ask("mcp")
    (line,) = [line for line in done.stderr.splitlines() if "next:" in line]
    assert shlex.split(line)[1:] == ["/bin/sh", str(desk.plugin / "scripts" / "bootstrap.sh")]


def clone_of(desk: Desk, folder: Path) -> None:
    """What the client cloned, as far as it is looked at."""
    shutil.copytree(desk.plugin, folder / "plugins" / "claude-code")
    (folder / "skillopt_sleep").mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "skillopt"\nversion = "0.1.0"\n')


@pytest.mark.parametrize(
    ("named", "hint"),
    [("bin/skillopt-sleep", "absolute"), ("/nowhere/skillopt-sleep", "/nowhere"), ("/bin/true", "/bin/true")],
)
def test_an_engine_that_was_named_and_is_none_is_told_not_passed_over(
    desk: Desk, named: str, hint: str
) -> None:
    write_engine(in_data(desk))
    write_engine(desk.project / "bin" / "skillopt-sleep")
    done = desk.ask("status", SKILLOPT_SLEEP_ENGINE=named)
    assert done.returncode == 2
    assert hint in done.stderr


@pytest.mark.parametrize(
    "stranger",
    [
        "echo skillopt-sleep 3.1",  # says something else
        'echo "error: unknown option $1" >&2; exit 2',
        'echo "skillopt-sleep-protocol 2 9.0.0"',  # ours, one day
        'echo "the skillopt-sleep-protocol 1 0.1.0"',
        "exit 0",
        "exec yes",  # talks without end
    ],
)
def test_another_program_of_the_name_is_passed_over_and_told(desk: Desk, stranger: str) -> None:
    other = write_program(desk.home / "other" / "skillopt-sleep", stranger)
    ours = write_engine(desk.home / "ours" / "skillopt-sleep")
    path = f"{other.parent}:{ours.parent}:/usr/bin:/bin"

    assert desk.ask("--engine", PATH=path).stdout == f"{ours}\n"

    ours.unlink()
    done = desk.ask("status", PATH=path)
    assert done.returncode == 4
    assert f"found: {other}, " in done.stderr


def test_a_recorded_engine_that_is_gone_is_passed_over(desk: Desk) -> None:
    own = write_engine(in_data(desk))
    for gone in (desk.home / "gone", "relative/engine", "", "/bin/true"):
        record(desk, gone)
        assert desk.ask("--engine").stdout == f"{own}\n"


def test_a_launcher_does_not_take_a_launcher_for_the_engine(desk: Desk) -> None:
    other = desk.home / ".copilot" / "installed-plugins" / "skillopt" / "skillopt-sleep"
    shutil.copytree(desk.plugin, other)
    data = desk.home / ".copilot" / "plugin-data" / "skillopt" / "skillopt-sleep"
    engine = write_engine(data / "engine" / "bin" / "skillopt-sleep")
    assert Desk(desk.home, desk.project, other).ask("--engine").stdout == f"{engine}\n"

    done = desk.ask("status", PATH=f"{other / 'scripts'}:/usr/bin:/bin")
    assert done.returncode == 4
    assert "does not answer" in done.stderr


def test_a_program_is_asked_where_nothing_of_the_project_lies(desk: Desk) -> None:
    other = write_program(desk.home / "other" / "skillopt-sleep", 'pwd > "$HOME/where"')
    desk.ask("status", PATH=other.parent)
    assert (desk.home / "where").read_text() == "/\n"


def malicious(project: Path) -> None:
    for name in ("skillopt_sleep/__init__.py", "skillopt/__init__.py", "sitecustomize.py", "click.py"):
        path = project / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('import os\nopen(os.path.join(os.environ["HOME"], "ran"), "a").write(__file__)\n')
    for name in ("skillopt-sleep", ".venv/bin/skillopt-sleep", "bin/skillopt-sleep", "sh", "sed", "engine"):
        write_program(project / name, f'{BOOBY_TRAP}\necho "{ANSWER}0.1.0"')
    (project / "packages" / "api").mkdir(parents=True)


@pytest.mark.parametrize("below", [".", "packages/api"])
@pytest.mark.parametrize("is_installed", [True, False])
def test_nothing_of_a_project_is_run(desk: Desk, below: str, is_installed: bool) -> None:
    malicious(desk.project)
    if is_installed:
        write_engine(in_data(desk))
    entries = [
        "",
        ".",
        "bin",
        str(desk.project),
        f"{desk.project}/.venv/bin",
        f"{desk.project}/packages/../bin",
    ]
    done = desk.ask(
        "--protocol",
        cwd=desk.project / below,
        PATH=":".join((*entries, "/usr/bin", "/bin", "")),
        PYTHONPATH=f".:{desk.project}",
        PYTHONSTARTUP=f"{desk.project}/sitecustomize.py",
        SKILLOPT_SLEEP_HOME="." if not is_installed else "",
        CDPATH=desk.project,
    )
    assert not (desk.home / "ran").exists(), (desk.home / "ran").read_text()
    assert done.returncode == (0 if is_installed else 4), done.stderr


def test_a_state_folder_of_the_project_names_no_engine(desk: Desk) -> None:
    malicious(desk.project)
    own = write_engine(in_data(desk))
    (desk.project / "state").mkdir()
    (desk.project / "state" / "engine").write_text(f"{desk.project}/engine\n")
    for below in (".", "packages/api"):
        done = desk.ask("--engine", cwd=desk.project / below, SKILLOPT_SLEEP_HOME=desk.project / "state")
        assert done.stdout == f"{own}\n"
    assert not (desk.home / "ran").exists()


def test_a_data_folder_of_the_project_holds_no_engine(desk: Desk) -> None:
    malicious(desk.project)
    alone = Desk(desk.home, desk.project, desk.home / "a copy")
    shutil.copytree(desk.plugin, alone.plugin)
    data = desk.project / "data" / "skillopt-sleep"
    write_program(data / "engine" / "bin" / "skillopt-sleep", f'{BOOBY_TRAP}\necho "{ANSWER}0.1.0"')
    told = {"CLAUDE_PLUGIN_ROOT": alone.plugin, "CLAUDE_PLUGIN_DATA": data}
    for below in (".", "packages/api"):
        for given in ({"XDG_DATA_HOME": data.parent}, told):
            assert alone.ask("status", cwd=desk.project / below, **given).returncode == 4
    assert not (desk.home / "ran").exists()


def test_who_works_beside_the_plugin_has_its_engine_there(desk: Desk) -> None:
    (desk.home / ".claude" / ".git").mkdir()
    ours = write_engine(in_data(desk))
    assert desk.ask("--engine", cwd=desk.home / ".claude").stdout == f"{ours}\n"


def test_what_is_missing_is_told_where_there_is_nothing_but_a_shell(desk: Desk) -> None:
    told = subprocess.run(
        ["/bin/sh", "-c", '. "$root/scripts/places.sh"; plugin_version; quote "$0"', "it's 'so'"],
        env={"root": str(desk.plugin), "PATH": "/nowhere"},
        capture_output=True,
        text=True,
    )
    version, word = told.stdout.split("\n", 1)
    assert (version, shlex.split(word), told.stderr) == ("0.1.0", ["it's 'so'"], "")


def test_an_engine_of_another_version_is_taken_and_told(desk: Desk) -> None:
    other = write_program(desk.home / "engine", f'echo "{ANSWER}9.1.0"')
    done = desk.ask("status", SKILLOPT_SLEEP_ENGINE=other)
    assert done.returncode == 0
    assert done.stderr == f"note: the engine {other} is version 9.1.0, the plugin 0.1.0.\n"


def test_a_project_that_only_the_client_names_is_not_run_either(desk: Desk) -> None:
    malicious(desk.project)
    for name in ("CLAUDE_PROJECT_DIR", "COPILOT_PROJECT_DIR"):
        done = desk.ask("status", cwd=desk.home, PATH=f"{desk.project}/.venv/bin", **{name: desk.project})
        assert done.returncode == 4
    assert not (desk.home / "ran").exists()


def test_who_works_in_the_home_folder_has_programs_there(desk: Desk) -> None:
    ours = write_engine(desk.home / ".local" / "bin" / "skillopt-sleep")
    assert desk.ask("--engine", cwd=desk.home, PATH=ours.parent).stdout == f"{ours}\n"
    assert desk.ask("--engine", cwd=Path("/"), PATH=ours.parent).stdout == f"{ours}\n"
    write_program(desk.home / "skillopt-sleep", BOOBY_TRAP)
    assert desk.ask("--engine", cwd=desk.home, PATH=f"{desk.home}:.").returncode == 4
    assert not (desk.home / "ran").exists()


def test_the_real_engine_answers_through_it(desk: Desk) -> None:
    done = desk.ask("status", "--json", SKILLOPT_SLEEP_ENGINE=ENGINE)
    assert (done.returncode, done.stderr) == (0, "")
    assert '"ok": true' in done.stdout
