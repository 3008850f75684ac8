"""Views of the same things, a tile at a time: how alike they are by the features they share."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Indices = NDArray[np.intp]

_COMMON = 0.04
"""A feature that this share of the rows has is multiplied as a column of a dense matrix; pairs of rows that
share a rarer one are added one by one, which is cheaper for them."""
_DENSE_ROWS = 2_500


def inverse_frequency(bags: Sequence[Mapping[str, float]], among: int = 0) -> dict[str, float]:
    """How telling each feature is: 0 for one that is everywhere, larger the rarer. `among` counts the things
    the bags were picked from, when they are a part of more."""
    n = max(len(bags), among)
    seen = Counter(feature for bag in bags for feature in bag)
    return {feature: math.log((n + 1) / (count + 0.5)) for feature, count in seen.items()}


@dataclass(frozen=True)
class View:
    """Weighted bags of features as rows of a sparse matrix: row i has `values[starts[i]:starts[i + 1]]` of
    the `features` of the same places. A row's length is 1 or, because of features only it has, less."""

    starts: Indices
    features: Indices
    values: Matrix
    n_features: int

    @classmethod
    def of(cls, bags: Sequence[Mapping[str, float]], lone_weight: float = 0.5, among: int = 0) -> View:
        """Rows whose products are cosines in [0, 1].

        A feature that only one bag has cannot be shared; it counts against a match at `lone_weight`, because
        the particulars of one session (a file, a name) say little about what was asked. `among` as in
        `inverse_frequency`.
        """
        telling = inverse_frequency(bags, among)
        seen = Counter(feature for bag in bags for feature in bag)
        numbers = {f: i for i, f in enumerate(sorted(f for f, count in seen.items() if count > 1))}
        starts, features, values = [0], list[int](), list[float]()
        for bag in bags:
            shared: list[tuple[int, float]] = []
            squares = []
            for feature, weight in bag.items():
                value = max(0.0, weight * telling[feature])
                if feature in numbers:
                    shared.append((numbers[feature], value))
                    squares.append(value * value)
                else:
                    squares.append((lone_weight * value) ** 2)
            # Exactly, because features come from sets, in another order in each process.
            length = np.float32(math.sqrt(math.fsum(squares)) or 1.0)
            shared.sort()
            features += [number for number, _ in shared]
            values += [float(np.float32(value) / length) for _, value in shared]
            starts.append(len(features))
        return cls(
            np.asarray(starts, dtype=np.intp),
            np.asarray(features, dtype=np.intp),
            np.asarray(values, dtype=np.float32),
            max(1, len(numbers)),
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    def key(self, row: int) -> bytes:
        """The same for rows that are the same."""
        part = slice(self.starts[row], self.starts[row + 1])
        return self.features[part].tobytes() + self.values[part].tobytes()

    def only(self, chosen: Sequence[int]) -> View:
        """Some of the rows, in that order."""
        rows = np.asarray(chosen, dtype=np.intp)
        counts = (self.starts[1:] - self.starts[:-1])[rows]
        starts = np.concatenate(([0], np.cumsum(counts))).astype(np.intp)
        places = _ranges(self.starts[rows], counts)
        return View(starts, self.features[places], self.values[places], self.n_features)

    def tile(self, rows: slice, columns: slice) -> Matrix:
        """Cosines of some rows with some others; slices without a step."""
        if len(self) <= _DENSE_ROWS:
            dense = self._dense()
            return _clipped(dense[rows] @ dense[columns].T)
        start, stop, _ = rows.indices(len(self))
        first, last, _ = columns.indices(len(self))
        out: Matrix = self._common[rows] @ self._common[columns].T
        rare = self._rare
        at = slice(*np.searchsorted(rare.rows, (start, stop)))
        before, upto = np.searchsorted(rare.rows, (first, last))
        passed = np.bincount(rare.features[:before], minlength=self.n_features)
        counted = np.bincount(rare.features[before:upto], minlength=self.n_features)
        # Each rare feature of these rows meets all the others that have it.
        features = rare.features[at]
        counts = counted[features]
        met = _ranges((rare.begins + passed)[features], counts)
        flat = np.repeat((rare.rows[at] - start) * (last - first), counts) + (rare.owners[met] - first)
        np.add.at(out.reshape(-1), flat, np.repeat(rare.values[at], counts) * rare.held[met])
        return _clipped(out)

    def _dense(self) -> Matrix:
        dense = np.zeros((len(self), self.n_features), dtype=np.float32)
        dense[self._row_of, self.features] = self.values
        return dense

    @cached_property
    def _row_of(self) -> Indices:
        """The row of each value."""
        return np.repeat(np.arange(len(self), dtype=np.intp), self.starts[1:] - self.starts[:-1])

    @cached_property
    def _is_common(self) -> NDArray[np.bool_]:
        return np.bincount(self.features, minlength=self.n_features) > _COMMON * len(self)

    @cached_property
    def _common(self) -> Matrix:
        """The columns that many rows have, as a dense matrix."""
        numbers = np.cumsum(self._is_common) - 1
        dense = np.zeros((len(self), max(1, int(self._is_common.sum()))), dtype=np.float32)
        chosen = self._is_common[self.features]
        dense[self._row_of[chosen], numbers[self.features[chosen]]] = self.values[chosen]
        return dense

    @cached_property
    def _rare(self) -> _Rare:
        """The other columns, by row and by column."""
        chosen = ~self._is_common[self.features]
        rows, columns, values = self._row_of[chosen], self.features[chosen], self.values[chosen]
        by_column = np.argsort(columns, kind="stable")
        counts = np.bincount(columns, minlength=self.n_features)
        begins = np.concatenate(([0], np.cumsum(counts)[:-1])).astype(np.intp)
        return _Rare(rows, columns, values, rows[by_column], values[by_column], begins)


@dataclass(frozen=True, slots=True)
class _Rare:
    """Values by row (`rows`, `features`, `values`), and by feature: those of feature f are in `owners` and
    `held` from `begins[f]`."""

    rows: Indices
    features: Indices
    values: Matrix
    owners: Indices
    held: Matrix
    begins: Indices


def _ranges(begins: Indices, counts: Indices) -> Indices:
    """All the numbers of several ranges, one range after the other."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    numbers: Indices = np.arange(total, dtype=np.intp) + np.repeat(begins - (ends - counts), counts)
    return numbers


def join(views: Sequence[tuple[float, Matrix]]) -> Matrix:
    """Noisy or: evidence of each view, weighted in [0, 1], speaks for a match and none speaks against it."""
    miss = np.ones_like(views[0][1])
    one = np.empty_like(miss)
    for weight, view in views:
        np.subtract(1.0, np.multiply(view, weight, out=one), out=one)
        miss *= one
    joined: Matrix = np.subtract(1.0, miss, out=miss)
    return joined


def _clipped(values: Matrix) -> Matrix:
    clipped: Matrix = np.clip(values, 0.0, 1.0, out=values)
    return clipped
