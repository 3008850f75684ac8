"""Edits of a skill document, what became of each, and how they are applied."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from skillopt.core.skill import REGION_NAMES, Region, Skill, has_marker
from skillopt.errors import ConfigError, SkillFormatError

_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d+[.)])[ \t]")

EditOp = Literal["append", "insert_after", "replace", "delete"]


class EditOutcome(StrEnum):
    """What became of an edit; only `applied` changed the text."""

    APPLIED = "applied"
    ANCHOR_NOT_FOUND = "anchor_not_found"
    ANCHOR_AMBIGUOUS = "anchor_ambiguous"
    PROTECTED = "protected"
    DUPLICATE = "duplicate"
    EMPTY = "empty"
    NOT_WRITTEN = "not_written"


@dataclass(frozen=True, slots=True)
class Edit:
    """One bounded change: `anchor` is the text it holds on to (unused by `append`), `evidence` the rollout,
    task or episode ids that speak for it. `within` names the protected region it is for, if any."""

    op: EditOp
    text: str = ""
    anchor: str = ""
    rationale: str = ""
    evidence: tuple[str, ...] = ()
    within: str | None = None


@dataclass(frozen=True, slots=True)
class Patch:
    """A list of edits with the reasoning behind them; `origin` says which rollouts it was learned from."""

    edits: tuple[Edit, ...] = ()
    reasoning: str = ""
    origin: Literal["failures", "successes", "both"] = "both"


@dataclass(frozen=True, slots=True)
class EditReport:
    """An edit and what became of it."""

    edit: Edit
    outcome: EditOutcome


@dataclass(frozen=True, slots=True)
class RejectedEdit:
    """An edit the gate turned down, with the scores that spoke against it."""

    edit: Edit
    reason: str
    current: float | None
    candidate: float | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A skill text after an update, before the gate; `parent_sha` is the skill it was made from."""

    text: str
    parent_sha: str
    reports: tuple[EditReport, ...] = ()

    @property
    def applied(self) -> tuple[Edit, ...]:
        """The edits that changed the text."""
        return tuple(r.edit for r in self.reports if r.outcome is EditOutcome.APPLIED)


def apply_edits(skill: Skill, edits: Iterable[Edit], *, within: str | None = None) -> Candidate:
    """Applies `edits` in order to a copy of `skill`; every edit gets an outcome, none raises.

    An edit's own `within` goes before the one given here. Front matter is never touched. Without `within` the
    protected regions cannot be entered, crossed or
    removed; with it, edits reach that region only, which is made at the end of the document when missing
    and taken away again, with the lines that set it apart, when it becomes empty. `append` adds at the end
    of the body or region, `insert_after` on the line below its anchor, `delete` takes the line break along
    when it takes whole lines. An anchor must occur exactly once in the editable text. Inserted text takes
    the document's line endings. In a document whose regions cannot be read every edit is `protected`.

    Raises ConfigError when `within` names no known region.
    """
    edits = tuple(edits)
    for region in (within, *(edit.within for edit in edits)):
        if region is not None and region not in REGION_NAMES:
            raise ConfigError(f"unknown region {region}", next=f"use one of {', '.join(REGION_NAMES)}")
    current = skill
    reports: list[EditReport] = []
    for edit in edits:
        after = _apply(current, _clean(edit), edit.within or within)
        if isinstance(after, EditOutcome):
            reports.append(EditReport(edit, after))
        else:
            reports.append(EditReport(edit, EditOutcome.APPLIED))
            current = after
    return Candidate(current.text, skill.sha, tuple(reports))


def _clean(edit: Edit) -> Edit:
    """A model's JSON can hold lone surrogates, which no file can store: they become question marks."""
    text, anchor = (part.encode(errors="replace").decode() for part in (edit.text, edit.anchor))
    return Edit(edit.op, text, anchor)


def _apply(skill: Skill, edit: Edit, within: str | None) -> Skill | EditOutcome:
    """The skill after one edit, or why the edit did not happen."""
    if (edit.op != "delete" and not edit.text.strip()) or (edit.op != "append" and not edit.anchor.strip()):
        return EditOutcome.EMPTY
    if has_marker(edit.text) and edit.op != "delete":
        return EditOutcome.PROTECTED
    try:
        scopes = _editable(skill, within)
    except SkillFormatError:
        return EditOutcome.PROTECTED
    if edit.op == "append":
        text = _append(skill, edit.text, scopes, within)
    else:
        span = _find(skill, edit.anchor, scopes, within)
        text = span if isinstance(span, EditOutcome) else _edit_at(skill, edit, span, scopes[-1][1])
    if isinstance(text, EditOutcome):
        return text
    if text == skill.text:
        return EditOutcome.DUPLICATE
    changed = Skill(text, skill.kind)
    if not _is_intact(skill, changed, within):
        return EditOutcome.PROTECTED
    return _without_empty(changed, within)


# --- where an edit may go -------------------------------------------------------------------------------


def _editable(skill: Skill, within: str | None) -> tuple[tuple[int, int], ...]:
    """The spans of text an edit may touch, in order: the named region, or the body without any region."""
    regions = skill.regions()
    if within is not None:
        return tuple((r.inner_start, r.inner_end) for r in regions if r.name == within)
    starts = [len(skill.front_matter), *(r.end for r in regions)]
    ends = [*(r.start for r in regions), len(skill.text)]
    return tuple(zip(starts, ends, strict=True))


def _find(
    skill: Skill, anchor: str, scopes: tuple[tuple[int, int], ...], within: str | None
) -> tuple[int, int] | EditOutcome:
    """The span of the only editable occurrence of `anchor`, ignoring line breaks around it."""
    anchor = anchor.strip("\r\n")
    if anchor not in skill.text:
        anchor = _with_newlines(anchor, skill.newline)
    hits = [(at, at + len(anchor)) for at in _occurrences(skill.text, anchor)]
    free = [hit for hit in hits if any(start <= hit[0] and hit[1] <= end for start, end in scopes)]
    if len(free) == 1:
        return free[0]
    if free:
        return EditOutcome.ANCHOR_AMBIGUOUS
    return EditOutcome.PROTECTED if hits and within is None else EditOutcome.ANCHOR_NOT_FOUND


def _occurrences(text: str, anchor: str) -> Iterator[int]:
    """Offsets of `anchor`, overlapping ones too; the third says no more than the second."""
    at = text.find(anchor)
    while at >= 0:
        yield at
        at = text.find(anchor, at + 1)


def _is_intact(before: Skill, after: Skill, within: str | None) -> bool:
    """Whether front matter and foreign regions survived: text can also be damaged from outside, by opening a
    code fence above a region or completing half a marker."""
    if after.front_matter.rstrip("\r\n") != before.front_matter.rstrip("\r\n"):
        return False
    try:
        old, new = _contents(before), _contents(after)
    except SkillFormatError:
        return False
    if within is not None:
        old.pop(within, None)
        if new.pop(within, None) is None:
            return False
    return old == new


def _contents(skill: Skill) -> dict[str, str]:
    return {region.name: skill.text[region.start : region.end] for region in skill.regions()}


# --- how the text changes -------------------------------------------------------------------------------


def _edit_at(skill: Skill, edit: Edit, span: tuple[int, int], limit: int) -> str | EditOutcome:
    text, (start, end) = skill.text, span
    added = _with_newlines(edit.text, skill.newline)
    if edit.op == "replace":
        return text[:start] + added + text[end:]
    if edit.op == "delete":
        start, end = _whole_lines(text, start, end, len(skill.front_matter))
        return text[:start] + text[end:]
    added = added.rstrip("\r\n")
    if _has_lines(text, added):
        return EditOutcome.DUPLICATE
    line_end = _line_end(text, end)
    if line_end > limit:
        return EditOutcome.PROTECTED
    return text[:line_end] + skill.newline + added + text[line_end:]


def _append(
    skill: Skill, added: str, scopes: tuple[tuple[int, int], ...], within: str | None
) -> str | EditOutcome:
    newline = skill.newline
    added = _with_newlines(added.strip("\r\n"), newline)
    if _has_lines(skill.text[len(skill.front_matter) :], added):
        return EditOutcome.DUPLICATE
    if within is not None and not scopes:
        return _with_new_region(skill, within, added)
    start, end = scopes[-1]
    before = skill.text[start:end]
    gap = newline if _needs_blank_line(before, added) else ""
    if end == 0 or skill.text[end - 1] == "\n":
        piece = gap + added + newline
    else:
        # No final newline stays no final newline, but an END marker needs a line of its own.
        piece = newline + gap + added + (newline if within is not None else "")
    return skill.text[:end] + piece + skill.text[end:]


def _with_new_region(skill: Skill, name: str, added: str) -> str:
    """The text with a new region at its end, set apart by a blank line.

    Whether the document ended in a newline is kept in whether the region does, so that `_without_empty` can
    restore the exact bytes.
    """
    newline, text = skill.newline, skill.text
    block = newline.join((f"<!-- {name}_START -->", added, f"<!-- {name}_END -->"))
    if text.endswith("\n"):
        return text + newline + block + newline
    return text + newline * 2 + block if text else block + newline


def _without_empty(skill: Skill, within: str | None) -> Skill:
    """The skill without the region `within` when nothing is left in it."""
    region = skill.region(within) if within is not None else None
    if region is None or skill.text[region.inner_start : region.inner_end].strip():
        return skill
    before, after = skill.text[: region.start], skill.text[region.end :]
    newline = _first_newline(skill, region)
    for ending in ("\r\n", "\n"):
        if after.startswith(ending):
            after = after.removeprefix(ending)
            if before.endswith("\n" + newline):
                before = before.removesuffix(newline)
            break
    else:
        if not after:
            before = before.removesuffix(newline).removesuffix(newline)
    return Skill(before + after, skill.kind)


def _first_newline(skill: Skill, region: Region) -> str:
    """The line ending after the START marker: the one its separation was made with."""
    return "\r\n" if skill.text.startswith("\r\n", region.inner_start) else "\n"


# --- lines ----------------------------------------------------------------------------------------------


def _with_newlines(text: str, newline: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", newline)


def _line_end(text: str, at: int) -> int:
    """Offset of the line break that ends the line of offset `at`, or the end of the text."""
    end = text.find("\n", at)
    if end < 0:
        return len(text)
    return end - 1 if end > at and text[end - 1] == "\r" else end


def _whole_lines(text: str, start: int, end: int, body_start: int) -> tuple[int, int]:
    """The span to delete: with one line break when it covers whole lines, else as it is."""
    if (start and text[start - 1] != "\n") or _line_end(text, end) != end:
        return start, end
    if end < len(text):
        return start, text.find("\n", end) + 1
    above = text[body_start:start]
    return start - above.endswith("\n") - above.endswith("\r\n"), end


def _has_lines(text: str, lines: str) -> bool:
    """Whether `text` already holds `lines` as whole lines, whatever its line endings."""
    return f"\n{_with_newlines(lines, chr(10))}\n" in f"\n{_with_newlines(text, chr(10))}\n"


def _needs_blank_line(before: str, added: str) -> bool:
    """Markdown runs adjoining lines together; only a list goes on without a blank line."""
    last = before.rstrip("\r\n").rpartition("\n")[2]
    ends_blank = not last.strip() or before.replace("\r\n", "\n").endswith("\n\n")
    return not ends_blank and not (_is_item(last) and _is_item(added))


def _is_item(line: str) -> bool:
    return _ITEM.match(line) is not None
