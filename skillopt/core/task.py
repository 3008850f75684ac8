"""A task: one checkable unit, in one split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class Split(StrEnum):
    """Who may see a task: `train` everyone, `selection` only the gate, `test` nobody until the end."""

    TRAIN = "train"
    SELECTION = "selection"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Check:
    """One deterministic condition on a trajectory; `op` names it (see `skillopt.scoring.checks`)."""

    op: str
    arg: Json = None


@dataclass(frozen=True, slots=True)
class Task:
    """One checkable unit of work.

    `group` names tasks that belong together (one batch each when batches go by group); `origin` says
    whether the task is real, recalled from the past, or a synthetic variant (train only); `episodes` are
    the ids it came from. `context` is what the environment's own agent, scorer and optimizer need beyond the
    prompt: opaque to the engine. An optimizer only ever receives tasks of the train split.
    """

    id: str
    prompt: str
    split: Split
    checks: tuple[Check, ...] = ()
    group: str = ""
    origin: Literal["real", "recall", "dream"] = "real"
    episodes: tuple[str, ...] = ()
    context: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))


def plain_json(value: Json) -> object:
    """`value` in dicts and lists, as the json module wants it."""
    if isinstance(value, Mapping):
        return {key: plain_json(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain_json(each) for each in value]
    return value


def content_id(*parts: Json, length: int = 12) -> str:
    """Hex id of `parts`: the same content has the same id on every machine."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def task_content(task: Task) -> str:
    """Hash of what a task asks and checks, whatever its id and split."""
    checks: list[Json] = [[check.op, check.arg] for check in task.checks]
    return content_id(task.prompt, checks, dict(task.context), length=64)
