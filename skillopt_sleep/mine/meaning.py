"""Whether two sentences of the same person say the same thing: shared telling words, and no contradiction."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from skillopt_sleep.mine.cues import Cues
from skillopt_sleep.mine.words import signed

SAME_MEANING = 0.20
"""Likeness from which two sentences count as saying the same; measured on labelled pairs (see the tests)."""

_OUTWEIGHS = 2.0


@dataclass(frozen=True, slots=True)
class Meaning:
    """How telling each word is in what this person writes; a word that is everywhere tells little."""

    telling: Mapping[str, float]
    unseen: float
    cues: Cues

    @classmethod
    def of(cls, texts: Iterable[str], cues: Cues) -> Meaning:
        """Learn from the person's own texts."""
        bags = [set(signed(t, cues)) for t in texts]
        seen = Counter(w for bag in bags for w in bag)
        n = len(bags)
        telling = {w: math.log((n + 1) / (count + 0.5)) for w, count in seen.items()}
        return cls(telling, math.log(n + 2), cues)

    def likeness(self, a: str, b: str) -> float:
        """Weighted overlap of their telling words, in [0, 1]."""
        left, right = signed(a, self.cues), signed(b, self.cues)
        shared = self.weigh(left.keys() & right.keys())
        if not shared:
            return 0.0
        norm = math.sqrt(self.weigh(left) * self.weigh(right))
        return min(1.0, shared / norm)

    def shared(self, a: str, b: str) -> float:
        """How telling the words are that both have, added up; one common word is little."""
        both = signed(a, self.cues).keys() & signed(b, self.cues).keys()
        return self.weigh(both)

    def contradicts(self, a: str, b: str) -> bool:
        """Whether what they share is mostly wanted by one and forbidden by the other."""
        left, right = signed(a, self.cues), signed(b, self.cues)
        shared = left.keys() & right.keys()
        against = self.weigh(w for w in shared if left[w] != right[w])
        return against > _OUTWEIGHS * self.weigh(w for w in shared if left[w] == right[w])

    def restates(self, lesson: str, said: str) -> bool:
        """Whether `said` means the same as `lesson` and does not contradict it."""
        return self.likeness(lesson, said) >= SAME_MEANING and not self.contradicts(lesson, said)

    def weigh(self, words: Iterable[str]) -> float:
        """How telling some words are, added up exactly: a set gives them in another order in each process."""
        return math.fsum(map(self._weight, words))

    def _weight(self, word: str) -> float:
        return max(0.05, self.telling.get(word, self.unseen))
