"""Deterministic checks of a corrected episode: what its change gained and lost, where that recurs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from skillopt.core.task import Check
from skillopt_sleep.mine.cues import Cues
from skillopt_sleep.mine.episodes import Correction
from skillopt_sleep.mine.feedback import spoken_names
from skillopt_sleep.mine.ops import Op
from skillopt_sleep.mine.words import parts, tokens

_LEAD = 4


@dataclass(frozen=True, slots=True)
class Recurrence:
    """In how many sessions of a want each word was gained or lost and each operation added."""

    n: int
    gained: Counter[str]
    lost: Counter[str]
    added: Counter[str]

    @classmethod
    def of(cls, corrections: Iterable[Correction]) -> Recurrence:
        """Count by session, so one session cannot make a token recur."""
        gained: dict[str, set[str]] = {}
        lost: dict[str, set[str]] = {}
        added: dict[str, set[str]] = {}
        sessions = set()
        for c in corrections:
            sessions.add(c.session_id)
            for token in c.change.gained:
                gained.setdefault(token, set()).add(c.session_id)
            for token in c.change.lost:
                lost.setdefault(token, set()).add(c.session_id)
            for op in c.change.added:
                for token in {op.key, *op.tokens}:
                    added.setdefault(token, set()).add(c.session_id)
        return cls(
            len(sessions),
            *(Counter({t: len(s) for t, s in table.items()}) for table in (gained, lost, added)),
        )


def checks_of(correction: Correction, recurrence: Recurrence, cues: Cues) -> tuple[Check, ...]:
    """Checks that fail on what the agent first did and pass on what followed; empty when there are none,
    or when all of them would only forbid."""
    named = frozenset(spoken_names(tokens(correction.text)))
    change = correction.change
    wanted: list[Check] = []
    unwanted: list[Check] = []
    if change.replaced is not None and change.replaced.kind == "command":
        wanted += _gained(change.replaced, change.gained, recurrence, named, cues)
    if change.reacted is not None and change.reacted.kind == "command":
        unwanted += _lost(change.reacted, change.lost, recurrence, named, cues)
    if not wanted:
        wanted += _added(change.added, recurrence, named, cues)
    kept = [c for c in wanted if passes(c, correction.after) and not passes(c, correction.before)]
    broken = [c for c in unwanted if passes(c, correction.after) and not passes(c, correction.before)]
    a, b = change.reacted, change.replaced
    if not kept and broken and a is not None and b is not None and a.key == b.key:
        # Something was only taken away: what it was taken from must still have been done.
        kept = [Check("command_ran", b.key)]
    return tuple(dict.fromkeys(kept + broken)) if kept else ()


def passes(check: Check, ops: Sequence[Op]) -> bool:
    """Whether some operations satisfy one of the checks made here."""
    words = tuple(str(check.arg).split())
    if check.op == "file_changed":
        return any(op.kind == "edit" and PurePosixPath(op.tokens[0]).name == check.arg for op in ops)
    ran = any(_matches(op, words) for op in ops)
    return ran if check.op == "command_ran" else not ran


def _matches(op: Op, words: Sequence[str]) -> bool:
    if op.kind != "command":
        return False
    core = tuple(w for w in words if not w.startswith("-"))
    flags = [w for w in words if w.startswith("-")]
    bare = (op.program, *op.tokens[1:])
    return bare[: len(core)] == core and all(f in op.tokens for f in flags)


def _spoken(token: str, named: frozenset[str], cues: Cues) -> bool:
    low = token.lower()
    return (low in named and (low not in cues.stop or low.startswith("-"))) or any(
        p in named and p not in cues.stop for p in parts(token)
    )


def _gained(
    op: Op, gained: Sequence[str], recurrence: Recurrence, named: frozenset[str], cues: Cues
) -> list[Check]:
    """Named words first, else a new program, else what most corrections of this want gained."""
    recurrent = [t for t in gained if recurrence.gained[t] >= 2]
    spoken = [t for t in recurrent if _spoken(t, named, cues)]
    usual = [t for t in recurrent if 2 * recurrence.gained[t] >= recurrence.n]
    for chosen in (spoken, recurrent if op.tokens[0] in recurrent else [], usual):
        if chosen:
            return _command_checks(op, chosen, recurrent)
    return []


def _command_checks(op: Op, chosen: Sequence[str], recurrent: Sequence[str]) -> list[Check]:
    out = []
    lead = [i for i, t in enumerate(op.tokens[:_LEAD]) if t in chosen and not t.startswith("-")]
    if lead:
        end = lead[-1]
        start_only = op.tokens[: end + 1]
        if all(t in recurrent or i == 0 or t == op.tokens[0] for i, t in enumerate(start_only)) or end <= 1:
            out.append(Check("command_ran", " ".join((op.program, *start_only[1:]))))
    for flag in (t for t in chosen if t.startswith("-")):
        if not lead or flag in chosen:
            out.append(Check("command_ran", f"{op.key} {flag}"))
    return out


def _lost(
    op: Op, lost: Sequence[str], recurrence: Recurrence, named: frozenset[str], cues: Cues
) -> list[Check]:
    recurrent = [t for t in lost if recurrence.lost[t] >= 2]
    out = []
    if op.tokens[0] in recurrent:
        lead = [op.program]
        for token in op.tokens[1:_LEAD]:
            if token not in recurrent:
                break
            lead.append(token)
        out.append(Check("command_not_ran", " ".join(lead)))
    for flag in (t for t in recurrent if t.startswith("-") and _spoken(t, named, cues)):
        out.append(Check("command_not_ran", f"{op.key} {flag}"))
    return out


def _added(added: Sequence[Op], recurrence: Recurrence, named: frozenset[str], cues: Cues) -> list[Check]:
    """Operations that came to it: the named ones, else those most corrections of this want added."""
    recurrent = [op for op in added if recurrence.added[op.key] >= 2]
    spoken = [op for op in recurrent if any(_spoken(t, named, cues) for t in op.tokens)]
    usual = [op for op in recurrent if 2 * recurrence.added[op.key] >= recurrence.n]
    out = []
    for op in spoken or usual:
        if op.kind == "edit":
            out.append(Check("file_changed", PurePosixPath(op.tokens[0]).name))
            continue
        lead = [op.program]
        for token in op.tokens[1:_LEAD]:
            if recurrence.added[token] < max(2.0, 0.6 * recurrence.added[op.key]):
                break
            lead.append(token)
        out.append(Check("command_ran", " ".join(lead)))
    return out
