"""Drift on frozen answers, and self-preference: planted ones are found, and none where none was planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isheep.trial import Case, Duel, drift, self_preference
from isheep.trial.words import judgement
from simulated_judges import judged


def by_id(cases: list[Case]) -> dict[str, Case]:
    return {case.cluster: case for case in cases}


def told(**parts: object) -> str:
    return "\n".join(judgement({"models": [], "drift": [], "self_preference": [], **parts}))


def test_a_judge_that_stays_does_not_drift() -> None:
    first = by_id(judged("good"))
    found = drift(first, first)
    assert found["n"] == 200
    assert found["missing"] is None
    assert found["mean_change"]["value"] == 0
    assert found["auroc_change"]["value"] == 0
    assert found["rank_correlation"]["value"] == pytest.approx(1)
    assert told(drift=[{"iteration": 1, "sources": {"tests": found}}]) == ""


def test_leniency_is_drift_and_changes_no_rank() -> None:
    first = by_id(judged("good"))
    kinder = {id: replace(case, score=(case.score or 0) + 0.5) for id, case in first.items()}
    found = drift(kinder, first)
    assert found["mean_change"]["value"] == pytest.approx(0.5)
    assert found["mean_change"]["ci_low"] > 0
    assert found["rank_correlation"]["value"] == pytest.approx(1)
    assert found["auroc_change"]["value"] == 0
    said = told(drift=[{"iteration": 2, "sources": {"tests": found}}])
    assert said.startswith(
        "M2 on M0's answers to exam questions with known answers: it scores the same answers higher"
    )


def test_a_judge_that_went_blind_is_seen() -> None:
    first = by_id(judged("good", 400))
    rng = np.random.default_rng(99)
    now = {id: replace(case, score=float(rng.uniform(1, 10))) for id, case in first.items()}
    found = drift(now, first)
    assert found["auroc"]["ci_low"] < 0.5 < found["auroc"]["ci_high"]
    assert found["auroc_change"]["ci_high"] < 0
    assert abs(found["rank_correlation"]["value"]) < 0.15
    assert "it tells right from wrong worse than M0 did" in told(
        drift=[{"iteration": 1, "sources": {"tests": found}}]
    )


def test_drift_pairs_what_both_have_read() -> None:
    first = by_id(judged("good", 60))
    now = {id: replace(case, score=None) if i < 20 else case for i, (id, case) in enumerate(first.items())}
    assert drift(now, first)["n"] == 40
    few = drift({id: first[id] for id in list(first)[:5]}, first)
    assert (few["n"], few["mean"], few["mean_change"], few["rank_correlation"]) == (5, None, None, None)


def test_drift_with_one_kind_of_answer_has_a_mean_and_no_auroc() -> None:
    first = by_id([replace(case, right=True) for case in judged("good", 60)])
    found = drift(first, first)
    assert found["mean"] is not None
    assert found["auroc"] is None
    assert found["missing"] == "all 60 scored answers are right, so there is nothing to tell apart"


# ---------------------------------------------------------------- self-preference


def duels(n: int, seed: int, liking: float = 0.0, kindness: float = 0.0, skill: float = 0.0) -> list[Duel]:
    """M_t answers better than M_0 and is `kindness` kinder to all; `liking`: what it adds to its own answers; `skill`:
    how much more than M_0 it gives right answers."""
    rng = np.random.default_rng(seed)
    right, other_right = rng.random(n) < 0.7, rng.random(n) < 0.4

    def score(is_right: bool, by_now: bool, own: bool) -> float:
        known = 1.0 + skill * by_now
        return float(5 + known * is_right + kindness * by_now + liking * own + rng.normal())

    return [
        Duel(
            own=score(bool(r), True, True),
            other=score(bool(o), True, False),
            own_by_base=score(bool(r), False, False),
            other_by_base=score(bool(o), False, False),
            right=bool(r),
            other_right=bool(o),
            same=False,
            cluster=f"q{i}",
        )
        for i, (r, o) in enumerate(zip(right, other_right, strict=True))
    ]


def test_planted_self_preference_is_found() -> None:
    found = self_preference(duels(200, 1, liking=1.0, kindness=0.7))
    assert found["all"]["ci_low"] > 0
    assert found["all"]["value"] == pytest.approx(1.0, abs=0.4)
    assert found["equal"]["ci_low"] > 0
    assert "M1 favours its own answers over M0's" in told(self_preference=[{"iteration": 1, **found}])


def test_where_none_is_planted_about_one_in_twenty_is_called_one() -> None:
    runs = 200
    called = [self_preference(duels(60, seed, kindness=1.0)) for seed in range(runs)]
    for part in ("all", "equal"):
        wrong = sum(not c[part]["ci_low"] <= 0 <= c[part]["ci_high"] for c in called)
        assert wrong <= 0.1 * runs
    assert "No self-preference of M1 is shown" in told(self_preference=[{"iteration": 1, **called[0]}])


def test_better_judgement_of_better_answers_is_no_self_preference() -> None:
    """A judge that gives right answers more, of a model with more of them, looks partial until truths are equal."""
    found = self_preference(duels(2000, 3, skill=2.0))
    assert found["all"]["ci_low"] > 0
    assert found["equal"]["ci_low"] < 0 < found["equal"]["ci_high"]
    assert "No self-preference" in told(self_preference=[{"iteration": 1, **found}])


def test_harder_on_itself() -> None:
    found = self_preference(duels(200, 1, liking=-1.0))
    assert "harder on its own answers" in told(self_preference=[{"iteration": 1, **found}])


def test_equal_answers_and_unreadable_scores_are_left_out_and_counted() -> None:
    made = duels(30, 0)
    made[:12] = [replace(duel, same=True) for duel in made[:12]]
    made[12] = replace(made[12], other_by_base=None)
    found = self_preference(made)
    assert (found["questions"], found["same"], found["unreadable"], found["all"]["n"]) == (30, 12, 1, 17)
    few = self_preference(made[:15])
    assert (few["all"], few["equal"]) == (None, None)
    half = self_preference(
        [replace(duel, right=i < 5, other_right=False) for i, duel in enumerate(duels(15, 0))]
    )
    assert (half["all"]["n"], half["equal"]["n"]) == (15, 10)
    unequal = self_preference([replace(duel, right=True, other_right=False) for duel in duels(15, 0)])
    assert unequal["equal"] is None
    assert "too few of the answers are equally right" in told(self_preference=[{"iteration": 1, **unequal}])
    assert "Self-preference of M1 is not known" in told(self_preference=[{"iteration": 1, **few}])
