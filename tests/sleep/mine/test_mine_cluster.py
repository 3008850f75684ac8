from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from skillopt_sleep.mine.cluster import average_linkage
from skillopt_sleep.mine.views import Matrix, View, inverse_frequency, join


def reference(similarity: Matrix, threshold: float) -> list[list[int]]:
    """Merge the two clusters of highest mean similarity while it reaches the threshold."""
    clusters = [[i] for i in range(len(similarity))]

    def mean(a: list[int], b: list[int]) -> float:
        return float(np.mean([similarity[i, j] for i in a for j in b], dtype=np.float64))

    while len(clusters) > 1:
        score, a, b = max((mean(a, b), a, b) for a, b in itertools.combinations(clusters, 2))
        if score < threshold:
            break
        clusters = [c for c in clusters if c not in (a, b)] + [sorted(a + b)]
    return sorted(clusters)


def symmetric(upper: np.ndarray) -> Matrix:
    matrix = np.triu(upper.astype(np.float32), 1)
    full: Matrix = matrix + matrix.T
    np.fill_diagonal(full, 1.0)
    return full


@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(0.05, 0.9))
@settings(max_examples=150, deadline=None)
def test_the_chain_finds_what_trying_all_pairs_finds(seed: int, n: int, threshold: float) -> None:
    # Random numbers of enough digits have no ties, so there is one right answer.
    similarity = symmetric(np.random.default_rng(seed).random((n, n)))
    assert average_linkage(similarity, threshold) == reference(similarity, threshold)


@given(stnp.arrays(np.float32, (7, 7), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
@settings(deadline=None)
def test_with_ties_it_is_still_a_partition(matrix: np.ndarray) -> None:
    similarity = symmetric(matrix)
    before = similarity.copy()
    clusters = average_linkage(similarity, 0.3)
    assert sorted(itertools.chain(*clusters)) == list(range(7))
    assert clusters == sorted(clusters)
    assert all(cluster == sorted(cluster) for cluster in clusters)
    assert np.array_equal(similarity, before)
    assert clusters == average_linkage(similarity, 0.3)


@pytest.mark.parametrize(("threshold", "n"), [(1.1, 5), (0.0, 1)])
def test_the_extremes(threshold: float, n: int) -> None:
    similarity = symmetric(np.random.default_rng(1).random((5, 5)))
    assert len(average_linkage(similarity, threshold)) == n


def test_nothing_and_one() -> None:
    assert average_linkage(np.zeros((0, 0), dtype=np.float32), 0.5) == []
    assert average_linkage(np.ones((1, 1), dtype=np.float32), 0.5) == [[0]]


def test_a_rare_feature_tells_more() -> None:
    telling = inverse_frequency([{"a": 1.0, "b": 1.0}, {"a": 1.0}, {"a": 1.0}])
    assert telling["b"] > telling["a"] > 0
    assert inverse_frequency([{"a": 1.0}], among=50)["a"] > inverse_frequency([{"a": 1.0}])["a"]


BAGS = st.lists(
    st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([0.3, 0.7, 1.0]), max_size=5),
    min_size=1,
    max_size=8,
)


@given(BAGS)
@settings(deadline=None)
def test_a_view_is_symmetric_and_between_nothing_and_one(bags: list[dict[str, float]]) -> None:
    view = View.of(bags).tile(slice(None), slice(None))
    assert view.shape == (len(bags), len(bags))
    assert np.allclose(view, view.T)
    assert float(view.min()) >= 0.0
    assert float(view.max()) <= 1.0
    for i, j in itertools.combinations(range(len(bags)), 2):
        if not bags[i].keys() & bags[j].keys():
            assert view[i, j] == 0.0


def test_the_particulars_of_one_bag_count_little_against_it() -> None:
    bags = [{"x": 1.0}, {"x": 1.0, "one": 1.0, "two": 1.0}, {"y": 1.0}, {"z": 1.0}]
    assert (
        View.of(bags, lone_weight=0.1).tile(slice(None), slice(None))[0, 1]
        > View.of(bags, lone_weight=1.0).tile(slice(None), slice(None))[0, 1]
        > 0
    )


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=4))
def test_evidence_of_several_views_only_adds(values: list[float]) -> None:
    views = [(0.5, np.full((2, 2), value, dtype=np.float32)) for value in values]
    joined = float(join(views)[0, 1])
    assert max(0.5 * value for value in values) - 1e-6 <= joined <= 1.0
    assert float(join([*views, (0.9, np.zeros((2, 2), dtype=np.float32))])[0, 1]) == pytest.approx(joined)
