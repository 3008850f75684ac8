"""What was said as a correction, and in how many other sessions something like some words was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skillopt_sleep.mine.feedback import ENOUGH
from skillopt_sleep.mine.meaning import Meaning
from skillopt_sleep.mine.words import signed

Said: TypeAlias = tuple[str, str]
"""A session and words."""

_LIKE = 0.38
_TELLING = 3.0
_NEARLY = 1.0 - 1e-6
"""Sums in another order differ in their last digits: what nearly reaches a bound is looked at exactly."""


class Heard:
    """Remembers corrections by their words; each text is compared once, however often it was said."""

    def __init__(self, said: Iterable[Said], meaning: Meaning) -> None:
        self._meaning = meaning
        sessions: dict[str, set[str]] = {}
        for session, text in said:
            sessions.setdefault(text, set()).add(session)
        self._texts = list(sessions)
        self._sessions = list(sessions.values())
        having: dict[str, list[int]] = {}
        for i, text in enumerate(self._texts):
            for unit in signed(text, meaning.cues):
                having.setdefault(unit, []).append(i)
        self._having = {unit: np.asarray(found, dtype=np.intp) for unit, found in having.items()}
        weights = [meaning.weigh(signed(text, meaning.cues)) for text in self._texts]
        self._weights = np.asarray(weights, dtype=np.float64)
        self._answers: dict[str, frozenset[str]] = {}

    def times(self, words: str, session_id: str) -> int:
        """In how many other sessions the same was said; counting stops at `ENOUGH`."""
        if (sessions := self._answers.get(words)) is None:
            sessions = self._answers[words] = self._saying(words)
        return min(ENOUGH, len(sessions - {session_id}))

    def _saying(self, words: str) -> frozenset[str]:
        """The sessions that said the same, more than `ENOUGH` at most by one text: one may be the asking
        one."""
        sessions: set[str] = set()
        for i in self._candidates(words).tolist():
            text = self._texts[i]
            if (
                not self._sessions[i] <= sessions
                and self._meaning.shared(text, words) >= _TELLING
                and self._meaning.likeness(text, words) >= _LIKE
            ):
                sessions |= self._sessions[i]
                if len(sessions) > ENOUGH:
                    break
        return frozenset(sessions)

    def _candidates(self, words: str) -> NDArray[np.intp]:
        """Texts that share nearly enough with some words to say the same."""
        shared = np.zeros(len(self._texts))
        units = signed(words, self._meaning.cues)
        for unit in units:
            if (found := self._having.get(unit)) is not None:
                shared[found] += self._meaning.weigh((unit,))
        least = np.maximum(_TELLING, _LIKE * np.sqrt(self._weights * self._meaning.weigh(units)))
        return np.flatnonzero(shared >= _NEARLY * least)
