"""The built-in embedder: hashed character n-grams, numpy only, no download."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from skillopt_sleep.mine.words import normalise

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Text to unit vectors. Vectors of different `name`s never share an index."""

    @property
    def name(self) -> str: ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row of float32 per text, length 1 (or 0 for a text without letters)."""
        ...


class HashedNgrams:
    """Character 3- to 5-grams of the normalised text, hashed into `dim` buckets with a sign."""

    def __init__(self, dim: int = 512) -> None:
        self._dim = dim

    @property
    def name(self) -> str:
        """Changes whenever the vectors would."""
        return f"hashed-3-5-{self._dim}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""
        out = np.zeros((len(texts), self._dim), dtype=np.float32)
        for row, text in enumerate(texts):
            data = (" " + " ".join(normalise(text).split()) + " ").encode("utf-8", "replace")
            hashes = [
                zlib.crc32(data[i : i + n]) for n in (3, 4, 5) for i in range(max(0, len(data) - n + 1))
            ]
            if not hashes:
                continue
            hashed = np.asarray(hashes, dtype=np.uint32)
            signs = np.where(hashed & np.uint32(1), np.float32(1), np.float32(-1))
            np.add.at(out[row], (hashed >> np.uint32(1)) % np.uint32(self._dim), signs)
            norm = float(np.linalg.norm(out[row]))
            if norm:
                out[row] /= norm
        return out
