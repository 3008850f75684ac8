from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spoken import session

from skillopt_sleep.mine.cluster import Matrix, clusters_of
from skillopt_sleep.mine.condense import between, condense, identical, near_neighbours, tiles
from skillopt_sleep.mine.embed import HashedNgrams
from skillopt_sleep.mine.project import mine_project
from skillopt_sleep.mine.views import View
from skillopt_sleep.session import Session


@dataclass(frozen=True)
class Given:
    """Things whose likeness is a given matrix; remembers how much was asked for at once."""

    matrix: Matrix
    asked: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.matrix)

    def tile(self, rows: slice, columns: slice) -> Matrix:
        tile = self.matrix[rows, columns].copy()
        self.asked.append(tile.size)
        return tile

    def only(self, chosen: Sequence[int]) -> Given:
        return Given(self.matrix[np.ix_(chosen, chosen)], self.asked)

    def key(self, row: int) -> bytes:
        return self.matrix[row].tobytes()


def in_groups(sizes: Sequence[int], seed: int, inside: float = 0.6, outside: float = 0.1) -> Given:
    """Groups of things that are alike, more or less, in an order that tells nothing."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    base = np.where(group[:, None] == group[None, :], inside, outside)
    upper = np.triu(base + rng.uniform(-0.08, 0.02, base.shape), 1).astype(np.float32)
    matrix = upper + upper.T
    np.fill_diagonal(matrix, 1.0)
    return Given(matrix)


def random_bags(n: int, seed: int) -> list[dict[str, float]]:
    rng = Random(seed)
    return [
        {
            f"f{int(rng.paretovariate(0.6)) % 5_000}": rng.choice([0.3, 0.7, 1.0])
            for _ in range(rng.randrange(6))
        }
        for _ in range(n)
    ]


def test_a_tile_of_many_rows_is_the_product_of_their_features() -> None:
    view = View.of(random_bags(3_000, 1), lone_weight=0.3)
    dense = np.zeros((3_000, view.n_features), dtype=np.float32)
    for i in range(3_000):
        at = slice(view.starts[i], view.starts[i + 1])
        dense[i, view.features[at]] = view.values[at]
    for rows, columns in [(slice(0, 40), slice(2_900, 3_000)), (slice(1_700, 1_800), slice(1_650, 1_900))]:
        assert np.allclose(view.tile(rows, columns), np.clip(dense[rows] @ dense[columns].T, 0, 1), atol=1e-6)
    some = view.only([7, 2_999, 7, 0])
    assert np.allclose(
        some.tile(slice(None), slice(None)), dense[[7, 2_999, 7, 0]] @ dense[[7, 2_999, 7, 0]].T
    )


@given(st.integers(0, 1_000), st.integers(2, 60), st.integers(1, 8), st.sampled_from([0.0, 0.3, 0.9]))
@settings(max_examples=60, deadline=None)
def test_near_neighbours_are_the_highest_of_all(seed: int, n: int, most: int, least: float) -> None:
    upper = np.triu(np.random.default_rng(seed).random((n, n)), 1).astype(np.float32)
    matrix = upper + upper.T
    graph = near_neighbours(Given(matrix), least, most)
    wanted: list[set[int]] = [set() for _ in range(n)]
    for i in range(n):
        for j in sorted(set(range(n)) - {i}, key=lambda k: -matrix[i, k])[:most]:
            if matrix[i, j] >= least:
                wanted[i].add(j)
                wanted[j].add(i)
    assert [set(near) for near in graph] == wanted
    assert all(near[j] == pytest.approx(float(matrix[i, j])) for i, near in enumerate(graph) for j in near)


def test_neighbours_are_found_across_tiles_and_no_tile_is_larger_than_may_be_held() -> None:
    given = in_groups([3] * 1_000, seed=2)
    graph = near_neighbours(given, 0.4, 4)
    assert all(len(near) == 2 for near in graph)
    assert len(given.asked) == len(list(tiles(3_000))) > 1
    assert max(given.asked) <= 1_400 * 1_400


def test_parts_join_until_there_are_enough_most_alike_first() -> None:
    graph = [{1: 0.9, 2: 0.5}, {0: 0.9, 2: 0.5}, {0: 0.5, 1: 0.5, 3: 0.4}, {2: 0.4}]
    assert condense(graph, [1] * 4, 0.1, 3) == [[0, 1], [2], [3]]
    assert condense(graph, [1] * 4, 0.1, 2) == [[0, 1, 2], [3]]
    # The one left is no neighbour of two of three: its mean likeness to all of them is a third of .4.
    assert condense(graph, [1] * 4, 0.14, 1) == [[0, 1, 2], [3]]
    assert condense(graph, [1] * 4, 0.13, 1) == [[0, 1, 2, 3]]
    # What stands for many weighs more.
    assert condense(graph, [1, 1, 9, 1], 0.13, 1) == [[0, 1, 2, 3]]
    assert condense(graph, [9, 9, 1, 1], 0.13, 1) == [[0, 1, 2], [3]]


def test_how_alike_parts_are_is_the_mean_of_their_members() -> None:
    given = in_groups([40, 30], seed=3)
    parts = [[0, 1, 2], [3, 4], [5]]
    means = between(given, parts, [1, 1, 1, 2, 1, 1] + [1] * 64)
    rows = [0, 1, 2]
    assert means[0, 2] == pytest.approx(float(given.matrix[rows, 5].mean()), abs=1e-6)
    weighted = (2 * given.matrix[rows, 3].sum() + given.matrix[rows, 4].sum()) / 9
    assert means[1, 0] == means[0, 1] == pytest.approx(float(weighted), abs=1e-6)


def test_things_that_nothing_tells_apart_count_as_one() -> None:
    matrix = np.ones((4, 4), dtype=np.float32)
    matrix[3, :3] = matrix[:3, 3] = 0.2
    assert identical(Given(matrix)) == [[0, 1, 2], [3]]


@pytest.mark.parametrize("seed", range(3))
def test_many_things_have_the_clusters_that_comparing_all_finds(seed: int) -> None:
    given = in_groups([120, 60, 30, 12, 5, 2, *[1] * 60], seed)
    everything = clusters_of(given, 0.2)
    assert sorted(map(len, everything.groups), reverse=True)[:7] == [120, 60, 30, 12, 5, 2, 1]
    condensed = clusters_of(given, 0.2, whole=90)
    assert condensed.groups == everything.groups
    assert condensed.similarity is None
    largest = everything.groups[0]
    assert condensed.cohesion(largest) == pytest.approx(everything.cohesion(largest), abs=1e-5)


def test_even_when_too_many_parts_are_left_what_belongs_together_is_found() -> None:
    given = in_groups([50, 5, 4, *[1] * 200], seed=5)
    groups = clusters_of(given, 0.2, whole=40).groups
    assert sorted(map(len, groups), reverse=True)[:4] == [50, 5, 4, 1]
    assert sorted(i for group in groups for i in group) == list(range(259))


def many_sessions() -> list[Session]:
    """Two habits and one request of five sessions, among requests that are made once."""
    rng = Random(4)
    found: list[Session] = []
    for i in range(30):
        name = f"pack{rng.randrange(900)}"
        found.append(
            session(
                i, f"add {name} to the project", f"$ npm add {name}", "no, use pnpm", f"$ pnpm add {name}"
            )
        )
        found.append(session(100 + i, f"commit the work on {name}", f"$ git commit -m {name}"))
    for i in range(5):
        found.append(
            session(200 + i, f"renew the certificate of host{i}", f"$ certbot renew --cert-name host{i}")
        )
    for i in range(150):
        a, b, c = ("".join(rng.sample("bdfgklmnprstvz", 3)) + rng.choice("aeiou") + str(i) for _ in range(3))
        found.append(session(300 + i, f"{a} {b} {c}", f"$ {b} {c} ;; {a} --{c}"))
    return found


def test_a_task_of_five_sessions_is_found_among_many() -> None:
    sessions = many_sessions()
    few = mine_project("/p/web", sessions, HashedNgrams(), whole=60)
    everything = mine_project("/p/web", sessions, HashedNgrams())
    assert {t.id for t in few.tasks} == {t.id for t in everything.tasks}
    assert {w.id for w in few.wants} == {w.id for w in everything.wants}
    assert {frozenset(s.id for s in sessions[60:65])} <= {frozenset(t.session_ids) for t in few.tasks}


def test_the_order_of_many_sessions_does_not_matter() -> None:
    sessions = many_sessions()
    ids = [t.id for t in mine_project("/p/web", sessions, HashedNgrams(), whole=60).tasks]
    for seed in range(2):
        Random(seed).shuffle(sessions)
        assert [t.id for t in mine_project("/p/web", sessions, HashedNgrams(), whole=60).tasks] == ids
