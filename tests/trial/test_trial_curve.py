"""The threshold curve against random filters of the same size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from isheep.trial.cases import Columns, whole
from isheep.trial.curve import LEAST_KEPT, POINTS, area, at_filter, random_range
from isheep.trial.separation import separation
from simulated_judges import judged


@given(st.integers(1, 60), st.data())
@settings(deadline=None)
def test_random_filters_are_hypergeometric(total: int, data: st.DataObject) -> None:
    right, kept = data.draw(st.integers(0, total)), data.draw(st.integers(1, total))
    found = random_range(total, right, kept)
    low, high = hypergeom.ppf([0.025, 0.975], total, right, kept)
    assert found["random_low"] * kept == pytest.approx(low)
    assert found["random_high"] * kept == pytest.approx(high)


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=15))
@settings(deadline=None)
def test_the_area_is_the_mean_over_all_sizes(rows: list[tuple[int, bool]]) -> None:
    """Held to an integral done by steps: within equal scores, hits grow evenly with the size."""
    score, right = np.array([s for s, _ in rows], float), np.array([r for _, r in rows], float)
    sizes = (np.arange(4000) + 0.5) / 4000 * len(rows)
    ends, hits = [0.0], [0.0]
    for level in sorted(set(score), reverse=True):
        ends.append(ends[-1] + float((score == level).sum()))
        hits.append(hits[-1] + float(right[score == level].sum()))
    expected = float(np.mean(np.interp(sizes, ends, hits) / sizes)) - right.mean()
    assert whole(area(score, right), len(rows)) == pytest.approx(expected, abs=2e-3)


def test_a_judge_that_knows_all_reaches_the_best_area() -> None:
    right = np.array([True] * 300 + [False] * 700)
    found = whole(area(right.astype(float), right.astype(float)), 1000)
    assert found == pytest.approx(-0.3 * math.log(0.3), abs=1e-9)


def test_points_run_from_everything_to_the_best() -> None:
    found = separation(judged("good", 300))["curve"]
    points = found["points"]
    assert len(points) <= POINTS
    assert points[0]["share"] == 1
    assert points[0]["precision"] == pytest.approx(found["base"])
    assert points[0]["gain"] == pytest.approx(0)
    assert [p["threshold"] for p in points] == sorted(p["threshold"] for p in points)
    for p in points:
        assert p["ci_low"] <= p["precision"] <= p["ci_high"]
        assert p["random_low"] <= found["base"] + 1 / p["kept"]
    middle = points[len(points) // 2]
    assert middle["precision"] > middle["random_high"]


@pytest.mark.parametrize("judge", ["random", "good", "inverted"])
def test_the_area_tells_a_good_judge_from_random_filters(judge: str) -> None:
    found = separation(judged(judge, 400))["curve"]["area"]
    inside = found["random_low"] <= found["value"] <= found["random_high"]
    assert inside == (judge == "random")
    assert (found["ci_low"] > 0) == (judge == "good")
    assert (found["ci_high"] < 0) == (judge == "inverted")


def test_a_filter_is_tried_by_what_it_kept() -> None:
    c = Columns.of(judged("good", 300))
    kept = (c.score > np.quantile(c.score, 0.7)).astype(float)
    found = at_filter(kept, c.right, c.clusters, 0)
    assert found is not None
    assert found["kept"] == kept.sum()
    assert found["gain"]["value"] == pytest.approx(found["precision"] - found["base"])
    assert found["gain"]["ci_low"] > 0
    assert found["precision"] > found["random_high"]
    drawn = np.random.default_rng(0).permutation(kept)
    by_chance = at_filter(drawn, c.right, c.clusters, 0)
    assert by_chance is not None
    assert by_chance["gain"]["ci_low"] < 0 < by_chance["gain"]["ci_high"]


@pytest.mark.parametrize("count", [0, LEAST_KEPT - 1, 50])
def test_of_a_filter_that_keeps_next_to_nothing_or_all_nothing_is_said(count: int) -> None:
    right, kept = np.arange(50) % 2.0, (np.arange(50) < count).astype(float)
    assert at_filter(kept, right, [str(i) for i in range(50)], 0) is None
