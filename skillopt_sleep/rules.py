"""A few kinds of rules about commands and files, and what obeying them does to recorded work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TypeAlias

from skillopt_sleep.mine.cues import Cues
from skillopt_sleep.mine.ops import Op
from skillopt_sleep.mine.words import content, parts, stem, tokens

Words = tuple[str, ...]
_REACH = 3


@dataclass(frozen=True, slots=True)
class Occasion:
    """When a rule applies: at commands that start with `command`, at edits of files that end in `suffix`, or
    when any of the stems is in the request or in what was done. None of them means always."""

    command: Words = ()
    suffix: str = ""
    stems: frozenset[str] = frozenset()

    def holds(self, request_stems: frozenset[str], ops: Sequence[Op]) -> bool:
        """Whether this episode is such an occasion."""
        if self.command:
            return any(_starts(op, self.command) for op in ops)
        if self.suffix:
            return any(op.kind == "edit" and op.tokens[0].endswith(self.suffix) for op in ops)
        if self.stems:
            done = {stem(p) for op in ops if op.kind != "look" for t in op.tokens for p in parts(t)}
            return bool(self.stems & (request_stems | done))
        return True


@dataclass(frozen=True, slots=True)
class Swap:
    """Commands that start with the whole of `old` start with `new` instead."""

    old: Words
    new: Words

    def apply(self, ops: Sequence[Op], _request: frozenset[str]) -> tuple[Op, ...]:
        """See `Rule`."""
        return tuple(
            Op("command", self.new + op.tokens[len(self.old) :])
            if _starts(op, self.old) and not _starts(op, self.new)
            else op
            for op in ops
        )


@dataclass(frozen=True, slots=True)
class Whole:
    """A command given whole: one that ends its start in the same word becomes it; one that has its start
    gets its missing flags. When there is nothing to rewrite, it is run beside the rest on its `occasion`."""

    command: Words
    occasion: Occasion = Occasion()

    def apply(self, ops: Sequence[Op], request: frozenset[str]) -> tuple[Op, ...]:
        """See `Rule`."""
        done = tuple(self._rewritten(op) for op in ops)
        if done != tuple(ops) or self.occasion == Occasion():
            return done
        return Beside(self.occasion, command=self.command).apply(ops, request)

    def _rewritten(self, op: Op) -> Op:
        if op.kind != "command" or _has(op, self.command):
            return op
        core = tuple(w for w in self.command if not w.startswith("-"))
        flags = tuple(w for w in self.command if w.startswith("-"))
        if _starts(op, core):
            n = len(core)
            return Op(
                "command", op.tokens[:n] + tuple(f for f in flags if f not in op.tokens) + op.tokens[n:]
            )
        if flags or len(core) < 2:
            return op
        last = core[-1]
        if (last in op.tokens[: _REACH + 1] and op.tokens.index(last) != 0) or op.tokens[0] == last:
            return Op("command", core + op.tokens[op.tokens.index(last) + 1 :])
        return op


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag that the commands starting with `command` must have, or must not have."""

    flag: str
    command: Words
    wanted: bool
    first: bool = False

    def apply(self, ops: Sequence[Op], _request: frozenset[str]) -> tuple[Op, ...]:
        """See `Rule`. A command already run with a wanted flag once is left as it is; `first` asks for a run
        with the flag before the one without."""
        if self.wanted and any(_starts(op, self.command) and self.flag in op.tokens for op in ops):
            return tuple(ops)
        if not self.first:
            return tuple(self._rewritten(op) for op in ops)
        at = next((i for i, op in enumerate(ops) if _starts(op, self.command)), None)
        return tuple(ops) if at is None else (*ops[:at], self._rewritten(ops[at]), *ops[at:])

    def _rewritten(self, op: Op) -> Op:
        if op.kind != "command" or (self.command and not _starts(op, self.command)):
            return op
        if self.wanted and self.command and self.flag not in op.tokens:
            n = len(self.command)
            return Op("command", (*op.tokens[:n], self.flag, *op.tokens[n:]))
        if not self.wanted and self.flag in op.tokens:
            return Op("command", tuple(t for t in op.tokens if t != self.flag))
        return op


@dataclass(frozen=True, slots=True)
class Beside:
    """On an occasion, also run `command` or edit `file`, before or after the rest."""

    occasion: Occasion
    command: Words = ()
    file: str = ""
    before: bool = False

    def apply(self, ops: Sequence[Op], request: frozenset[str]) -> tuple[Op, ...]:
        """See `Rule`."""
        if not self.occasion.holds(request, ops) or self._done(ops):
            return tuple(ops)
        new = Op("command", self.command) if self.command else Op("edit", (self.file,))
        if not self.before:
            return (*ops, new)
        at = next((i for i, op in enumerate(ops) if _starts(op, self.occasion.command)), 0)
        return (*ops[:at], new, *ops[at:])

    def _done(self, ops: Sequence[Op]) -> bool:
        if self.file:
            name = PurePosixPath(self.file).name.lower()
            return any(op.kind == "edit" and PurePosixPath(op.tokens[0]).name.lower() == name for op in ops)
        return any(_has(op, self.command) for op in ops)


@dataclass(frozen=True, slots=True)
class Scoped:
    """A rule that holds on an occasion only, because its lesson says so."""

    occasion: Occasion
    rule: Swap | Whole | Flag | Beside

    def apply(self, ops: Sequence[Op], request: frozenset[str]) -> tuple[Op, ...]:
        """See `Rule`."""
        return self.rule.apply(ops, request) if self.occasion.holds(request, ops) else tuple(ops)


Rule: TypeAlias = Swap | Whole | Flag | Beside | Scoped


@lru_cache(maxsize=32768)
def _asked(request: str, cues: Cues) -> frozenset[str]:
    return frozenset(content(tokens(request), cues))


def obey(rules: Sequence[Rule], request: str, ops: Sequence[Op], cues: Cues) -> tuple[Op, ...]:
    """What the agent would have done with the rules in mind: `ops` changed by each in turn."""
    done = tuple(ops)
    asked = _asked(request, cues) if rules else frozenset[str]()
    for rule in rules:
        done = rule.apply(done, asked)
    return done


def _starts(op: Op, words: Words) -> bool:
    if op.kind != "command" or not words or len(op.tokens) < len(words):
        return False
    return (op.program, *op.tokens[1 : len(words)]) == words or op.tokens[: len(words)] == words


def _has(op: Op, words: Words) -> bool:
    """Whether a command starts with the bare words and has all the flags."""
    core = tuple(w for w in words if not w.startswith("-"))
    return _starts(op, core or words[:1]) and all(w in op.tokens for w in words if w.startswith("-"))
