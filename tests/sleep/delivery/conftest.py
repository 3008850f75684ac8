"""A developer's machine with one project, and the short way to stage and adopt lessons on it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from skillopt.core.gate import GateDecision
from skillopt_sleep.adopt import Adopter, AdoptResult, Choice, adopt
from skillopt_sleep.disk import Disk
from skillopt_sleep.home import StateHome
from skillopt_sleep.proposal import Lesson, Proposal, Quote, TargetFile, file_sha, lesson_id, proposal_id
from skillopt_sleep.skillfile import MANAGED_SKILL, render_existing, render_managed
from skillopt_sleep.stage import publish, stage
from skillopt_sleep.targets import place
from skillopt_sleep.undo import UndoResult, undo

START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


@dataclass
class Desk:
    """`clock` moves a minute with every act, so that order is never a matter of luck."""

    root: Path
    clock: datetime = field(default=START)

    def __post_init__(self) -> None:
        for folder in (self.user_home, self.project):
            folder.mkdir(parents=True)

    @property
    def user_home(self) -> Path:
        return self.root / "dev"

    @property
    def project(self) -> Path:
        return self.root / "dev" / "web"

    @property
    def home(self) -> StateHome:
        return StateHome(self.root / "state")

    def tick(self) -> datetime:
        self.clock += timedelta(minutes=1)
        return self.clock

    def lesson(self, text: str = "Use pnpm, not npm, in this repo.", **changes: Any) -> Lesson:
        said = Quote("s1", "no, use pnpm not npm", START)
        values: dict[str, Any] = {
            "id": lesson_id(text, str(self.project)),
            "text": text,
            "mode": "replayed",
            "train": (said, Quote("s2", "pnpm please", START)),
            "held_out": (Quote("s3", "never npm", START),),
            "n": 3,
            "replayed": 3,
            "occasions": ("installing dependencies",),
        }
        return Lesson(**(values | changes))

    def managed(
        self, *texts: str | Lesson, sources: tuple[str, ...] = ("claude",), **changes: Any
    ) -> Proposal:
        """Stage lessons for the managed skill of the project."""
        lessons = tuple(t if isinstance(t, Lesson) else self.lesson(t) for t in texts)
        placement = place(self.project, sources, MANAGED_SKILL)
        path = placement.skill_file
        current = path.read_bytes() if path.exists() else None
        occasions = tuple(dict.fromkeys(o for lesson in lessons for o in lesson.occasions))
        new = render_managed(lessons, occasions, current)
        changes = {"links": placement.links, "occasions": occasions, **changes}
        return self._stage(path, current, new, lessons, "managed", **changes)

    def existing(self, path: Path, *texts: str | Lesson, **changes: Any) -> Proposal:
        """Stage lessons for a skill the user wrote."""
        lessons = tuple(t if isinstance(t, Lesson) else self.lesson(t) for t in texts)
        current = path.read_bytes()
        return self._stage(path, current, render_existing(lessons, current), lessons, "existing", **changes)

    def raw(self, path: Path, new: bytes, **changes: Any) -> Proposal:
        """Stage any bytes for a path."""
        current = path.read_bytes() if path.exists() else None
        return self._stage(path, current, new, (), "existing", **changes)

    def _stage(
        self,
        path: Path,
        current: bytes | None,
        new: bytes,
        lessons: tuple[Lesson, ...],
        kind: str,
        **changes: Any,
    ) -> Proposal:
        base = None if current is None else file_sha(current)
        values: dict[str, Any] = {
            "id": proposal_id(str(path), base, file_sha(new)),
            "project": str(self.project),
            "skill": path.parent.name,
            "kind": kind,
            "target": TargetFile(str(path), current is not None, base),
            "new_sha": file_sha(new),
            "lessons": lessons,
            "decision": GateDecision("accept", "3 better, 0 worse", 3, 0.0, 1.0, (("t1", 0.0, 1.0),)),
            "created_at": self.tick(),
            "night": "n1",
        }
        staged = stage(self.home, Proposal(**(values | changes)), new)
        publish(self.home, staged.night)
        return staged

    def write(self, relative: str, data: bytes = b"---\nname: x\n---\nMine.\n", mode: int = 0o644) -> Path:
        path = self.project / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(mode)
        return path

    def adopt(
        self,
        *chosen: Proposal | Choice,
        allow: frozenset[str] = frozenset(),
        disk: Disk | None = None,
    ) -> AdoptResult:
        choices = [c if isinstance(c, Choice) else Choice(c) for c in chosen]
        return adopt(self.home, choices, Adopter(self.user_home, allow), now=self.tick(), disk=disk)

    def undo(self, receipt: str | None = None, disk: Disk | None = None) -> UndoResult:
        return undo(self.home, receipt, now=self.tick(), disk=disk)

    def snapshot(self) -> dict[str, Any]:
        """Every file, folder and link of the developer, with its bytes, mode and target."""
        found: dict[str, Any] = {}
        for folder, folders, files in os.walk(self.user_home):
            for name in folders + files:
                path = Path(folder, name)
                mode = stat.S_IMODE(path.lstat().st_mode)
                if path.is_symlink():
                    found[str(path)] = ("link", str(path.readlink()))
                elif path.is_dir():
                    found[str(path)] = ("folder", mode)
                else:
                    found[str(path)] = ("file", mode, path.read_bytes())
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
