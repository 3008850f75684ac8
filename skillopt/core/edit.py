"""Edits of a skill document, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

EditOp = Literal["append", "insert_after", "replace", "delete"]


class EditOutcome(StrEnum):
    """What became of an edit; only `applied` changed the text."""

    APPLIED = "applied"
    ANCHOR_NOT_FOUND = "anchor_not_found"
    ANCHOR_AMBIGUOUS = "anchor_ambiguous"
    PROTECTED = "protected"
    DUPLICATE = "duplicate"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Edit:
    """One bounded change: `anchor` is the text it holds on to (unused by `append`), `evidence` the rollout,
    task or episode ids that speak for it."""

    op: EditOp
    text: str = ""
    anchor: str = ""
    rationale: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Patch:
    """A list of edits with the reasoning behind them."""

    edits: tuple[Edit, ...] = ()
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class EditReport:
    """An edit and what became of it."""

    edit: Edit
    outcome: EditOutcome


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
