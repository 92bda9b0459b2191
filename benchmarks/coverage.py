"""Does each interval cover, and does each test cry wolf? Simulation of worlds whose truth is known.

    python benchmarks/coverage.py                # 2,000 worlds a row, the tables of docs/statistics.md, minutes
    python benchmarks/coverage.py --runs 300

Beside each statistic of isheep stands what one would compute without thinking of clusters, seeds, small counts or
families, on the same data. A 95 % interval should hold the truth in 95 % of worlds, a test at 5 % should call arms of
equal merit different in at most 5 %. With 2,000 worlds a true 5 % is seen as 4 to 6 %.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.random import Generator
from scipy.special import stdtr

from isheep import stats

Interval = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """What is estimated in which world, by ours and by the plain way; shares of worlds in 0..1."""

    world: str
    ours: str
    rate: float
    plain: str
    plain_rate: float


def coverage(
    worlds: Iterator[tuple[float, Interval, Interval]], runs: int, world: str, ours: str, plain: str
) -> Row:
    """`worlds` gives the truth, our interval and the plain one."""
    held = plainly = 0
    for _, (truth, (low, high), (plain_low, plain_high)) in zip(range(runs), worlds, strict=False):
        held += low <= truth <= high
        plainly += plain_low <= truth <= plain_high
    return Row(world, ours, held / runs, plain, plainly / runs)


def false_positives(
    worlds: Iterator[tuple[float, float]], runs: int, world: str, ours: str, plain: str
) -> Row:
    """`worlds` gives our p and the plain one, where there is no difference."""
    ps = np.array([p for _, p in zip(range(runs), worlds, strict=False)])
    rate, plain_rate = (ps < 0.05).mean(axis=0)
    return Row(world, ours, float(rate), plain, float(plain_rate))


def wald(hits: int, n: int) -> Interval:
    half = stats.Z95 * math.sqrt(hits * (n - hits) / n) / n
    return hits / n - half, hits / n + half


def naive_t(values: np.ndarray) -> Interval:
    """Every value as if it stood alone."""
    half = stats.t_quantile(values.size - 1) * values.std(ddof=1) / math.sqrt(values.size)
    return float(values.mean() - half), float(values.mean() + half)


def naive_p(values: np.ndarray) -> float:
    t = values.mean() / (values.std(ddof=1) / math.sqrt(values.size))
    return float(2 * stdtr(values.size - 1, -abs(t)))


def names(sizes: np.ndarray) -> list[str]:
    return [f"p{i}" for i in np.repeat(np.arange(len(sizes)), sizes)]


def shares(random: Generator, n: int, p: float) -> Iterator[tuple[float, Interval, Interval]]:
    while True:
        hits = int(random.binomial(n, p))
        yield p, stats.wilson(hits, n), wald(hits, n)


def paired(random: Generator, n: int, gain: float, loss: float) -> Iterator[tuple[float, Interval, Interval]]:
    while True:
        u = random.random(n)
        better, worse = u < gain, u > 1 - loss
        found = stats.paired_difference(better.tolist(), worse.tolist())
        d = better.astype(float) - worse
        half = stats.Z95 * float(d.std()) / math.sqrt(n)
        yield gain - loss, found[1:], (float(d.mean()) - half, float(d.mean()) + half)


def clustered_shares(
    random: Generator, clusters: int, size: int, p: float, alike: float
) -> Iterator[tuple[float, Interval, Interval]]:
    """Chances by cluster from a beta distribution: `alike` is the correlation within a cluster."""
    label = names(np.full(clusters, size))
    strength = 1 / alike - 1
    while True:
        chance = random.beta(p * strength, (1 - p) * strength, clusters)
        hit = random.random(clusters * size) < np.repeat(chance, size)
        found = stats.clustered_mean(hit.astype(float).tolist(), label)
        yield p, (found.low, found.high), stats.wilson(int(hit.sum()), len(hit))


def clustered_grades(random: Generator, clusters: int) -> Iterator[tuple[float, Interval, Interval]]:
    """Grades around 6, one to eight in a cluster, half of their variance between clusters."""
    while True:
        sizes = random.integers(1, 9, clusters)
        values = 6 + np.repeat(random.standard_normal(clusters), sizes) + random.standard_normal(sizes.sum())
        found = stats.clustered_mean(values.tolist(), names(sizes))
        yield 6, (found.low, found.high), naive_t(values)


def changes(
    random: Generator, clusters: int, size: int, lift: float, spread: float
) -> tuple[np.ndarray, ...]:
    """Outcomes after and before, in which a cluster is as a whole easier for one arm (in logits, `spread`)."""
    ease = random.normal(0.4, 1.2, clusters)
    arms = []
    for shift in (lift, 0.0):
        logits = np.repeat(ease + shift + random.normal(0, spread, clusters), size)
        arms.append(random.random(clusters * size) < 1 / (1 + np.exp(-logits)))
    return arms[0], arms[1]


def clustered_changes(
    random: Generator, clusters: int, size: int
) -> Iterator[tuple[float, Interval, Interval]]:
    label = names(np.full(clusters, size))
    after, before = changes(np.random.default_rng(1), 400_000, 1, 0.4, 0.8)
    truth = float(after.mean() - before.mean())
    while True:
        after, before = changes(random, clusters, size, 0.4, 0.8)
        found = stats.clustered_difference(after.astype(float).tolist(), before.astype(float).tolist(), label)
        yield truth, (found.low, found.high), stats.paired_difference(after.tolist(), before.tolist())[1:]


def rare_changes(random: Generator, clusters: int, size: int) -> Iterator[tuple[float, Interval, Interval]]:
    """One item in a hundred changes, for the better; half of the items as their cluster does."""
    label, n = names(np.full(clusters, size)), clusters * size
    before = [0.0] * n
    while True:
        u = np.where(random.random(n) < 0.5, np.repeat(random.random(clusters), size), random.random(n))
        found = stats.clustered_difference((u < 0.01).astype(float).tolist(), before, label)
        yield 0.01, (found.low, found.high), stats.paired_difference((u < 0.01).tolist(), [False] * n)[1:]


def skewed_means(random: Generator, n: int, draws: int) -> Iterator[tuple[float, Interval, Interval]]:
    """Variance of exponential values: a skewed statistic of skewed data, whose truth is 1."""
    while True:
        x = random.exponential(1, n)
        low, high = stats.bca(n, lambda i, x=x: float(x[i].var(ddof=1)), draws=draws)
        half = stats.Z95 * x.var(ddof=1) * math.sqrt(2 / (n - 1))
        yield 1.0, (low, high), (x.var(ddof=1) - half, x.var(ddof=1) + half)


def clustered_aurocs(
    random: Generator, clusters: int, size: int, draws: int
) -> Iterator[tuple[float, Interval, Interval]]:
    """Scores that share much within a cluster, one standard deviation higher for positives."""
    truth = NormalDist().cdf(1 / math.sqrt(2))
    label = names(np.full(clusters, size))
    while True:
        positive = np.repeat(random.random(clusters) < 0.5, size)
        score = positive + np.sqrt(0.5) * np.repeat(random.standard_normal(clusters), size)
        score += np.sqrt(0.5) * random.standard_normal(clusters * size)
        ups, downs = score[positive].tolist(), score[~positive].tolist()
        groups = tuple(
            [g for g, p in zip(label, positive, strict=True) if p == kind] for kind in (True, False)
        )
        ours = stats.auroc_interval(ups, downs, (groups[0], groups[1]), draws)
        plain = stats.auroc_interval(ups, downs, draws=draws)
        if ours and plain:
            yield truth, ours, plain


def spearmans(random: Generator, n: int, draws: int) -> Iterator[tuple[float, Interval, Interval]]:
    """Normal pairs with correlation 0.7; plain: Fisher's interval as for Pearson's."""
    truth = 6 / math.pi * math.asin(0.7 / 2)
    while True:
        x = random.standard_normal(n)
        y = 0.7 * x + math.sqrt(1 - 0.49) * random.standard_normal(n)
        ours = stats.spearman_interval(x.tolist(), y.tolist(), draws=draws)
        value = stats.spearman(x.tolist(), y.tolist())
        assert ours is not None
        assert value is not None
        z, half = math.atanh(value), stats.Z95 / math.sqrt(n - 3)
        yield truth, ours, (math.tanh(z - half), math.tanh(z + half))


def tables(random: Generator, seeds: int, prompts: int, seed_sd: float, truth: float) -> Iterator[np.ndarray]:
    """Differences by seed and prompt; half of what varies within a seed is the prompt's own."""
    while True:
        yield (
            truth
            + seed_sd * random.standard_normal((seeds, 1))
            + 0.3 * random.standard_normal((1, prompts))
            + 0.3 * random.standard_normal((seeds, prompts))
        )


def crossed_means(
    random: Generator, seeds: int, prompts: int, seed_sd: float
) -> Iterator[tuple[float, Interval, Interval]]:
    for table in tables(random, seeds, prompts, seed_sd, 0.05):
        found = stats.crossed(table.tolist(), bound=5)
        yield 0.05, (found.low, found.high), naive_t(table)


def intervals(runs: int, draws: int = 1000) -> list[Row]:
    """Coverage; the resampling rows, which are slow, get a quarter of the worlds."""
    few = max(1, runs // 4)
    new = np.random.default_rng
    naive = "items as if alone"
    return [
        coverage(shares(new(1), 40, 0.05), runs, "share 0.05 of 40 items", "wilson", "Wald"),
        coverage(shares(new(2), 164, 0.3), runs, "share 0.3 of 164 items", "wilson", "Wald"),
        coverage(paired(new(3), 60, 0.06, 0.01), runs, "60 pairs, 7 % change", "paired_difference", "Wald"),
        coverage(
            clustered_shares(new(4), 80, 5, 0.6, 0.3),
            runs,
            "share 0.6, 80 clusters of 5",
            "clustered_mean",
            naive,
        ),
        coverage(
            clustered_shares(new(5), 60, 4, 0.97, 0.3),
            runs,
            "share 0.97, 60 clusters of 4",
            "clustered_mean",
            naive,
        ),
        coverage(
            clustered_grades(new(6), 40), runs, "grades, 40 clusters of 1 to 8", "clustered_mean", naive
        ),
        coverage(clustered_grades(new(7), 8), runs, "grades, 8 clusters of 1 to 8", "clustered_mean", naive),
        coverage(
            clustered_changes(new(8), 80, 5),
            runs,
            "change of a share, 80 clusters of 5",
            "clustered_difference",
            naive,
        ),
        coverage(
            rare_changes(new(14), 100, 5),
            runs,
            "1 % change for the better, 100 clusters of 5",
            "clustered_difference",
            naive,
        ),
        coverage(skewed_means(new(9), 60, draws), few, "variance, 60 skewed values", "bca", "normal theory"),
        coverage(
            clustered_aurocs(new(10), 60, 4, draws),
            few,
            "AUROC, 60 clusters of 4",
            "auroc_interval",
            "bca, " + naive,
        ),
        coverage(
            spearmans(new(11), 60, draws),
            few,
            "rank correlation 0.68, 60 pairs",
            "spearman_interval",
            "Fisher",
        ),
        coverage(crossed_means(new(12), 3, 80, 0.04), runs, "3 seeds, 80 prompts", "crossed", naive),
        coverage(crossed_means(new(13), 5, 80, 0.04), runs, "5 seeds, 80 prompts", "crossed", naive),
    ]


def unchanged_pairs(random: Generator, n: int, discordant: float) -> Iterator[tuple[float, float]]:
    """Plain: the chi-square without correction."""
    while True:
        u = random.random(n)
        better, worse = u < discordant / 2, u > 1 - discordant / 2
        b, c = int(better.sum()), int(worse.sum())
        z = abs(b - c) / math.sqrt(b + c) if b + c else 0.0
        yield stats.mcnemar(better.tolist(), worse.tolist()), 2 * NormalDist().cdf(-z)


def unchanged_clusters(random: Generator, clusters: int, size: int) -> Iterator[tuple[float, float]]:
    label = names(np.full(clusters, size))
    while True:
        after, before = changes(random, clusters, size, 0.0, 0.8)
        found = stats.clustered_difference(after.astype(float).tolist(), before.astype(float).tolist(), label)
        yield found.p, stats.mcnemar(after.tolist(), before.tolist())


def heavy_clusters(random: Generator, clusters: int, size: int) -> Iterator[tuple[float, float]]:
    """Differences with heavy tails (t, 3 degrees of freedom) that clusters share; plain: the same test by item."""
    label = names(np.full(clusters, size))
    while True:
        d = np.repeat(random.standard_t(3, clusters), size) + random.standard_t(3, clusters * size)
        yield stats.sign_flip(d.tolist(), label, draws=1000), stats.sign_flip(d.tolist(), draws=1000)


def equal_methods(
    random: Generator, seeds: int, prompts: int, seed_sd: float
) -> Iterator[tuple[float, float]]:
    for table in tables(random, seeds, prompts, seed_sd, 0.0):
        yield stats.crossed(table.tolist(), bound=5).p, naive_p(table)


def one_seed(
    random: Generator, prompts: int, discordant: float, seed_sd: float
) -> Iterator[tuple[float, float]]:
    """Plain: one seed, prompts counted. Ours: `crossed` over five seeds of the same world."""
    while True:
        drift = random.normal(0, seed_sd, (5, 1))
        u = random.random((5, prompts))
        table = (u < (discordant + drift) / 2).astype(float) - (u > 1 - (discordant - drift) / 2)
        yield stats.crossed(table.tolist()).p, stats.crossed(table[:1].tolist()).p


def families(random: Generator, true: int, tests: int) -> Iterator[tuple[float, float]]:
    """The smallest p among true null hypotheses in a family that share a part; plain: as it is."""
    while True:
        z = 0.6 * random.standard_normal() + 0.8 * random.standard_normal(tests)
        z[true:] += 4
        ps = {str(i): 2 * NormalDist().cdf(-abs(float(value))) for i, value in enumerate(z)}
        corrected = stats.adjusted(ps)
        yield min(corrected[str(i)] for i in range(true)), min(ps[str(i)] for i in range(true))


def tests(runs: int) -> list[Row]:
    """False positives at 5 %."""
    new: Callable[[int], Generator] = np.random.default_rng
    return [
        false_positives(
            unchanged_pairs(new(21), 60, 0.2), runs, "60 pairs, 20 % change", "mcnemar", "chi-square"
        ),
        false_positives(
            unchanged_pairs(new(22), 541, 0.2), runs, "541 pairs, 20 % change", "mcnemar", "chi-square"
        ),
        false_positives(
            unchanged_clusters(new(23), 80, 5),
            runs,
            "share, 80 clusters of 5",
            "clustered_difference",
            "mcnemar by item",
        ),
        false_positives(
            unchanged_clusters(new(24), 12, 20),
            runs,
            "share, 12 clusters of 20",
            "clustered_difference",
            "mcnemar by item",
        ),
        false_positives(
            heavy_clusters(new(25), 12, 4),
            runs,
            "heavy tails, 12 clusters of 4",
            "sign_flip (exact)",
            "sign_flip by item",
        ),
        false_positives(
            heavy_clusters(new(26), 40, 4),
            runs,
            "heavy tails, 40 clusters of 4",
            "sign_flip (drawn)",
            "sign_flip by item",
        ),
        false_positives(
            equal_methods(new(27), 4, 80, 0.05),
            runs,
            "4 seeds that matter, 80 prompts",
            "crossed",
            "t over all",
        ),
        false_positives(
            one_seed(new(28), 541, 0.2, 0.015),
            runs,
            "541 prompts, seed SD 1.5 points",
            "crossed, 5 seeds",
            "one seed",
        ),
        false_positives(
            families(new(29), 6, 8), runs, "8 tests, 6 without a difference", "adjusted", "uncorrected"
        ),
    ]


def table(rows: list[Row], rate: str) -> str:
    lines = [f"| world | ours | {rate} | the plain way | {rate} |", "|---|---|---|---|---|"]
    for row in rows:
        lines.append(
            f"| {row.world} | {row.ours} | {100 * row.rate:.1f} % | {row.plain} | {100 * row.plain_rate:.1f} % |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    print(table(intervals(runs), "coverage"), table(tests(runs), "false positives"), sep="\n\n")
