"""The bootstrap against scipy's, number for number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import bootstrap

from isheep.stats import bca
from isheep.stats.bootstrap import JACKKNIFE


@pytest.mark.parametrize("statistic", [np.mean, np.median, np.var])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_it_is_scipy_s_on_the_same_resamples(statistic: Callable[..., float], level: float) -> None:
    x = np.random.default_rng(1).exponential(1, 35)
    found = bca(x, lambda i: float(statistic(x[i])), draws=600, seed=7, level=level)
    oracle = bootstrap(
        (x,), statistic, n_resamples=600, confidence_level=level, rng=np.random.default_rng(7), method="BCa"
    ).confidence_interval
    assert found == pytest.approx((oracle.low, oracle.high))


def test_clusters_are_drawn_whole() -> None:
    """Means of clusters of equal size, resampled as clusters or as their means: the same thing."""
    means = np.random.default_rng(2).normal(0, 1, 12)
    x = np.repeat(means, 5)
    names = [f"c{i // 5}" for i in range(60)]
    by_cluster = bca(60, lambda i: float(x[i].mean()), names, draws=400)
    by_mean = bca(means, lambda i: float(means[i].mean()), draws=400)
    assert by_cluster == pytest.approx(by_mean)
    low, high = bca(60, lambda i: float(x[i].mean()), draws=400)
    assert high - low < 0.7 * (by_mean[1] - by_mean[0])


def test_many_clusters_are_left_out_in_groups_with_the_same_answer() -> None:
    n = 4 * JACKKNIFE
    x = np.random.default_rng(3).exponential(1, n)
    found = bca(x, lambda i: float(x[i].mean()), draws=300)
    oracle = bootstrap(
        (x,), np.mean, n_resamples=300, rng=np.random.default_rng(0), method="BCa"
    ).confidence_interval
    assert found == pytest.approx((oracle.low, oracle.high), rel=1e-3)


def test_without_acceleration_it_is_the_percentile_interval() -> None:
    """Half of the range where leaving any one out changes nothing: both extremes are there twice."""
    x = np.array([0.0, 0.0, 1.0, 2.0, 3.0, 5.0, 5.0])
    found = bca(x, lambda i: float(np.ptp(x[i]) / 2), draws=500, seed=4)
    random = np.random.default_rng(4)
    drawn = [np.ptp(x[random.integers(0, 7, 7)]) / 2 for _ in range(500)]
    assert found == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))


def test_resamples_without_a_value_are_left_out() -> None:
    x = np.array([1.0, 2.0, 4.0, 8.0, 9.0, 3.0])

    def mean_without_last(i: np.ndarray) -> float | None:
        kept = x[i[i != 5]]
        return float(kept.mean()) if 4 in i else None

    low, high = bca(6, mean_without_last, draws=500)
    assert 1 <= low < high <= 9


def test_where_nothing_differs_the_width_is_zero() -> None:
    assert bca(5, lambda i: 2.0, draws=50) == (2.0, 2.0)


@pytest.mark.parametrize(
    ("n", "statistic", "message"),
    [
        (0, lambda i: 1.0, "nothing to resample"),
        (4, lambda i: None, "nothing to resample"),
        (4, lambda i: 1.0 if len(set(i.tolist())) == 4 else None, "most resamples"),
    ],
)
def test_what_cannot_be_resampled_is_refused(
    n: int, statistic: Callable[[np.ndarray], float | None], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        bca(n, statistic, draws=100)


def test_every_item_needs_its_cluster() -> None:
    with pytest.raises(ValueError, match="lists differ"):
        bca(3, lambda i: 1.0, ["a"])
