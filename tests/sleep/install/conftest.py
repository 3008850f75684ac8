from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from skillopt_sleep.disk import Disk
from skillopt_sleep.home import StateHome
from skillopt_sleep.install.carry_out import Outcome, install, uninstall
from skillopt_sleep.install.clients import Surroundings

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SOMEWHERE = Path(sys.executable).with_name("skillopt-sleep")


@dataclass
class Person:
    """A home folder, and what is installed in it."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)
    has_hooks: bool = False
    program: Path = SOMEWHERE

    @property
    def state(self) -> StateHome:
        return StateHome.locate(None, self.all_env)

    @property
    def all_env(self) -> Mapping[str, str]:
        return {"HOME": str(self.home), **self.env}

    @property
    def around(self) -> Surroundings:
        return Surroundings(self.state, self.program, self.all_env, self.home, self.has_hooks)

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def install(self, client: str, disk: Disk | None = None, *, is_dry: bool = False) -> Outcome:
        self.state.make()
        return install(self.around, client, NOW, disk=None if is_dry else disk or Disk())

    def uninstall(self, client: str, disk: Disk | None = None) -> Outcome:
        return uninstall(self.around, client, NOW, disk=disk or Disk())

    def tree(self) -> dict[str, bytes | str | None]:
        """All in the home but the state: bytes of files, targets of links, None for folders."""
        found: dict[str, bytes | str | None] = {}
        for path in sorted(self.home.rglob("*")):
            if path != self.state.path and self.state.path not in path.parents:
                told = (
                    str(path.readlink())
                    if path.is_symlink()
                    else path.read_bytes()
                    if path.is_file()
                    else None
                )
                found[str(path.relative_to(self.home))] = told
        return found


@pytest.fixture
def person(tmp_path: Path) -> Person:
    home = tmp_path / "home"
    (home / ".config" / "Code" / "User").mkdir(parents=True)
    return Person(home)
