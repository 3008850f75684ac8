"""The update modes: what an analyst answers with, how answers merge, and how they become a candidate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from skillopt.core.edit import Patch
from skillopt.core.task import Json
from skillopt.train import replies

UpdateMode = Literal["patch", "rewrite_from_suggestions", "full_rewrite"]


@dataclass(frozen=True, slots=True)
class Mode:
    """The prompts, shape and reader of one mode; `key` is the name of its list of edits in a reply."""

    reflect: str
    merge: str
    schema: Mapping[str, Json]
    read: Callable[[Json], Patch]
    key: str


MODES: Mapping[UpdateMode, Mode] = MappingProxyType(
    {
        "patch": Mode("reflect", "aggregate", replies.EDITS, replies.read_edits, "edits"),
        "rewrite_from_suggestions": Mode(
            "suggest", "merge_suggestions", replies.SUGGESTIONS, replies.read_suggestions, "suggestions"
        ),
        "full_rewrite": Mode(
            "reflect_full", "merge_full", replies.FULL_SKILL, replies.read_full_skill, "edits"
        ),
    }
)
