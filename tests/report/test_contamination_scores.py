"""Which questions count as flagged for which model: those shared with texts that were there before it."""

from __future__ import annotations

from isheep.records import Item, Leak, Question
from isheep.report.contamination import _scores


def items() -> list[Item]:
    return [Item(f"t/{n}", "t", str(n), "", str(n), "grade", 5.0, "", 1, "x") for n in range(3)]


def test_a_model_is_held_to_the_texts_before_it() -> None:
    questions = [Question(f"t/{n}", "t", str(n), "text") for n in range(3)]
    leaks = {
        t: [Leak(f"response/p{t}/t/{t}", "response", f"p{t}", f"t/{t}", "t", "ngram", "words")]
        for t in range(2)
    }
    rows = list(_scores({t: items() for t in range(3)}, leaks, questions))
    flagged = {row["iteration"]: (row["flagged"]["n"], row["clean"]["n"]) for row in rows}
    # The base model, made of none of them, is shown on the questions of M1: they may just be easier.
    assert flagged == {0: (1, 2), 1: (1, 2), 2: (2, 1)}
