"""A desk to try the plugin at: a home, a project, and the plugin where a client puts it."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "claude-code"
ENGINE = Path(sys.executable).with_name("skillopt-sleep")


@dataclass(frozen=True)
class Desk:
    """A person's home, the folder they work in, and the plugin where a client put it."""

    home: Path
    project: Path
    plugin: Path

    @property
    def state(self) -> Path:
        return self.home / ".skillopt-sleep"

    def sh(
        self, script: str, *arguments: object, stdin: bytes = b"", cwd: Path | None = None, **env: object
    ) -> subprocess.CompletedProcess[str]:
        """Runs a script of the plugin with nothing but `env`, HOME and a bare PATH."""
        given = {"HOME": self.home, "PATH": "/usr/bin:/bin", **env}
        done = subprocess.run(
            ["/bin/sh", self.plugin / script, *map(str, arguments)],
            env={name: str(value) for name, value in given.items() if value is not None},
            cwd=cwd or self.project,
            input=stdin,
            capture_output=True,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    def ask(
        self, *arguments: object, cwd: Path | None = None, **env: object
    ) -> subprocess.CompletedProcess[str]:
        """Runs the launcher."""
        return self.sh("scripts/skillopt-sleep", *arguments, cwd=cwd, **env)


def write_program(path: Path, body: str) -> Path:
    """A program of /bin/sh."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def write_engine(path: Path) -> Path:
    """A program that becomes the engine of this checkout."""
    return write_program(path, f'exec "{ENGINE}" "$@"')


def make_desk(folder: Path) -> Desk:
    """The plugin as Claude Code keeps it, under a path that has to be quoted."""
    home = folder / "it's a home"
    plugin = home / ".claude" / "plugins" / "cache" / "skillopt" / "skillopt-sleep" / "0.1.0"
    shutil.copytree(PLUGIN, plugin)
    project = home / "code" / "shop"
    (project / ".git").mkdir(parents=True)
    return Desk(home, project, plugin)
