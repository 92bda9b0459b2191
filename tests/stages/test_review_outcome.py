"""review: whether a run goes on, which of its models is best, and whether its judge can judge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.records import Answer, Decision, Measure, Outcome, Pair, Record, Task, Verdict
from isheep.stages.review import ReviewSettings, probe_measures, run
from isheep.stages.stage import Context
from isheep.stats import paired_difference
from isheep.text.probes import BLIND, plant
from isheep.text.stopping import progress
from toy import SEEDS, context, pair, whole


def answers(
    right: str, task: str = "lamb", layout: str = "question", decoding: str = "greedy"
) -> list[Answer]:
    """Graded answers to as many items as there are digits: "110" has two right."""
    return [
        Answer(
            f"{layout}/{decoding}/{task}:{n}",
            task,
            f"{task}:{n}",
            layout,
            decoding,
            "x",
            c == "1",
            True,
            1,
            1,
        )
        for n, c in enumerate(right)
    ]


def ctx_for(
    models: Sequence[str | Sequence[Answer]],
    journal: Sequence[Record] = (),
    inputs: dict[str, Any] | None = None,
    notes: list[str] | None = None,
    **settings: Any,
) -> Context[Any]:
    """After the iteration that made the last of `models`, the base model first."""
    tested = {
        f"evaluate.{k}": answers(model) if isinstance(model, str) else model for k, model in enumerate(models)
    }
    iteration = max(0, len(models) - 2)
    note = {} if notes is None else {"note": notes.append}
    return context(
        ReviewSettings(**settings), Path("unused"), {**tested, **(inputs or {})}, journal, iteration=iteration, **note
    )  # fmt: skip


def outcome(models: Sequence[str | Sequence[Answer]], **given: Any) -> Outcome:
    (found,) = (record for record in run(ctx_for(models, **given)) if isinstance(record, Outcome))
    assert found.id == "outcome"
    assert found.stop == bool(found.reason)
    return found


# which model is the best


def test_all_iterations_and_the_last_model_need_no_evaluation() -> None:
    assert outcome(["", ""]) == Outcome("outcome", False, "", 1)
    assert outcome(["111", "000", "000"]) == Outcome("outcome", False, "", 2)


@pytest.mark.parametrize(
    ("models", "best"),
    [
        (["1000", "0000"], 0),
        (["1000", "0100"], 0),
        (["1000", "1100"], 1),
        (["0000", "1110", "1100"], 1),
        (["0000", "1110", "0111"], 1),
        (["0000", "1110", "1100", "1111"], 3),
    ],
)
def test_the_best_is_kept_and_of_equals_the_first(models: list[str], best: int) -> None:
    assert outcome(models, keep="best") == Outcome("outcome", False, "", best)


def test_all_iterations_are_run_though_the_best_is_kept() -> None:
    assert not outcome(["1" * 40, "0" * 40, "0" * 40, "0" * 40], keep="best").stop


BASE = [*answers("1110", layout="qa"), *answers("1000", layout="question"), *answers("0000", layout="plain")]


def test_the_base_model_counts_in_the_layout_that_suits_it_best() -> None:
    """Else a tuned model would be better merely because it is asked in its own layout."""
    assert outcome([BASE, "1100"], keep="best").best == 0
    assert outcome([BASE, "1111"], keep="best").best == 1


def both(greedy: str, sampled: str) -> list[Answer]:
    return [*answers(greedy), *answers(sampled, decoding="sampled")]


@pytest.mark.parametrize(("decoding", "best"), [("greedy", 1), ("sampled", 0)])
def test_the_decoding_decides(decoding: str, best: int) -> None:
    models = [both("1000", "1100"), both("1100", "1000")]
    assert outcome(models, keep="best", decoding=decoding).best == best


def two(one: str, other: str) -> list[Answer]:
    return [*answers(other, task="world"), *answers(one, task="lamb")]


@pytest.mark.parametrize(("on", "best"), [(None, 1), ("lamb", 1), ("world", 0)])
def test_the_evaluation_that_decides(on: str | None, best: int) -> None:
    models = [two("1000", "1100"), two("1100", "1000")]
    assert outcome(models, keep="best", on=on).best == best


# when to stop

WEAK, GOOD = "1" * 10 + "0" * 30, "1" * 30 + "0" * 10
BETTER = "1" * 31 + "0" * 9


@pytest.mark.parametrize(
    ("models", "settings", "reason"),
    [
        ([WEAK, GOOD], {}, ""),
        ([WEAK, GOOD, GOOD], {}, "stopped: 1 model(s) without progress over M1"),
        ([WEAK, GOOD, GOOD], {"patience": 2}, ""),
        ([WEAK, GOOD, GOOD, WEAK], {"patience": 2}, "stopped: 2 model(s) without progress over M1"),
        ([WEAK, WEAK], {}, "stopped: 1 model(s) without progress over M0"),
        ([WEAK, WEAK, GOOD], {"patience": 2}, ""),
        ([GOOD, BETTER], {}, "stopped: 1 model(s) without progress over M0"),
        ([GOOD, BETTER], {"certain": False}, ""),
        ([GOOD, BETTER], {"certain": False, "min_effect": 0.03}, "stopped: 1 model(s) without progress over M0"),
        ([GOOD, BETTER], {"certain": False, "min_effect": 0.02}, ""),
        ([WEAK, GOOD], {"min_effect": 0.5}, "stopped: 1 model(s) without progress over M0"),
    ],
)  # fmt: skip
def test_stagnation(models: list[str], settings: dict[str, Any], reason: str) -> None:
    notes: list[str] = []
    found = outcome(models, until="stagnation", notes=notes, **settings)
    assert found == Outcome("outcome", bool(reason), reason, len(models) - 1)
    assert notes == [reason] * bool(reason)


def test_a_stop_can_keep_the_best() -> None:
    found = outcome([WEAK, BETTER, GOOD], until="stagnation", keep="best")
    assert (found.stop, found.best) == (True, 1)


def test_the_collapse_guard_speaks_first() -> None:
    pairs = [pair(f"0.{n}") for n in range(4)]
    inputs = {
        "responses": pairs,
        "filter": [Decision(p.id, True, None, 10.0, None) for p in pairs],
        "assessment": [Verdict(f"{p.id}/quality", p.id, "quality", 10.0) for p in pairs],
    }
    found = outcome([GOOD, WEAK], inputs=inputs, until="stagnation", keep="best", guard={"action": "stop"})
    assert found == Outcome("outcome", True, "stopped by the collapse guard: saturation/quality", 0)


@given(
    st.lists(st.text("01", min_size=5, max_size=5), min_size=2, max_size=5),
    st.sampled_from(["fixed", "stagnation"]),
    st.sampled_from(["last", "best"]),
    st.integers(1, 3),
    st.booleans(),
)
def test_the_outcome_is_what_progress_says(
    models: list[str], until: str, keep: str, patience: int, certain: bool
) -> None:
    found = outcome(models, until=until, keep=keep, patience=patience, certain=certain)
    history = [{str(n): c == "1" for n, c in enumerate(model)} for model in models]
    told = progress(history, paired_difference, patience=patience, certain=certain)
    assert found.stop == (until == "stagnation" and told.stop)
    assert found.best == (told.best if keep == "best" else len(models) - 1)


def test_an_interruption_anywhere_changes_nothing() -> None:
    given: dict[str, Any] = {"until": "stagnation", "keep": "best", "inputs": judged(False)}
    made = whole(run, lambda journal: ctx_for([WEAK, WEAK], journal, **given))
    assert sum(isinstance(record, Outcome) for record in made) == 1


# whether the judge can judge

PLANTED = plant([Task(row["id"], row["instruction"], "", row["output"]) for row in SEEDS], 6, 0)


def judged(able: bool) -> dict[str, Sequence[Record]]:
    """The planted answers with the verdicts of a judge that knows right from wrong, or gives all the same."""
    scores = [
        Verdict(f"{p.id}/quality", p.id, "quality", 9.0 if right(p) or not able else 3.0) for p in PLANTED
    ]
    return {"probes": PLANTED, "probe_scores": scores}


def right(planted: Pair) -> bool:
    return planted.id.endswith(":right")


def measures(notes: list[str], **inputs: Any) -> dict[str, Measure]:
    made = run(ctx_for(["", ""], inputs=inputs, notes=notes))
    return {record.id: record for record in made if record.id.startswith("probe")}  # type: ignore[misc]


def test_a_judge_that_tells_right_from_wrong() -> None:
    notes: list[str] = []
    found = measures(notes, **judged(True))
    assert found["probe_auroc"] == Measure("probe_auroc", 1.0, BLIND, True)
    assert found["probe_mean/right"] == Measure("probe_mean/right", 9.0)
    assert found["probe_mean/evasive"] == Measure("probe_mean/evasive", 3.0)
    assert found["probe_auroc/wrong"] == Measure("probe_auroc/wrong", 1.0)
    assert "probe_auroc/right" not in found
    assert notes == []


def test_a_blind_judge_is_warned_of_and_stops_nothing() -> None:
    notes: list[str] = []
    found = measures(notes, **judged(False))
    assert found["probe_auroc"] == Measure("probe_auroc", 0.5, BLIND, False)
    assert notes == ["judge: probe_auroc is 0.5, where 0.6 is the least that tells anything"]
    assert not outcome(["", ""], inputs=judged(False), guard={"action": "stop"}).stop


def test_a_judge_nobody_can_read_is_not_known() -> None:
    silent = [Verdict(f"{p.id}/quality", p.id, "quality", None) for p in PLANTED]
    notes: list[str] = []
    found = measures(notes, probes=PLANTED, probe_scores=silent)
    assert found["probe_auroc"] == Measure("probe_auroc", None, BLIND, None)
    assert notes == []


def test_both_scales_and_several_verdicts_are_averaged() -> None:
    scores = [
        Verdict(f"{p.id}/{scale}/{n}", p.id, scale, mark)
        for p in PLANTED
        for scale, marks in (("quality", (10.0, 8.0, None)), ("following", (5.0, 5.0)))
        for n, mark in enumerate(marks)
    ]
    found = {m.id: m for m in probe_measures(PLANTED, scores)}
    assert found["probe_mean/right"].value == pytest.approx(7.0)


@pytest.mark.parametrize("missing", ["probes", "probe_scores"])
def test_without_probes_there_are_no_figures(missing: str) -> None:
    assert measures([], **{**judged(True), missing: []}) == {}
