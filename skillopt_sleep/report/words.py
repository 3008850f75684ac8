"""The sentences all forms of a report share, so that they cannot say different things."""

from __future__ import annotations

from skillopt_sleep.amounts import counted
from skillopt_sleep.proposal import Quote
from skillopt_sleep.report.value import (
    Comparison,
    NightPart,
    PendingPart,
    ProposalPart,
    Rate,
    SourcePart,
    TurnedDownPart,
)


def span(rate: Rate) -> str:
    """A rate with its interval."""
    return f"{rate.mean:.2f} (between {rate.low:.2f} and {rate.high:.2f})"


def verdict(part: ProposalPart) -> str:
    """The gate's verdict with what was measured, on how many tasks, and the interval of the gain."""
    decision = part.proposal.decision
    held_out = next((each for each in part.comparisons if each.name != "sealed test"), None)
    return f"{decision.verdict}{'' if held_out is None else ', ' + compared(held_out, 'held-out task')}"


def compared(comparison: Comparison, noun: str) -> str:
    """Before and after over n, with the interval of the gain where it is known."""
    before, after = comparison.before, comparison.after
    told = f"{before.mean:.2f} -> {after.mean:.2f} on {counted(after.n, noun)}"
    if comparison.gain is not None:
        low, high = comparison.gain
        told += f", gain between {low:+.2f} and {high:+.2f} ({comparison.confidence:.0%})"
    return told


def sealed(comparison: Comparison) -> str:
    """The sealed test, with the interval of the score after."""
    after = comparison.after
    told = compared(comparison, "sealed test session")
    return f"{told}, then between {after.low:.2f} and {after.high:.2f} (95%)"


def share(rate: Rate) -> str:
    """How many of n held-out corrections a lesson pre-empted, with the interval of that share."""
    return (
        f"{round(rate.mean * rate.n)} of {rate.n}, a share between {rate.low:.2f} and {rate.high:.2f} (95%)"
    )


def day(quote: Quote) -> str:
    """When something was said."""
    return f"{quote.at:%Y-%m-%d}" if quote.at is not None else "undated"


def origin(quote: Quote) -> str:
    """Whether it was recalled from the past, in words; nothing for what was in the scope of the night."""
    return "  (recalled)" if quote.origin == "recall" else ""


def state(part: ProposalPart) -> str:
    """What became of a proposal."""
    told = part.state
    if part.receipt is not None:
        told += f" (receipt {part.receipt})"
    return told + (f": {part.why}" if part.why else "")


def cost(part: ProposalPart) -> str:
    """What a proposal cost in calls of models."""
    return f"${part.proposal.cost_usd:.2f}" if part.proposal.cost_usd else "nothing; no model was asked"


def spent(night: NightPart) -> str:
    """What a night cost."""
    calls = f"{counted(night.calls, 'call')} of models, {counted(night.tokens, 'token')}, ${night.usd:.2f}"
    return f"{calls}; {night.seconds:.1f} s"


def read(night: NightPart) -> str:
    """What a night found in what it read."""
    if night.episodes is None:
        return "what it read is no longer known"
    found = f"{counted(night.episodes, 'episode')}, {counted(night.tasks or 0, 'recurring task')}"
    splits = ", ".join(f"{n} {split}" for split, n in night.splits)
    return f"{found}; sessions: {splits}" if splits else found


def refused(each: TurnedDownPart) -> str:
    """Why a lesson was turned down, with what was measured."""
    told = f"{each.verdict}: {each.reason}"
    return f"{told} ({compared(each.comparison, 'held-out task')})" if each.comparison else told


def waits(each: PendingPart) -> str:
    """What a correction still lacks."""
    needed = f"{each.missing} more needed" if each.missing else "no whole sentence of yours says it"
    return f"or something like it, said in {counted(each.sessions, 'session')}; {needed}"


def client(source: SourcePart) -> str:
    """What was read of one client."""
    read = f"{counted(source.files, 'file')}, {counted(source.sessions, 'session')}"
    return f"{source.name}: {read}, {source.human} of them yours"
