"""filter by density: a few of every cluster of the model's own vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from isheep.records import Likelihood, Pair, Vector
from isheep.stages.sieves import DensitySettings, kmeans
from toy import decided, kept, pair

#: scikit-learn remarks on equal rows; a pool may well have some.
pytestmark = pytest.mark.filterwarnings("ignore:Number of distinct clusters")


def cloud(count: int, seed: int = 0, width: int = 6) -> dict[str, Vector]:
    """Unit vectors around three directions."""
    rng = np.random.default_rng(seed)
    rows = np.eye(3, width)[np.arange(count) % 3] + rng.normal(0, 0.1, (count, width))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return {f"{n:02}": Vector.of(f"{n:02}", row.astype(np.float32)) for n, row in enumerate(rows)}


def improbable(vectors: dict[str, Vector]) -> dict[str, Likelihood]:
    """Perplexities in no order of the ids."""
    return {
        id: Likelihood(id, -1.0, 1, -2 * math.log(2 + n * 7 % len(vectors)), 2)
        for n, id in enumerate(vectors)
    }


def labels(vectors: dict[str, Vector], clusters: int) -> dict[str, int]:
    """Pair id -> its cluster, as the filter sees it."""
    found = kmeans(np.stack([v.numbers for v in vectors.values()]), clusters)
    return dict(zip(vectors, found.tolist(), strict=True))


def spread(vectors: dict[str, Vector], **density: Any) -> dict[str, str | None]:
    pairs: list[Pair] = [pair(id) for id in vectors]
    known = {"vectors": vectors, "likelihood": improbable(vectors)}
    return decided(pairs, threshold=None, density=density, known=known)


@pytest.mark.parametrize(("clusters", "per_cluster"), [(1, 1), (3, 1), (3, 4), (7, 2), (30, 1), (99, 5)])
@pytest.mark.parametrize("choose", ["random", "perplexity"])
def test_so_many_of_every_cluster(clusters: int, per_cluster: int, choose: str) -> None:
    vectors = cloud(30)
    found = spread(vectors, clusters=clusters, per_cluster=per_cluster, choose=choose)
    assert set(found.values()) <= {None, "same_cluster"}
    assert len(kept(found)) <= clusters * per_cluster
    of = labels(vectors, clusters)
    for label in set(of.values()):
        members = [id for id in of if of[id] == label]
        assert sum(found[id] is None for id in members) == min(per_cluster, len(members))


def test_of_a_cluster_the_least_perplexing_is_kept() -> None:
    vectors = cloud(30)
    found = spread(vectors, clusters=4, per_cluster=2, choose="perplexity")
    of, odd = labels(vectors, 4), improbable(vectors)
    for label in set(of.values()):
        ranked = sorted((id for id in of if of[id] == label), key=lambda id: -odd[id].text_loglik)
        assert [found[id] for id in ranked[:2]] == [None, None]
        assert {found[id] for id in ranked[2:]} <= {"same_cluster"}


def test_what_has_no_perplexity_comes_last() -> None:
    same = np.array([1, 0], np.float32)
    vectors = {id: Vector.of(id, same) for id in "ab"}
    known = {"vectors": vectors, "likelihood": {"b": Likelihood("b", 0, 0, -9.0, 1)}}
    density = {"clusters": 1, "choose": "perplexity"}
    found = decided([pair("a"), pair("b")], threshold=None, density=density, known=known)
    assert kept(found) == ["b"]


def test_a_random_member_is_drawn_by_the_tie() -> None:
    vectors = cloud(12)
    drawn = set()
    for turn in range(12):
        ties = {id: (n + turn) % 12 for n, id in enumerate(vectors)}
        found = decided(
            [pair(id) for id in vectors],
            ties=ties,
            threshold=None,
            density={"clusters": 1},
            known={"vectors": vectors},
        )
        drawn.update(kept(found))
    assert drawn == set(vectors), "over all ties everyone has a turn, one at a time"


def test_a_share_is_of_what_is_left() -> None:
    """30 pairs, of which a rule drops 10: a tenth of them are 2 clusters, not 3."""
    vectors = cloud(30)
    pairs = [pair(id, "" if int(id) < 10 else "A fine answer.") for id in vectors]
    density = {"clusters": None, "share": 0.1, "per_cluster": 2}
    found = decided(pairs, threshold=None, density=density, known={"vectors": vectors})
    assert list(found.values()).count("empty") == 10
    left = {id: vector for id, vector in vectors.items() if int(id) >= 10}
    of = labels(left, 2)
    assert len(set(of.values())) == 2
    assert len(kept(found)) == 4


def test_the_smallest_share_is_one_cluster() -> None:
    assert len(kept(spread(cloud(9), clusters=None, share=0.001))) == 1


def test_more_clusters_than_pairs_keep_all() -> None:
    assert len(kept(spread(cloud(9)))) == 9, "the default is 3000"


def test_nobody_left_is_no_cluster() -> None:
    assert decided([pair("a", "")], threshold=None, density={}) == {"a": "empty"}


def test_vectors_of_nothing_are_a_cluster_like_any_other() -> None:
    """What could not be read has a vector of zeros; without rules such pairs may get here."""
    nothing = Vector.of("none", np.zeros(6, np.float32))
    vectors = {**cloud(6), "none": nothing, "none2": nothing}
    found = spread(vectors, clusters=3)
    assert len(kept(found)) == 3


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=2, max_size=2), min_size=1, max_size=15),
    st.integers(1, 20),
    st.integers(1, 3),
)
def test_the_same_vectors_give_the_same_clusters(rows: list[list[int]], clusters: int, per: int) -> None:
    vectors = {f"{n:02}": Vector.of(f"{n:02}", np.array(row, np.float32)) for n, row in enumerate(rows)}
    of = labels(vectors, clusters)
    assert of == labels(vectors, clusters)
    assert len(set(of.values())) <= min(clusters, len(rows))
    found = spread(vectors, clusters=clusters, per_cluster=per)
    assert found == spread(vectors, clusters=clusters, per_cluster=per)
    assert 1 <= len(kept(found)) <= min(clusters * per, len(rows))


@pytest.mark.parametrize("given", [{"share": 0.1}, {"clusters": None}])
def test_a_number_or_a_share(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give either clusters or share"):
        DensitySettings(**given)
