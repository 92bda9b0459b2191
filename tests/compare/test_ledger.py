"""The ledger against figures known by hand, and what may be called matched."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.report.ledger import Cost, Ledger, ledger, matched, matched_pairs, pooled
from isheep.runs import Run
from made_runs import MakeRun

PAPER = Ledger(
    ("r",), {"responses": Cost(generated=1000, trained=500, flops=1e6)}, Cost(), (100, 100), (100, 100), ()
)


def test_every_figure_by_hand(make_run: MakeRun) -> None:
    """Two iterations of 200 read and 100 written, 42 scored and 50 trained on; N = 1000."""
    made = ledger(make_run("arm", 0, lambda *_: True))
    assert made.stages["responses"] == Cost(
        read=400, generated=200, flops=2 * 1000 * 600, seconds=2, joules=10
    )
    assert made.stages["assessment"] == Cost(scored=84, flops=2 * 1000 * 84, seconds=2, joules=10)
    assert made.stages["train"] == Cost(trained=100, flops=6 * 1000 * 100, seconds=2, joules=10)
    assert made.stages["filter"] == Cost(seconds=2)
    assert made.training == Cost(400, 200, 84, 100, 1000 * (1200 + 168 + 600), 9, 30)
    assert made.evaluation == Cost(read=3000, generated=30, flops=2 * 1000 * 3030, seconds=3, joules=15)
    assert "evaluate" not in made.stages
    assert (made.kept, made.trained_pairs) == ((4, 2), (4, 2))


def test_up_to_a_model(make_run: MakeRun) -> None:
    run = make_run("arm", 0, lambda *_: True)
    first, base = ledger(run, until=1), ledger(run, until=0)
    assert (first.training.generated, first.training.trained, first.kept) == (100, 50, (4,))
    assert first.evaluation.read == 2000
    assert (base.training, base.kept, base.evaluation.read) == (Cost(), (), 1000)
    assert ledger(run, until=2) == ledger(run)


def test_what_comes_after_a_stop_is_not_part_of_the_run(make_run: MakeRun) -> None:
    stopped = make_run("arm", 0, lambda *_: True, stop_after=0)
    assert ledger(stopped).kept == (4,)
    assert ledger(stopped).evaluation.read == 2000


def test_what_was_not_recorded_is_not_known(make_run: MakeRun) -> None:
    made = ledger(make_run("arm", 0, lambda *_: True, parameters=None, joules=None))
    assert (made.training.flops, made.training.joules) == (None, None)
    assert made.training.generated == 200
    assert any("responses did not record its model's size" in note for note in made.notes)
    assert any("train recorded no energy" in note for note in made.notes)
    assert made.stages["filter"].flops == 0  # no token, no FLOP, whatever N is
    assert any("shared with other runs count in full" in note for note in made.notes)


def test_as_plain_data(make_run: MakeRun) -> None:
    made = ledger(make_run("arm", 3, lambda *_: True)).as_dict()
    assert made["runs"] == ["arm.seed3"]
    assert (
        made["training"]["generated"] == sum(stage["generated"] for stage in made["stages"].values()) == 200
    )
    assert made["evaluation"]["read"] == 3000
    assert made["kept"] == [4, 2]


def test_a_real_run_counts_what_its_manifests_hold(fake_arms: dict[str, list[Run]]) -> None:
    run = fake_arms["best"][0]
    made = ledger(run)
    every = {s.name: a.manifest["usage"] for s in run.due if (a := run.artifact(s))}
    tests = {name for name in every if name.startswith(("evaluate.", "exam"))}
    usage = {name: used for name, used in every.items() if name not in tests}
    assert made.training.generated + made.training.read + made.training.scored == sum(
        u["prompt_tokens"] + u["tokens"] for u in usage.values()
    )
    assert made.training.trained == sum(u["trained_tokens"] for u in usage.values()) > 0
    assert made.training.generated > 0
    assert made.evaluation.generated + made.evaluation.read + made.evaluation.scored == sum(
        every[name]["prompt_tokens"] + every[name]["tokens"] for name in tests
    )
    assert made.stages["assessment"].scored > 0
    assert made.stages["assessment"].generated == made.stages["assessment"].read == 0
    assert len(made.kept) == run.recipe.iterations


def test_shared_steps_count_in_full_for_each_arm(fake_arms: dict[str, list[Run]]) -> None:
    """The two arms differ from the first filter on; what comes before was done once, and is in both ledgers."""
    best, other = (fake_arms[arm][0] for arm in ("best", "random"))
    shared = {step.key for step in best.steps} & {
        step.key for step in other.steps if step.stage == "responses"
    }
    assert shared
    assert ledger(best, until=1).stages["responses"] == ledger(other, until=1).stages["responses"]


def test_pooled_is_the_mean_over_seeds(make_run: MakeRun) -> None:
    made = [ledger(make_run("arm", seed, lambda *_: True, generated=100 * (seed + 1))) for seed in range(3)]
    mean = pooled(made)
    assert mean.training.generated == 400
    assert mean.runs == ("arm.seed0", "arm.seed1", "arm.seed2")
    assert mean.kept == (4, 2)
    shorter = replace(made[0], kept=(6,))
    assert pooled([made[1], shorter]).kept == (5, 1)  # a run that ended earlier kept nothing later
    with pytest.raises(ValueError, match="no ledger"):
        pooled([])


def test_what_one_run_does_not_know_the_mean_does_not_know(make_run: MakeRun) -> None:
    known, unknown = (ledger(make_run("arm", i, lambda *_: True, joules=j)) for i, j in ((0, 5.0), (1, None)))
    assert pooled([known, unknown]).training.joules is None
    assert pooled([known, unknown]).training.flops == known.training.flops


def changed(**figures: float | None) -> Ledger:
    """The reference with one stage's figures changed."""
    return replace(PAPER, stages={"responses": replace(PAPER.stages["responses"], **figures)})


def test_equal_ledgers_match() -> None:
    assert matched(PAPER, PAPER) == matched_pairs(PAPER, PAPER) == []


@pytest.mark.parametrize(
    ("arm", "why"),
    [
        (changed(generated=1051), "tokens generated: 1,051 against 1,000 (+5 %)"),
        (changed(trained=400), "tokens trained on: 400 against 500 (-20 %)"),
        (changed(flops=3e12), "model FLOPs: 3e+12 against 1,000,000 (+299999900 %)"),
        (changed(flops=None), "model FLOPs are not known"),
        (replace(PAPER, kept=(100, 120)), "kept pairs: 220 against 200 (+10 %)"),
        (replace(PAPER, trained_pairs=(100, 300)), "trained pairs: 400 against 200 (+100 %)"),
    ],
)
def test_each_figure_can_refuse_the_label(arm: Ledger, why: str) -> None:
    assert matched(arm, PAPER) == [why]


def test_within_the_tolerance() -> None:
    assert matched(changed(generated=1050, trained=475, flops=0.95e6), PAPER) == []
    assert matched(changed(generated=1050), PAPER, tolerance=0.01)


def test_pairs_are_matched_iteration_by_iteration() -> None:
    """M2 is trained on the second iteration alone, so equal totals are not enough."""
    assert matched_pairs(replace(PAPER, kept=(50, 150)), PAPER) == [
        "pairs kept in iteration 0: 50 against 100 (-50 %)",
        "pairs kept in iteration 1: 150 against 100 (+50 %)",
    ]


def test_all_at_once_is_matched_in_total() -> None:
    assert matched_pairs(replace(PAPER, kept=(200,)), PAPER) == []
    assert matched_pairs(replace(PAPER, kept=(100,)), PAPER) == ["kept pairs: 100 against 200 (-50 %)"]


def test_nothing_matches_nothing_only() -> None:
    nothing = replace(PAPER, kept=(0, 0))
    assert matched_pairs(nothing, nothing) == []
    assert matched_pairs(PAPER, nothing) == [f"pairs kept in iteration {t}: 100 against 0" for t in (0, 1)]


costs = st.builds(
    Cost,
    *[st.integers(0, 1000)] * 4,
    st.none() | st.integers(0, 1000),
    st.integers(0, 9),
    st.none() | st.integers(0, 9),
)


@given(st.lists(costs, min_size=1, max_size=5))
def test_costs_add_up(parts: list[Cost]) -> None:
    total = sum(parts, Cost())
    assert total.generated == sum(part.generated for part in parts)
    assert (total.flops is None) is any(part.flops is None for part in parts)
    assert total == sum(reversed(parts), Cost())
