"""Lengths, distinct n-grams, likeness and near-duplicates: known values, ranges, and what size must not change."""

from __future__ import annotations

import random
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import _score_lcs

from isheep.text import diversity
from isheep.text.diversity import (
    distinct_n,
    median_words,
    near_duplicate_share,
    near_duplicate_share_against,
    ngram_total,
    self_similarity,
    share_short,
)
from isheep.text.words import tokens

TEXTS = st.lists(st.lists(st.sampled_from("abcde"), max_size=9).map(" ".join), max_size=12)
ANY_TEXTS = st.lists(st.text(), max_size=8)


def zipf(count: int, words: int, seed: int, vocabulary: int = 3000) -> list[str]:
    """Texts of so many words, drawn as words are: the n-th most common with a frequency of 1 / n."""
    rng = random.Random(seed)
    weights = list(accumulate(1 / rank for rank in range(1, vocabulary + 1)))
    return [
        " ".join(f"w{n}" for n in rng.choices(range(vocabulary), cum_weights=weights, k=words))
        for _ in range(count)
    ]


# ---------------------------------------------------------------- lengths


def test_median_words() -> None:
    assert median_words(["one", "one two three", "one two three four"]) == 3
    assert median_words(["one", "one two"]) == 1.5
    assert median_words(["", "", "one"]) == 0
    assert median_words(["今天天气很好"]) == 6, "characters of a script without spaces are words"


def test_short_means_under_four_words_and_empty_is_short() -> None:
    assert share_short(["", "a b c", "a b c d", "a b c d e"]) == 0.5
    assert share_short(["a b", "a b c"], words=3) == 0.5


def test_of_nothing_nothing_is_known() -> None:
    assert median_words([]) is None
    assert share_short([]) is None
    assert distinct_n([], 1) is None
    assert self_similarity([], 0) is None
    assert self_similarity(["alone"], 0) is None
    assert near_duplicate_share([]) is None
    assert near_duplicate_share_against([], ["a"]) is None
    assert near_duplicate_share_against(["a"], []) is None


# ---------------------------------------------------------------- distinct n-grams


@given(TEXTS, st.integers(1, 4))
def test_distinct_n_of_the_whole_is_a_plain_count(texts: list[str], n: int) -> None:
    cut = [tokens(text) for text in texts]
    grams = [tuple(words[i : i + n]) for words in cut for i in range(len(words) - n + 1)]
    assert ngram_total(texts, n) == len(grams)
    assert distinct_n(texts, n) == (pytest.approx(len(set(grams)) / len(grams)) if grams else None)


@given(TEXTS, st.integers(1, 3), st.data())
def test_distinct_n_ranges_and_does_not_depend_on_order(
    texts: list[str], n: int, data: st.DataObject
) -> None:
    budget = data.draw(st.integers(0, ngram_total(texts, n)))
    value = distinct_n(texts, n, budget)
    assert value is None if budget == 0 else value is not None and 0 < value <= 1
    assert distinct_n(data.draw(st.permutations(texts)), n, budget) == (value and pytest.approx(value))


@given(TEXTS, st.integers(1, 3))
def test_a_smaller_sample_never_looks_less_diverse(texts: list[str], n: int) -> None:
    values = [distinct_n(texts, n, budget) for budget in range(1, ngram_total(texts, n) + 1)]
    for small, large in pairwise(values):
        assert small is not None
        assert large is not None
        assert small >= large - 1e-9


@pytest.mark.parametrize("n", [1, 2])
def test_the_size_of_a_set_does_not_decide_its_share(n: int) -> None:
    small, large = zipf(300, 20, seed=1), zipf(3000, 20, seed=2)
    plain_small, plain_large = distinct_n(small, n), distinct_n(large, n)
    assert plain_small is not None
    assert plain_large is not None
    assert plain_large < 0.8 * plain_small, "without a budget the larger set looks poorer"
    assert distinct_n(large, n, ngram_total(small, n)) == pytest.approx(plain_small, rel=0.03)


def test_nor_does_the_length_of_its_texts() -> None:
    long, short = zipf(300, 60, seed=3), zipf(3000, 6, seed=4)
    assert ngram_total(long, 1) == ngram_total(short, 1)
    assert distinct_n(long, 1, 6000) == pytest.approx(distinct_n(short, 1, 6000), rel=0.03)


def test_copies_lower_the_share() -> None:
    fresh = zipf(1000, 15, seed=5)
    copied = fresh[:600] + fresh[:400]
    budget = min(ngram_total(fresh, 2), ngram_total(copied, 2))
    lower, higher = distinct_n(copied, 2, budget), distinct_n(fresh, 2, budget)
    assert lower is not None
    assert higher is not None
    assert lower < 0.8 * higher


def test_no_ngram_crosses_from_text_to_text() -> None:
    assert distinct_n(["a b", "c", "a b"], 2) == 0.5
    assert distinct_n(["a", "b", "c"], 2) is None


@pytest.mark.parametrize(("n", "budget"), [(1, 4), (1, -1), (0, None)])
def test_impossible_samples_are_refused(n: int, budget: int | None) -> None:
    with pytest.raises(ValueError, match="n-gram"):
        distinct_n(["a b c"], n, budget)


# ---------------------------------------------------------------- likeness


@given(TEXTS)
def test_of_few_texts_self_similarity_is_the_mean_over_all_pairs(texts: list[str]) -> None:
    texts = [text for text in texts if text]  # rouge_score knows no likeness of empty texts
    cut = [text.split() for text in texts]
    scores = [_score_lcs(one, two).fmeasure for i, one in enumerate(cut) for two in cut[:i]]
    assert self_similarity(texts, 0) == (pytest.approx(sum(scores) / len(scores)) if scores else None)


def test_self_similarity_of_many_texts_is_near_the_mean_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = zipf(150, 12, seed=6, vocabulary=50)
    exact = self_similarity(texts, 0)
    monkeypatch.setattr(diversity, "PAIRS", 2000)
    drawn = [self_similarity(texts, seed) for seed in range(5)]
    assert all(value == pytest.approx(exact, abs=0.015) for value in drawn)
    assert len(set(drawn)) == 5, "the seed decides the pairs"
    assert self_similarity(texts[::-1], 0) == drawn[0], "the order does not"


def test_pairs_are_of_different_texts_and_all_equally_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diversity, "PAIRS", 5)
    drawn = [pair for seed in range(1000) for pair in diversity._pairs(4, seed)]
    assert {frozenset(pair) for pair in drawn} == {frozenset((a, b)) for a in range(4) for b in range(a)}
    first = sum(pair in ((0, 1), (1, 0)) for pair in drawn)
    assert abs(first - 5000 / 6) < 5 * 26.4  # Binomial(5000, 1/6)


def test_texts_without_words_are_alike_only_when_equal() -> None:
    assert self_similarity(["?!", "?!"], 0) == 1
    assert self_similarity(["?!", "..."], 0) == 0


# ---------------------------------------------------------------- near-duplicates


@given(TEXTS)
def test_near_duplicates_are_those_an_earlier_text_resembles(texts: list[str]) -> None:
    texts = [text for text in texts if text]
    cut = [text.split() for text in texts]
    near = [any(_score_lcs(one, two).fmeasure > 0.7 for two in cut[:i]) for i, one in enumerate(cut)]
    assert near_duplicate_share(texts) == (sum(near) / len(near) if near else None)


@given(TEXTS, TEXTS, st.data())
def test_near_duplicates_against_earlier_texts(
    texts: list[str], earlier: list[str], data: st.DataObject
) -> None:
    texts, earlier = [t for t in texts if t], [t for t in earlier if t]
    share = near_duplicate_share_against(texts, earlier)
    near = [any(_score_lcs(t.split(), e.split()).fmeasure > 0.7 for e in earlier) for t in texts]
    assert share == (sum(near) / len(near) if near and earlier else None)
    swapped = data.draw(st.permutations(texts)), data.draw(st.permutations(earlier))
    assert near_duplicate_share_against(*swapped) == share


def test_the_threshold_is_the_callers() -> None:
    texts = ["a b c d e", "a b c d x"]  # F1 0.8
    assert (near_duplicate_share(texts), near_duplicate_share(texts, 0.85)) == (0.5, 0.0)
    assert near_duplicate_share_against(texts[:1], texts[1:], 0.85) == 0.0


def test_empty_answers_are_copies_of_one_another() -> None:
    assert near_duplicate_share(["", "", "", "word"]) == 0.5


def test_of_many_texts_so_many_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diversity, "LOOKED_AT", 400)
    texts = [f"copy {n % 2}" if n % 4 == 0 else f"text {n} of its own kind {n * 7}" for n in range(1000)]
    shares = [near_duplicate_share_against(texts, ["copy 0"], 0.9, seed) for seed in range(5)]
    assert all(share == pytest.approx(0.25, abs=0.08) for share in shares)
    assert len(set(shares)) > 1, "the seed decides which"
    assert near_duplicate_share_against(texts[::-1], ["copy 0"], 0.9, 0) == shares[0]
    assert near_duplicate_share(texts, 0.9, 3) == near_duplicate_share(texts, 0.9, 3)
    assert near_duplicate_share(texts, 0.9, 3) == pytest.approx(0.25, abs=0.08)


@given(ANY_TEXTS, st.integers())
def test_never_raises_on_any_text(texts: list[str], seed: int) -> None:
    shares = [
        share_short(texts),
        distinct_n(texts, 2),
        self_similarity(texts, seed),
        near_duplicate_share(texts, seed=seed),
        near_duplicate_share_against(texts, texts, seed=seed),
    ]
    assert all(share is None or 0 <= share <= 1 for share in shares)
    if texts:
        assert shares[-1] == 1, "every text is near itself"


def test_fifty_thousand_texts_cost_no_more_pairs_than_few() -> None:
    """A count, not a clock: the number of pairs measured is fixed."""
    assert len(list(diversity._pairs(50_000, 0))) == diversity.PAIRS
    assert len(diversity._sample(range(50_000), diversity.LOOKED_AT, 0)) == diversity.LOOKED_AT
