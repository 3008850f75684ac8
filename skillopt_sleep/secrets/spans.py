"""Where secrets lie in a text, and the text without them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple


class Span(NamedTuple):
    """A secret from `start` to `end`. Where two overlap the lower `rank` names the kind: a token is called
    by its vendor, not by the name of the variable it stands in."""

    start: int
    end: int
    rank: int
    kind: str


MOST = 200
"""More secrets than this in one text is a list of secrets: from there on all of it is one."""


NEAR = 80
"""How far what stands beside a secret can tell of another."""


def found(spans: Iterable[Span], length: int) -> list[Span]:
    """The spans of one way of finding, which come in the order of the text of this length."""
    few = list(islice(spans, MOST))
    if len(few) == MOST:
        few.append(Span(few[-1].start, length, 9, "secrets"))
    return few


def without(text: str, spans: Sequence[Span]) -> tuple[str, list[str]]:
    """`text` with every span replaced by `[redacted:kind]`, overlapping spans as one; and what then stands
    around each."""
    merged = _merged(spans)
    parts: list[str] = []
    around: list[str] = []
    at = 0
    for i, (start, end, _, kind) in enumerate(merged):
        following = merged[i + 1].start if i + 1 < len(merged) else len(text)
        mark = f"[redacted:{kind}]"
        parts += (text[at:start], mark)
        around.append(text[max(at, start - NEAR) : start] + mark + text[end : min(following, end + NEAR)])
        at = end
    parts.append(text[at:])
    return "".join(parts), around


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            rank, kind = min(last[2:], span[2:])
            merged[-1] = Span(last.start, max(last.end, span.end), rank, kind)
        else:
            merged.append(span)
    return merged
