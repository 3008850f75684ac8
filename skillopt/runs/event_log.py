"""Every event of a run as a line of `events.jsonl`: for people who watch, never read back by the run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from skillopt.core.text import utf8
from skillopt.events import (
    CandidateMade,
    EditsProposed,
    EpochDone,
    Event,
    GateDecided,
    ListenerDropped,
    Merged,
    Reflected,
    RolloutsDone,
    RunFinished,
    RunStarted,
    StepDone,
)


def _now() -> datetime:
    return datetime.now(UTC)


class EventLog:
    """A listener that appends a line an event; the torn last line of a killed process is ended first."""

    def __init__(self, path: Path, *, now: Callable[[], datetime] = _now) -> None:
        self._path = path
        self._now = now

    def __call__(self, event: Event) -> None:
        """Appends the event."""
        row = {"time": self._now().isoformat(timespec="milliseconds"), "event": type(event).__name__}
        line = json.dumps({**row, **told(event)}, ensure_ascii=False) + "\n"
        handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(handle).st_size
            is_torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, utf8(("\n" if is_torn else "") + line))
        finally:
            os.close(handle)


def told(event: Event) -> dict[str, object]:
    """The event in plain values, short."""
    match event:
        case RunStarted(step, n_steps, n_train, n_selection):
            return {"step": step, "n_steps": n_steps, "n_train": n_train, "n_selection": n_selection}
        case RolloutsDone(step, rollouts):
            scores = [rollout.score.hard for rollout in rollouts if rollout.score]
            mean = sum(scores) / len(scores) if scores else None
            return {"step": step, "n": len(scores), "errors": len(rollouts) - len(scores), "score": mean}
        case Reflected(step, patches):
            return {"step": step, "patches": len(patches), "edits": sum(len(p.edits) for p in patches)}
        case Merged(step, patch) | EditsProposed(step, patch):
            return {"step": step, "edits": len(patch.edits)}
        case CandidateMade(step, candidate, epoch):
            outcomes = [str(report.outcome) for report in candidate.reports]
            return {"step": step, "epoch": epoch, "outcomes": outcomes}
        case GateDecided(step, decision, epoch):
            return {
                "step": step,
                "epoch": epoch,
                "verdict": decision.verdict,
                "reason": decision.reason,
                "n": decision.n,
                "current": decision.current,
                "candidate": decision.candidate,
                "interval": decision.interval,
            }
        case StepDone(record):
            return {"step": record.step, "epoch": record.epoch, "verdict": record.decision.verdict}
        case EpochDone(epoch, skill_sha, record):
            verdict = record.slow_update.decision.verdict if record.slow_update else None
            return {"epoch": epoch, "skill": skill_sha, "slow_update": verdict}
        case RunFinished(state):
            return {"steps": state.step, "best_score": state.best_score}
        case ListenerDropped(listener, error):
            return {"listener": listener, "error": error}
