"""Views of the same things, joined, and clustered by average linkage."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


def inverse_frequency(bags: Sequence[Mapping[str, float]], among: int = 0) -> dict[str, float]:
    """How telling each feature is: 0 for one that is everywhere, larger the rarer. `among` counts the things
    the bags were picked from, when they are a part of more."""
    n = max(len(bags), among)
    seen = Counter(feature for bag in bags for feature in bag)
    return {feature: math.log((n + 1) / (count + 0.5)) for feature, count in seen.items()}


def cosine_view(bags: Sequence[Mapping[str, float]], lone_weight: float = 0.5, among: int = 0) -> Matrix:
    """Cosine of weighted bags of features, n x n in [0, 1].

    A feature that only one bag has cannot be shared; it counts against a match at `lone_weight`, because
    the particulars of one session (a file, a name) say little about what was asked. `among` as in
    `inverse_frequency`.
    """
    telling = inverse_frequency(bags, among)
    seen = Counter(feature for bag in bags for feature in bag)
    columns = {f: i for i, f in enumerate(sorted(f for f, count in seen.items() if count > 1))}
    rows = np.zeros((len(bags), max(1, len(columns))), dtype=np.float32)
    for i, bag in enumerate(bags):
        squares = []
        for feature, weight in bag.items():
            value = max(0.0, weight * telling[feature])
            if feature in columns:
                rows[i, columns[feature]] = value
                squares.append(value * value)
            else:
                squares.append((lone_weight * value) ** 2)
        # Exactly, because features come from sets, in another order in each process.
        squared = math.fsum(squares)
        if squared:
            rows[i] /= math.sqrt(squared)
    view: Matrix = np.clip(rows @ rows.T, 0.0, 1.0)
    return view


def join(views: Sequence[tuple[float, Matrix]]) -> Matrix:
    """Noisy or: evidence of each view, weighted in [0, 1], speaks for a match and none speaks against it."""
    miss = np.ones_like(views[0][1])
    for weight, view in views:
        miss *= 1.0 - weight * view
    joined: Matrix = 1.0 - miss
    return joined


def average_linkage(similarity: Matrix, threshold: float) -> list[list[int]]:
    """Clusters whose mean similarity between merged parts is at least `threshold` (nearest-neighbour chain;
    deterministic). Singletons are included; members and clusters are in order of their lowest index."""
    n = len(similarity)
    sim = similarity.astype(np.float32).copy()
    np.fill_diagonal(sim, -1.0)
    size = np.ones(n, dtype=np.float32)
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
