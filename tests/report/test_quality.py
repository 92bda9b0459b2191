"""Data quality by iteration: figures counted by hand, equal size where size matters, nothing where nothing is known."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.records import Decision, Pair
from isheep.report.quality import LEAST_PAIRS, NOUNS, VERBS, measured, quality, quartiles
from isheep.report.summary import summarize
from isheep.runs import Run
from isheep.text import diversity


def pair(id: str, instruction: str, response: str = "an answer", input: str = "") -> Pair:
    return Pair(id, instruction, input, response, "stop", True, 5, 2)


def decided(pairs: Sequence[Pair], kept: int, quality: float | None = 8.0) -> list[Decision]:
    """The first `kept` are kept."""
    return [Decision(p.id, n < kept, None if n < kept else "x", quality, None) for n, p in enumerate(pairs)]


def numbered(t: int, n: int) -> list[Pair]:
    return [
        pair(f"{t}.{i}", f"Write a poem about w{t}x{i} and y{i}", f"z{t}a{i} b{i} c{i}") for i in range(n)
    ]


def drawn(t: int, n: int) -> list[Pair]:
    """Texts of one and the same pool, whatever the iteration."""
    rng = random.Random(t)
    words = [f"word{i}" for i in range(60)]
    return [
        pair(f"{t}.{i}", " ".join(rng.choices(words, k=8)), " ".join(rng.choices(words, k=20)))
        for i in range(n)
    ]


def test_counts_shares_scores_and_lengths_are_those_counted_by_hand() -> None:
    pairs = [pair("a", "Write a poem", "one two three"), pair("b", "List all odd numbers here", "one"),
             pair("c", "List", "", "a b")]  # fmt: skip
    decisions = [Decision("a", True, None, 9.0, 7.4), Decision("b", False, "low_quality", 2.0, None),
                 Decision("c", True, None, 4.0, 7.5)]  # fmt: skip
    (entry,) = measured({0: pairs}, {0: decisions}, 0)["iterations"]
    assert entry["kept_share"]["value"] == pytest.approx(2 / 3)
    assert entry["kept_share"]["n"] == 3
    assert (entry["all"]["pairs"], entry["kept"]["pairs"]) == (3, 2)
    assert entry["all"]["scores"]["quality"] == {
        "n": 3, "mean": 5.0, "q1": 3.0, "median": 4.0, "q3": 6.5, "histogram": [0, 1, 0, 1, 0, 0, 0, 0, 1, 0],
    }  # fmt: skip
    assert entry["kept"]["scores"]["following"]["histogram"] == [0, 0, 0, 0, 0, 0, 1, 1, 0, 0]
    assert entry["all"]["words"]["instructions"]["median"] == 3.0  # 3, 5, and 1 with an input of 2
    assert entry["all"]["words"]["responses"]["mean"] == pytest.approx(4 / 3)
    assert entry["all"]["verbs"] == {
        "total": 3, "verbs": [["list", 2, [["numbers", 1]]], ["write", 1, [["poem", 1]]]],
    }  # fmt: skip


def test_what_is_not_filtered_yet_has_no_kept_set_and_no_score() -> None:
    (entry,) = measured({0: numbered(0, 12)}, {}, 0)["iterations"]
    assert entry["kept"] is None
    assert entry["kept_share"] is None
    assert entry["all"]["scores"] == {"quality": None, "following": None}


def test_two_sizes_of_the_same_kind_of_text_come_out_alike() -> None:
    small, large = drawn(0, 20), drawn(1, 400)
    first, second = measured({0: small, 1: large}, {}, 0)["iterations"]
    naive = [diversity.distinct_n([p.response for p in found], 1) or 0.0 for found in (small, large)]
    assert naive[0] > 10 * naive[1] / 2  # 60 words, met again and again
    for part in ("instructions", "responses"):
        one, two = (e["all"]["distinct"][part]["1"] for e in (first, second))
        assert one == pytest.approx(two, abs=0.06)
    one, two = (e["all"]["spread"] for e in (first, second))
    assert one == pytest.approx(two, rel=0.1)


def test_a_tiny_set_has_no_figure_of_equal_size_and_spoils_none() -> None:
    pairs = {0: numbered(0, 30), 1: numbered(1, 30)}
    decisions = {0: decided(pairs[0], LEAST_PAIRS - 1), 1: decided(pairs[1], 15)}
    found = measured(pairs, decisions, 0)
    assert found["size"] == 15
    tiny, other = (e["kept"] for e in found["iterations"])
    assert tiny["spread"] is None
    assert tiny["near_duplicates"] == {"within": None, "before": None}
    assert tiny["distinct"]["responses"] == {"1": None, "2": None}
    assert other["spread"] is not None
    assert other["near_duplicates"] == {"within": 0.0, "before": None}  # nothing of equal size before
    assert other["distinct"]["instructions"]["2"] is not None


def test_where_all_are_tiny_nothing_is_compared() -> None:
    found = measured({0: numbered(0, 3)}, {}, 0)
    assert (found["size"], found["copies_size"], found["budgets"]) == (None, None, {})
    assert found["iterations"][0]["all"]["spread"] is None


def test_copies_are_found_within_an_iteration_and_in_the_one_before() -> None:
    before, again = numbered(0, 20), [pair(f"1.{p.id}", p.instruction, p.response) for p in numbered(0, 20)]
    twice = [pair(f"2.{i}", f"Say q{i % 10} r{i % 10}", f"s{i % 10} t u v") for i in range(20)]
    entries = measured({0: before, 1: again, 2: twice}, {}, 0)["iterations"]
    assert [e["all"]["near_duplicates"] for e in entries] == [
        {"within": 0.0, "before": None},
        {"within": 0.0, "before": 1.0},
        {"within": 0.5, "before": 0.0},
    ]


def test_the_order_of_the_records_changes_nothing() -> None:
    pairs, shuffled = drawn(3, 50), drawn(3, 50)
    decisions = decided(pairs, 25)
    random.Random(1).shuffle(shuffled)
    assert measured({0: pairs}, {0: decisions}, 5) == measured({0: shuffled}, {0: decisions[::-1]}, 5)


@given(st.lists(st.tuples(st.sampled_from("abcdefghijklmnopqrst"), st.sampled_from("vwxyz ")), max_size=80))
def test_named_verbs_and_nouns_never_add_up_to_more_than_there_are(words: list[tuple[str, str]]) -> None:
    pairs = [pair(f"p{i}", f"{verb}ing the {noun}") for i, (verb, noun) in enumerate(words)]
    for entry in measured({0: pairs}, {}, 0)["iterations"]:
        verbs = entry["all"]["verbs"]
        assert verbs["total"] == len(pairs) >= sum(n for _, n, _ in verbs["verbs"])
        assert len(verbs["verbs"]) <= VERBS
        assert [n for _, n, _ in verbs["verbs"]] == sorted((n for _, n, _ in verbs["verbs"]), reverse=True)
        for _, n, nouns in verbs["verbs"]:
            assert n >= sum(m for _, m in nouns)
            assert len(nouns) <= NOUNS
            assert all(noun for noun, _ in nouns)


def test_a_verb_that_matters_in_one_iteration_is_counted_in_all() -> None:
    first = [pair(f"0.{i}", f"verb{i % 20} the thing") for i in range(200)]
    second = [pair(f"1.{i}", "verb19 the thing") for i in range(50)]
    entries = measured({0: first, 1: second}, {}, 0)["iterations"]
    assert ["verb19", 10, [["thing", 10]]] in entries[0]["all"]["verbs"]["verbs"]
    assert entries[1]["all"]["verbs"]["verbs"] == [["verb19", 50, [["thing", 50]]]]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_quartiles_are_in_order_and_within_the_values(values: list[float]) -> None:
    found = quartiles(values)
    assert found is not None
    assert min(values) <= found["q1"] <= found["median"] <= found["q3"] <= max(values)
    assert min(values) <= found["mean"] <= max(values)


def test_no_value_has_no_quartiles() -> None:
    assert quartiles([]) is None


def test_a_run_agrees_with_its_summary(fake_run: Run) -> None:
    found, summary = quality(fake_run), summarize(fake_run)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert [e["iteration"] for e in found["iterations"]] == [0, 1]
    for mine, theirs in zip(found["iterations"], summary["iterations"][:2], strict=True):
        assert mine["all"]["pairs"] == theirs["responses"]
        assert mine["kept"]["pairs"] == theirs["kept"]
        for scale, cell in theirs["assessment"]["scales"].items():
            assert mine["all"]["scores"][scale]["mean"] == pytest.approx(cell["mean"])
