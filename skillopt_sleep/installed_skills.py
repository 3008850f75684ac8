"""The skills a developer already has, read as leniently as clients read them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from skillopt_sleep.targets import PROJECT_ROOTS, SKILL_FILE, USER_ROOTS

MAX_READ_BYTES = 1 << 18
"""Front matter stands at the top; a file larger than this is read no further."""

_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)(?:\r?\n)?^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class InstalledSkill:
    """A skill as a client would list it: `path` is its SKILL.md; `problem` says what is wrong with it."""

    name: str
    description: str
    path: Path
    level: Literal["project", "user"]
    problem: str = ""


def existing_skills(project: Path, home: Path) -> tuple[InstalledSkill, ...]:
    """The skills of `project` and of the user's `home`, each real file once, the project's first.

    A skill that cannot be read is listed with its problem, never left out.
    """
    found: dict[str, InstalledSkill] = {}
    levels: tuple[tuple[Literal["project", "user"], Path, tuple[str, ...]], ...] = (
        ("project", project, PROJECT_ROOTS),
        ("user", home, USER_ROOTS),
    )
    for level, base, roots in levels:
        for path in _skill_files(base, roots):
            found.setdefault(os.path.realpath(path), _read_skill(path, level))
    return tuple(found.values())


def _skill_files(base: Path, roots: tuple[str, ...]) -> Iterator[Path]:
    for root in roots:
        folder = base / root
        try:
            inside = sorted(folder.iterdir()) if folder.is_dir() else []
        except OSError:
            continue  # closed to this user, and so to their clients
        # `os.path.lexists` keeps a skill whose link dangles, to be listed with its problem.
        yield from (f / SKILL_FILE for f in inside if os.path.lexists(f / SKILL_FILE))


def _read_skill(path: Path, level: Literal["project", "user"]) -> InstalledSkill:
    folder = path.parent.name
    if path.exists() and not path.is_file():
        return InstalledSkill(folder, "", path, level, "is not a regular file")
    try:
        with path.open("rb") as file:
            text = file.read(MAX_READ_BYTES).decode("utf-8", "replace")
    except OSError as error:
        return InstalledSkill(folder, "", path, level, f"cannot be read: {error.strerror or error}")
    match = _FRONT_MATTER.match(text)
    if match is None:
        return InstalledSkill(folder, "", path, level, "has no front matter")
    values, problem = _read_front_matter(match.group(1))
    name = values.get("name", "").strip() or folder
    description = " ".join(values.get("description", "").split())
    return InstalledSkill(
        name, description, path, level, problem or ("" if description else "has no description")
    )


def _read_front_matter(text: str) -> tuple[dict[str, str], str]:
    try:
        loaded = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return _read_lines(text), "has front matter that is not valid YAML"
    if not isinstance(loaded, dict):
        return _read_lines(text), "has front matter that is not a mapping"
    return {str(key): str(value) for key, value in loaded.items() if value is not None}, ""


def _read_lines(text: str) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in text.splitlines() if re.match(r"(?:name|description):", line))
    return {key: value.strip().strip("'\"") for key, value in pairs}
