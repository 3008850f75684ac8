"""The regions an optimizer keeps for itself: guidance learned over epochs, and reminders of lapses."""

from __future__ import annotations

from skillopt.core.edit import Candidate, Edit, apply_edits
from skillopt.core.skill import Skill

APPENDIX = "APPENDIX"
SLOW_UPDATE = "SLOW_UPDATE"


def notes_of(skill: Skill) -> list[str]:
    """The lines of the appendix."""
    region = skill.region(APPENDIX)
    text = skill.text[region.inner_start : region.inner_end] if region else ""
    return [line.strip() for line in text.splitlines() if line.strip()]


def in_region(skill: Skill, name: str, text: str) -> Candidate:
    """The skill with `text` as the whole content of a region."""
    region = skill.region(name)
    current = skill.text[region.inner_start : region.inner_end].strip() if region else ""
    edit = Edit("replace", text, current, within=name) if current else Edit("append", text, within=name)
    return apply_edits(skill, [edit])
