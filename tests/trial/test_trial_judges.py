"""Planted judges: a good one is called good, a bad one bad, and of too little nothing is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from isheep.trial import Case, separation
from isheep.trial.separation import LEAST
from isheep.trial.words import finding, headline, judgement
from simulated_judges import judged

SKILLS = ("auroc", "spearman", "partial", "with_length", "length_auroc", "curve", "calibration")


def trial(*figures: dict[str, Any]) -> dict[str, Any]:
    models = [{"iteration": t, "sources": {"tests": found}} for t, found in enumerate(figures)]
    return {"questions": {"tests": 1}, "models": models, "drift": [], "self_preference": []}


@pytest.mark.parametrize(
    ("judge", "status", "look", "words"),
    [
        ("good", "good", "good", "Its scores tell right from wrong: AUROC 0."),
        ("random", "blind", "bad", "Its scores do not tell right from wrong: AUROC 0."),
        ("inverted", "inverted", "bad", "upside down"),
        ("constant", "flat", "bad", "gives everything the top score"),
        ("length", "blind", "bad", "what it likes is long answers (rank correlation with length 0.9"),
        ("known_by_length", "length", "bad", "What tells is length: AUROC 0."),
    ],
)
def test_planted_judges(judge: str, status: str, look: str, words: str) -> None:
    found = separation(judged(judge, 1000))
    told = finding(found)
    assert (told.status, told.look) == (status, look)
    assert words in told.text
    (sentence,) = judgement(trial(found))
    assert sentence.startswith("M0 on exam questions with known answers: ")
    assert headline(trial(found))["look"] == look


def test_a_judge_by_length_is_worth_nothing_at_equal_length() -> None:
    found = separation(judged("known_by_length", 1000))
    assert found["auroc"]["ci_low"] > 0.6
    assert found["length_auroc"]["ci_low"] > 0.6
    assert abs(found["partial"]["value"]) < 0.07
    good = separation(judged("good", 1000))
    assert good["partial"]["ci_low"] > 0.3


def test_scores_that_are_the_length_leave_nothing() -> None:
    cases = [replace(case, score=1 + case.length / 200) for case in judged("known_by_length", 400)]
    found = separation(cases)
    assert found["partial"] is None
    assert finding(found).look == "bad"
    assert "but the scores are the length" in finding(found).text


def test_where_length_decides_the_truth_nobody_can_tell() -> None:
    cases = [replace(case, length=80 if case.right else 20) for case in judged("good", 400)]
    found = separation(cases)
    assert found["partial"] is None
    assert finding(found).look == "warn"
    assert finding(found).text.startswith("Skill cannot be told from length here")


def test_a_few_answers_leave_open_whether_it_is_length() -> None:
    cases = [replace(c, length=c.length + 60 * c.right) for c in judged("good", 60, d=0.7)]
    told = finding(separation(cases))
    assert (told.status, told.look) == ("length", "warn")
    assert told.text.startswith("What tells may be length")


def test_a_small_trial_shows_nothing_either_way() -> None:
    found = separation(judged("random", 60, seed=2))
    assert finding(found).status == "unproven"
    assert finding(found).look == "bad"
    assert "not shown to tell right from wrong" in finding(found).text


def test_a_weak_judge_is_called_weak() -> None:
    found = separation(judged("good", 1500, d=0.25))
    assert finding(found).status == "weak"


def test_a_good_judge_at_the_top_of_its_scale_is_doubtful() -> None:
    cases = [replace(c, score=min(10.0, (c.score or 0) + 5)) for c in judged("good", 1000)]
    told = finding(separation(cases))
    assert (told.status, told.look) == ("good", "warn")
    assert "are the top one" in told.text


def test_perfect_order_is_not_taken_for_certain() -> None:
    cases = [replace(c, score=9.0 if c.right else 2.0) for c in judged("good", 60)]
    cell = separation(cases)["auroc"]
    assert cell["value"] == 1
    assert 0.8 < cell["ci_low"] < 1


# ---------------------------------------------------------------- too little to say anything


def some(right: int, wrong: int, score: float | None = None) -> list[Case]:
    return [
        Case(i % 10 + 1.0 if score is None else score, i < right, 10 + i, f"q{i}")
        for i in range(right + wrong)
    ]


@pytest.mark.parametrize(
    ("cases", "why"),
    [
        ([], "there is no answer with a known truth"),
        ([replace(c, score=None) for c in some(20, 20)], "none of the scores of 40 answers could be read"),
        (some(40, 0), "all 40 scored answers are right, so there is nothing to tell apart"),
        (some(0, 40), "all 40 scored answers are wrong, so there is nothing to tell apart"),
        (some(LEAST - 1, 40), "only 9 of 49 scored answers are right; at least 10 of either kind are needed"),
        (some(40, 1), "only 1 of 41 scored answers is wrong; at least 10 of either kind are needed"),
        (
            [replace(c, cluster="one") for c in some(20, 20)],
            "only 1 different questions; at least 10 are needed",
        ),
    ],
    ids=["none", "unreadable", "all right", "all wrong", "few right", "few wrong", "one question"],
)
def test_too_little_is_said_and_no_number(cases: list[Case], why: str) -> None:
    found = separation(cases)
    assert found["missing"] == why
    assert all(found[name] is None for name in SKILLS)
    told = finding(found)
    assert told.look != "good"
    assert "AUROC" not in told.text
    if told.status == "unknown":
        assert told.text == f"Not known: {why}."
        assert headline(trial(found))["look"] == "calm"


def test_unreadable_scores_are_left_out_and_counted() -> None:
    cases = judged("good", 400)
    read, lost = cases[::2], [replace(case, score=None) for case in cases[1::2]]
    found, plain = separation([*read, *lost]), separation(read)
    assert found["unreadable"] == 200
    assert found["auroc"] == plain["auroc"]
    assert found["right"]["n"] == 400
    assert finding(found).status == "good"
    mostly = separation([*read[:100], *lost])
    assert finding(mostly).status == "unreadable"


def test_calibration_needs_enough_answers() -> None:
    assert separation(judged("good", 36))["calibration"] is None
    found = separation(judged("good", 1000))["calibration"]
    assert found["n"] == 500
    assert found["brier"] < found["base_brier"]
    assert found["ece"] < 0.1
    assert sum(b["n"] for b in found["bins"]) == 500
    blind = separation(judged("random", 1000))["calibration"]
    assert blind["brier"] >= blind["base_brier"] - 0.005


# ---------------------------------------------------------------- the headline


def test_the_headline_counts_what_is_known() -> None:
    good, bad, unknown = separation(judged("good")), separation(judged("random")), separation([])
    assert headline(trial(good, good)) == {
        "look": "good",
        "answer": "Yes",
        "text": "On all 2 sets of answers tried, the scores tell right from wrong.",
    }
    assert headline(trial(bad)) == {
        "look": "bad",
        "answer": "No",
        "text": "On the one set of answers tried, the scores are not shown to tell right from wrong.",
    }
    assert headline(trial(good, bad)) == {
        "look": "warn",
        "answer": "In part",
        "text": "On 1 of 2 sets of answers the scores tell right from wrong; in doubt: M1 on exam questions with known "
        "answers.",
    }
    assert headline(trial(good, unknown)) == headline(trial(good))
    assert headline(trial(unknown))["answer"] == "Not known"


def test_equal_findings_are_said_once() -> None:
    empty = separation([])
    (sentence,) = judgement(trial(empty, empty, empty))
    assert sentence.startswith("M0, M1 and M2 on ")
