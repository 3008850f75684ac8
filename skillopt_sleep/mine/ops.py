"""What an agent did, as operations that can be compared: simple commands, edited files, looks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Literal

from skillopt.core.shell import simple_commands
from skillopt_sleep.mine.words import parts
from skillopt_sleep.session import Action

_BARE = re.compile(r"[A-Za-z][\w:+-]*$")
_NAME = re.compile(r"[^\W\d]\w{2,}")
_MOST_NAMES = 200
_ABOUT_ITSELF = frozenset({"--version", "--help", "-h", "-V", "version", "help"})
_KIN = 0.3
_SLIGHT = 0.25


@dataclass(frozen=True)
class Op:
    """One simple command (`tokens` are its words), one edited file (`tokens` is its path), or one look."""

    kind: Literal["command", "edit", "look"]
    tokens: tuple[str, ...]
    text: str = ""

    @cached_property
    def program(self) -> str:
        """The program's name without its folder, `edit` or `look`."""
        return PurePosixPath(self.tokens[0]).name if self.kind == "command" else self.kind

    @cached_property
    def key(self) -> str:
        """The occasion: the program with the bare word after it ("git commit"), or the file's name."""
        if self.kind != "command":
            return f"{self.kind}:{PurePosixPath(self.tokens[0]).name}"
        rest = self.tokens[1:]
        return f"{self.program} {rest[0]}" if rest and _BARE.match(rest[0]) else self.program

    @cached_property
    def features(self) -> frozenset[str]:
        """Names under which this operation recurs: program, key, bare words of its start, file name."""
        if self.kind == "look":
            return frozenset()
        if self.kind == "edit":
            name = PurePosixPath(self.tokens[0]).name
            suffix = PurePosixPath(name).suffix
            return frozenset({f"edit:{name}"} | ({f"edit:*{suffix}"} if suffix else set()))
        bare = [t for t in self.tokens[1:5] if _BARE.match(t)]
        return frozenset({self.program, self.key, *(f"{self.program} {w}" for w in bare[:2])})

    @cached_property
    def said(self) -> tuple[str, ...]:
        """What can be lost or gained when it is done again: words of a command, names in a new text."""
        if self.kind != "edit" or not self.text:
            return self.tokens
        return tuple(dict.fromkeys(_NAME.findall(self.text)))[:_MOST_NAMES]

    @cached_property
    def objects(self) -> frozenset[str]:
        """Parts of its arguments that another operation can share; flags and quoted texts left out."""
        start = 0 if self.kind != "command" else 1
        return frozenset(
            p
            for t in self.tokens[start:]
            if not t.startswith("-") and " " not in t
            for p in parts(t)
            if len(p) > 1 and not p.isdigit()
        )


def ops_of(actions: Iterable[Action]) -> tuple[Op, ...]:
    """The operations of some actions in order; immediate repeats count once."""
    out: list[Op] = []
    for action in actions:
        for op in _ops(action):
            if not out or out[-1] != op:
                out.append(op)
    return tuple(out)


def command_ops(text: str) -> tuple[Op, ...]:
    """The simple commands of a shell text; changes of folder and bare assignments are left out,
    asking a program for its version or help is a look."""
    out = []
    for words in simple_commands(text):
        if words and words[0] not in ("cd", "pushd", "popd"):
            asks = len(words) == 2 and words[1] in _ABOUT_ITSELF
            out.append(Op("look", (words[0],)) if asks else Op("command", tuple(words)))
    return tuple(out)


def _ops(action: Action) -> tuple[Op, ...]:
    if action.kind == "command":
        return command_ops(action.command)
    if action.kind == "edit":
        return tuple(Op("edit", (path,), action.text) for path in action.files)
    if action.kind == "read":
        return (Op("look", (action.tool or "read",)),)
    return ()


def kinship(a: Op, b: Op) -> float:
    """How much `b` looks like `a` done again, in [0, 1]: the same program and word, or shared objects."""
    if a.kind != b.kind or a.kind == "look":
        return 0.0
    if a.tokens == b.tokens:
        return 1.0
    if a.kind == "edit":
        name_a, name_b = PurePosixPath(a.tokens[0]).name, PurePosixPath(b.tokens[0]).name
        return 0.9 if name_a == name_b else 0.0
    shared = a.objects & b.objects
    smaller = min(len(a.objects), len(b.objects))
    overlap = len(shared) / smaller if smaller else 0.0
    if a.program == b.program:
        if a.key == b.key:
            return 0.6 + 0.3 * overlap
        return 0.7 * overlap
    program_within = a.program in b.tokens or b.program in a.tokens
    return max(0.75 * overlap, 0.6 if program_within else 0.0)


@dataclass(frozen=True, slots=True)
class Change:
    """What became of what the agent first did: the operation reacted to and what replaced it (either may
    be missing), the words lost and gained there, and the operations added beside it.

    `again` says that something was done again otherwise: a kindred command with other words, or the same
    file edited once more.
    """

    reacted: Op | None
    replaced: Op | None
    lost: tuple[str, ...]
    gained: tuple[str, ...]
    added: tuple[Op, ...]
    again: bool


def change_between(
    before: Sequence[Op], after: Sequence[Op], named: frozenset[str], looks: Mapping[str, float]
) -> Change:
    """Compare what was done before some words with what was done after them.

    `named` are the words said; `looks` how much each operation key is mere looking around (see `lookness`).
    Of all kindred pairs the one decides whose difference was named, then the one that looks around least.
    """
    first = [op for op in before if op.kind != "look"]
    then = [op for op in after if op.kind != "look"]
    pairs = sorted(
        (_pair_weight(a, b, named, looks), i, j)
        for i, a in enumerate(first)
        for j, b in enumerate(then)
        if kinship(a, b) >= _KIN
    )
    weight, i, j = pairs[-1] if pairs else (0.0, -1, -1)
    known = set(first)
    added = tuple(op for k, op in enumerate(then) if op not in known and k != j)
    if weight < _SLIGHT:
        return Change(_reacted(first, named, looks), None, (), (), added, again=False)
    a, b = first[i], then[j]
    lost, gained = _minus(a.said, b.said), _minus(b.said, a.said)
    return Change(a, b, lost, gained, added, again=_again(a, b))


def _again(a: Op, b: Op) -> bool:
    """Whether `b` does the work of `a` otherwise. The same command on other objects is other work."""
    if a.kind == "edit":
        return True
    if a.tokens == b.tokens:
        return False
    subject = a.objects - set(a.key.split()), b.objects - set(b.key.split())
    return a.key != b.key or not all(subject) or bool(subject[0] & subject[1])


def _reacted(first: Sequence[Op], named: frozenset[str], looks: Mapping[str, float]) -> Op | None:
    """What some words react to when nothing like it was done again: the named operation, else the last
    real one."""
    if not first:
        return None
    return max(
        enumerate(first),
        key=lambda p: (bool(named & _names(p[1])), round(1.0 - looks.get(p[1].key, 0.0), 1), p[0]),
    )[1]


def _pair_weight(a: Op, b: Op, named: frozenset[str], looks: Mapping[str, float]) -> float:
    """Pairs that differ, and whose difference was named, come before mere repeats and looks."""
    real = 1.0 - max(looks.get(a.key, 0.0), looks.get(b.key, 0.0))
    if a.tokens == b.tokens and a.kind == "command":
        return 0.2 * real
    hit = any(named & set(parts(t)) for t in {*a.said} ^ {*b.said})
    return kinship(a, b) * real + (1.0 if hit else 0.0)


def _names(op: Op) -> frozenset[str]:
    return frozenset(p for t in op.tokens for p in parts(t))


def _minus(a: Sequence[str], b: Sequence[str]) -> tuple[str, ...]:
    gone = set(b)
    return tuple(t for t in a if t not in gone)
