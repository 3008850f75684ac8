"""A rollout: one attempt at a task, with a score or an error, never both."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field, fields
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Step:
    """One thing an agent did: a message, or a tool call with its outcome.

    `command` is the shell text of a command, `files` the paths changed; `exit_code` is None when unknown.
    """

    kind: Literal["message", "command", "edit", "read", "tool"]
    text: str = ""
    tool: str = ""
    command: str = ""
    files: tuple[str, ...] = ()
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls used, as their provider reported; zero for a deterministic agent.

    `cached_tokens` are part of `input_tokens`, `reasoning_tokens` of `output_tokens`. Usages add up.
    """

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The recorded steps of one attempt, in order, the final `answer`, and what it used."""

    steps: tuple[Step, ...] = ()
    answer: str = ""
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Score:
    """`hard` and `soft` in [0, 1]; `detail` says how it was won or lost, in words.

    Raises ValueError outside the range.
    """

    hard: float
    soft: float
    detail: str = ""

    def __post_init__(self) -> None:
        if not (0.0 <= self.hard <= 1.0 and 0.0 <= self.soft <= 1.0):
            raise ValueError(f"a score lies in [0, 1], got hard={self.hard} soft={self.soft}")


@dataclass(frozen=True, slots=True)
class RolloutError:
    """Why an attempt gave no score: infrastructure, never the agent's own mistake.

    `is_permanent` when the same request would fail again, as one the provider calls malformed does.
    """

    kind: str
    message: str
    is_permanent: bool = False


@dataclass(frozen=True, slots=True)
class Rollout:
    """One attempt at `task_id` with the skill `skill_sha`.

    `seconds` it took; rollouts that differ in nothing else are equal. Raises ValueError unless exactly one
    of `score` and `error` is given: an error is not a zero.
    """

    task_id: str
    skill_sha: str
    trajectory: Trajectory
    score: Score | None = None
    error: RolloutError | None = None
    repeat: int = 0
    seconds: float = field(default=0.0, compare=False)

    def __post_init__(self) -> None:
        if (self.score is None) == (self.error is None):
            raise ValueError(f"rollout of {self.task_id}: exactly one of score and error")

    @property
    def usage(self) -> Usage:
        """What the attempt used."""
        return self.trajectory.usage


RolloutKey: TypeAlias = tuple[str, str, str, int]
"""Skill hash, task hash, identity of the agent (and of a judge), repeat: what a rollout depends on."""

RolloutCache: TypeAlias = MutableMapping[RolloutKey, Rollout]
