"""A skill written anew by a model, with front matter and protected regions as they were."""

from __future__ import annotations

from collections.abc import Sequence

from skillopt.core.edit import Candidate, Edit, EditOutcome, EditReport
from skillopt.core.skill import Skill
from skillopt.errors import SkillFormatError


def rewritten(skill: Skill, text: str, edits: Sequence[Edit]) -> Candidate:
    """`text` as a candidate that carries out `edits`.

    The front matter of `skill` takes the place of that of `text`, and its line endings those of `text`. When
    it or a protected region would not be as it was, nothing changes and every edit is `protected`.
    """
    new = Skill(text.encode(errors="replace").decode().replace("\r\n", "\n"), skill.kind)
    body = new.body.lstrip("\n")
    if skill.newline == "\r\n":
        body = body.replace("\n", "\r\n")
    lead = skill.body[: len(skill.body) - len(skill.body.lstrip("\r\n"))]
    front = skill.front_matter
    if front and not front.endswith("\n"):  # the document ends with it
        front += skill.newline
    changed = Skill(front + lead + body.rstrip() + _ending(skill), skill.kind)
    if changed.front_matter != front or not _is_intact(skill, changed):
        return _all(skill, skill.text, edits, EditOutcome.PROTECTED)
    same = changed.text == skill.text
    return _all(skill, changed.text, edits, EditOutcome.DUPLICATE if same else EditOutcome.APPLIED)


def _ending(skill: Skill) -> str:
    return skill.body[len(skill.body.rstrip()) :] or skill.newline


def _is_intact(before: Skill, after: Skill) -> bool:
    try:
        old = {region.name: before.text[region.start : region.end] for region in before.regions()}
        new = {region.name: after.text[region.start : region.end] for region in after.regions()}
    except SkillFormatError:
        return False
    return old == new


def _all(skill: Skill, text: str, edits: Sequence[Edit], outcome: EditOutcome) -> Candidate:
    return Candidate(text, skill.sha, tuple(EditReport(edit, outcome) for edit in edits))
