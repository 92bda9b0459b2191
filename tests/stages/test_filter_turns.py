"""Conversations and a count to match: a follow-up is never kept without what it follows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from toy import decided, kept, pair

IDS = [f"{talk}{'+' * turn}" for talk in "abc" for turn in range(3)]
TALKS = [pair(id, f"Answer {id}.", history=("ask", "said") * id.count("+")) for id in IDS]


def test_the_beginning_of_a_conversation_goes_before_its_end() -> None:
    scores = {"a": 2.0, "a+": 9.0, "b": 8.0, "b+": 7.0}
    talks = [p for p in TALKS if p.id in scores]
    found = decided(
        talks, {id: {"quality": s} for id, s in scores.items()}, matched=2, threshold=None, keep_fraction=1.0
    )
    assert set(kept(found)) == {"b", "b+"}, "by score alone it would be a+ and b"
    assert {id for id, reason in found.items() if reason == "over_match"} == {"a", "a+"}


@given(st.lists(st.sampled_from([2.0, 5.0, 9.0]), min_size=9, max_size=9), st.integers(0, 9))
def test_a_matched_count_is_met_and_no_conversation_is_torn(values: list[float], count: int) -> None:
    scores = {id: {"quality": value} for id, value in zip(IDS, values, strict=True)}
    left = set(kept(decided(TALKS, scores, matched=count, threshold=None, keep_fraction=1.0)))
    assert len(left) == count
    assert all(p.parent is None or p.parent in left for p in TALKS if p.id in left)
