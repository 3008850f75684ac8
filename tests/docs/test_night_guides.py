"""The guides of the night: each command in them runs as it stands, on the home of the demo."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from skillopt_sleep.demo.scratch import Scratch, make_scratch

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ("first-night.md", "privacy.md", "guides/task-files.md", "guides/claude-code.md")
PROGRAM = Path(sys.executable).with_name("skillopt-sleep")
EVALS = {"skill_name": "x", "evals": [{"id": 1, "prompt": "Do it.", "expectations": ["It is done"]}]}


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL):
            lines = (line.partition("  #")[0].strip() for line in block.splitlines())
            found += [(page, line) for line in lines if line.startswith("skillopt-sleep ")]
    return found


@dataclass(frozen=True)
class Reader:
    """Somebody who has had one night and now does what a page says."""

    scratch: Scratch
    values: dict[str, str]

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        for name, value in self.values.items():
            command = re.sub(rf"\b{name}\b", value, command)
        words = shlex.split(command)[1:]
        if words[0] == "purge" and "--yes" not in words:
            words.append("--dry-run")  # nobody can be asked here
        return subprocess.run(
            [str(PROGRAM), *words],
            capture_output=True,
            text=True,
            env=self.scratch.env,
            cwd=self.scratch.project("storefront"),
        )


@pytest.fixture(scope="module")
def slept(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    reader = Reader(make_scratch(tmp_path_factory.mktemp("reader") / "home"), {})
    project = reader.scratch.project("storefront")
    (project / "evals").mkdir()
    (project / "evals" / "evals.json").write_text(json.dumps(EVALS))
    assert reader.run("skillopt-sleep tasks --output tasks.yaml").returncode == 0
    night: dict[str, Any] = json.loads(reader.run("skillopt-sleep run --json").stdout)
    (proposal,) = night["proposals"]
    reader.values.update(
        ID=proposal["id"], LESSON=proposal["lessons"][0]["id"], NIGHT=night["night"], DIR=str(project)
    )
    return reader


@pytest.fixture
def reader(slept: Reader, tmp_path: Path) -> Iterator[Reader]:
    """The same, put back at the end under the same paths."""
    home = slept.scratch.home
    shutil.copytree(home, tmp_path / "saved", symlinks=True)
    yield slept
    shutil.rmtree(home)
    shutil.move(tmp_path / "saved", home)


@pytest.mark.parametrize(("page", "command"), commands())
def test_a_command_of_a_guide_runs(page: str, command: str, reader: Reader) -> None:
    if "--session" in command:
        known = json.loads(reader.run("skillopt-sleep harvest --sessions --json").stdout)
        command = command.replace("ID", known["sessions"][0]["id"])
    done = reader.run(command)
    assert done.returncode == 0, f"{page}: {command}\n{done.stdout}{done.stderr}"


def test_the_pages_have_commands() -> None:
    assert {page for page, _ in commands()} == set(PAGES)
    assert len(commands()) > 20
