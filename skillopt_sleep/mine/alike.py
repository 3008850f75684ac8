"""How alike episodes are, and how alike corrections: several views of each, joined."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skillopt_sleep.mine.cues import Cues
from skillopt_sleep.mine.embed import Embedder, Vectors
from skillopt_sleep.mine.episodes import Correction, Episode
from skillopt_sleep.mine.ops import Op
from skillopt_sleep.mine.views import Matrix, View, join
from skillopt_sleep.mine.words import content, tokens

if TYPE_CHECKING:
    from skillopt_sleep.mine.recur import Want

_TASK = {"done": 0.5, "asked": 0.7, "missed": 0.57, "close": 0.7, "lone": 0.1}
_WANT = {"said": 0.95, "changed": 0.5, "acted": 0.03, "support": 0.4, "close": 0.5, "lone": 0.6}
"""How much each view weighs, fitted on the labelled homes of the tests: what was done, asked for, missed,
and how close the requests are letter by letter; `lone` is the weight of what only one episode has."""
_ALIKE = 4.0
_REAL = 0.5
_SHAPE = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True, slots=True)
class EpisodeLikeness:
    """Episodes by what was done, asked for, missed, and how close the requests are letter by letter.

    `certain` are the corrected ones, `real` says how much each did more than look around.
    """

    done: View
    asked: View
    missed: View
    vectors: Vectors
    certain: NDArray[np.bool_]
    real: Matrix

    @classmethod
    def of(
        cls,
        episodes: Sequence[Episode],
        found_wants: Sequence[Want],
        looks: Mapping[str, float],
        cues: Cues,
        embedder: Embedder,
    ) -> EpisodeLikeness:
        wanted = {c.id: want.id for want in found_wants for c in want.corrections}
        return cls(
            done=View.of([_action_bag(e, looks) for e in episodes], _TASK["lone"]),
            asked=View.of([_bag(content(tokens(e.request), cues)) for e in episodes]),
            missed=View.of([_bag(wanted[c.id] for c in e.corrections if c.id in wanted) for e in episodes]),
            vectors=embedder.embed([e.request for e in episodes]),
            certain=np.array([e.corrected for e in episodes], dtype=np.bool_),
            real=np.array([_reality(e, looks) for e in episodes], dtype=np.float32),
        )

    def __len__(self) -> int:
        return len(self.vectors)

    def key(self, row: int) -> bytes:
        """See `Likeness`."""
        views = b"|".join(view.key(row) for view in (self.done, self.asked, self.missed))
        return b"|".join(
            (views, self.vectors[row].tobytes(), self.certain[row].tobytes(), self.real[row].tobytes())
        )

    def only(self, chosen: Sequence[int]) -> EpisodeLikeness:
        """See `Likeness`."""
        return EpisodeLikeness(
            self.done.only(chosen),
            self.asked.only(chosen),
            self.missed.only(chosen),
            self.vectors[list(chosen)],
            self.certain[list(chosen)],
            self.real[list(chosen)],
        )

    def tile(self, rows: slice, columns: slice) -> Matrix:
        """See `Likeness`."""
        close = _closeness(self.vectors[rows], self.vectors[columns])
        words = self.asked.tile(rows, columns)
        # What two episodes did speaks for one task when a correction shows that it mattered, or when they
        # were asked for alike; two requests that merely both began with a look around have little in common.
        alike = np.clip(_ALIKE * np.maximum(words, close), 0.0, 1.0)
        alike = np.maximum(alike, _REAL * np.minimum(self.real[rows, None], self.real[None, columns]))
        certain = self.certain[rows, None] | self.certain[None, columns]
        weight = np.where(certain, 1.0, alike).astype(np.float32)
        return join(
            [
                (_TASK["done"], weight * self.done.tile(rows, columns)),
                (_TASK["asked"], words),
                (_TASK["missed"], self.missed.tile(rows, columns)),
                (_TASK["close"], close),
            ]
        )


@dataclass(frozen=True, slots=True)
class CorrectionLikeness:
    """Corrections by what was said, what changed, and on which action."""

    said: View
    changed: View
    acted: View
    vectors: Vectors

    @classmethod
    def of(
        cls, corrections: Sequence[Correction], among: int, cues: Cues, embedder: Embedder
    ) -> CorrectionLikeness:
        """`among` is the number of episodes they were picked from: what most corrections share is still
        telling when most episodes lack it."""
        return cls(
            said=View.of([_bag(content(tokens(c.text), cues)) for c in corrections], among=among),
            changed=View.of([_change_bag(c) for c in corrections], _WANT["lone"], among),
            acted=View.of([_acted_bag(c) for c in corrections], _WANT["lone"], among),
            vectors=embedder.embed([c.text for c in corrections]),
        )

    def __len__(self) -> int:
        return len(self.vectors)

    def key(self, row: int) -> bytes:
        """See `Likeness`."""
        views = b"|".join(view.key(row) for view in (self.said, self.changed, self.acted))
        return b"|".join((views, self.vectors[row].tobytes()))

    def only(self, chosen: Sequence[int]) -> CorrectionLikeness:
        """See `Likeness`."""
        return CorrectionLikeness(
            self.said.only(chosen),
            self.changed.only(chosen),
            self.acted.only(chosen),
            self.vectors[list(chosen)],
        )

    def tile(self, rows: slice, columns: slice) -> Matrix:
        """See `Likeness`."""
        spoken = join(
            [
                (_WANT["said"], self.said.tile(rows, columns)),
                (_WANT["changed"], self.changed.tile(rows, columns)),
                (_WANT["close"], _closeness(self.vectors[rows], self.vectors[columns])),
            ]
        )
        # One command may carry several wants: the action supports what words and changes say, and adds
        # little.
        on = self.acted.tile(rows, columns)
        alike: Matrix = spoken * (1.0 - _WANT["support"] * (1.0 - on)) + _WANT["acted"] * on
        return alike


def _reality(episode: Episode, looks: Mapping[str, float]) -> float:
    """How much an episode did more than look around, in [0, 1]: a command without words says little."""
    return max(
        (1.0 - looks.get(op.key, 0.0) for op in episode.first if op.kind != "look" and len(op.tokens) > 1),
        default=0.0,
    )


def _closeness(some: Vectors, others: Vectors) -> Matrix:
    """Cosines above 0.3, which unrelated short texts stay under, stretched to [0, 1]."""
    close: Matrix = some @ others.T
    close -= np.float32(0.3)
    close /= np.float32(0.7)
    return np.clip(close, 0.0, 1.0, out=close)


def _bag(features: Iterable[str]) -> dict[str, float]:
    return dict.fromkeys(features, 1.0)


def _action_bag(episode: Episode, looks: Mapping[str, float]) -> dict[str, float]:
    """What was done, the decisive operations first: those reacted to and those that replaced them."""
    bag: dict[str, float] = defaultdict(float)
    decisive = [
        op
        for c in episode.corrections
        for op in (c.change.reacted, c.change.replaced, *c.change.added)
        if op is not None
    ]
    for op in decisive:
        _add(bag, op, 1.0 - 0.7 * looks.get(op.key, 0.0))
    for op in episode.first:
        _add(bag, op, (0.35 if decisive else 1.0) * (1.0 - looks.get(op.key, 0.0)))
    return bag


def _add(bag: dict[str, float], op: Op, weight: float) -> None:
    for feature in op.features:
        bag[feature] = max(bag[feature], weight)


def _change_bag(correction: Correction) -> dict[str, float]:
    """What changed: words lost and gained, operations added, and the shape of what was gained."""
    bag: dict[str, float] = {}
    change = correction.change
    for token in change.lost:
        bag[f"-{token}"] = 0.7
    for token in change.gained:
        bag[f"+{token}"] = 1.0
        shape = _SHAPE.sub(lambda m: "0" if m[0].isdigit() else "a", token)
        if not token.startswith("-") and len(set(shape) - {"a", "0", ".", "/", "_", "'", '"'}) > 0:
            bag[f"shape:{shape}"] = 0.8
    for op in change.added:
        for feature in op.features:
            bag[f"added:{feature}"] = 0.7
    return bag


def _acted_bag(correction: Correction) -> dict[str, float]:
    bag: dict[str, float] = {}
    for op in (correction.change.reacted, correction.change.replaced):
        if op is not None:
            bag.update(dict.fromkeys(op.features, 1.0))
    return bag
