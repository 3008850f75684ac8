"""What was put into a text of somebody else, kept so that it can be taken out to the byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Keys: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Insertion:
    """Characters put in at an offset of a text."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Cut:
    """`n_chars` characters from `at` on, to be taken out."""

    at: int
    n_chars: int


@dataclass(frozen=True, slots=True)
class Edited:
    """A text after insertions; `cuts`, applied in their order, give back the text before."""

    text: str
    cuts: tuple[Cut, ...]

    @classmethod
    def of(cls, text: str, insertions: Sequence[Insertion]) -> Edited:
        """`text` with these insertions, whose offsets are of `text` and ascend."""
        cuts: list[Cut] = []
        for each in reversed(insertions):
            text = text[: each.at] + each.text + text[each.at :]
            cuts.insert(0, Cut(each.at, len(each.text)))
        # The first is cut first: the offsets of the later ones are then those of the text they were put into.
        return cls(text, tuple(cuts))


def without_cuts(text: str, cuts: Sequence[Cut]) -> str:
    """`text` with every cut made, in order."""
    for cut in cuts:
        text = text[: cut.at] + text[cut.at + cut.n_chars :]
    return text
