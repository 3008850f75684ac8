"""`--protocol` tells whoever starts the program that it is ours, and looks at nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Protocol

PYPROJECT = Path(__file__).resolve().parents[3] / "pyproject.toml"


class Outcome(Protocol):
    code: int
    out: str
    err: str


class Machine(Protocol):
    home: Path
    state: Path

    def run(self, *arguments: str, cwd: Path | None = None, **env: str) -> Outcome: ...


def version() -> str:
    project: dict[str, Any] = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def test_the_probe_is_answered_in_one_line_and_touches_nothing(machine: Machine) -> None:
    machine.state.write_text("a file where the state should be")

    found = machine.run("--protocol")

    assert (found.code, found.out, found.err) == (0, f"skillopt-sleep-protocol 1 {version()}\n", "")
    assert sorted(each.name for each in machine.home.iterdir()) == sorted({"work", machine.state.name})
