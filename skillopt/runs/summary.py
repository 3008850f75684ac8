"""What came of a run: scores with n and interval, what was spent, where the time went."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from skillopt.core.gate import Evaluation, Metric
from skillopt.core.interval import mean_interval, score_interval
from skillopt.core.state import TrainerState
from skillopt.errors import StorageError
from skillopt.protocols import Call
from skillopt.runs.timeline import StageTime, Timeline

SCHEMA = "skillopt/summary/1"


@dataclass(frozen=True, slots=True)
class Measured:
    """A skill's mean score over the `n` tasks that have one, and the interval it lies in; `n_missing` have
    none because of failures that were not the agent's."""

    score: float | None
    n: int
    interval: tuple[float, float] | None
    n_missing: int = 0


@dataclass(frozen=True, slots=True)
class Lift:
    """The mean gain of one skill over another on the same `n` tasks, and the interval it lies in."""

    gain: float | None
    n: int
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Split:
    """The seed skill, the best and the last one on one split; `lift` is best over seed. `leaked` names tasks
    that were in a split before this one too, whose scores mean nothing."""

    seed: Measured
    best: Measured
    final: Measured
    lift: Lift
    leaked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """What calls of one role and stage used. `usd` is None when the model has no price."""

    role: str
    stage: str
    model: str
    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    usd: float | None


@dataclass(frozen=True, slots=True)
class Gates:
    """How often the gate looked and what it said. Each look errs by `1 - confidence` at most on its own; over
    the run the chance that any did is at most `run_wide`."""

    looks: int
    accepted: int
    rejected: int
    abstained: int
    confidence: float
    run_wide: float


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of the process that finished the run: in all, by the critical path, and stage by stage."""

    wall_s: float
    critical_s: float
    stages: tuple[StageTime, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """A finished run in one value; `summary.json` is this."""

    run: str
    steps: int
    epochs: int
    skill_changed: bool
    metric: str
    selection: Split
    test: Split
    gates: Gates
    spend: tuple[Cost, ...]
    usd: float
    unpriced_calls: int
    timing: Timing

    def to_json(self) -> str:
        """As `summary.json` holds it."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1) + "\n"


def summarize(
    run: str,
    state: TrainerState,
    *,
    selection: Sequence[Evaluation],
    test: Sequence[Evaluation],
    n_tasks: tuple[int, int],
    calls: Sequence[Call],
    timeline: Timeline,
    wall_s: float,
    metric: Metric,
    weight: float,
    confidence: float,
) -> Summary:
    """The summary of a finished state; `selection` and `test` hold seed, best and final skill,
    `n_tasks` how many tasks those splits have."""
    spend = costs(calls)
    return Summary(
        run=run,
        steps=state.step,
        epochs=len(state.epochs),
        skill_changed=state.best != state.seed,
        metric=metric,
        selection=_split(selection, n_tasks[0], metric, weight, confidence),
        test=_split(test, n_tasks[1], metric, weight, confidence),
        gates=_gates(state, confidence),
        spend=spend,
        usd=round(sum(call.usd or 0.0 for call in calls), 6),
        unpriced_calls=sum(call.usd is None for call in calls),
        timing=Timing(round(wall_s, 3), round(timeline.critical_s, 3), timeline.stages()),
    )


def read_summary(path: Path) -> dict[str, Any] | None:
    """What a `summary.json` holds, None when there is none. Raises StorageError for a damaged one."""
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise _unreadable(path, f"its schema is not {SCHEMA}")
    return data


def measured(
    evaluation: Evaluation, n_tasks: int, metric: Metric, weight: float, confidence: float
) -> Measured:
    """An evaluation of `n_tasks` tasks as a mean with n and interval."""
    scores = list(evaluation.scores(metric, weight).values())
    mean = round(sum(scores) / len(scores), 9) if scores else None
    return Measured(mean, len(scores), score_interval(scores, confidence), n_tasks - len(scores))


def lift(before: Mapping[str, float], after: Mapping[str, float], confidence: float) -> Lift:
    """The mean gain over the tasks that both have a score for."""
    gains = [after[task] - before[task] for task in before if task in after]
    gain = round(sum(gains) / len(gains), 9) if gains else None
    return Lift(gain, len(gains), mean_interval(gains, confidence))


def costs(calls: Sequence[Call]) -> tuple[Cost, ...]:
    """What calls cost, by role, stage and model."""
    groups: dict[tuple[str, str, str], list[Call]] = {}
    for call in calls:
        groups.setdefault((call.role, call.stage, call.model), []).append(call)
    return tuple(_cost(*key, group) for key, group in sorted(groups.items()))


def _cost(role: str, stage: str, model: str, calls: Sequence[Call]) -> Cost:
    def total(name: str) -> int:
        return sum(getattr(call.reply.usage, name) for call in calls)

    priced = [call.usd for call in calls if call.usd is not None]
    return Cost(
        role,
        stage,
        model,
        len(calls),
        total("input_tokens"),
        total("cached_tokens"),
        total("output_tokens"),
        total("reasoning_tokens"),
        round(sum(priced), 6) if len(priced) == len(calls) else None,
    )


def _split(
    found: Sequence[Evaluation], n_tasks: int, metric: Metric, weight: float, confidence: float
) -> Split:
    seed, best, final = (measured(one, n_tasks, metric, weight, confidence) for one in found)
    before, after = (one.scores(metric, weight) for one in found[:2])
    return Split(seed, best, final, lift(before, after, confidence), found[0].leaked)


def _gates(state: TrainerState, confidence: float) -> Gates:
    decisions = [attempt.decision for record in state.history for attempt in record.attempts]
    decisions += [epoch.slow_update.decision for epoch in state.epochs if epoch.slow_update is not None]
    looks = [decision for decision in decisions if decision.n]
    outdone = [a.decision for record in state.history for a in record.attempts[:-1] if a.decision.accepted]
    verdicts = [decision.verdict for decision in decisions if decision not in outdone]
    return Gates(
        len(looks),
        verdicts.count("accept"),
        verdicts.count("reject"),
        verdicts.count("abstain"),
        confidence,
        round(min(1.0, len(looks) * (1 - confidence)), 6),
    )


def _unreadable(path: Path, why: str) -> StorageError:
    return StorageError(f"{path} cannot be read", why=why, next="move it away and run the same command again")
