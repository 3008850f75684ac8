"""What recurs across sessions: tasks (request, action, correction) and wants (what keeps being corrected)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from skillopt.core.task import content_id
from skillopt_sleep.mine.cluster import Matrix, average_linkage, cosine_view, join
from skillopt_sleep.mine.cues import Cues
from skillopt_sleep.mine.embed import Embedder, Vectors
from skillopt_sleep.mine.episodes import Correction, Episode
from skillopt_sleep.mine.ops import Op
from skillopt_sleep.mine.words import content, tokens

MIN_SESSIONS = 2
TASK_THRESHOLD = 0.13
WANT_THRESHOLD = 0.13
_TASK = {"done": 0.5, "asked": 0.7, "missed": 0.57, "close": 0.7, "lone": 0.1}
_WANT = {"said": 0.95, "changed": 0.5, "acted": 0.03, "support": 0.4, "close": 0.5, "lone": 0.6}
"""How much each view weighs, fitted on the labelled homes of the tests: what was done, asked for, missed,
and how close the requests are letter by letter; `lone` is the weight of what only one episode has."""
_ALIKE = 4.0
_REAL = 0.5
_FEW = 2
_COHERENT = 0.45
_SHAPE = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True, slots=True)
class RecurringTask:
    """Episodes of different sessions of one project that ask for the same kind of work."""

    id: str
    project: str
    intent: str
    episodes: tuple[Episode, ...]

    @property
    def session_ids(self) -> tuple[str, ...]:
        """The sessions it occurred in, in order of time, each once."""
        return tuple(dict.fromkeys(e.session_id for e in self.episodes))


@dataclass(frozen=True, slots=True)
class Want:
    """Corrections of different sessions of one project that ask for the same thing."""

    id: str
    project: str
    corrections: tuple[Correction, ...]

    @property
    def session_ids(self) -> tuple[str, ...]:
        """The sessions it was said in, in order of time, each once."""
        return tuple(dict.fromkeys(c.session_id for c in self.corrections))


def recurring_tasks(
    episodes: Sequence[Episode],
    found_wants: Sequence[Want],
    looks: Mapping[str, float],
    cues: Cues,
    embedder: Embedder,
    threshold: float = TASK_THRESHOLD,
) -> tuple[RecurringTask, ...]:
    """Cluster the episodes of one project by what was asked, what was done and what was corrected; only what
    occurs in at least two sessions is a task."""
    if len(episodes) < MIN_SESSIONS:
        return ()
    done = [_action_bag(e, looks) for e in episodes]
    asked = [_bag(content(tokens(e.request), cues)) for e in episodes]
    wanted = {c.id: want.id for want in found_wants for c in want.corrections}
    missed = [_bag(wanted[c.id] for c in e.corrections if c.id in wanted) for e in episodes]
    vectors = embedder.embed([e.request for e in episodes])
    close = _closeness(vectors)
    words = cosine_view(asked)
    # What two episodes did speaks for one task when a correction shows that it mattered, or when they were
    # asked for alike; two requests that merely both began with a look around have little in common.
    certain = np.array([e.corrected for e in episodes])
    alike = np.clip(_ALIKE * np.maximum(words, close), 0.0, 1.0)
    real = np.array([_reality(e, looks) for e in episodes], dtype=np.float32)
    alike = np.maximum(alike, _REAL * np.minimum(real[:, None], real[None, :]))
    weight = np.where(certain[:, None] | certain[None, :], 1.0, alike).astype(np.float32)
    similarity = join(
        [
            (_TASK["done"], weight * cosine_view(done, _TASK["lone"])),
            (_TASK["asked"], words),
            (_TASK["missed"], cosine_view(missed)),
            (_TASK["close"], close),
        ]
    )
    out = []
    for group in average_linkage(similarity, threshold):
        found = tuple(sorted((episodes[i] for i in group), key=_when))
        sessions = len({e.session_id for e in found})
        if sessions >= MIN_SESSIONS and (sessions > _FEW or _cohesion(similarity, group) >= _COHERENT):
            project = found[0].project
            out.append(
                RecurringTask(
                    id=content_id(project, sorted(e.id for e in found)),
                    project=project,
                    intent=_intent(found, cues),
                    episodes=found,
                )
            )
    return tuple(out)


def wants(
    corrections: Sequence[Correction],
    among: int,
    cues: Cues,
    embedder: Embedder,
    threshold: float = WANT_THRESHOLD,
) -> tuple[Want, ...]:
    """Cluster the corrections of one project by what was said, what changed, and on which action.

    `among` is the number of episodes they were picked from: what most corrections share is still telling
    when most episodes lack it.
    """
    if len(corrections) < MIN_SESSIONS:
        return ()
    said = [_bag(content(tokens(c.text), cues)) for c in corrections]
    changed = [_change_bag(c) for c in corrections]
    acted = [_acted_bag(c) for c in corrections]
    vectors = embedder.embed([c.text for c in corrections])
    close = _closeness(vectors)
    spoken = join(
        [
            (_WANT["said"], cosine_view(said, among=among)),
            (_WANT["changed"], cosine_view(changed, _WANT["lone"], among)),
            (_WANT["close"], close),
        ]
    )
    # One command may carry several wants: the action supports what words and changes say, and adds little.
    on = cosine_view(acted, _WANT["lone"], among)
    similarity = spoken * (1.0 - _WANT["support"] * (1.0 - on)) + _WANT["acted"] * on
    out = []
    for group in average_linkage(similarity, threshold):
        found = tuple(sorted((corrections[i] for i in group), key=_when))
        if len({c.session_id for c in found}) >= MIN_SESSIONS:
            out.append(
                # Wants are trained in the order of their ids, which must not depend on where a project lies.
                Want(content_id("want", sorted(c.id for c in found)), found[0].project, found)
            )
    return tuple(out)


def _cohesion(similarity: Matrix, group: Sequence[int]) -> float:
    """Mean similarity between different members."""
    inside = similarity[np.ix_(group, group)]
    n = len(group)
    return float((inside.sum() - np.trace(inside)) / (n * (n - 1))) if n > 1 else 0.0


def _reality(episode: Episode, looks: Mapping[str, float]) -> float:
    """How much an episode did more than look around, in [0, 1]: a command without words says little."""
    return max(
        (1.0 - looks.get(op.key, 0.0) for op in episode.first if op.kind != "look" and len(op.tokens) > 1),
        default=0.0,
    )


def _closeness(vectors: Vectors) -> Matrix:
    """Cosines above 0.3, which unrelated short texts stay under, stretched to [0, 1]."""
    close: Matrix = np.clip((vectors @ vectors.T - np.float32(0.3)) / np.float32(0.7), 0.0, 1.0)
    return close


def _when(item: Episode | Correction) -> tuple[bool, str, str]:
    return (item.at is None, item.at.isoformat() if item.at else "", item.id)


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


def _intent(episodes: Sequence[Episode], cues: Cues) -> str:
    """The request that says best what all of them ask: most shared words, then the shortest, as typed."""
    counts = Counter(w for e in episodes for w in set(content(tokens(e.request), cues)))

    def rank(episode: Episode) -> tuple[float, int, str]:
        words = content(tokens(episode.request), cues)
        return (
            -sum(counts[w] for w in set(words)) / (len(words) + 1.0),
            len(episode.request),
            episode.request,
        )

    return " ".join(min(episodes, key=rank).request.split())[:120]
