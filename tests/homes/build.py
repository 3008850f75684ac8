"""Build the home of a simulated developer from a labelled world, with the truth about it.

A world (`worlds/*.yaml`) holds what one person asks for, how the agent goes about it, and what the person
says when it goes wrong, every sentence written by hand. `build_home` deals these out to sessions of the
three clients. What each part of a world means is said where it is read.
"""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from plot import Part, Plot
from world import Json, load_world

from skillopt_sleep.experiments.writers import (
    Prompt,
    Queued,
    Script,
    Step,
    Tool,
    fork_claude_code,
    write_claude_code,
    write_codex,
    write_copilot_cli,
)
from skillopt_sleep.experiments.writers.record import new_uuid


def build_home(world: str, dest: Path, seed: int, projects_root: Path) -> Json:
    """Write the home of `world` into `dest`; the same seed gives the same bytes.

    Project folders are only named (below `projects_root`), see `make_projects`. Returns the truth: world,
    sessions, intents, projects, needles, injection_needles, secrets_planted, folders.
    """
    return _Builder(load_world(world), dest, Random(f"{world}-{seed}"), projects_root).build()


def make_projects(truth: Json) -> None:
    """Make every project folder of a built home a git repository, and the subfolders sessions ran in."""
    for project in truth["projects"].values():
        Path(project).mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", "init", "-q", "-b", "main", project], check=True)
    for folder in truth["folders"]:
        Path(folder).mkdir(parents=True, exist_ok=True)


class _Builder:
    def __init__(self, world: Json, dest: Path, rng: Random, projects_root: Path) -> None:
        self.world, self.dest, self.rng = world, dest, rng
        self.projects = {
            name: str(projects_root / spec["folder"]) for name, spec in world["projects"].items()
        }
        self.plot = Plot(world, self.projects, rng)
        self.sessions: list[Json] = []
        self.folders: set[str] = set()

    def build(self) -> Json:
        runs: list[tuple[list[Part], Json | None]] = [(group, None) for group in self.plot.groups()]
        for spec in self.world["headless"]:
            runs += [([self.plot.headless_part(spec)], spec) for _ in range(spec["times"])]
        self.rng.shuffle(runs)
        for (group, headless), at in zip(runs, self._times(len(runs)), strict=True):
            self._write(group, headless, at)
        self._forks()
        return self._truth()

    def _times(self, count: int) -> list[datetime]:
        """Working hours of about six weeks, in order."""
        start = datetime.fromisoformat(str(self.world["start"])).replace(tzinfo=UTC)
        minutes = sorted(self.rng.sample(range(44 * 11 * 60), count))
        return [
            start + timedelta(days=m // 660, hours=8, minutes=m % 660, seconds=self.rng.randrange(60))
            for m in minutes
        ]

    def _write(self, group: list[Part], headless: Json | None, at: datetime) -> None:
        project = group[0].project
        spec = self.world["projects"][project]
        root = self.projects[project]
        clients: dict[str, int] = self.world["clients"]
        client = (
            headless["source"] if headless else self.rng.choices(list(clients), list(clients.values()))[0]
        )
        cwd = root
        if spec.get("subfolders") and not headless and self.rng.random() < 0.1:
            cwd = f"{root}/{self.rng.choice(spec['subfolders'])}"
        self.folders.add(cwd)
        source, old = client.removesuffix("_old"), client.endswith("_old")
        steps = [step for part in group for step in part.steps]
        script = Script(
            session_id=new_uuid(self.rng),
            cwd=cwd,
            git_root=root,
            started_at=at,
            steps=tuple(steps if headless else self.plot.with_noise(steps, source)),
            branch=self.rng.choice(spec["branches"]),
            headless=headless is not None,
            code_mode=self.rng.random() < 0.4,
        )
        if source == "claude":
            path = write_claude_code(script, self.dest, self.rng, old=old)
        elif source == "codex":
            path = write_codex(script, self.dest, self.rng, old=old)
        else:
            path = write_copilot_cli(script, self.dest, self.rng)
        self.sessions.append(
            {
                "id": script.session_id,
                "source": source,
                "old": old,
                "project": root,
                "driver": "headless" if headless else "human",
                "path": path.relative_to(self.dest).as_posix(),
                "episodes": [episode for part in group for episode in part.episodes],
                "user_words": sum(_counts(step) for step in script.steps),
            }
        )

    def _forks(self) -> None:
        """Copies of some Claude sessions under another id; they count once."""
        candidates = [s for s in self.sessions if s["source"] == "claude" and s["driver"] == "human"]
        for session in self.rng.sample(candidates, min(self.world["forks"], len(candidates))):
            path = fork_claude_code(self.dest / session["path"], new_uuid(self.rng), self.rng)
            copy = {**session, "id": path.stem, "driver": "fork", "fork_of": session["id"]}
            copy |= {"path": path.relative_to(self.dest).as_posix(), "episodes": [], "user_words": 0}
            self.sessions.append(copy)

    def _truth(self) -> Json:
        intents = {}
        for name, spec in self.world["intents"].items():
            intents[name] = {
                "project": self.projects[spec["project"]],
                "corrected": bool(spec.get("corrected")),
                "lesson": spec.get("lesson", []),
                "ran": spec.get("ran"),
                "gone": spec.get("gone"),
                "task": spec.get("task", name),
                "against": spec.get("against", []),
            }
        truth: Json = {
            "world": self.world["world"],
            "sessions": self.sessions,
            "intents": intents,
            "projects": self.projects,
            "needles": self.world["needles"],
            "injection_needles": self.world["injection_needles"],
            "secrets_planted": 0,
            "folders": sorted(self.folders),
        }
        return json.loads(json.dumps(truth))  # type: ignore[no-any-return]


def _counts(step: Step) -> int:
    """How many times the person's own words stand in a step."""
    if isinstance(step, Prompt | Queued):
        return 1
    return int(isinstance(step, Tool) and step.fate == "rejected" and bool(step.words))
