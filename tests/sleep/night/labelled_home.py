"""The labelled developer home on a machine of its own, worked on by the installed command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from skillopt_sleep.experiments.writers import Prompt, Script, Tool, write_claude_code
from skillopt_sleep.experiments.writers.record import new_uuid

HERE = Path(__file__).parent
Json: TypeAlias = dict[str, Any]
FIXTURES = HERE.parents[1] / "fixtures" / "corpus"
PROGRAM = Path(sys.executable).with_name("skillopt-sleep")


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        """The one object on stdout."""
        (line,) = self.out.splitlines()
        found: Json = json.loads(line)
        return found


@dataclass(frozen=True)
class Developer:
    """`root/home` is HOME, `root/code` holds the repositories web and api."""

    root: Path
    truth: Json

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def state(self) -> Path:
        return self.home / ".skillopt-sleep"

    @property
    def web(self) -> Path:
        return self.root / "code" / "web"

    @property
    def api(self) -> Path:
        return self.root / "code" / "api"

    def environment(self) -> dict[str, str]:
        keep = {key: value for key, value in os.environ.items() if key.startswith("COVERAGE_")}
        return {**keep, "HOME": str(self.home), "PATH": os.defpath, "LANG": "C.UTF-8"}

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def run(self, *arguments: str, cwd: Path | None = None) -> Outcome:
        done = subprocess.run(
            [PROGRAM, *arguments],
            cwd=cwd or self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str, cwd: Path | None = None) -> Json:
        """The object of a command that must succeed."""
        done = self.run(*arguments, "--json", cwd=cwd)
        assert done.code == 0, done.out + done.err
        assert done.json["ok"] is True
        return done.json

    def night(self, *arguments: str) -> Json:
        return self.ok("run", "--all-projects", *arguments)

    def work(self, day: int, project: Path, *turns: tuple[str, str]) -> str:
        """A new Claude Code session some days after the labelled ones: words and what was run then."""
        rng = Random(f"{project.name}-{day}-{turns}")
        steps = [
            step for said, command in turns for step in (Prompt(said), Tool("run", command, exit_code=0))
        ]
        script = Script(
            session_id=new_uuid(rng),
            cwd=str(project),
            git_root=str(project),
            started_at=datetime(2026, 11, 21, 9, tzinfo=UTC) + timedelta(days=day),
            steps=tuple(steps),
        )
        write_claude_code(script, self.home, rng)
        return script.session_id


def build(root: Path, projects: Sequence[str] = ("web", "api")) -> Developer:
    """Copy the labelled home; its projects come to lie in `root/code`."""
    text = (FIXTURES / "truth.json").read_text(encoding="utf-8")
    developer = Developer(root, json.loads(text.replace("/home/dev", str(root / "code"))))
    shutil.copytree(FIXTURES / "home", developer.home)
    for path in sorted(developer.home.rglob("*")):
        if path.is_file():
            old = path.read_bytes()
            path.write_bytes(old.replace(b"/home/dev", str(root / "code").encode()))
    (root / "code").mkdir()
    for name in projects:
        subprocess.run(["git", "init", "-q", "-b", "main", str(root / "code" / name)], check=True)
    return developer
