"""The headline says what the figures carry, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from isheep.report.verdict import verdict, warnings

Maker = Callable[..., dict[str, Any]]


def test_improved_names_scores_gain_and_interval(summary_of: Maker) -> None:
    found = summary_of([40, 60, 80])["verdict"]
    assert found["status"] == "improved"
    assert found["headline"].startswith("It worked: after 2 iterations the model gets 80.0\u00a0% ")
    assert "40.0\u00a0points more than the base model's 40.0\u00a0%" in found["headline"]
    assert "95 % interval +29." in found["headline"]
    assert (found["last"], found["best"]) == (2, 2)


def test_a_gain_whose_interval_includes_zero_is_no_improvement(summary_of: Maker) -> None:
    found = summary_of([40, 43])["verdict"]
    assert found["status"] == "no_difference"
    assert found["headline"].startswith("No clear difference: after 1 iteration ")
    assert "+3.0 points may be chance" in found["headline"]


def test_equal_scores_are_no_difference(summary_of: Maker) -> None:
    found = summary_of([40, 40])["verdict"]
    assert found["status"] == "no_difference"
    assert "a change of 0.0 points may be chance (95 % interval −1.9 to +1.9)" in found["headline"]


def test_worse_is_called_worse_and_the_best_is_named(summary_of: Maker) -> None:
    found = summary_of([40, 60, 20])["verdict"]
    assert found["status"] == "worse"
    assert found["headline"].startswith("It got worse:")
    assert "20.0\u00a0points fewer" in found["headline"]
    assert any("best model is M1" in d and "picked on these same prompts" in d for d in found["details"])


def test_opposite_figures_are_mixed(summary_of: Maker) -> None:
    summary, other = summary_of([40, 80]), summary_of([60, 20], decoding="sampled")
    for entry, more in zip(summary["iterations"], other["iterations"], strict=True):
        entry["scores"] += more["scores"]
        entry["gain"] += more["gain"]
    found = verdict(summary)
    assert found["status"] == "mixed"
    assert found["headline"].startswith("Mixed")
    assert any(d.startswith("Sampled at T = 1: 60.0") and "−40.0" in d for d in found["details"])


def test_nothing_tested(summary_of: Maker) -> None:
    summary = summary_of([], planned=2)
    assert verdict(summary)["headline"] == "Not known yet: no model of this run has been tested so far."
    untested = verdict({**summary, "tests": []})
    assert untested["status"] == "not_tested"
    assert "has no test" in untested["headline"]


def test_only_the_base_model(summary_of: Maker) -> None:
    assert summary_of([40])["verdict"]["headline"].startswith(
        "Only the base model was tested, as the recipe has no"
    )
    found = summary_of([40], planned=3)["verdict"]
    assert found["status"] == "base_only"
    assert found["headline"].startswith(
        "Not known yet: only the base model has been tested so far; it gets 40.0"
    )
    assert found["last"] is None


def test_an_unfinished_run_says_so_and_what_comes_next(summary_of: Maker) -> None:
    found = summary_of([40, 80], planned=3)["verdict"]
    assert found["status"] == "improved"
    assert "so far (1 of 3 iterations tested)" in found["headline"]
    assert "responses.1" in found["details"][0]


def test_the_interval_says_what_it_covers(summary_of: Maker) -> None:
    said = summary_of([40, 80], n=250)["verdict"]["details"][-1]
    assert "250 test prompts" in said
    assert "one training seed (7)" in said
    assert "do not cover training" in said


def test_the_base_in_the_runs_own_layout_is_told(summary_of: Maker) -> None:
    said = " ".join(summary_of([40, 80], own=31)["verdict"]["details"])
    assert "(qa)" in said
    assert "(question) it gets 31.0" in said


def test_without_greedy_the_headline_speaks_of_sampled(summary_of: Maker) -> None:
    assert summary_of([40, 80], decoding="sampled")["verdict"]["decoding"] == "sampled"


def _entry(**changes: Any) -> dict[str, Any]:
    base = {
        "iteration": 0, "scores": [], "kept": 500, "keys": {"filter": "k"}, "lengths": {"all": None, "kept": None},
        "assessment": {"auroc": None, "scales": {}}, "judge": None, "review": None,
    }  # fmt: skip
    return {**base, **changes}


def _histogram(top: int, rest: int) -> dict[str, Any]:
    return {"auroc": None, "scales": {"quality": {"histogram": [rest, *[0] * 8, top]}, "following": None}}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (_entry(kept=49), "only 49 pairs"),
        (_entry(assessment={"auroc": 0.59, "scales": {}}), "AUROC 0.59"),
        (_entry(assessment=_histogram(61, 39)), "61\u00a0% of the quality scores are 9.5 or above"),
    ],
)
def test_warnings(entry: dict[str, Any], words: str) -> None:
    (said,) = warnings({"guard": "warn", "iterations": [entry]})
    assert said.startswith("Iteration 0: ")
    assert words in said


@pytest.mark.parametrize(
    "entry",
    [
        _entry(kept=50),
        _entry(kept=0, keys={}),
        _entry(assessment={"auroc": 0.6, "scales": {}}),
        _entry(assessment=_histogram(60, 40)),
    ],
)
def test_no_warning_at_the_limit_or_for_what_is_not_done(entry: dict[str, Any]) -> None:
    assert warnings({"guard": "warn", "iterations": [entry]}) == []


def test_warns_when_answers_shrink() -> None:
    first = _entry(lengths={"all": {"short": 0.1}, "kept": None})
    later = _entry(iteration=2, lengths={"all": {"short": 0.3}, "kept": None})
    (said,) = warnings({"guard": "warn", "iterations": [first, later]})
    assert said.startswith("Iteration 2: the share of very short answers rose (10")


def test_no_warning_where_answers_were_short_from_the_start() -> None:
    first = _entry(lengths={"all": {"short": 0.8}, "kept": None})
    later = _entry(iteration=1, lengths={"all": {"short": 1.0}, "kept": None})
    assert warnings({"guard": "warn", "iterations": [first, later]}) == []


def test_warns_when_a_tuned_model_does_not_stop_but_not_for_the_base(summary_of: Maker) -> None:
    (said,) = summary_of([40, 80], ended=0.9)["warnings"]
    assert "ends only 90.0" in said
    assert summary_of([40, 80], ended=0.95)["warnings"] == []


def _review(**measures: tuple[float, float, bool]) -> dict[str, Any]:
    held = {n.replace("__", "/"): {"value": v, "limit": w, "ok": ok} for n, (v, w, ok) in measures.items()}
    return {"measures": held, "outcome": {"stop": False, "reason": "", "best": 1}}


def _probes(auroc: float, blind: bool, *preferred: str, judged_by: int = 0) -> dict[str, Any]:
    found = {
        "judged_by": judged_by,
        "auroc": auroc,
        "limit": 0.6,
        "blind": blind,
        "preferred": list(preferred),
    }
    return {"probes": found, "blind": blind}


def test_a_broken_limit_is_told_with_figure_and_limit() -> None:
    entry = _entry(review=_review(median_words=(15.0, 17.1, False), distinct=(0.5, 0.4, True)))
    (said,) = warnings({"guard": "warn", "iterations": [entry]})
    expected = "collapse guard: median words of a kept answer: 15.0, where the limit is at least 17.1."
    assert said == f"Iteration 0: {expected}"
    assert warnings({"guard": "off", "iterations": [entry]}) == []


@pytest.mark.parametrize("ok", [True, False])
def test_what_the_guard_has_looked_at_it_alone_speaks_of(ok: bool) -> None:
    """Saturated scores and answers that shrink: once where the guard minds, never where it was told not to."""
    shrinking = {"lengths": {"all": {"short": 0.4}, "kept": None}, "iteration": 1}
    review = _review(saturation__quality=(0.7, 0.6, ok), share_short=(0.4, 0.2, ok))
    first = _entry(lengths={"all": {"short": 0.1}, "kept": None})
    judged = _entry(**shrinking, assessment=_histogram(70, 30), review=review)
    told = warnings({"guard": "warn", "iterations": [first, judged]})
    assert len(told) == (0 if ok else 2)
    assert all("collapse guard" in text for text in told)
    unguarded = _entry(**shrinking, assessment=_histogram(70, 30))
    assert len(warnings({"guard": "warn", "iterations": [first, unguarded]})) == 2


def test_a_blind_judge_is_told_of_once_with_all_that_is_known() -> None:
    entry = _entry(judge=_probes(0.52, True, "wrong", "off_topic"), assessment={"auroc": 0.55, "scales": {}})
    said, own = warnings({"guard": "warn", "iterations": [entry]})
    assert said == (
        "Judge: it does not score planted right answers above wrong, off-topic ones (iteration 0: AUROC 0.52, where "
        "0.60 is the least and 0.5 is chance)."
    )
    assert own == "Iteration 0: the judge hardly tells right from wrong (AUROC 0.55; 0.5 is chance)."
    later = _entry(iteration=1, judge=_probes(0.49, True, judged_by=1))
    (both,) = warnings({"guard": "warn", "iterations": [_entry(judge=_probes(0.52, True)), later]})
    assert "above the others (iterations 0, 1: AUROC 0.49 to 0.52, where" in both
    again = _entry(iteration=1, judge=_probes(0.52, True))
    assert warnings({"guard": "warn", "iterations": [again]}) == [], "the base model, told of in iteration 0"


def test_a_judge_that_sees_is_no_warning() -> None:
    seeing = _entry(judge=_probes(0.6, False))
    assert warnings({"guard": "warn", "iterations": [seeing]}) == []


@pytest.mark.parametrize(
    ("stopped", "result", "lines"),
    [
        (None, None, []),
        (None, {"iteration": 2, "why": "the last model"}, ["The result of this run is M2: the last model."]),
        (
            "stopped: no progress",
            {"iteration": 0, "why": "no other was better on quiz, greedy"},
            [
                "Stopped: no progress.",
                "The result of this run is M0, the base model: no other was better on quiz, greedy.",
            ],
        ),
    ],
)
def test_what_stopped_a_run_and_its_result_are_said(
    summary_of: Maker, stopped: str | None, result: dict[str, Any] | None, lines: list[str]
) -> None:
    for hits in ([40, 80], []):
        summary = {**summary_of(hits, planned=1), "stopped": stopped, "result": result}
        assert verdict(summary)["outcome"] == lines


def test_an_interval_without_0_is_no_gain_where_p_says_otherwise(summary_of: Maker) -> None:
    """Five of five changes for the better: the interval excludes 0, the exact test and Holm's correction do not."""
    summary = summary_of([40, 50])
    (change,) = summary["iterations"][1]["gain"]
    assert change["ci_low"] > 0
    for p, p_holm, status in (
        (0.002, 0.03, "improved"),
        (0.002, 0.06, "no_difference"),
        (0.06, None, "no_difference"),
    ):
        change.update(p=p, p_holm=p_holm)
        found = verdict(summary)
        assert found["status"] == status
        assert (f"but p {p_holm or p:.3f}" in found["headline"]) is (status == "no_difference")


def test_the_last_of_equal_models_is_not_beaten_by_an_earlier(summary_of: Maker) -> None:
    found = summary_of([40, 60, 60])["verdict"]
    assert found["best"] == 2
    assert not any("best model" in told for told in found["details"])


def test_a_headline_never_calls_a_test_held_out(summary_of: Maker) -> None:
    """`isheep eval` asks tests that training may have seen."""
    assert "held-out" not in summary_of([40, 80])["verdict"]["headline"]


def test_grades_and_unreadable_verdicts_are_no_lack_of_tests(summary_of: Maker) -> None:
    summary = {**summary_of([], planned=1), "tests": []}
    rows = {"grade": "grades alone (talk)", "missing_rate": "no verdict could be read"}
    for metric, words in rows.items():
        for entry in summary["iterations"]:
            entry["scores"] = [{"task": "talk", "metric": metric, "value": 1.0, "n": 4, "layout": ""}]
        assert words in verdict(summary)["headline"]
