"""Finding the nearest of many texts with the built-in embedder: `python bench/recall.py [N]`."""

from __future__ import annotations

import random
import resource
import sys
import time

import numpy as np

from skillopt_sleep.mine.embed import HashedNgrams

_TEXT = """
run fix add the a test build branch version error page form login cache docs please again in of
"""
_WORDS = _TEXT.split()
_QUERIES = 200
_NEAREST = 20


def main() -> None:
    """Seconds to embed `N` requests, milliseconds a query, and the peak in megabytes."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    rng = random.Random(n)
    texts = [" ".join(rng.choices(_WORDS, k=rng.randint(3, 12))) + f" {i % 997}" for i in range(n)]
    embedder = HashedNgrams()
    began = time.perf_counter()
    vectors = embedder.embed(texts)
    embed_s = time.perf_counter() - began
    queries = embedder.embed(texts[:_QUERIES])
    began = time.perf_counter()
    for query in queries:
        close = vectors @ query
        best = np.argpartition(-close, _NEAREST)[:_NEAREST]
        best[np.argsort(-close[best])]
    query_ms = (time.perf_counter() - began) / len(queries) * 1_000
    per_mb = 1_000_000 if sys.platform == "darwin" else 1_000
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_mb
    print(f"{embed_s:.3f} {query_ms:.3f} {peak_mb:.0f}")


if __name__ == "__main__":
    main()
