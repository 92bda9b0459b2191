"""Where sentences end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.verify.sentences import sentences


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("?! ...", 0),
        ("no end mark", 1),
        ("One. Two! Three? four", 4),
        ("one. two. in small letters.", 3),
        ('He said "No." Then "Yes!" and left.', 3),
        ("(A remark.) Another.", 2),
        ("**Bold.** Plain.", 2),
        ("Dr. Smith met Mrs. Jones, e.g. here vs. there.", 1),
        ("J. R. Doe came. I came. So did I. We left.", 4),
        ("See no. 5 and p. 7 on 3.5 pages. He said no. Then he left.", 3),
        ("Acme Inc. is here. It is Acme Inc. The end. At 5 p.m. we left at 6 p.m. Then we slept.", 5),
        ("1. First thing.\n2. Second thing.\n 10. Tenth", 3),
        ("It was 1999. Then came 2000.", 2),
        ("Wait... what? Wait... What? Hm… so", 4),
        ("What?! No!!! Yes.", 3),
        ("Go to example.com. Or 1.5.2 it is.", 2),
        ("A heading\n\n* a bullet\n* another", 1),
        ("यह एक वाक्य है। यह दूसरा है।", 2),
        ("这是河。那是花园!真的?", 2),
        ("هل هذا نهر؟ نعم.", 2),
    ],
)
def test_counted(text: str, count: int) -> None:
    assert len(sentences(text)) == count, sentences(text)


@given(st.text(alphabet="aB1 .!?…\n\"')", max_size=60))
def test_nothing_is_lost_or_made_up(text: str) -> None:
    found = sentences(text)
    assert [c for part in found for c in part if c.isalnum()] == [c for c in text if c.isalnum()]
    assert all(part == part.strip() and any(map(str.isalnum, part)) for part in found)


@given(st.lists(st.sampled_from(["The river is wide.", "Is it?", "Go on!"]), max_size=8))
def test_plain_sentences_are_counted_one_by_one(parts: list[str]) -> None:
    assert sentences(" ".join(parts)) == parts
    assert sentences("\n\n".join(parts)) == parts


def test_long_runs_of_marks_take_no_time_to_speak_of() -> None:
    assert len(sentences("." * 200_000 + "a")) == 1  # every start against every end would be 20 billion steps
