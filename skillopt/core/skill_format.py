"""Whether a skill file is what the Agent Skills specification (agentskills.io) and its clients expect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from skillopt.core.skill import Skill
from skillopt.core.task import Json
from skillopt.errors import SkillFormatError

_KEYS = ("name", "description", "license", "compatibility", "metadata", "allowed-tools")
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: `rule` names it for programs, `message` says it."""

    rule: str
    message: str


def check_skill(skill: Skill, folder: str) -> tuple[Finding, ...]:
    """All that keeps a client from loading the skill that stands in `folder`; empty for a good one."""
    return tuple(_findings(skill, folder))


def _findings(skill: Skill, folder: str) -> Iterator[Finding]:
    if skill.text.startswith("\ufeff"):
        yield Finding("bom", "the file begins with a byte order mark; save it without")
    try:
        skill.regions()
    except SkillFormatError as error:
        yield Finding("regions", f"{error.what}: {error.why}")
    try:
        metadata = skill.metadata()
    except SkillFormatError as error:
        yield Finding("front_matter", f"{error.what}{': ' if error.why else ''}{error.why}")
        return
    if not skill.front_matter:
        yield Finding(
            "front_matter", "there is no front matter; begin with a line of --- and name and description"
        )
        return
    yield from _name_findings(metadata.get("name"), folder)
    yield from _text_findings(metadata, "description", 1024, is_needed=True)
    yield from _text_findings(metadata, "compatibility", 500, is_needed=False)
    for key in metadata:
        if key not in _KEYS:
            yield Finding("unknown_key", f"{key} is not a key of the format; known are {', '.join(_KEYS)}")


def _name_findings(name: Json, folder: str) -> Iterator[Finding]:
    if not isinstance(name, str) or not name:
        yield Finding("name", "name is missing or not text")
        return
    if len(name) > 64:
        yield Finding("name", f"name has {len(name)} characters, at most 64 are allowed")
    if not _NAME.fullmatch(name):
        yield Finding("name", f"name {name!r} must be of a-z, 0-9 and single hyphens between them")
    if name != folder:
        yield Finding("folder", f"name {name!r} must equal the name of its folder, {folder!r}")


def _text_findings(
    metadata: dict[str, Json], key: str, max_chars: int, *, is_needed: bool
) -> Iterator[Finding]:
    if key not in metadata and not is_needed:
        return
    text = metadata.get(key)
    if not isinstance(text, str) or not text.strip():
        yield Finding(key, f"{key} is missing, empty or not text")
    elif len(text) > max_chars:
        yield Finding(key, f"{key} has {len(text)} characters, at most {max_chars} are allowed")
