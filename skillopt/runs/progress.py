"""What a person sees while a run goes on: a line a step, with scores, n, interval, spend and time left."""

from __future__ import annotations

import time
from collections.abc import Callable

from skillopt.core.gate import GateDecision
from skillopt.core.state import EpochRecord, StepRecord
from skillopt.events import EpochDone, Event, ListenerDropped, RunFinished, RunStarted, StepDone
from skillopt.models.metered import Purse


class Progress:
    """A listener that says a line through `say`."""

    def __init__(
        self, say: Callable[[str], None], purse: Purse, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._purse = purse
        self._clock = clock
        self._began = clock()
        self._n_steps = 0
        self._done_before = 0

    def __call__(self, event: Event) -> None:
        """Says what a person wants to know of the event, if anything."""
        match event:
            case RunStarted(step, n_steps, n_train, n_selection):
                self._n_steps, self._done_before = n_steps, step
                self._began = self._clock()
                how = f"going on after step {step} of {n_steps}" if step else f"{n_steps} steps"
                self._say(f"training on {n_train} tasks, gate on {n_selection} held out; {how}")
            case StepDone(record):
                self._say(f"{step_line(record, self._n_steps)}; {self._spent()}{self._left(record.step + 1)}")
            case EpochDone(epoch, _, record) if record.outcomes:
                self._say(epoch_line(epoch, record))
            case RunFinished():
                self._say("training is over; scoring the test split")
            case ListenerDropped(listener, error):
                self._say(f"warning: {listener} failed and writes nothing more: {error}")
            case _:
                pass

    def _spent(self) -> str:
        spend = self._purse.spend
        usd = f", ${spend.usd:.4f}" if spend.usd else ""
        unpriced = f" ({spend.unpriced} calls without a price)" if spend.unpriced and spend.usd else ""
        return f"{spend.usage.calls} calls, {spend.tokens:,} tokens{usd}{unpriced}"

    def _left(self, done: int) -> str:
        here = done - self._done_before
        if here < 1 or done >= self._n_steps:
            return ""
        seconds = (self._clock() - self._began) / here * (self._n_steps - done)
        return f"; about {duration(seconds)} left"


def step_line(record: StepRecord, n_steps: int = 0) -> str:
    """A finished step in one line."""
    n = len(record.batch) - record.n_errors
    train = "no score" if record.train_mean is None else f"{record.train_mean:.2f}"
    errors = f", {record.n_errors} failed" if record.n_errors else ""
    of = f"/{n_steps}" if n_steps else ""
    last = record.attempts[-1]
    edits = f"{len(last.applied)} of {len(last.reports)} edits applied"
    return (
        f"step {record.step + 1}{of} (epoch {record.epoch + 1}): batch {train} (n={n}{errors}); "
        f"{edits}; held-out {decision_line(last.decision)}"
    )


def epoch_line(epoch: int, record: EpochRecord) -> str:
    """The end of an epoch in one line."""
    kinds = [kind for _, kind in record.outcomes]
    counts = ", ".join(f"{kinds.count(kind)} {kind.replace('_', ' ')}" for kind in dict.fromkeys(kinds))
    said = f"held-out {decision_line(record.slow_update.decision)}" if record.slow_update else "no guidance"
    return f"end of epoch {epoch + 1}: {counts}; slow update: {said}"


def decision_line(decision: GateDecision) -> str:
    """A verdict with the numbers behind it."""
    if decision.current is None or decision.candidate is None or decision.interval is None:
        return f"{decision.verdict}: {decision.reason}"
    low, high = decision.interval
    why = f" ({decision.reason})" if decision.verdict == "abstain" else ""
    return (
        f"{decision.current:.3f} -> {decision.candidate:.3f} (n={decision.n}, "
        f"{decision.confidence:.0%} interval of the gain {low:+.2f} to {high:+.2f}): {decision.verdict}{why}"
    )


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
