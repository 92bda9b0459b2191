"""The filters one by one: their settings, what each drops of the pairs that are left, and why.

Pure: a pool of pairs with everything known about them goes in, reasons come out. The order they are applied in, and
what comes before and after, is filter.py's business.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from sys import intern
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator, model_validator

from isheep.records import Likelihood, Pair, Task, Vector
from isheep.stages.stage import Settings, known_names
from isheep.text.prompts import request
from isheep.text.released import ALL_RESPONSE_RULES, DEFAULT_RESPONSE_RULES, RULE_SETS, named_rules
from isheep.text.verdicts import mean_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class PerplexitySettings(Settings):
    limit: float = Field(50.0, gt=1)
    """Drop a pair above this perplexity (paper: 50)."""
    of: Literal["response", "pair", "both"] = "both"
    """The response behind its prompt, prompt and response as one text, or both (paper)."""


class DensitySettings(Settings):
    clusters: int | None = Field(3000, ge=1)
    """Clusters of k-means (paper: K = 3000); null: a share of the pairs instead."""
    share: float | None = Field(None, gt=0, le=1)
    """Clusters as a share of the pairs, for data of other sizes than the paper's."""
    per_cluster: int = Field(1, ge=1)
    """Pairs kept of each cluster."""
    choose: Literal["random", "perplexity"] = "random"
    """Which of a cluster: drawn at random (paper: density), or those of lowest perplexity (paper: density + PPL)."""
    pooling: Literal["mean", "last"] = "mean"
    """A pair's vector: the mean of the model's last layer over its tokens, or the last token's."""
    of: Literal["pair", "instruction"] = "pair"
    """What is clustered: whole pairs, or requests alone."""

    @model_validator(mode="after")
    def _one_number(self) -> DensitySettings:
        if (self.clusters is None) == (self.share is None):
            raise ValueError("give either clusters or share, and set the other to null")
        return self


class PairOverlapSettings(Settings):
    threshold: float = Field(0.7, gt=0, le=1)
    """Drop a pair whose ROUGE-L F1 with one already kept is above this."""
    on: Literal["response", "pair"] = "pair"
    """Compare whole pairs or responses alone; instructions were compared when they were written."""
    across: bool = True
    """Also compare with the pairs kept in earlier iterations."""


class FilterSettings(Settings):
    threshold: float | None = Field(8.0, ge=-1, le=10)
    """Keep scores strictly above this on every assessed scale (paper: 8). 0 applies the rules only, -1 not even
    those; null leaves the choice to the other filters."""
    keep_fraction: float | None = Field(None, gt=0, le=1)
    """Keep this share of what passed everything before, best mean score first. For models whose scores sit low: with a
    fixed threshold a small model keeps next to nothing."""
    by: Literal["score", "random"] = "score"
    """How keep_fraction and match choose: by score, or at random (the control: same count, no self-assessment)."""
    ppl: PerplexitySettings | None = None
    """Drop what the model itself finds improbable."""
    density: DensitySettings | None = None
    """Spread over the model's own vectors: cluster, then keep some of each cluster."""
    overlap: PairOverlapSettings | None = None
    """Drop near-duplicates among the pairs."""
    verifier: Literal["none", "lamb"] = "none"
    """Keep only what is truly right, where somebody knows: an upper bound for any judge, not a method."""
    order: tuple[Literal["verifier", "threshold", "ppl", "overlap", "density", "keep_fraction"], ...] = (
        "verifier",
        "threshold",
        "ppl",
        "overlap",
        "density",
        "keep_fraction",
    )
    """The order in which those filters that are switched on are applied."""
    match: int | str | None = None
    """Keep exactly as many as another arm of the sweep at this iteration (its name), or this count: arms that keep
    different counts cannot be compared. By score or at random, as `by` says; what a pair lacks of them is noted."""
    rules: tuple[str, ...] = DEFAULT_RESPONSE_RULES
    """Heuristic rules a response must pass, by name or set (`ours`, `released`)."""
    min_kept: int = Field(10, ge=1)
    """Stop with advice when fewer pairs are kept: training on next to nothing teaches nothing."""

    @field_validator("rules")
    @classmethod
    def _known_rules(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        return known_names(named_rules(rules, "response"), ALL_RESPONSE_RULES, RULE_SETS["response"])

    @model_validator(mode="after")
    def _possible(self) -> FilterSettings:
        if len(set(self.order)) < len(self.order):
            raise ValueError("order: a filter stands in it twice")
        for name in ("threshold", "ppl", "density", "overlap", "keep_fraction"):
            if getattr(self, name) is not None and name not in self.order:
                raise ValueError(f"order: {name} is switched on and has no place in it")
        if self.verifier != "none" and "verifier" not in self.order:
            raise ValueError("order: verifier is switched on and has no place in it")
        if isinstance(self.match, int) and self.match < self.min_kept:
            raise ValueError(f"match ({self.match}) is below min_kept ({self.min_kept})")
        return self

    @property
    def needs_likelihood(self) -> bool:
        """Whether some filter goes by perplexity."""
        return self.ppl is not None or (self.density is not None and self.density.choose == "perplexity")


Scores = Mapping[str, float | None]


@dataclass(frozen=True)
class Pool:
    """The scored pool of one iteration. `ties` gives every pair a seeded number: the order of equals, and of draws."""

    pairs: Sequence[Pair]
    scores: Mapping[str, Scores] = field(default_factory=dict)
    ties: Mapping[str, int] = field(default_factory=dict)
    likelihood: Mapping[str, Likelihood] = field(default_factory=dict)
    vectors: Mapping[str, Vector] = field(default_factory=dict)
    #: Pairs kept in earlier iterations.
    earlier: Sequence[Pair] = ()

    def mean(self, pair: Pair) -> float:
        """Mean of a pair's readable scores; 0, below any score, when there is none."""
        return mean_of(self.scores.get(pair.id, {})) or 0.0

    def ranked(self, pairs: Sequence[Pair], by: str) -> list[Pair]:
        """Best first by mean score, equals in seeded order; or all in seeded order."""
        return sorted(pairs, key=lambda p: (-self.mean(p) if by == "score" else 0.0, self.ties[p.id]))


def normal(instruction: str, input: str) -> str:
    """The form two requests are compared in: case and white space do not make another question."""
    return " ".join(request(instruction, input).casefold().split())


def held_out(tests: Iterable[Task]) -> frozenset[str]:
    """The test questions, in that form: nobody is ever trained on one, whoever wrote it."""
    return frozenset(normal(test.instruction, test.input) for test in tests)


def perplexity(found: Likelihood | None, of: str) -> float | None:
    """exp of the mean negative log-likelihood per token, of the response or of the whole pair; None, never NaN, when
    there is no token to go by. A response of one token has one: it is predicted from its prompt."""
    if found is None:
        return None
    loglik, tokens = found.text_loglik, found.text_tokens
    if tokens and of == "pair":
        loglik, tokens = loglik + found.prompt_loglik, tokens + found.prompt_tokens
    return math.exp(min(700.0, -loglik / tokens)) if tokens else None


def by_verifier(settings: FilterSettings, pool: Pool, left: Sequence[Pair]) -> dict[str, str]:
    """What is not known to be right."""
    if settings.verifier == "none":
        return {}
    from isheep.lamb.world import check

    right = {p.id: check(p.instruction, p.input, p.response) for p in left}
    return {id: "wrong" if known is False else "unknown_truth" for id, known in right.items() if not known}


def by_threshold(settings: FilterSettings, pool: Pool, left: Sequence[Pair]) -> dict[str, str]:
    """Scores that cannot be read, or are not strictly above C on every assessed scale; C of 0 or less asks nothing."""
    threshold = settings.threshold
    if threshold is not None and threshold <= 0:
        return {}
    reasons: dict[str, str] = {}
    for pair in left:
        reason = _too_low(pool.scores.get(pair.id, {}), threshold)
        if reason is not None:
            reasons[pair.id] = reason
    return reasons


def _too_low(scores: Scores, threshold: float | None) -> str | None:
    low = None
    for scale, score in scores.items():
        if score is None:
            return intern(f"unreadable_{scale}")
        if low is None and threshold is not None and score <= threshold:
            low = scale
    return None if low is None else intern(f"low_{low}")


def by_perplexity(settings: FilterSettings, pool: Pool, left: Sequence[Pair]) -> dict[str, str]:
    """What the model itself finds improbable."""
    if settings.ppl is None:
        return {}
    reasons: dict[str, str] = {}
    kinds = ("response", "pair") if settings.ppl.of == "both" else (settings.ppl.of,)
    for pair in left:
        for of in kinds:
            value = perplexity(pool.likelihood.get(pair.id), of)
            if value is None:
                reasons.setdefault(pair.id, "no_perplexity")
            elif value > settings.ppl.limit:
                reasons.setdefault(pair.id, f"high_ppl_{of}")
    return reasons


def by_overlap(settings: FilterSettings, pool: Pool, left: Sequence[Pair]) -> dict[str, str]:
    """Near-duplicates of a pair that stands before them, or was kept in an earlier iteration."""
    if settings.overlap is None:
        return {}
    from isheep.text.overlap import OverlapIndex

    on = settings.overlap.on
    index = OverlapIndex(settings.overlap.threshold)
    index.add_all((f"earlier {n}", _text(p, on)) for n, p in enumerate(pool.earlier))
    hits = index.filter((p.id, _text(p, on)) for p in left)
    return {p.id: "near_duplicate" for p, hit in zip(left, hits, strict=True) if hit is not None}


def _text(pair: Pair, on: str) -> str:
    return pair.response if on == "response" else f"{request(pair.instruction, pair.input)}\n{pair.response}"


def by_density(settings: FilterSettings, pool: Pool, left: Sequence[Pair]) -> dict[str, str]:
    """All but a few of every cluster of the model's own vectors."""
    density = settings.density
    if density is None or not left:
        return {}
    import numpy as np

    share = density.share
    clusters = density.clusters if density.clusters is not None else round((share or 0) * len(left))
    labels = kmeans(np.stack([pool.vectors[p.id].numbers for p in left]), clusters)
    members: dict[int, list[Pair]] = {}
    for pair, label in zip(left, labels.tolist(), strict=True):
        members.setdefault(label, []).append(pair)
    reasons: dict[str, str] = {}
    for group in members.values():
        group.sort(
            key=lambda p: (_improbable(pool, p) if density.choose == "perplexity" else 0.0, pool.ties[p.id])
        )
        reasons.update((p.id, "same_cluster") for p in group[density.per_cluster :])
    return reasons


def _improbable(pool: Pool, pair: Pair) -> float:
    value = perplexity(pool.likelihood.get(pair.id), "response")
    return math.inf if value is None else value


def kmeans(vectors: NDArray[np.float32], clusters: int) -> NDArray[np.int32]:
    """The cluster of each row, by scikit-learn's k-means; the same rows always give the same clusters.

    Starts from random rows: the default k-means++ start takes minutes at k = 3000 and n = 10,000, this 13 s, for the
    same use. Never more clusters than rows.
    """
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    clusters = max(1, min(clusters, len(vectors)))
    with warnings.catch_warnings():  # it warns where equal vectors leave clusters empty, which does no harm
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = KMeans(clusters, init="random", n_init=1, max_iter=25, random_state=0).fit_predict(vectors)
    return np.asarray(found, dtype=np.int32)


def by_share(settings: FilterSettings, pool: Pool, left: Sequence[Pair]) -> dict[str, str]:
    """All but the best share, or all but a random share."""
    if settings.keep_fraction is None:
        return {}
    rest = pool.ranked(left, settings.by)[round(settings.keep_fraction * len(left)) :]
    return {p.id: "not_in_best" if settings.by == "score" else "not_drawn" for p in rest}


SIEVES: Mapping[str, Callable[[FilterSettings, Pool, Sequence[Pair]], dict[str, str]]] = {
    "verifier": by_verifier,
    "threshold": by_threshold,
    "ppl": by_perplexity,
    "overlap": by_overlap,
    "density": by_density,
    "keep_fraction": by_share,
}
