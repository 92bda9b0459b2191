"""The near-duplicate index takes the decisions of rouge_score, whatever the cost of that package."""

import random
from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import _score_lcs
from rouge_score.tokenize import tokenize

from isheep.text import overlap
from isheep.text.overlap import Hit, OverlapIndex


class Plain:
    """The oracle: every text against every kept text, as the released code does; the best hit, the first of equals."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.kept: list[tuple[str, str, list[str]]] = []

    def add(self, id: str, text: str) -> None:
        self.kept.append((id, text, tokenize(text, None)))

    def nearest(self, text: str) -> Hit | None:
        words = tokenize(text, None)
        scores = []
        for position, (_, other, others) in enumerate(self.kept):
            # rouge_score knows no likeness without words; ours is that of the strings.
            score = _score_lcs(words, others).fmeasure if words or others else float(text == other)
            scores.append((score, -position))
        score, position = max(scores, default=(0.0, 0))
        return Hit(self.kept[-position][0], score) if score > self.threshold else None

    def filter(self, items: Sequence[tuple[str, str]]) -> list[Hit | None]:
        hits = []
        for id, text in items:
            hits.append(self.nearest(text))
            if hits[-1] is None:
                self.add(id, text)
        return hits


def plain(texts: Sequence[str], threshold: float) -> list[Hit | None]:
    return Plain(threshold).filter([(str(number), text) for number, text in enumerate(texts)])


def ours(texts: Sequence[str], threshold: float, first_ranking: int = 4096) -> list[Hit | None]:
    index = OverlapIndex(threshold)
    index._next_ranking = first_ranking
    return index.filter((str(number), text) for number, text in enumerate(texts))


# Few words and short texts make many close calls and ties; no text is empty, as there rouge_score knows no likeness.
SHORT = st.lists(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=12).map(" ".join), max_size=25)
THRESHOLDS = st.one_of(st.sampled_from([0.7, 0.5, 2 / 3, 0.9, 1.0, 0.0]), st.floats(0, 1))


@given(SHORT)
@settings(max_examples=300)
def test_decisions_hits_and_scores_are_rouge_scores(texts: list[str]) -> None:
    assert ours(texts, 0.7) == plain(texts, 0.7)


@given(SHORT, THRESHOLDS)
@settings(max_examples=300)
def test_at_any_threshold(texts: list[str], threshold: float) -> None:
    assert ours(texts, threshold) == plain(texts, threshold)


@given(SHORT, THRESHOLDS, st.integers(1, 9))
@settings(max_examples=200)
def test_a_new_order_of_words_changes_nothing(texts: list[str], threshold: float, first_ranking: int) -> None:
    assert ours(texts, threshold, first_ranking) == plain(texts, threshold)


# Two texts and what is done with them; "?!" has no word.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "nearest", "filter"]),
        st.lists(st.lists(st.sampled_from("abcde") | st.just("?!"), max_size=9).map(" ".join), max_size=4),
    ),
    max_size=12,
)


@given(STEPS, THRESHOLDS, st.sampled_from([2, 5, 4096]))
@settings(max_examples=200)
def test_adding_asking_and_filtering_in_any_order(
    steps: list[tuple[str, list[str]]], threshold: float, first_ranking: int
) -> None:
    index, oracle = OverlapIndex(threshold), Plain(threshold)
    index._next_ranking = first_ranking
    for number, (step, texts) in enumerate(steps):
        items = [(f"{number}.{place}", text) for place, text in enumerate(texts)]
        if step == "add":
            index.add_all(items)
            for id, text in items:
                oracle.add(id, text)
        elif step == "nearest":
            assert [index.nearest(text) for text in texts] == [oracle.nearest(text) for text in texts]
        else:
            assert index.filter(items) == oracle.filter(items)
        assert len(index) == len(oracle.kept)


@given(st.integers(0, 10**6))
@settings(max_examples=12, deadline=None)
def test_on_texts_with_many_words_and_changed_copies(seed: int) -> None:
    """Realistic lengths: the index's bounds are at work (most pairs are never measured)."""
    rng = random.Random(seed)
    words = [f"w{number}" for number in range(400)]
    texts = changed_copies(rng, words, [rng.randint(1, 30) for _ in range(60)], 6)
    threshold = rng.choice([0.7, 0.7, 0.5, 0.8, 0.95])
    assert ours(texts, threshold, rng.choice([16, 4096])) == plain(texts, threshold)


@given(st.integers(0, 10**6))
@settings(max_examples=4, deadline=None)
def test_on_texts_of_hundreds_of_words(seed: int) -> None:
    """More words than a signature has bits or a byte has values, and many of them twice."""
    rng = random.Random(seed)
    words = [f"w{number}" for number in range(rng.choice([150, 3000]))]
    texts = changed_copies(rng, words, [rng.randint(200, 420) for _ in range(9)], 90)
    assert ours(texts, 0.7) == plain(texts, 0.7)


def changed_copies(rng: random.Random, words: list[str], lengths: list[int], changes: int) -> list[str]:
    """Texts of such lengths, or copies of earlier ones; each with up to so many changes of up to two words."""
    texts: list[str] = []
    for length in lengths:
        copied = texts and rng.random() < 0.5
        text = rng.choice(texts).split() if copied else rng.choices(words, k=length)
        for _ in range(rng.randint(0, changes)):
            place = rng.randrange(len(text) + 1)
            text[place : place + rng.randint(0, 2)] = rng.choices(words, k=rng.randint(0, 2))
        texts.append(" ".join(text) or "w0")
    return texts


def tied(count: int, other: int, common: int) -> tuple[str, str]:
    """Two texts of so many words with so many in common."""
    shared = [f"s{number}" for number in range(common)]
    one = shared + [f"a{number}" for number in range(count - common)]
    two = shared + [f"b{number}" for number in range(other - common)]
    return " ".join(one), " ".join(two)


def ties(numerator: int, denominator: int) -> list[tuple[int, int, int]]:
    """Lengths of two texts and of what they share, where 2 L / (m + n) is the fraction."""
    found = []
    for total in range(2 * denominator, 20 * denominator + 1, 2 * denominator):
        common = total * numerator // (2 * denominator)
        found += [(count, total - count, common) for count in range(common, total - common + 1)]
    return found


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("fraction", [(7, 10), (3, 5), (9, 10)])
def test_exact_ties_at_the_threshold_round_as_in_rouge_score(fraction: tuple[int, int], swap: bool) -> None:
    """2 * 7 / (10 + 10) is 0.7, but the float may come out just above it: then the text is a near-duplicate."""
    threshold = fraction[0] / fraction[1]
    over = 0
    for count, other, common in ties(*fraction):
        texts = tied(count, other, common)[:: -1 if swap else 1]
        expected = plain(texts, threshold)
        assert ours(texts, threshold) == expected
        over += expected[1] is not None
    assert 0 < over < len(ties(*fraction)), "the table must hold ties that fall on either side"


@given(SHORT)
def test_one_by_one_equals_batch(texts: list[str]) -> None:
    index = OverlapIndex(0.7)
    hits = []
    for number, text in enumerate(texts):
        hit = index.nearest(text)
        hits.append(hit)
        if hit is None:
            index.add(str(number), text)
    assert hits == OverlapIndex(0.7).filter((str(number), text) for number, text in enumerate(texts))
    assert len(index) == hits.count(None)


@given(SHORT, st.lists(st.sampled_from("abcxyz"), min_size=1, max_size=12).map(" ".join))
def test_asking_changes_nothing(texts: list[str], question: str) -> None:
    index = OverlapIndex(0.7)
    index.add_all((str(number), text) for number, text in enumerate(texts))
    assert index.nearest(question) == index.nearest(question)
    assert len(index) == len(texts)


def test_the_best_hit_wins_and_the_first_of_equals() -> None:
    index = OverlapIndex()
    index.add_all(
        [("far", "a b c d e f g h x y"), ("near", "a b c d e f g h i x"), ("equal", "a b c d e f g h i y")]
    )
    assert index.nearest("a b c d e f g h i j") == Hit("near", 0.9)
    assert index.nearest("p q r") is None


def test_case_and_punctuation_do_not_count() -> None:
    index = OverlapIndex()
    index.add("a", "Write a poem, about the Sea!")
    assert index.nearest("write a poem about the sea") == Hit("a", 1.0)


def test_order_of_words_counts() -> None:
    index = OverlapIndex()
    index.add("a", "one two three four five six")
    assert index.nearest("six five four three two one") is None


def test_chinese_near_duplicates_are_found() -> None:
    index = OverlapIndex()
    index.add("a", "请写一首关于春天的诗歌")
    hit = index.nearest("请写一首关于秋天的诗歌")
    assert hit is not None
    assert 0.7 < hit.score < 1
    assert index.nearest("中国的首都是哪里") is None


def test_texts_without_words_are_near_only_to_themselves() -> None:
    index = OverlapIndex()
    assert index.filter([("a", "?!"), ("b", "..."), ("c", "?!"), ("d", ""), ("e", ""), ("f", "word")]) == [
        None,
        None,
        Hit("a", 1.0),
        None,
        Hit("d", 1.0),
        None,
    ]


def test_at_threshold_one_nothing_is_too_near() -> None:
    assert OverlapIndex(1.0).filter([("a", "x y"), ("b", "x y"), ("c", "?"), ("d", "?")]) == [None] * 4


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_an_impossible_threshold_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        OverlapIndex(threshold)


@given(SHORT)
def test_more_words_than_characters_exist(texts: list[str]) -> None:
    """Beyond 1.1 million different words the texts are kept as integers; the decisions stay."""
    before = overlap._LAST_LETTER
    overlap._LAST_LETTER = 3
    try:
        assert isinstance(overlap._letters([4]), array)
        assert ours(texts, 0.7, first_ranking=3) == plain(texts, 0.7)
    finally:
        overlap._LAST_LETTER = before


@given(st.lists(st.text(st.characters()), max_size=10))
def test_never_raises_on_any_text(texts: list[str]) -> None:
    index = OverlapIndex()
    index.add_all((str(number), text) for number, text in enumerate(texts))
    for text in texts:
        assert index.nearest(text) is not None


def test_little_is_measured_of_what_is_unlike() -> None:
    """Of 3,000 unlike texts, a question finds few in the index and measures next to none (counts, not a clock)."""
    rng = random.Random(0)
    index = OverlapIndex()
    words = [f"w{number}" for number in range(5000)]
    index.add_all((str(number), " ".join(rng.choices(words, k=15))) for number in range(3000))
    found = measured = 0
    for _ in range(100):
        known = [index._numbers[word] for word in rng.choices(words, k=15) if word in index._numbers]
        found += len(index._lookup(known, 15))
        measured += len(index._candidates(known, 15))
    assert found < 100 * 40  # a word is in nine of them, and a text has fifteen words: 135 without the bounds
    assert measured < 20


def test_a_text_of_hundreds_of_unknown_words_is_like_nothing() -> None:
    index = OverlapIndex(0.7)
    index.add("short", " ".join(f"known{i}" for i in range(20)))
    index.add("long", " ".join(f"word{i}" for i in range(380)))
    assert index.nearest(" ".join(f"other{i}" for i in range(400))) is None
    assert index.nearest(" ".join(f"word{i}" for i in range(400))) == Hit("long", 2 * 380 / 780)
