"""The regions an optimizer keeps for itself: guidance learned over epochs, and reminders of lapses."""

from __future__ import annotations

from skillopt.core.edit import Candidate, Edit, apply_edits
from skillopt.core.skill import Skill

APPENDIX = "APPENDIX"
SLOW_UPDATE = "SLOW_UPDATE"


def notes_of(skill: Skill) -> list[str]:
    """The lines of the appendix."""
    return [line.strip() for line in content_of(skill, APPENDIX).splitlines() if line.strip()]


def content_of(skill: Skill, name: str) -> str:
    """What stands in a region, empty when the skill has none of that name."""
    region = skill.region(name)
    return skill.text[region.inner_start : region.inner_end].strip() if region else ""


def in_region(skill: Skill, name: str, text: str) -> Candidate:
    """The skill with `text` as the whole content of a region."""
    current = content_of(skill, name)
    edit = Edit("replace", text, current, within=name) if current else Edit("append", text, within=name)
    return apply_edits(skill, [edit])
