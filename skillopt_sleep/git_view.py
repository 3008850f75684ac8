"""What git says about a file, asked read-only; nothing here ever writes to a repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Literal

from skillopt_sleep.programs import find_program

GitState = Literal["tracked", "new", "ignored", "unknown"]

_TIMEOUT_S = 5.0


def git_state(project: Path, path: Path) -> GitState:
    """Whether `path` is tracked by, new to, or ignored by the repository of `project`.

    `unknown` without git, outside a repository, or when git does not answer in time.
    """
    git = find_program("git", os.environ)
    if git is None:
        return "unknown"
    if _ask(git, project, "ls-files", "--error-unmatch", "--", str(path)) == 0:
        return "tracked"
    answers: dict[int, GitState] = {0: "ignored", 1: "new"}
    return answers.get(_ask(git, project, "check-ignore", "-q", "--", str(path)), "unknown")


def _ask(git: Path, project: Path, *question: str) -> int:
    # A repository's own configuration can name a program for git to run; it is not run for a question.
    command = [str(git), "-c", "core.fsmonitor=false", "-C", str(project), *question]
    try:
        done = subprocess.run(  # noqa: S603
            command,
            # Inside a hook of git these name another repository.
            env={name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return -1
    return done.returncode


def git_sentence(state: GitState, path: str) -> str:
    """What a person should know about `state`; empty when there is nothing to say."""
    if state == "new":
        return f"{path} is new to git; commit it to share it."
    if state == "ignored":
        return f"Warning: git ignores {path}; it stays on this machine."
    return ""
