"""Reading what an optimizer's model answered: objects of a known shape, or words about what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast, get_args

from skillopt.core.edit import Edit, EditOp, Patch
from skillopt.core.task import Json

_OPS: tuple[str, ...] = get_args(EditOp)
_STRING: Json = {"type": "string"}
_STRINGS: Json = {"type": "array", "items": {"type": "string"}}


def _object(**properties: Json) -> Mapping[str, Json]:
    return MappingProxyType(
        {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    )


_EDIT = _object(
    op={"type": "string", "enum": list(_OPS)},
    anchor=_STRING,
    text=_STRING,
    rationale=_STRING,
    evidence=_STRINGS,
)
_SUGGESTION = _object(title=_STRING, instruction=_STRING, rationale=_STRING, evidence=_STRINGS)
EDITS = _object(reasoning=_STRING, edits={"type": "array", "items": _EDIT})
SUGGESTIONS = _object(reasoning=_STRING, suggestions={"type": "array", "items": _SUGGESTION})
FULL_SKILL = _object(reasoning=_STRING, skill=_STRING)
SKILL = _object(skill=_STRING)
KEEP = _object(keep={"type": "array", "items": {"type": "integer"}})
GUIDANCE = _object(guidance=_STRING)
NOTE = _object(note=_STRING)
NOTES = _object(notes=_STRINGS)
BUDGET = _object(edits={"type": "integer"})


def read_edits(data: Json) -> Patch:
    """A patch of edits. Raises ValueError for another shape; a single odd edit makes the reply unusable."""
    reply = _mapping(data)
    return Patch(tuple(_edit(row) for row in _rows(reply, "edits")), _optional(reply, "reasoning"))


def read_suggestions(data: Json) -> Patch:
    """Suggestions, as edits that a writer carries out."""
    reply = _mapping(data)
    edits = []
    for row in map(_mapping, _rows(reply, "suggestions")):
        title, why = _optional(row, "title"), _optional(row, "rationale")
        rationale = ": ".join(part for part in (title, why) if part)
        edits.append(
            Edit("append", _required(row, "instruction"), rationale=rationale, evidence=_evidence(row))
        )
    return Patch(tuple(edits), _optional(reply, "reasoning"))


def read_full_skill(data: Json) -> Patch:
    """A whole document, as one edit that stands for it."""
    reply = _mapping(data)
    return Patch((Edit("replace", _required(reply, "skill")),), _optional(reply, "reasoning"))


def read_text(key: str) -> Callable[[Json], str]:
    """Reads one text that must not be empty."""
    return lambda data: _required(_mapping(data), key)


def read_notes(data: Json) -> tuple[str, ...]:
    """Short lines, the empty ones left out."""
    rows = _rows(_mapping(data), "notes")
    if not all(isinstance(row, str) for row in rows):
        raise ValueError('"notes" must be a list of texts')
    return tuple(" ".join(row.split()) for row in rows if row.strip())


def read_keep(n: int) -> Callable[[Json], tuple[int, ...]]:
    """Reads numbers of edits, each below `n` and once."""

    def read(data: Json) -> tuple[int, ...]:
        rows = _rows(_mapping(data), "keep")
        if not rows or not all(isinstance(i, int) and not isinstance(i, bool) and 0 <= i < n for i in rows):
            raise ValueError(f'"keep" must be a list of numbers from 0 to {n - 1}')
        return tuple(dict.fromkeys(rows))

    return read


def read_budget(most: int) -> Callable[[Json], int]:
    """Reads how many edits to make, from 1 to `most`."""

    def read(data: Json) -> int:
        value = _mapping(data).get("edits")
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError('"edits" must be a whole number')
        return min(max(value, 1), most)

    return read


def _edit(row: Any) -> Edit:
    fields = _mapping(row)
    op = fields.get("op")
    if op not in _OPS:
        raise ValueError(f'"op" must be one of {", ".join(_OPS)}, not {op!r:.40}')
    texts = {key: _optional(fields, key) for key in ("text", "anchor", "rationale")}
    return Edit(cast(EditOp, op), **texts, evidence=_evidence(fields))


def _mapping(value: Json) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"an object is needed, not {value!r:.60}")
    return value


def _rows(reply: Mapping[str, Any], key: str) -> Sequence[Any]:
    rows = reply.get(key)
    if not isinstance(rows, list):
        raise ValueError(f'the object has no list "{key}"')
    return rows


def _required(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f'the object has no text "{key}"')
    return value


def _optional(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f'"{key}" must be a text')
    return value


def _evidence(fields: Mapping[str, Any]) -> tuple[str, ...]:
    value = fields.get("evidence")
    rows = value if isinstance(value, list) else []
    return tuple(dict.fromkeys(str(row) for row in rows if isinstance(row, str | int)))
