"""Summaries: judges that are good, biased or useless, and what the figures say of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import TASK, Judged, compared, marked, question

from isheep.chat.questions import TEMPERATURES, ChatQuestion
from isheep.chat.summary import graded_scores, lengths_of, pairwise_scores
from isheep.records import Reply, Score

Answers = dict[tuple[str, int], str]

QUESTIONS = [question(f"{n:03d}") for n in range(60)]


def answers(seed: int, tag: str, questions: list[ChatQuestion] = QUESTIONS) -> Answers:
    """Answers of some length each; the first number in it is how good it is."""
    random = np.random.default_rng(seed)
    return {
        (q.id, turn): f"{tag} {random.normal():+.4f} " + "x" * int(random.integers(0, 400))
        for q in questions
        for turn in range(1, len(q.turns) + 1)
    }


def quality(text: str) -> float:
    return float(text.split()[1])


def good(first: str, second: str) -> float:
    return float(quality(first) > quality(second))


def scores(judged: Judged, draws: int = 200, seed: int = 0) -> dict[str, Score]:
    rows = pairwise_scores(judged.items, judged.judgments, judged.baseline, seed, draws)
    assert [row.id for row in rows] == [f"{TASK}/{row.metric}" for row in rows]
    return {row.metric: row for row in rows}


def value(found: dict[str, Score]) -> dict[str, float]:
    return {metric: score.value for metric, score in found.items()}


# pairwise


def test_a_good_judge() -> None:
    ours, theirs = answers(1, "ours"), answers(2, "theirs")
    found = scores(compared(ours, theirs, good, QUESTIONS))
    wins = [quality(ours[key]) > quality(theirs[key]) for key in ours]
    assert found["win_rate"].value == pytest.approx(np.mean(wins))
    assert found["win_rate"].n == found["lc_win_rate"].n == 60
    assert 0 < found["win_rate"].ci_low < found["win_rate"].value < found["win_rate"].ci_high < 1
    assert found["lc_win_rate"].value == pytest.approx(found["win_rate"].value, abs=0.05)
    assert [found[m].value for m in ("tie_rate", "flip_rate", "missing_rate")] == [0, 0, 0]
    assert found["mean_length"].value == pytest.approx(np.mean([len(t) for t in ours.values()]))
    assert found["mean_length_baseline"].value == pytest.approx(np.mean([len(t) for t in theirs.values()]))


def test_a_judge_that_always_takes_the_first() -> None:
    found = scores(compared(answers(1, "ours"), answers(2, "theirs"), lambda a, b: 1.0, QUESTIONS))
    assert found["win_rate"].value == 0.5
    assert found["lc_win_rate"].value == pytest.approx(0.5)
    assert (found["flip_rate"].value, found["tie_rate"].value) == (1.0, 0.0)
    # All verdicts are alike, so all resamples are: that is no certainty.
    assert found["win_rate"].ci_low < 0.45 < 0.55 < found["win_rate"].ci_high


def test_a_judge_that_never_decides() -> None:
    found = scores(compared(answers(1, "ours"), answers(2, "theirs"), lambda a, b: 0.5, QUESTIONS))
    assert (found["win_rate"].value, found["tie_rate"].value, found["flip_rate"].value) == (0.5, 1.0, 0.0)


def test_a_judge_that_talks_rubbish_gives_only_missing() -> None:
    found = scores(compared(answers(1, "ours"), answers(2, "theirs"), lambda a, b: None, QUESTIONS))
    assert found.keys() == {"missing_rate", "mean_length", "mean_length_baseline"}
    assert (found["missing_rate"].value, found["missing_rate"].n) == (1.0, 60)
    assert found["missing_rate"].ci_low > 0.9


def test_answers_that_a_rule_settled_do_not_stand_for_those_a_judge_could_not() -> None:
    ours, theirs = answers(1, "ours"), answers(2, "theirs")
    ours[QUESTIONS[0].id, 1] = ""
    found = scores(compared(ours, theirs, lambda a, b: None, QUESTIONS))
    assert found.keys() == {"missing_rate", "mean_length", "mean_length_baseline"}
    assert found["missing_rate"].value == 1.0
    # A model against itself: a rule settles all, and there is nothing a judge could add.
    found = scores(compared(theirs, theirs, lambda a, b: None, QUESTIONS))
    assert (found["win_rate"].value, found["tie_rate"].value) == (0.5, 1.0)


def test_missing_verdicts_are_counted_and_left_out() -> None:
    def shy(first: str, second: str) -> float | None:
        return None if "ours" in first and quality(first) < -0.5 else good(first, second)

    ours, theirs = answers(1, "ours"), answers(2, "theirs")
    found = scores(compared(ours, theirs, shy, QUESTIONS))
    kept = [key for key in ours if quality(ours[key]) >= -0.5]
    assert found["win_rate"].value == pytest.approx(
        np.mean([quality(ours[key]) > quality(theirs[key]) for key in kept])
    )
    assert found["win_rate"].n == found["tie_rate"].n == len(kept)
    assert found["missing_rate"].value == pytest.approx(1 - len(kept) / 60)
    assert found["missing_rate"].n == found["mean_length"].n == 60


def test_a_judge_that_likes_length() -> None:
    """Ours only writes more: it wins, but not at equal lengths."""
    random = np.random.default_rng(5)
    questions = [question(f"{n:03d}") for n in range(400)]
    ours, theirs = answers(1, "ours", questions), answers(2, "theirs", questions)
    ours = {key: text + "y" * int(random.integers(0, 500)) for key, text in ours.items()}

    def likes_length(first: str, second: str) -> float:
        return float(quality(first) - quality(second) + (len(first) - len(second)) / 300 > 0)

    found = scores(compared(ours, theirs, likes_length, questions))
    assert found["win_rate"].ci_low > 0.55
    assert found["lc_win_rate"].ci_low < 0.5 < found["lc_win_rate"].ci_high
    assert found["mean_length"].value > found["mean_length_baseline"].value + 200


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 25), st.sampled_from(["good", "longer", "first", "halves"]))
def test_swapping_the_models_mirrors_about_a_half(seed: int, n: int, kind: str) -> None:
    judges: dict[str, Any] = {
        "good": good,
        "longer": lambda a, b: float(len(a) > len(b)),
        "first": lambda a, b: 1.0,
        "halves": lambda a, b: 0.5 if quality(a) > 0 else good(a, b),
    }
    questions = QUESTIONS[:n]
    ours, theirs = answers(seed, "ours", questions), answers(seed + 1, "theirs", questions)
    here = value(scores(compared(ours, theirs, judges[kind], questions), 20))
    there = value(scores(compared(theirs, ours, judges[kind], questions), 20))
    assert there["win_rate"] == pytest.approx(1 - here["win_rate"])
    assert there["lc_win_rate"] == pytest.approx(1 - here["lc_win_rate"], abs=1e-6)
    assert there["mean_length"] == here["mean_length_baseline"]
    for metric in ("tie_rate", "flip_rate", "missing_rate"):
        assert there[metric] == here[metric]


def test_equal_lengths_leave_the_win_rate_as_it_is() -> None:
    ours, theirs = answers(1, "ours"), answers(2, "them")
    same = {key: f"{text[:12]:<20}".ljust(500, "x") for key, text in ours.items()}
    other = {key: f"{text[:12]:<20}".ljust(500, "x") for key, text in theirs.items()}
    found = scores(compared(same, other, good, QUESTIONS))
    assert found["lc_win_rate"].value == found["win_rate"].value
    assert found["lc_win_rate"].ci_low == found["win_rate"].ci_low
    assert (found["mean_length"].ci_low, found["mean_length"].ci_high) == (500, 500)


def test_the_same_records_give_the_same_figures_in_any_order() -> None:
    judged = compared(answers(1, "ours"), answers(2, "theirs"), good, QUESTIONS)
    turned = replace(judged, judgments=judged.judgments[::-1])
    assert scores(judged) == scores(turned)
    assert scores(judged, seed=1)["win_rate"] != scores(judged)["win_rate"]


def test_turns_of_one_question_are_resampled_together() -> None:
    """Both turns of a question agree here, so there are as many opinions as questions."""
    one, two = [question(f"{n:02d}") for n in range(40)], [question(f"{n:02d}", 2) for n in range(40)]
    ours, theirs = answers(1, "ours", one), answers(2, "theirs", one)
    doubled = [{(q, t): text for (q, _), text in a.items() for t in (1, 2)} for a in (ours, theirs)]
    alone = scores(compared(ours, theirs, good, one), 2000)
    both = scores(compared(doubled[0], doubled[1], good, two), 2000)
    assert both["win_rate"].n == 80
    assert both["win_rate"].value == alone["win_rate"].value
    for end in ("ci_low", "ci_high"):
        assert getattr(both["win_rate"], end) == pytest.approx(getattr(alone["win_rate"], end), abs=0.03)


def test_one_question_says_next_to_nothing() -> None:
    one = [question("a")]
    found = scores(compared({("a", 1): "ours"}, {("a", 1): "theirs"}, lambda a, b: float(a == "ours"), one))
    assert found["win_rate"].value == found["lc_win_rate"].value == 1.0
    assert found["win_rate"].ci_low < 0.3
    assert (found["mean_length"].ci_low, found["mean_length"].ci_high) == (4, 4)


def test_lengths_of_none_and_one_are_no_share() -> None:
    """A model that has gone silent: Wilson's interval is for right and wrong, not for characters."""
    ours = {(q.id, 1): "" for q in QUESTIONS}
    theirs = {(q.id, 1): "x" * (n % 2) for n, q in enumerate(QUESTIONS)}
    found = scores(compared(ours, theirs, lambda a, b: 0.5, QUESTIONS))
    silent, short = found["mean_length"], found["mean_length_baseline"]
    assert (silent.value, silent.ci_low, silent.ci_high) == (0, 0, 0)
    half = 2.001 * (0.25 / 59) ** 0.5  # Student's t of 59 degrees of freedom
    assert (short.ci_low, short.ci_high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-3)


def test_a_few_wins_of_any_length_are_no_certainty() -> None:
    few = QUESTIONS[:3]
    found = scores(
        compared(answers(1, "ours", few), answers(2, "theirs", few), lambda a, b: float(a > b), few)
    )
    wide = {metric: (found[metric].ci_low, found[metric].ci_high) for metric in ("win_rate", "lc_win_rate")}
    assert wide["lc_win_rate"] == wide["win_rate"]
    assert wide["win_rate"][1] - wide["win_rate"][0] > 0.4


def test_nothing_judged_has_no_scores() -> None:
    assert pairwise_scores([], [], {}) == []
    assert graded_scores([]) == []


@pytest.mark.slow
def test_the_length_controlled_interval_covers() -> None:
    """Judges with a known bias: the interval holds the truth nearly as often as it says."""
    random = np.random.default_rng(11)
    runs, n, strength, weight = 40, 100, 0.4, 1.2
    truth = 1 / (1 + np.exp(-strength))
    held = plain = 0
    questions = [question(f"{i:03d}") for i in range(n)]
    for run in range(runs):
        d = np.round(400 * random.normal(0.5, 1, n)).astype(int)
        p = 1 / (1 + np.exp(-strength - weight * np.tanh(d / np.std(d, ddof=1))))
        wins = dict(zip((q.id for q in questions), random.random(n) < p, strict=True))
        base = {(q.id, 1): f"{q.id} theirs" + "x" * 3000 for q in questions}
        ours = {
            (q.id, 1): f"{q.id} ours".ljust(len(base[q.id, 1]) + int(k), "x")
            for q, k in zip(questions, d, strict=True)
        }

        def judge(first: str, second: str, wins: dict[str, bool] = wins) -> float:
            return float(wins[first.split()[0]] == ("ours" in first))

        found = scores(compared(ours, base, judge, questions), 200, run)
        held += found["lc_win_rate"].ci_low <= truth <= found["lc_win_rate"].ci_high
        plain += found["win_rate"].ci_low <= truth <= found["win_rate"].ci_high
    assert held >= 0.87 * runs
    assert plain < 0.8 * runs


def test_lengths_are_of_the_text_that_was_kept() -> None:
    replies = [
        Reply("a/1", TASK, "a", "four", "stop", True),
        Reply("a/2", TASK, "a", "", "too_long", False, 2),
    ]
    assert lengths_of(replies) == {("a", 1): 4, ("a", 2): 0}


# graded


def test_the_table_of_mt_bench() -> None:
    questions = [question(f"{c}{n}", 2, c) for c in TEMPERATURES for n in range(3)]
    said = {(q.id, t): f"{q.id} {t}" for q in questions for t in (1, 2)}
    grades = {text: 1.0 + (len(text) * 7 + ord(text[0]) + int(text[-1])) % 10 for text in said.values()}
    found = {s.metric: s for s in graded_scores(marked(said, lambda answer: grades[answer], questions))}
    assert list(found)[:3] == ["grade", "grade/1", "grade/2"]
    assert list(found)[-1] == "missing_rate"
    assert len(found) == 1 + 2 + 8 + 16 + 1
    assert [m for m in found if m.count("/") == 1 and m[-1] not in "12"] == [
        f"grade/{c}" for c in TEMPERATURES
    ]
    assert found["grade"].value == pytest.approx(np.mean(list(grades.values())))
    assert found["grade"].n == 48
    assert found["grade/2"].value == pytest.approx(np.mean([grades[f"{q.id} 2"] for q in questions]))
    assert found["grade/math"].value == pytest.approx(
        np.mean([g for t, g in grades.items() if t.startswith("math")])
    )
    assert found["grade/math/1"].n == 3
    assert all(1 <= s.ci_low <= s.value <= s.ci_high <= 10 for m, s in found.items() if m != "missing_rate")


def test_missing_grades_are_counted_and_left_out() -> None:
    questions = [question(f"{n}", 2, "writing") for n in range(10)]
    said = {(q.id, t): f"{q.id} {t}" for q in questions for t in (1, 2)}
    found = {
        s.metric: s
        for s in graded_scores(
            marked(said, lambda a: None if a.endswith("2") else float(a[0]) + 1, questions)
        )
    }
    assert found["grade"].value == pytest.approx(5.5)
    assert found["grade"].n == 10
    assert "grade/2" not in found
    assert "grade/writing/2" not in found
    assert (found["missing_rate"].value, found["missing_rate"].n) == (0.5, 20)


def test_questions_without_a_category_have_no_row_of_their_own() -> None:
    questions = [question("a", 3), question("b", 3)]
    said = {(q, t): f"{q}{t}" for q in "ab" for t in (1, 2, 3)}
    items = marked(said, lambda answer: 4.0, questions)
    metrics = [s.metric for s in graded_scores(items)]
    assert metrics == ["grade", "grade/1", "grade/2", "grade/3", "missing_rate"]
    # All alike is not certain.
    first = graded_scores(items)[0]
    assert first.ci_low < 4 < first.ci_high


def test_two_turns_of_a_question_are_no_two_questions() -> None:
    """Both turns always get the same grade: the interval is as wide as that of the first turns alone."""
    questions = [question(f"q{n}", 2) for n in range(10)]
    said = {(q.id, t): f"{q.id} {t}" for q in questions for t in (1, 2)}
    found = {s.metric: s for s in graded_scores(marked(said, lambda a: 1.0 + int(a[1]), questions))}
    both, one = found["grade"], found["grade/1"]
    assert (both.ci_low, both.ci_high) == pytest.approx((one.ci_low, one.ci_high))
    assert both.ci_high - both.ci_low > 3
