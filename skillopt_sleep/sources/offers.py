"""Answers an agent had worded before the person picked them: a choice of theirs, but not their words."""

from __future__ import annotations

from collections.abc import Iterator

from skillopt_sleep.sources.base import Record

_MOST = 2_000
_MOST_PARTS = 50


class Offers:
    """The options a session's questions offered."""

    def __init__(self) -> None:
        self._labels: set[str] = set()

    def add(self, question: Record) -> None:
        """Remember every text of a question: its options, their descriptions, defaults."""
        for text in _texts(question):
            if len(self._labels) < _MOST:
                self._labels.add(_folded(text))

    def split(self, answer: str) -> tuple[str, str]:
        """What of an answer was typed and what was picked; several picks are joined by commas."""
        if _folded(answer) in self._labels:
            return "", answer
        parts = answer.split(", ", _MOST_PARTS)
        typed: list[str] = []
        picked: list[str] = []
        at = 0
        while at < len(parts):
            # An option may hold commas itself: the longest run of parts that was offered.
            ends = range(len(parts), at, -1)
            end = next((end for end in ends if _folded(", ".join(parts[at:end])) in self._labels), at)
            (picked if end > at else typed).append(", ".join(parts[at : max(end, at + 1)]))
            at = max(end, at + 1)
        return ", ".join(typed), ", ".join(picked)


def _folded(text: str) -> str:
    return " ".join(text.casefold().removesuffix("(recommended)").split()).rstrip(".!")


def _texts(value: object, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < 8 and isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each, depth + 1)
