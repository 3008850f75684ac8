"""Clusters by average linkage: of few things exactly, of many from near neighbours first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from skillopt_sleep.mine.condense import between, condense, identical, near_neighbours
from skillopt_sleep.mine.views import Matrix

WHOLE = 2_500
"""So many things are compared each with each, and so many parts of more things."""


class Likeness(Protocol):
    """How alike things are, in [0, 1], a tile at a time."""

    def __len__(self) -> int: ...

    def tile(self, rows: slice, columns: slice) -> Matrix:
        """Some things against others; slices without a step."""
        ...

    def only(self, chosen: Sequence[int]) -> Self:
        """Some of the things, in that order."""
        ...

    def key(self, row: int) -> bytes:
        """The same for things that nothing tells apart."""
        ...


@dataclass(frozen=True, slots=True)
class Clusters:
    """Groups of things, members and groups in order of their lowest index; singletons are included."""

    groups: list[list[int]]
    likeness: Likeness
    similarity: Matrix | None

    def cohesion(self, group: Sequence[int]) -> float:
        """Mean similarity between different members."""
        n = len(group)
        if n < 2:
            return 0.0
        if self.similarity is not None:
            inside = self.similarity[np.ix_(group, group)]
        else:
            inside = self.likeness.only(group).tile(slice(None), slice(None))
        return float((inside.sum() - np.trace(inside)) / (n * (n - 1)))


def clusters_of(likeness: Likeness, threshold: float, whole: int = WHOLE) -> Clusters:
    """Cluster by average linkage with everything compared when there are at most `whole` things.

    More are condensed to `whole` parts first: things that nothing tells apart count as one, then the nearest
    neighbours join, most alike first. How alike the parts are is then measured on some members of each, and
    the parts are clustered as so many things would be. Parts beyond `whole` found no near neighbour to join;
    the largest are clustered, the others stay as they are.
    """
    n = len(likeness)
    if n <= whole:
        similarity = likeness.tile(slice(None), slice(None))
        return Clusters(average_linkage(similarity, threshold), likeness, similarity)
    same = identical(likeness)
    kept = likeness.only([members[0] for members in same])
    weights = [len(members) for members in same]
    parts = condense(near_neighbours(kept, threshold), weights, threshold, whole)
    sizes = [sum(weights[i] for i in part) for part in parts]
    chosen = sorted(sorted(range(len(parts)), key=lambda k: (-sizes[k], k))[:whole])
    similarity = between(kept, [parts[k] for k in chosen], weights)
    joined = average_linkage(similarity, threshold, [sizes[k] for k in chosen])
    left = set(range(len(parts))) - set(chosen)
    merged = [[i for k in group for i in parts[chosen[k]]] for group in joined] + [parts[k] for k in left]
    groups = [sorted(i for member in group for i in same[member]) for group in merged]
    return Clusters(sorted(groups, key=lambda group: group[0]), likeness, None)


def average_linkage(
    similarity: Matrix, threshold: float, sizes: Sequence[int] | None = None
) -> list[list[int]]:
    """Clusters whose mean similarity between merged parts is at least `threshold` (nearest-neighbour chain;
    deterministic). Singletons are included; members and clusters are in order of their lowest index. `sizes`
    counts the things each row stands for, one when not given."""
    n = len(similarity)
    sim = similarity.astype(np.float32).copy()
    np.fill_diagonal(sim, -1.0)
    size = np.ones(n, dtype=np.float32) if sizes is None else np.asarray(sizes, dtype=np.float32)
    members: list[list[int]] = [[i] for i in range(n)]
    alive = np.ones(n, dtype=bool)
    chain: list[int] = []
    while True:
        if not chain:
            waiting = np.flatnonzero(alive)
            if len(waiting) == 0:
                break
            chain = [int(waiting[0])]
        top = chain[-1]
        best = int(np.argmax(sim[top]))
        score = sim[top, best]
        if len(chain) > 1 and sim[top, chain[-2]] >= score:
            best, score = chain[-2], sim[top, chain[-2]]
        if score < threshold:
            # Nothing left is near enough to this one: it is finished, and the chain above it starts anew.
            alive[top] = False
            sim[top, :] = -1.0
            sim[:, top] = -1.0
            chain.pop()
        elif len(chain) > 1 and best == chain[-2]:
            chain = chain[:-2]
            keep, gone = min(top, best), max(top, best)
            merged = (sim[keep] * size[keep] + sim[gone] * size[gone]) / (size[keep] + size[gone])
            merged[(sim[keep] < 0) | (sim[gone] < 0)] = -1.0
            merged[[keep, gone]] = -1.0
            sim[keep, :] = merged
            sim[:, keep] = merged
            sim[gone, :] = -1.0
            sim[:, gone] = -1.0
            size[keep] += size[gone]
            alive[gone] = False
            members[keep] = sorted(members[keep] + members[gone])
            members[gone] = []
        else:
            chain.append(best)
    return sorted((m for m in members if m), key=lambda m: m[0])
