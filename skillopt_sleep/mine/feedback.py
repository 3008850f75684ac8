"""Is a remark a correction? Evidence from structure first, words second; words alone never suffice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from skillopt_sleep.mine.cues import Cues
from skillopt_sleep.mine.ops import Change, Op
from skillopt_sleep.mine.words import parts, segments, stem, tokens

_LONGEST_ACK = 5
_FEW_WORDS = 3
_LONG_REMARK = 60
_NEEDED = 2.25
ENOUGH = 3
"""More sessions in which the same was said say no more."""
_OFTEN = 2

REJECTED = "rejected"
INTERRUPTED = "interrupted"
HEARD = "said in other sessions too"
HEARD_OFTEN = "said in several other sessions"
NAMES_LOST = "names what went"
AGAIN = "done again otherwise"
STANDING = "a standing instruction"
CORRECTING = "a correcting word"

_RELATES = frozenset({REJECTED, INTERRUPTED, HEARD_OFTEN, NAMES_LOST, AGAIN, STANDING, CORRECTING})
"""At least one of these ties a remark to what was done before; a new request names its own work, too."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Words said after the agent acted on a request, with what it did before and after them."""

    text: str
    request: str
    via: str
    interrupted: bool
    before: tuple[Op, ...]
    change: Change
    usual: bool
    heard: int


@dataclass(frozen=True, slots=True)
class Weight:
    """The evidence for a correction: `structure` names the structural cues, `total` the sum of all."""

    structure: tuple[str, ...]
    words: tuple[str, ...]
    total: float
    heard: float

    @property
    def is_correction(self) -> bool:
        """Enough evidence in all, some of it structural, some of it about what was done before."""
        return (
            bool(self.structure)
            and not _RELATES.isdisjoint((*self.structure, *self.words))
            and self.total >= _NEEDED
        )

    @property
    def is_certain(self) -> bool:
        """Whether it would be one without what other sessions said: only such speak for others."""
        return self.is_correction and self.total - self.heard >= _NEEDED


def is_ack(text: str, acted: bool, cues: Cues, *, later: bool = False) -> bool:
    """Whether some words only acknowledge ("thanks", "hm ok"): short, made of such words, nothing new.

    Said `later` in a session, a few words after which nothing was done are taken as such in any language.
    """
    words = tokens(text)
    if not words:
        return True
    if later and not acted and len(words) <= _FEW_WORDS and not text.rstrip().endswith("?"):
        return True
    if len(words) > _LONGEST_ACK:
        return False
    rest = list(words)
    covered = sum(end - start for start, end in cues["acks"].spans(rest))
    others = [w for w in rest if w not in cues.stop]
    in_acks = [w for w in others if w in cues["acks"]]
    return covered == len(rest) or (covered > 0 and not acted and len(others) == len(in_acks))


def spoken_names(words: Sequence[str]) -> Iterable[str]:
    """What words may name: themselves, their parts, and two of them joined ("sign off": signoff)."""
    for word in words:
        yield word
        yield from (p for p in parts(word) if len(p) > 1)
    for a, b in pairwise(words):
        yield a + b


def _named(
    words: frozenset[str], changed: Iterable[str], cues: Cues, *, but: frozenset[str] = frozenset()
) -> bool:
    """Whether the words name one of the changed tokens, function words and what is in `but` aside."""
    for token in changed:
        if token.lower() in words and (token.lower() not in cues.stop or token.startswith("-")):
            return True
        if any(p in words and p not in but and p not in cues.stop and len(p) > 1 for p in parts(token)):
            return True
    return False


def _pieces(changed: Iterable[str]) -> frozenset[str]:
    return frozenset(p for token in changed for p in parts(token))


def weigh(remark: Remark, cues: Cues) -> Weight:
    """Add up the evidence that `remark` corrects what the agent had done."""
    words = tokens(remark.text)
    named = frozenset(spoken_names(words))
    structure = dict(_structure(remark, named, cues))
    spoken = dict(_words(remark, words, bool(structure), cues))
    total = sum(structure.values()) + sum(spoken.values())
    return Weight(
        tuple(structure), tuple(spoken), total, structure.get(HEARD, structure.get(HEARD_OFTEN, 0.0))
    )


def _structure(remark: Remark, named: frozenset[str], cues: Cues) -> Iterable[tuple[str, float]]:
    change = remark.change
    if remark.via == "rejection":
        yield REJECTED, 3.0
    elif remark.interrupted:
        yield INTERRUPTED, 1.5
    elif remark.via == "queued":
        yield "typed while working", 0.75
    if remark.heard:
        yield HEARD if remark.heard < _OFTEN else HEARD_OFTEN, 0.75 * min(remark.heard, ENOUGH)
    if all(op.kind == "look" for op in remark.before):
        return
    if _asks_for_the_next(remark, named, cues):
        return
    if change.reacted is not None and _named(named, change.reacted.tokens, cues):
        yield "names what was done", 0.75
    # What is in both, as the folder of two files, neither went nor came.
    both = _pieces(change.lost) & _pieces(change.gained)
    if _named(named, change.lost, cues, but=both):
        yield NAMES_LOST, 1.25
    if _named(named, change.gained, cues, but=both):
        yield "its words came true", 1.25 if change.again else 0.5
    elif any(_named(named, op.tokens, cues) for op in change.added):
        yield "its words were done", 0.75
    if change.again:
        yield AGAIN, 1.0
    if remark.usual:
        yield "the same change elsewhere", 1.0


def _asks_for_the_next(remark: Remark, named: frozenset[str], cues: Cues) -> bool:
    """Whether a thing the request named gave way to a thing these words name instead: the same work asked for
    again on something else. Nothing is wrong then with what was done, however much of it comes again."""
    if remark.via == "rejection" or remark.interrupted or cues["corrective"].found_in(tokens(remark.text)):
        return False
    lost, gained = _things(remark.change.lost, cues), _things(remark.change.gained, cues)
    said = {stem(name) for name in named}
    asked = {stem(name) for name in spoken_names(tokens(remark.request))}
    return bool((lost - gained) & asked - said and (gained - lost) & said - asked)


def _things(changed: Iterable[str], cues: Cues) -> frozenset[str]:
    """The stems of the names in changed words, function words aside."""
    names = {name for token in changed for name in (token.lower(), *parts(token))}
    return frozenset(stem(name) for name in names - cues.stop if len(name) > 1 or name.isdigit())


def _words(remark: Remark, words: Sequence[str], structured: bool, cues: Cues) -> Iterable[tuple[str, float]]:
    first = segments(remark.text)[0] if words else ()
    standing = cues["standing"].found_in(words)
    corrective = cues["corrective"].found_in(words)
    if standing:
        yield STANDING, 1.0
    if corrective:
        yield CORRECTING, 1.0
    if (standing or corrective) and structured:
        yield "and what it says was done or undone", 0.5
    opens = cues["openers"].at(first, 0)
    if opens == len(first) > 0 and first[0] in cues["corrective"]:
        yield "starts with a no", 0.5
    if cues["next_step"].at(first, 0) and not (standing or (corrective and structured)):
        yield "reads like a next step", -2.0
    if remark.text.rstrip().endswith("?") and not (remark.interrupted or remark.via == "rejection"):
        yield "a question", -1.0
    if cues["question"].at(words, 0) and not remark.interrupted:
        yield "asks", -1.0
    if len(words) > _LONG_REMARK:
        yield "long", -1.5
