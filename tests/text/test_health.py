"""Lists and scores: what is counted, what is not, and rank correlation as scipy has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from isheep.records import Completion, Instruction, Verdict
from isheep.text.health import (
    FORM,
    Yield,
    histogram,
    parse_failures,
    saturation,
    scale_agreement,
    spearman,
    yield_counts,
)
from isheep.text.parse import parse_task_list
from isheep.text.rules import INSTRUCTION_RULES

# ---------------------------------------------------------------- lists


def completion(number: int, finish: str = "stop") -> Completion:
    return Completion(f"0.{number:06d}", "", finish, 10, 10)


def item(number: int, reason: str | None) -> Instruction:
    return Instruction(f"0.000000.{number:02d}", "Write a poem.", "", (), "0.000000", reason)


REASONS = st.sampled_from(
    [None, "near_duplicate", "cut", "format", "numbering", "length", "over_count", "too_long"]
)


def test_yield_of_a_known_iteration() -> None:
    reasons = [
        None,
        None,
        None,
        "near_duplicate",
        "cut",
        "numbering",
        "format",
        "list_marker",
        "length",
        "link",
    ]
    read = [item(n, r) for n, r in enumerate([*reasons, "over_count", "over_count", "too_long"])]
    lists = [completion(0), completion(1, "length"), completion(2, "too_long")]
    assert yield_counts(lists, read) == Yield(
        lists=2, items=10, items_per_list=5, share_form=0.3, share_cut=0.1, share_known=0.1, share_kept=0.3
    )


def test_yield_of_nothing() -> None:
    assert yield_counts([], []) == Yield(0, 0, None, None, None, None, None)
    assert yield_counts([completion(0)], []) == Yield(1, 0, 0, None, None, None, None)


@given(st.lists(REASONS, max_size=30), st.data())
def test_shares_range_and_order_does_not_count(reasons: list[str | None], data: st.DataObject) -> None:
    read = [item(n, r) for n, r in enumerate(reasons)]
    found = yield_counts([completion(0)], read)
    shares = [found.share_form, found.share_cut, found.share_known, found.share_kept]
    assert all(share is None or 0 <= share <= 1 for share in shares)
    assert sum(share or 0 for share in shares) <= 1 + 1e-9
    assert yield_counts([completion(0)], data.draw(st.permutations(read))) == found


def test_the_reasons_of_form_are_the_ones_the_parser_and_the_rules_give() -> None:
    """Renamed there, they would silently no longer be counted here."""
    text = "Name a bird.\n7. Task:\n9. Task: Name a fish.\n10. Task: Sort.\nInput: a\nInput: b\n11. Task: And"
    problems = {parsed.problem for parsed in parse_task_list(text, 6, finished=False)} - {None, "cut"}
    assert problems == {"empty", "numbering", "format"}
    assert FORM - problems <= INSTRUCTION_RULES.keys()


# ---------------------------------------------------------------- scores


def test_saturation_rounds_expected_scores() -> None:
    assert saturation([10, 9.5, 9.49, 3, None]) == 0.5
    assert saturation([5, 4.6, 5.4, 5.5], top=5) == 0.75
    assert saturation([None]) is None


def test_histogram() -> None:
    assert histogram([1, 1.4, 2.5, 8.5, 10, None]) == (2, 0, 1, 0, 0, 0, 0, 0, 1, 1)
    assert histogram([]) == (0,) * 10


@pytest.mark.parametrize("score", [0.0, 10.5, -1])
def test_scores_off_the_scale_are_refused(score: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        histogram([5, score])


@given(st.lists(st.none() | st.floats(1, 10)))
def test_histogram_holds_every_readable_score_and_its_end_is_the_saturation(
    scores: list[float | None],
) -> None:
    counts = histogram(scores)
    readable = sum(score is not None for score in scores)
    assert sum(counts) == readable
    assert saturation(scores) == (counts[-1] / readable if readable else None)


def verdicts(scores: dict[str, list[float | None]]) -> list[Verdict]:
    return [
        Verdict(f"{n}/{scale}", str(n), scale, s) for scale, of in scores.items() for n, s in enumerate(of)
    ]


def test_parse_failures() -> None:
    assert parse_failures(verdicts({"quality": [1, None, 3, None]})) == 0.5
    assert parse_failures([]) is None


RATINGS = st.lists(st.tuples(st.integers(1, 10), st.integers(1, 10)), min_size=2, max_size=30)


@given(RATINGS)
def test_spearman_is_scipys(pairs: list[tuple[int, int]]) -> None:
    one, two = [a for a, _ in pairs], [b for _, b in pairs]
    if len(set(one)) == 1 or len(set(two)) == 1:
        assert spearman(one, two) is None
    else:
        assert spearman(one, two) == pytest.approx(spearmanr(one, two).statistic)
        assert -1 <= (spearman(one, two) or 0) <= 1


def test_spearman_refuses_what_is_not_paired() -> None:
    with pytest.raises(ValueError, match="paired"):
        spearman([1, 2], [1])


def test_scales_that_agree_and_that_disagree() -> None:
    assert scale_agreement(verdicts({"quality": [1, 5, 9], "following": [2, 3, 10]})) == pytest.approx(1)
    assert scale_agreement(verdicts({"quality": [1, 5, 9], "following": [9, 5, 1]})) == pytest.approx(-1)


@pytest.mark.parametrize(
    "scores",
    [
        {},
        {"quality": [1, 2, 3]},
        {"quality": [1, 2], "following": [5, 5]},
        {"quality": [1, None], "following": [5, 6]},
        {"quality": [1, 2], "following": [5, 6], "third": [1, 2]},
    ],
)
def test_undefined_agreement_is_none(scores: dict[str, list[float | None]]) -> None:
    assert scale_agreement(verdicts(scores)) is None


@given(RATINGS, st.data())
def test_agreement_pairs_by_id_skips_the_unreadable_and_averages_samples(
    pairs: list[tuple[int, int]], data: st.DataObject
) -> None:
    read = verdicts({"quality": [a for a, _ in pairs], "following": [b for _, b in pairs]})
    unreadable = [Verdict(f"{v.id}/2", v.pair, v.scale, None) for v in read]
    unreadable += [
        Verdict("new/quality", "new", "quality", None),
        Verdict("new/following", "new", "following", 5),
    ]
    again = [Verdict(f"{v.id}/1", v.pair, v.scale, v.score) for v in read]
    expected = spearman([a for a, _ in pairs], [b for _, b in pairs])
    shuffled = data.draw(st.permutations([*read, *unreadable, *again]))
    assert scale_agreement(shuffled) == (expected and pytest.approx(expected))
