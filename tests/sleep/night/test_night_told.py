"""What a night says where it learned nothing: why, and what would help."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from labelled_home import Developer

WORDS = ["alpha", "beta", "gamma", "delta", "eps", "zeta", "eta", "theta", "iota", "kappa"]
WISHES = [
    *("use pnpm not npm", "pnpm, not npm", "pnpm instead of npm", "no npm, use pnpm", "always pnpm, not npm"),
    *("please use pnpm not npm", "pnpm not npm here", "we use pnpm, not npm", "not npm, pnpm", "never npm"),
]
NO_SENTENCE = [
    *("why npm?", "npm? pnpm", "is this npm again", "npm install?? pnpm", "why not pnpm", "pnpm"),
    *("I said pnpm", "npm again", "who uses npm here? pnpm", "no more npm"),
]


@pytest.fixture
def newcomer(tmp_path: Path) -> Developer:
    """Nobody has worked here yet."""
    developer = Developer(tmp_path, {})
    developer.home.mkdir()
    return developer


def corrected(developer: Developer, project: Path, wishes: list[str]) -> None:
    for day, (word, wish) in enumerate(zip(WORDS, wishes, strict=True)):
        added = f"add the {word} package"
        developer.work(day, project, (added, f"npm install {word}"), (wish, f"pnpm add {word}"))


def last_lines(developer: Developer) -> str:
    done = developer.run("run", "--all-projects")
    assert done.code == 0, done.err
    return done.out


def test_what_has_no_sentence_is_told_and_waits(newcomer: Developer) -> None:
    project = newcomer.root / "code" / "q"
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    corrected(newcomer, project, NO_SENTENCE)
    told = newcomer.ok("run", "--all-projects", "--dry-run")
    assert told["verdict"] == "inconclusive"
    assert [(p["project"], p["missing"]) for p in told["pending"]] == [(str(project), 0)]
    assert "say it once as a sentence" in last_lines(newcomer)


def test_a_folder_that_is_gone_is_named_and_nothing_is_called_used(newcomer: Developer) -> None:
    project = newcomer.root / "code" / "gone"
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    corrected(newcomer, project, WISHES)
    shutil.rmtree(project)
    out = last_lines(newcomer)
    assert f"No longer there, and so not learned for, is {project}." in out
    assert "already used" not in out
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    assert "Proposal" in last_lines(newcomer)
    assert "already used by an earlier night" in last_lines(newcomer)


def test_a_file_that_blocks_is_named_with_one_full_stop(newcomer: Developer) -> None:
    project = newcomer.root / "code" / "blocked"
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    corrected(newcomer, project, WISHES)
    skill = project / ".claude" / "skills" / "skillopt-sleep-learned" / "SKILL.md"
    skill.mkdir(parents=True)
    out = last_lines(newcomer)
    assert f"Nothing was learned for {skill}: " in out
    assert ".." not in out
    assert "already used" not in out


@pytest.mark.parametrize("folder", [".", "scratch/demo"])
def test_nothing_is_learned_for_the_home_itself(newcomer: Developer, folder: str) -> None:
    """A lesson there would reach every project; with dotfiles in git, any folder below belongs to it."""
    subprocess.run(["git", "init", "-q", str(newcomer.home)], check=True)
    project = newcomer.home / folder
    project.mkdir(parents=True, exist_ok=True)
    corrected(newcomer, project, WISHES)
    night = newcomer.ok("run", "--all-projects", "--dry-run")
    assert night["idle"] == [{"project": str(newcomer.home), "why": "home"}]
    assert night["episodes"] > 0
    assert (night["proposals"], night["consumed"]) == ([], 0)
    assert f"{newcomer.home} is your home" in last_lines(newcomer)


def test_a_home_that_is_no_absolute_path_is_an_error_of_use(newcomer: Developer) -> None:
    program = newcomer.start("harvest")
    program.wait()
    done = subprocess.run(
        [*program.args, "--json"], cwd=newcomer.root,  # type: ignore[misc]
        env={**newcomer.environment(), "HOME": "home"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "absolute" in done.stdout
