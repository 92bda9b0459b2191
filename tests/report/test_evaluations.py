"""From items to scores: intervals over clusters, paired changes, what may not be paired, the family of tests."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.errors import PairingError
from isheep.records import Answer, Item
from isheep.report.evaluations import (
    best_layouts,
    correct,
    family_of,
    gain_rows,
    in_best_layout,
    in_other_layout,
    paired,
    score_rows,
)
from isheep.report.items import from_answers
from isheep.stats import holm, paired_difference, wilson


def item(prompt: str, value: float | None, **changes: object) -> Item:
    made = Item(f"t/{prompt}/acc", "t", prompt, "", prompt, "acc", value, f"hash of {prompt}", 3, "test 1")
    return replace(made, **changes)


def items(*values: float | None) -> list[Item]:
    return [item(str(n), value) for n, value in enumerate(values)]


def test_a_share_has_wilsons_interval() -> None:
    (row,) = score_rows(items(1, 1, 0, 1))
    low, high = wilson(3, 4)
    assert (row["task"], row["metric"], row["value"], row["n"], row["missing"]) == ("t", "acc", 0.75, 4, 0)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high))


def test_a_missing_value_is_counted_and_not_a_number() -> None:
    (row,) = score_rows(items(1, None, 1, None))
    assert (row["value"], row["n"], row["missing"]) == (1.0, 2, 2)
    (nothing,) = score_rows(items(None, None))
    assert nothing["value"] is None
    assert nothing["missing"] == 2


def test_items_of_one_cluster_count_for_less() -> None:
    values = [1.0, 0.0] * 20
    (alone,) = score_rows([item(str(n), v) for n, v in enumerate(values)])
    grouped = [item(str(n), float(n < 20), cluster=str(n // 10)) for n in range(40)]
    (wide,) = score_rows(grouped)
    assert wide["clusters"] == 4
    assert wide["ci_high"] - wide["ci_low"] > 1.5 * (alone["ci_high"] - alone["ci_low"])


def test_changes_within_one_cluster_count_for_less() -> None:
    """All twenty gains lie in two of eight clusters: as single items a clear gain, as clusters none."""

    def model(hits: int, clustered: bool) -> list[Item]:
        where = [str(n // 10) if clustered else str(n) for n in range(80)]
        return [item(str(n), float(n < hits), cluster=where[n]) for n in range(80)]

    (alone,) = gain_rows(model(20, False), model(0, False))
    (grouped,) = gain_rows(model(20, True), model(0, True))
    assert grouped["value"] == alone["value"] == 0.25
    assert (alone["clusters"], grouped["clusters"]) == (80, 8)
    assert alone["p"] < 0.001
    assert grouped["p"] > 0.05
    assert grouped["ci_high"] - grouped["ci_low"] > 2 * (alone["ci_high"] - alone["ci_low"])


def test_grades_are_no_shares() -> None:
    (row,) = score_rows([item(str(n), v, metric="grade") for n, v in enumerate([10.0, 10.0, 9.0])])
    assert 1 <= row["ci_low"] < row["value"] < row["ci_high"] <= 10


def test_a_change_is_paired_by_prompt() -> None:
    before, after = items(0, 0, 1, 1, 0), items(1, 1, 1, 0, 1)
    (row,) = gain_rows(reversed(after), before)
    value, low, high = paired_difference([True, True, True, False, True], [False, False, True, True, False])
    assert (row["value"], row["ci_low"], row["ci_high"]) == pytest.approx((value, low, high))
    assert row["n"] == 5


def test_what_has_no_value_on_one_side_is_no_pair() -> None:
    (row,) = gain_rows(items(1, None, 1), items(0, 1, None))
    assert row["n"] == 1
    assert gain_rows(items(1), items(None)) == []


def test_other_prompts_are_refused() -> None:
    before = [item("0", 1.0)]
    with pytest.raises(PairingError, match="'0' was not the same"):
        paired([item("0", 1.0, prompt_hash="another")], before)
    (row,) = gain_rows([item("0", 1.0, prompt_hash="another")], before)
    assert row["value"] is None
    assert "not the same" in row["refused"]
    assert family_of([row], (), {"t": "acc"}) == []


def test_other_scorers_are_refused() -> None:
    with pytest.raises(PairingError, match="one was scored by test 1, the other by test 2"):
        paired([item("0", 1.0, scorer="test 2")], [item("0", 1.0)])


def test_a_model_that_said_nothing_is_paired_with_one_that_was_judged() -> None:
    """An empty answer loses by rule, without a judge: a model that falls silent must not escape the comparison."""
    judged = item("0", 1.0, scorer="judge X, prompts isheep 1, baseline ab")
    silent = item("0", 0.0, scorer="judge rule, prompts isheep 1, baseline ab")
    assert paired([silent], [judged])
    with pytest.raises(PairingError):
        paired([item("0", 0.0, scorer="judge rule, prompts isheep 1, baseline cd")], [judged])


def test_only_the_same_metric_and_part_is_paired() -> None:
    one = item("0", 1.0, item="first")
    assert paired([one], [item("0", 1.0, item="second")]) == []
    assert paired([one], [item("0", 1.0, item="first", metric="f1")]) == []


def answers(layout: str, *right: bool) -> list[Answer]:
    return [
        Answer(f"{layout}/greedy/x:{n}", "x", f"x:{n}", layout, "greedy", "said", ok, True, 3, 4)
        for n, ok in enumerate(right)
    ]


def test_the_base_model_counts_in_its_best_layout() -> None:
    made = from_answers([*answers("plain", True, False), *answers("qa", True, True)], {"x:0": "h"})
    assert best_layouts(made) == {("x", "greedy"): "qa"}
    assert {i.layout for i in in_best_layout(made)} == {"qa"}
    rows = {row["metric"]: row for row in score_rows(made)}
    assert rows["accuracy_greedy"]["layout"] == "qa"
    assert rows["accuracy_greedy@plain"]["value"] == 0.5
    assert rows["ended_greedy"]["value"] == 1
    tuned = from_answers(answers("plain", True, False), {"x:0": "h"})
    (change,) = gain_rows(tuned, made)  # how it ends is not compared
    assert change["metric"] == "accuracy_greedy"
    assert change["value"] == -0.5


def test_a_metric_with_an_at_sign_is_no_other_layout() -> None:
    code = score_rows([item("0", 1.0, metric="pass@1"), item("0", 1.0, layout="plain")])
    assert not any(map(in_other_layout, code))
    made = from_answers([*answers("plain", False), *answers("qa", True)], {})
    named = {row["metric"]: in_other_layout(row) for row in score_rows(made)}
    assert named["accuracy_greedy@plain"]
    assert not named["accuracy_greedy"]


def test_the_family_is_what_the_recipe_declares() -> None:
    rows = [{"task": t, "metric": m, "p": 0.02} for t in "ab" for m in ("acc", "f1")]
    headlines = {"a": "acc", "b": "f1"}
    named = {
        (): ["a/acc", "b/f1"],
        ("b",): ["b/f1"],
        ("b/acc",): ["b/acc"],
        ("a", "a/f1"): ["a/acc", "a/f1"],
    }
    for declared, expected in named.items():
        assert [f"{r['task']}/{r['metric']}" for r in family_of(rows, declared, headlines)] == expected
    family = [{"p": 0.01, "p_holm": None}, {"p": 0.04, "p_holm": None}]
    correct(family)
    assert [row["p_holm"] for row in family] == holm([0.01, 0.04])


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_a_change_mirrors(outcomes: list[tuple[bool, bool]]) -> None:
    one, two = items(*(float(a) for a, _ in outcomes)), items(*(float(b) for _, b in outcomes))
    (there,), (back,) = gain_rows(one, two), gain_rows(two, one)
    assert there["value"] == pytest.approx(-back["value"])
    assert there["ci_low"] == pytest.approx(-back["ci_high"])
    assert there["ci_low"] <= there["value"] <= there["ci_high"]
