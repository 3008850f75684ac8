"""The wheel: what is in it, and that it works on a machine that has nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = [pytest.mark.e2e, pytest.mark.network, pytest.mark.xdist_group("wheel")]


@dataclass(frozen=True)
class Installed:
    wheel: Path
    bin: Path
    home: Path

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """An installed program, in an empty folder with an empty HOME."""
        path = os.pathsep.join((str(self.bin), os.defpath))
        env = {"HOME": str(self.home), "PATH": path, "LANG": "C.UTF-8"}
        return subprocess.run(
            [self.bin / command, *arguments], cwd=self.home, env=env, capture_output=True, text=True
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel and install it with its dependencies; needs the package registries."""
    folder = tmp_path_factory.mktemp("wheel")
    venv, dist, home = folder / "venv", folder / "dist", folder / "home"
    home.mkdir()
    python = str(venv / "bin" / "python")
    constraints = ("--constraint", str(ROOT / "constraints.txt"))
    uv = shutil.which("uv", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if uv:
        do(uv, "build", "--quiet", "--wheel", "--out-dir", str(dist), str(ROOT))
        do(uv, "venv", "--quiet", "--python", sys.executable, str(venv))
        install = [uv, "pip", "install", "--quiet", "--python", python]
    else:
        do(sys.executable, "-m", "venv", str(venv))
        do(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(dist), str(ROOT))
        install = [python, "-m", "pip", "install", "--quiet"]
    (wheel,) = dist.glob("*.whl")
    do(*install, *constraints, str(wheel))
    return Installed(wheel, venv / "bin", home)


def do(*words: str) -> None:
    # As in tools/venv.sh: the certificates and the interpreters of this machine.
    env = {**os.environ, "UV_SYSTEM_CERTS": "true", "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run(words, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"


def test_it_holds_what_the_program_needs_and_nothing_else(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    for needed in (
        "skillopt/py.typed",
        "skillopt/config/.env.example",
        "skillopt_sleep/py.typed",
        "skillopt_sleep/mine/cues.toml",
        "skillopt_sleep/demo/__main__.py",
        "skillopt_sleep/install/plugin/.claude-plugin/plugin.json",
        "skillopt_sleep/experiments/personas/researcher/developer.yaml",
    ):
        assert needed in names
    plugin = ROOT / "plugins" / "claude-code"
    assert {
        f"skillopt_sleep/install/plugin/{path.relative_to(plugin).as_posix()}"
        for path in plugin.rglob("*")
        if path.is_file()
    } <= set(names)
    bundle = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "skillopt_sleep" / "demo" / "home").rglob("*")
        if path.is_file()
    }
    assert bundle <= set(names)
    tops = {name.split("/")[0] for name in names}
    assert tops == {"skillopt", "skillopt_sleep", next(top for top in tops if top.endswith(".dist-info"))}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_plugin_in_it_is_wired_into_a_client(installed: Installed) -> None:
    done = installed.run("skillopt-sleep", "install", "claude")
    assert done.returncode == 0, done.stderr
    launcher = installed.home / ".skillopt-sleep" / "plugin" / "scripts" / "skillopt-sleep"
    assert os.access(launcher, os.X_OK)
    assert installed.run("skillopt-sleep", "uninstall", "claude").returncode == 0
    assert not launcher.exists()


@pytest.mark.parametrize("command", ["skillopt", "skillopt-sleep"])
def test_help(installed: Installed, command: str) -> None:
    done = installed.run(command, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: {command} ")


def test_no_tool_of_ours_comes_along(installed: Installed) -> None:
    for name in ("pytest", "hypothesis", "mypy", "coverage"):
        assert installed.run("python", "-c", f"import {name}").returncode == 1


@pytest.mark.parametrize("arguments", [("run",), ("run", "--all-projects"), ("harvest",), ("tasks",)])
def test_the_first_run_on_an_empty_home_explains_itself(
    installed: Installed, arguments: tuple[str, ...]
) -> None:
    done = installed.run("skillopt-sleep", *arguments)
    assert done.returncode == 0, done.stderr
    for told in ("This is where I looked:", f"{installed.home}/.claude/projects", "Next: "):
        assert told in done.stdout


def test_the_demo(installed: Installed) -> None:
    done = installed.run("python", "-m", "skillopt_sleep.demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "byte for byte as before" in done.stdout
