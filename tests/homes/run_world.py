"""Build the home of a world, let the installed `skillopt-sleep` work on it, and judge the outcome."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

sys.path.insert(0, str(Path(__file__).parent))

from build import build_home, make_projects
from judge import Report, judge
from world import world_names

Json: TypeAlias = dict[str, Any]
_SKILL_DIRS = (".claude/skills", ".agents/skills", ".github/skills", ".copilot/skills", ".codex/skills")
_KEPT = ("PATH", "LANG", "VIRTUAL_ENV")
_BLOCK = re.compile(r"<!-- SKILLOPT_LEARNED_START -->(.*?)<!-- SKILLOPT_LEARNED_END -->", re.DOTALL)
_ITEM = re.compile(r"^- (.*?)\s*<!-- id: \S+ -->", re.DOTALL | re.MULTILINE)


def run_world(world: str, seed: int, folder: Path) -> Report:
    """Build, `run`, `adopt`, `tasks`, judge, all below `folder`; raises when a command fails."""
    home, projects_root = folder / "home", folder / "code"
    home.mkdir(parents=True)
    truth = build_home(world, home, seed, projects_root)
    (folder / "truth.json").write_text(json.dumps(truth, indent=1, ensure_ascii=False), encoding="utf-8")
    make_projects(truth)
    night = _sleep(home, folder, "run", "--all-projects", "--json")
    print(f"verdict {night.get('verdict')}, {night.get('seconds')} s", file=sys.stderr)
    _sleep(home, folder, "adopt", "--all", "--yes", "--json")
    tasks = _sleep(home, folder, "tasks", "--all-projects", "--json")
    (folder / "tasks.json").write_text(json.dumps(tasks, indent=1, ensure_ascii=False), encoding="utf-8")
    return judge(truth, tasks, adopted_lessons(truth, home))


def adopted_lessons(truth: Json, home: Path) -> list[tuple[str, str]]:
    """(project, text) of every learned item; lessons at user level have the home as project."""
    found: list[tuple[str, str]] = []
    for place in [*truth["projects"].values(), str(home)]:
        for skill in _skills(Path(place)):
            for block in _BLOCK.findall(skill.read_text(encoding="utf-8")):
                found += [(place, " ".join(item.split())) for item in _ITEM.findall(block)]
    return found


def _skills(place: Path) -> Iterator[Path]:
    """Each real skill file once, however many links lead to it."""
    paths = {path.resolve() for folder in _SKILL_DIRS for path in (place / folder).glob("*/SKILL.md")}
    yield from sorted(paths)


def _sleep(home: Path, cwd: Path, *arguments: str) -> Json:
    keep = {key: value for key, value in os.environ.items() if key in _KEPT or key.startswith("COVERAGE_")}
    env = {**keep, "HOME": str(home), "SKILLOPT_SLEEP_HOME": str(home / ".skillopt-sleep")}
    program = Path(sys.executable).parent / "skillopt-sleep"
    done = subprocess.run([program, *arguments], env=env, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(
            f"skillopt-sleep {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        )
    answer: Json = json.loads(done.stdout)
    return answer


def main(argv: list[str]) -> int:
    """Command line; prints one table a world."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "world", nargs="*", metavar="WORLD", help=f"of {', '.join(world_names())}; default all"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="build below this folder and leave everything there")
    options = parser.parse_args(argv)
    for world in options.world or world_names():
        with tempfile.TemporaryDirectory() as scratch:
            folder = (options.keep or Path(scratch)) / world
            print(run_world(world, options.seed, folder).table(), end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
