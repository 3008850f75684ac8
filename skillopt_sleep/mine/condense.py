"""Many things to fewer parts: the same counts once, then nearest neighbours join, most alike first."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from skillopt_sleep.mine.views import Indices, Matrix

if TYPE_CHECKING:
    from skillopt_sleep.mine.cluster import Likeness

_NEIGHBOURS = 24
_SAMPLED = 16
_TILE = 1_400
"""So many things are compared with so many others at once."""
_MEMBERS = 6
"""How alike two parts are is measured on so many members of each."""


def identical(likeness: Likeness) -> list[list[int]]:
    """Things in groups that nothing tells apart, in order of their lowest index."""
    groups: dict[bytes, list[int]] = {}
    for i in range(len(likeness)):
        groups.setdefault(likeness.key(i), []).append(i)
    return list(groups.values())


def tiles(n: int) -> Iterator[tuple[slice, slice]]:
    """The tiles of an n x n matrix on and above its diagonal; none is larger than may be held."""
    parts = [slice(start, min(n, start + _TILE)) for start in range(0, n, _TILE)]
    return ((rows, columns) for i, rows in enumerate(parts) for columns in parts[i:])


def near_neighbours(likeness: Likeness, least: float, most: int = _NEIGHBOURS) -> list[dict[int, float]]:
    """For each thing the `most` most like it that reach `least`, in both directions."""
    n = len(likeness)
    nearest = _Nearest(n, least, most)
    for rows, columns in tiles(n):
        tile = likeness.tile(rows, columns)
        if rows == columns:
            np.fill_diagonal(tile, -1.0)
        else:
            nearest.offer(columns, rows, np.ascontiguousarray(tile.T))
        nearest.offer(rows, columns, tile)
    graph: list[dict[int, float]] = [{} for _ in range(n)]
    for i, (others, values) in enumerate(zip(nearest.others.tolist(), nearest.values.tolist(), strict=True)):
        for j, value in zip(others, values, strict=True):
            if j >= 0:
                graph[i][j] = graph[j][i] = value
    return graph


class _Nearest:
    """The `most` highest values of each row seen so far, highest first, and their columns (-1 for none)."""

    def __init__(self, n: int, least: float, most: int) -> None:
        self._least = np.float32(least)
        self._most = most
        self.values = np.full((n, most), -1.0, dtype=np.float32)
        self.others = np.full((n, most), -1, dtype=np.intp)

    def offer(self, rows: slice, columns: slice, tile: Matrix) -> None:
        """More columns of some rows. Of equal values the one offered first stays."""
        found, others, values = self._highest(tile, np.maximum(self.values[rows, -1], self._least))
        rank = np.arange(len(found)) - np.searchsorted(found, found)
        more = np.full((len(tile), self._most), -1.0, dtype=np.float32)
        where = np.full((len(tile), self._most), -1, dtype=np.intp)
        more[found, rank] = values
        where[found, rank] = others + columns.start
        both = np.concatenate((self.values[rows], more), axis=1)
        order = np.argsort(-both, axis=1, kind="stable")[:, : self._most]
        self.values[rows] = np.take_along_axis(both, order, axis=1)
        both_others = np.concatenate((self.others[rows], where), axis=1)
        self.others[rows] = np.take_along_axis(both_others, order, axis=1)

    def _highest(self, tile: Matrix, floor: Matrix) -> tuple[Indices, Indices, Matrix]:
        """Row, column and value of the highest values of each row that reach its floor, highest first.

        A sample of each row tells from where on to look; a row of which it told too little is looked at from
        its floor on.
        """
        sample = tile[:, ::_SAMPLED]
        rank = min(sample.shape[1], max(1, 4 * self._most // _SAMPLED))
        cut = np.maximum(np.partition(sample, -rank, axis=1)[:, -rank], floor)
        rows, columns = np.nonzero(tile >= cut[:, None])
        too_few = (np.bincount(rows, minlength=len(tile)) < self._most) & (cut > floor)
        if too_few.any():
            cut[too_few] = floor[too_few]
            rows, columns = np.nonzero(tile >= cut[:, None])
        values = tile[rows, columns]
        order = np.lexsort((columns, -values, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        kept = np.arange(len(rows)) - np.searchsorted(rows, rows) < self._most
        return rows[kept], columns[kept], values[kept]


def condense(
    graph: Sequence[Mapping[int, float]], weights: Sequence[int], least: float, enough: int
) -> list[list[int]]:
    """Join the parts of the highest mean similarity until there are `enough` or none reaches `least`.

    Things that are no neighbours count as not alike at all: the mean of two parts is never thought higher
    than it is. `weights` count what each thing stands for.
    """
    sums = [{j: value * weights[i] * weights[j] for j, value in near.items()} for i, near in enumerate(graph)]
    sizes = list(weights)
    members = [[i] for i in range(len(graph))]

    def mean(i: int, j: int) -> float:
        return sums[i][j] / (sizes[i] * sizes[j])

    heap = [(-mean(i, j), i, j) for i, near in enumerate(sums) for j in near if i < j]
    heapq.heapify(heap)
    left = len(graph)
    while heap and left > enough:
        thought, i, j = heapq.heappop(heap)
        if not members[i] or not members[j]:
            continue
        now = -mean(i, j)
        if now > thought:
            # What one of them joined since made them less alike.
            heapq.heappush(heap, (now, i, j))
            continue
        if -now < least:
            break
        keep, gone = (i, j) if (len(sums[i]), -i) >= (len(sums[j]), -j) else (j, i)
        del sums[keep][gone], sums[gone][keep]
        sizes[keep] += sizes[gone]
        members[keep] += members[gone]
        members[gone] = []
        for other, total in sums[gone].items():
            del sums[other][gone]
            sums[keep][other] = sums[other][keep] = sums[keep].get(other, 0.0) + total
            heapq.heappush(heap, (-mean(keep, other), min(keep, other), max(keep, other)))
        sums[gone] = {}
        left -= 1
    return sorted((sorted(part) for part in members if part), key=lambda part: part[0])


def between(likeness: Likeness, parts: Sequence[Sequence[int]], weights: Sequence[int]) -> Matrix:
    """Mean similarity between each two parts, of up to `_MEMBERS` members of each, evenly picked."""
    picked = [
        [part[k * len(part) // m] for k in range(m)] for part in parts for m in [min(len(part), _MEMBERS)]
    ]
    order = [i for part in picked for i in part]
    part_of = np.repeat(np.arange(len(parts)), [len(part) for part in picked])
    weight = np.asarray([weights[i] for i in order], dtype=np.float32)
    totals = np.zeros((len(parts), len(parts)), dtype=np.float32)
    chosen = likeness.only(order)
    for rows, columns in tiles(len(order)):
        tile = chosen.tile(rows, columns) * (weight[rows, None] * weight[None, columns])
        added = _by_part(_by_part(tile, part_of[columns]).T, part_of[rows]).T
        across = np.ix_(np.unique(part_of[rows]), np.unique(part_of[columns]))
        totals[across] += added
        if rows != columns:
            totals.T[across] += added
    size = _by_part(weight[None, :], part_of)[0]
    means: Matrix = totals / (size[:, None] * size[None, :])
    # Rounding must not make one direction look nearer than the other.
    return np.minimum(means, means.T)


def _by_part(values: Matrix, part_of: Indices) -> Matrix:
    """Columns of the same part (they lie together) added up."""
    starts = np.flatnonzero(np.diff(part_of, prepend=-1))
    summed: Matrix = np.add.reduceat(values, starts, axis=1)
    return summed
