"""The trainer's whole state: one frozen value that is saved, loaded and compared."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from skillopt.core.edit import Candidate, Edit, EditOutcome, EditReport, RejectedEdit
from skillopt.core.gate import GateDecision
from skillopt.core.skill import Skill, SkillKind
from skillopt.errors import SkillOptError, StorageError

SCHEMA = "skillopt.trainer_state"
VERSION = 3
_WITHOUT_SCORES = 2
_ROUNDING = 1e-9

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A candidate that met the gate: its hash, what became of its edits, the verdict."""

    candidate_sha: str
    reports: tuple[EditReport, ...]
    decision: GateDecision

    @property
    def applied(self) -> tuple[Edit, ...]:
        """The edits that changed the text."""
        return tuple(r.edit for r in self.reports if r.outcome is EditOutcome.APPLIED)


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One finished step. `attempts` has the candidate and, when the gate asked for one, the second try;
    the last decides. `train_mean` is the batch's mean score, None without a valid rollout."""

    step: int
    epoch: int
    batch: tuple[str, ...]
    train_mean: float | None
    n_errors: int
    attempts: tuple[Attempt, ...]

    @property
    def decision(self) -> GateDecision:
        """The verdict the step ended with."""
        return self.attempts[-1].decision

    @property
    def accepted(self) -> tuple[Edit, ...]:
        """The edits that are now in the skill."""
        return self.attempts[-1].applied if self.decision.accepted else ()


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """The end of an epoch: what became of the compared training tasks (`outcomes`, by task id), the slow
    update that met the gate (None when nothing was to compare, or no gate), and the note for the next."""

    epoch: int
    outcomes: tuple[tuple[str, str], ...] = ()
    slow_update: Attempt | None = None
    meta_skill: str = ""


@dataclass(frozen=True, slots=True)
class TrainerState:
    """Where a run stands. `identity` names all that can change its result; `step` counts finished steps and
    `epochs` the epochs that ended; `best_scores` is what is known of the best skill, by held-out task, and
    `best_score` their mean; `before_epoch` is the skill at the end of the epoch before this one;
    `rejected` are the edits turned down in this epoch, `meta_skill` the optimizer's own note."""

    identity: tuple[tuple[str, str], ...]
    seed: str
    current: str
    best: str
    kind: SkillKind = "skill"
    best_score: float | None = None
    best_scores: tuple[tuple[str, float], ...] = ()
    step: int = 0
    epoch: int = 0
    history: tuple[StepRecord, ...] = ()
    epochs: tuple[EpochRecord, ...] = ()
    before_epoch: str = ""
    rejected: tuple[RejectedEdit, ...] = ()
    meta_skill: str = ""
    finished: bool = False

    @classmethod
    def begin(cls, skill: Skill, identity: Iterable[tuple[str, str]] = ()) -> TrainerState:
        """The state before the first step."""
        text = skill.text
        return cls(tuple(identity), text, text, text, skill.kind, before_epoch=text)

    @property
    def skill(self) -> Skill:
        """The current skill."""
        return Skill(self.current, self.kind)

    @property
    def best_skill(self) -> Skill:
        """The accepted skill that did best on the selection split, task against task; the seed skill until
        one does better."""
        return Skill(self.best, self.kind)

    def in_epoch(self, epoch: int, *, forget: bool = True) -> TrainerState:
        """The state in `epoch`; a new one forgets the edits rejected in the one before, unless told not."""
        if epoch == self.epoch:
            return self
        return replace(self, epoch=epoch, rejected=() if forget else self.rejected)

    def after(self, record: StepRecord, candidate: Candidate) -> TrainerState:
        """The state after a step that ended with `candidate`."""
        return replace(
            self._decided(record.decision, candidate.text),
            step=self.step + 1,
            history=(*self.history, record),
            rejected=(*self.rejected, *_turned_down(record, {r.edit for r in self.rejected})),
        )

    def after_epoch(self, record: EpochRecord, slow_update: str | None = None) -> TrainerState:
        """The state after an epoch. `slow_update` is the text that the gate judged or, with no attempt in
        the record, that is taken as it is."""
        state = self
        if slow_update is not None and record.slow_update is not None:
            state = self._decided(record.slow_update.decision, slow_update)
        elif slow_update is not None:
            state = replace(self, current=slow_update)
        return replace(
            state,
            epochs=(*self.epochs, record),
            before_epoch=state.current,
            meta_skill=record.meta_skill,
        )

    def with_meta_skill(self, note: str) -> TrainerState:
        """The state with the note written at the end of the epoch that ended last."""
        *earlier, last = self.epochs
        return replace(self, epochs=(*earlier, replace(last, meta_skill=note)), meta_skill=note)

    def _decided(self, decision: GateDecision, text: str) -> TrainerState:
        if decision.verdict == "abstain":
            return self
        best, score, scores = self.best, self.best_score, dict(self.best_scores)
        if self.current == self.best:
            scores.update((task_id, before) for task_id, before, _ in decision.pairs)
            score = _mean(scores, decision.current if score is None else score)
        if decision.accepted and self._gain(decision, scores) > _ROUNDING:
            best, scores = text, {task_id: after for task_id, _, after in decision.pairs}
            score = _mean(scores, decision.candidate)
        current = text if decision.accepted else self.current
        known = tuple(sorted(scores.items()))
        return replace(self, current=current, best=best, best_score=score, best_scores=known)

    def _gain(self, decision: GateDecision, scores: dict[str, float]) -> float:
        """By how much a candidate does better than the best skill, over the tasks both have a score for.

        Means over different tasks are not compared: which tasks could be scored differs from look to look.
        """
        if decision.pairs:
            return math.fsum(after - scores[task] for task, _, after in decision.pairs if task in scores)
        known = self.current == self.best and decision.current is not None
        return (decision.candidate or 0.0) - (decision.current or 0.0) if known else 0.0

    def finish(self) -> TrainerState:
        """The state when every step is done."""
        return replace(self, finished=True)

    def to_json(self) -> str:
        """Deterministic: equal states give equal text."""
        state = {"schema": SCHEMA, "version": VERSION, **asdict(self)}
        return json.dumps(state, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> TrainerState:
        """Reads what `to_json` wrote. Raises StorageError for anything else: a state is never reset."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _damaged(f"it is not complete JSON: {error}") from error
        if not isinstance(data, dict) or data.pop("schema", None) != SCHEMA:
            raise StorageError(
                "the state file was not written by the trainer",
                next="use another run folder, or move the file away",
            )
        if (version := data.pop("version", None)) == _WITHOUT_SCORES:
            data["best_scores"] = []
        elif version != VERSION:
            raise StorageError(
                f"the state file has version {version}, this program reads {VERSION}",
                next="use the program that wrote it, or another run folder",
            )
        try:
            return _state(data)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, SkillOptError) as error:
            raise _damaged(f"{type(error).__name__}: {error}") from error


def _turned_down(record: StepRecord, known: set[Edit]) -> Iterable[RejectedEdit]:
    """Edits a rejecting gate saw, or a better second try left out, that are not in the skill now.

    An abstention says nothing about an edit.
    """
    seen = {*known, *record.accepted}
    *_, last = record.attempts
    for attempt in record.attempts:
        decision = attempt.decision
        is_outdone = decision.accepted and attempt is not last
        reason = f"without it, {last.decision.reason}" if is_outdone else decision.reason
        for edit in attempt.applied:
            if (decision.verdict == "reject" or is_outdone) and edit not in seen:
                seen.add(edit)
                yield RejectedEdit(edit, reason, decision.current, decision.candidate)


def _mean(scores: dict[str, float], otherwise: float | None) -> float | None:
    return math.fsum(scores.values()) / len(scores) if scores else otherwise


# --- reading --------------------------------------------------------------------------------------------


def _damaged(why: str) -> StorageError:
    return StorageError(
        "the state file is damaged", why=why, next="restore it, or start in another run folder"
    )


def _build(kind: Callable[..., T], data: dict[str, Any], /, **readers: Callable[[Any], Any]) -> T:
    """`kind(**data)` with some fields read first; missing and unknown keys are errors."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if data.keys() != names:
        raise ValueError(f"fields {sorted(data.keys() ^ names)}")
    return kind(**{key: readers[key](value) if key in readers else value for key, value in data.items()})


def _each(read: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    return lambda values: tuple(read(value) for value in _list(values))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"a list is needed, not {value!r:.40}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is needed, not {value!r:.40}")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"a count is needed, not {value!r:.40}")
    return value


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise TypeError(f"a number is needed, not {value!r:.40}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"true or false is needed, not {value!r:.40}")
    return value


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"{value!r:.40} is none of {', '.join(allowed)}")
        return str(value)

    return read


def _edit(data: Any) -> Edit:
    op = _one_of("append", "insert_after", "replace", "delete")
    return _build(
        Edit,
        data,
        op=op,
        text=_text,
        anchor=_text,
        rationale=_text,
        evidence=_each(_text),
        within=lambda value: None if value is None else _text(value),
    )


def _report(data: Any) -> EditReport:
    return _build(EditReport, data, edit=_edit, outcome=EditOutcome)


def _pair(data: Any) -> tuple[Any, ...]:
    task_id, before, after = _list(data)
    return _text(task_id), _number(before), _number(after)


def _known(data: Any) -> tuple[str, float]:
    task_id, score = _list(data)
    if (number := _number(score)) is None:
        raise TypeError("a number is needed, not None")
    return _text(task_id), number


def _decision(data: Any) -> GateDecision:
    return _build(
        GateDecision,
        data,
        verdict=_one_of("accept", "reject", "abstain"),
        reason=_text,
        n=_whole,
        current=_number,
        candidate=_number,
        pairs=_each(_pair),
        interval=lambda ends: None if ends is None else _each(_number)(ends),
        dropped=_each(_text),
    )


def _attempt(data: Any) -> Attempt:
    return _build(Attempt, data, candidate_sha=_text, reports=_each(_report), decision=_decision)


def _record(data: Any) -> StepRecord:
    record = _build(
        StepRecord,
        data,
        step=_whole,
        epoch=_whole,
        batch=_each(_text),
        n_errors=_whole,
        attempts=_each(_attempt),
    )
    if not record.attempts:
        raise ValueError("a step without attempts")
    return record


def _epoch(data: Any) -> EpochRecord:
    return _build(
        EpochRecord,
        data,
        epoch=_whole,
        outcomes=_each(lambda pair: tuple(_text(part) for part in _list(pair))),
        slow_update=lambda value: None if value is None else _attempt(value),
        meta_skill=_text,
    )


def _rejected(data: Any) -> RejectedEdit:
    return _build(RejectedEdit, data, edit=_edit, reason=_text, current=_number, candidate=_number)


def _state(data: Any) -> TrainerState:
    state = _build(
        TrainerState,
        data,
        identity=_each(lambda pair: tuple(_text(part) for part in _list(pair))),
        seed=_text,
        current=_text,
        best=_text,
        kind=_one_of("skill", "memory"),
        best_score=_number,
        best_scores=_each(_known),
        step=_whole,
        epoch=_whole,
        history=_each(_record),
        epochs=_each(_epoch),
        before_epoch=_text,
        rejected=_each(_rejected),
        meta_skill=_text,
        finished=_flag,
    )
    if state.step != len(state.history):
        raise ValueError(f"{state.step} steps but {len(state.history)} records")
    return state
