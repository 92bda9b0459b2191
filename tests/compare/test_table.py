"""The comparison against figures chosen by hand: pairing, choice of model, corrections, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from statistics import fmean

import pytest

from isheep.compare import COLUMNS, Comparison, compare, headline, lines
from isheep.compare.results import Result
from isheep.errors import StoreError
from isheep.runs import Run
from isheep.stats import crossed, crossed_share, holm
from made_runs import MakeRun, Right, skilled

Arms = dict[str, list[Run]]


def first(n: int) -> Right:
    """Right on the first items: `n` for the base model, `n` more for every iteration."""
    return lambda t, i, decoding: i < n * (t + 1)


def of(found: Comparison, arm: str, iteration: str | None = None) -> Result:
    """The one result of an arm."""
    (result,) = [r for r in found.results if r.arm == arm and iteration in (None, r.iteration)]
    return result


def test_scores_and_differences_by_hand(make_run: MakeRun) -> None:
    """Of ten items: arm a gets 2, 4, 6 right by iteration under every seed; arm b 3, 6, 9."""
    arms = {name: [make_run(name, seed, first(n)) for seed in range(3)] for name, n in (("a", 2), ("b", 3))}
    found = compare(arms, "a")
    a, b = of(found, "a"), of(found, "b")
    assert (a.score.value, a.seeds, a.iterations, a.score_by_seed) == (0.6, (0, 1, 2), (2, 2, 2), (0.6,) * 3)
    assert (a.difference, a.p_holm, a.pair_matched, a.compute_matched) == (None,) * 4
    # The base model in its best layout, though it was tried in a worse one.
    assert a.base_by_seed == (0.2,) * 3
    table = [[0.0] * 6 + [1.0] * 3 + [0.0]] * 3
    assert b.difference == crossed(table)
    assert b.difference.value == pytest.approx(0.3)
    assert b.difference_by_seed == pytest.approx((0.3,) * 3)
    assert b.score == crossed_share([[True] * 9 + [False]] * 3)
    assert b.gain == crossed([[0.0] * 3 + [1.0] * 6 + [0.0]] * 3)
    assert (b.pair_matched, b.compute_matched) == ((), ())


def test_seeds_are_paired_with_their_own(make_run: MakeRun) -> None:
    """Seeds are far apart, and the arms differ by one item under each: pairing sees it."""
    arms = {
        name: [make_run(name, seed, lambda t, i, d, n=seed * 8 + more: i < n, items=40) for seed in range(4)]
        for name, more in (("a", 2), ("b", 7))
    }
    result = of(compare(arms, "a"), "b")
    assert result.difference_by_seed == pytest.approx((5 / 40,) * 4)
    assert result.difference is not None
    assert result.difference.low > 0


def test_one_model_by_number_and_all(make_run: MakeRun) -> None:
    arms = {name: [make_run(name, seed, first(n)) for seed in range(2)] for name, n in (("a", 2), ("b", 3))}
    one = compare(arms, "a", iteration=1)
    assert of(one, "b").iterations == (1, 1)
    assert of(one, "b").score.value == pytest.approx(0.6)
    assert of(one, "b").ledger.training.generated == 100
    every = compare(arms, "a", iteration="all")
    assert [(r.arm, r.iteration) for r in every.results] == [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")]
    assert of(every, "b", "1").difference == of(one, "b").difference
    assert of(every, "b", "2").difference == of(compare(arms, "a"), "b").difference


def test_the_best_model_is_the_one_its_own_review_named(make_run: MakeRun) -> None:
    a = [make_run("a", seed, first(2)) for seed in range(2)]
    b = [make_run("b", seed, first(3), best=seed + 1) for seed in range(2)]
    found = compare({"a": a, "b": b}, "a", iteration="best")
    assert of(found, "a").iterations == (2, 2)  # no review: the last
    assert of(found, "b").iterations == (1, 2)
    assert of(found, "b").score_by_seed == pytest.approx((0.6, 0.9))
    assert of(found, "b").ledger.training.generated == 200  # it took the whole run to know
    assert [row[2] for row in lines(found)[1:]] == ["best: M2", "best: M1 M2"]


def test_holm_counts_every_difference_of_a_decoding(chosen_arms: Arms) -> None:
    found = compare(chosen_arms, "plain", iteration="all")
    for decoding in ("greedy", "sampled"):
        here = [r for r in found.results if r.decoding == decoding and r.difference]
        assert len(here) == 4  # two arms, two models
        assert [r.p_holm for r in here] == holm([r.difference.p for r in here if r.difference])
        gains = [r for r in found.results if r.decoding == decoding and r.gain]
        assert [r.gain_p_holm for r in gains] == holm([r.gain.p for r in gains if r.gain])
        assert len(gains) == 6


def test_what_is_better_is_called_better_and_what_is_not_is_not(chosen_arms: Arms) -> None:
    found = compare(chosen_arms, "plain")
    assert headline(found).startswith("Against plain (quiz, greedy): better: better (+")
    assert "no clear difference: alike (" in headline(found)
    better, alike = (next(r for r in found.results if r.arm == arm) for arm in ("better", "alike"))
    assert better.p_holm is not None
    assert better.p_holm < 0.01
    assert alike.p_holm is not None
    assert alike.p_holm > 0.05
    assert better.compute_matched == (
        "kept pairs: 14 against 16 (-12 %)",
        "trained pairs: 14 against 16 (-12 %)",
    )
    assert better.pair_matched == ("pairs kept in iteration 1: 6 against 8 (-25 %)",)
    assert alike.compute_matched == alike.pair_matched == ()
    turned = compare(chosen_arms, "better")
    assert "worse: plain (−" in headline(turned)


def test_every_model_has_its_level(chosen_arms: Arms) -> None:
    found = compare(chosen_arms, "plain")
    levels = [x for x in found.levels if (x.arm, x.decoding) == ("better", "sampled")]
    assert [x.iteration for x in levels] == [0, 1, 2]
    last = next(r for r in found.results if (r.arm, r.decoding) == ("better", "sampled"))
    assert levels[-1].score == last.score
    assert levels[0].score_by_seed == last.base_by_seed


def test_the_judge_is_the_one_that_chose_the_training_data(make_run: MakeRun) -> None:
    blind = [make_run("blind", seed, first(2), scores=(5.0, 5.0)) for seed in range(2)]
    wrong = [make_run("wrong", seed, first(2), scores=(1.0, 5.0)) for seed in range(2)]
    mixed = [make_run("mixed", seed, first(2), scores=(9.0, 5.0 if seed else 9.0)) for seed in range(2)]
    found = compare({"blind": blind, "wrong": wrong, "mixed": mixed}, "blind")
    assert [of(found, arm).auroc for arm in ("blind", "wrong", "mixed")] == [0.5, 0.0, 0.75]


def test_seeds_of_one_arm_only_are_left_out_and_named(make_run: MakeRun) -> None:
    a = [make_run("a", seed, first(2)) for seed in (0, 1, 2)]
    b = [make_run("b", seed, first(3)) for seed in (1, 2, 3)]
    found = compare({"a": a, "b": b}, "a")
    assert of(found, "b").seeds == (1, 2)
    assert of(found, "a").seeds == (0, 1, 2)
    assert "Seed 3 of b is left out: the reference has no run of it." in found.notes
    assert "Seed 0 of the reference is left out against b: it has no run of it." in found.notes
    assert any(note.startswith("Two seeds are too few") for note in found.notes)
    every = compare({"a": a, "b": b}, "a", iteration="all").notes
    assert len(every) == len(found.notes)  # said once, not for each model


def test_no_seed_in_common_is_no_difference(make_run: MakeRun) -> None:
    found = compare({"a": [make_run("a", 0, first(2))], "b": [make_run("b", 1, first(3))]}, "a")
    assert of(found, "b").difference is None
    assert of(found, "b").score.value == pytest.approx(0.9)
    assert any("under the same seed" in note for note in found.notes)
    assert headline(found) == "Nothing to compare a with (quiz, greedy)."


def test_one_seed_covers_prompts_only_and_says_so(make_run: MakeRun) -> None:
    found = compare({"a": [make_run("a", 0, first(2))], "b": [make_run("b", 0, first(3))]}, "a")
    assert of(found, "b").difference is not None
    assert of(found, "b").score.seeds == 1
    assert any("another seed gives another model" in note for note in found.notes)


def test_unfinished_and_untested_runs_are_left_out_and_named(make_run: MakeRun) -> None:
    a = [make_run("a", seed, first(2)) for seed in range(2)]
    b = [make_run("b", 0, first(3)), make_run("b", 1, first(3), complete=False)]
    untested = Run("b.seed2", a[0].store, a[0].recipe, tuple(s for s in a[0].steps if s.stage != "evaluate"))
    found = compare({"a": a, "b": [*b, untested], "c": [b[1]]}, "a")
    assert of(found, "b").seeds == (0,)
    arms = {arm.name: arm for arm in found.arms}
    assert arms["b"].left_out == {
        "b.seed1": "not complete",
        "b.seed2": "never tested (its recipe names no test)",
    }
    assert arms["c"].left_out == {"b.seed1": "not complete"}
    assert {r.arm for r in found.results} == {"a", "b"}
    with pytest.raises(StoreError, match=r"no run of c can be compared \(b.seed1: not complete\)"):
        compare({"a": a, "c": [b[1]]}, "c")


def test_a_model_that_not_every_run_has(make_run: MakeRun) -> None:
    a = [make_run("a", seed, first(2), iterations=3, kept=(1, 1, 1)) for seed in range(2)]
    b = [make_run("b", 0, first(2)), make_run("b", 1, first(2), iterations=3, kept=(1, 1, 1))]
    found = compare({"a": a, "b": b}, "a", iteration=3)
    assert of(found, "b").seeds == (1,)
    assert "b.seed0 is left out of b: no M3 of it was tested." in found.notes
    assert "Seed 0 of the reference is left out against b: it has no M3 of it." in found.notes
    assert [
        r.iteration for r in compare({"a": a, "b": b}, "b", iteration="all").results if r.arm == "a"
    ] == list("123")
    with pytest.raises(StoreError, match="b has no tested model 4"):
        compare({"a": a, "b": b}, "b", iteration=4)


def test_a_run_that_its_review_stopped_is_complete(make_run: MakeRun) -> None:
    a = [make_run("a", seed, first(2)) for seed in range(3)]
    b = [make_run("b", seed, first(2), stop_after=0 if seed == 1 else None) for seed in range(3)]
    found = compare({"a": a, "b": b}, "a")
    assert of(found, "b").iterations == (2, 1, 2)
    assert lines(found)[2][2] == "last: M2 M1 M2"
    assert of(found, "b").ledger.kept == (4, pytest.approx(4 / 3))


def test_a_base_model_can_be_an_arm(make_run: MakeRun) -> None:
    a = [make_run("a", seed, first(2)) for seed in range(3)]
    base = [make_run("base", seed, first(2), iterations=0) for seed in range(3)]
    result = of(compare({"a": a, "base": base}, "a"), "base")
    assert (result.iterations, result.gain, result.auroc) == ((0, 0, 0), None, None)
    assert result.difference is not None
    assert result.difference.value == pytest.approx(-0.4)
    assert result.ledger.training.flops == 0


@pytest.mark.parametrize("change", [{"items": 11}, {"wording": "Write"}, {"asked": 9}])
def test_other_prompts_are_never_paired(make_run: MakeRun, change: dict[str, int | str]) -> None:
    """Neither another number of prompts, nor other prompts under the same names, nor a part of them."""
    arms = {"a": [make_run("a", 0, first(2))], "b": [make_run("b", 0, first(2), **change)]}
    with pytest.raises(StoreError, match="tested on other quiz prompts") as caught:
        compare(arms, "a")
    assert "same test file" in caught.value.hint


def test_tests_not_shared_by_all_are_left_out_and_named(make_run: MakeRun) -> None:
    a = [make_run("a", 0, first(2), decodings=("greedy", "sampled"))]
    b = [make_run("b", 0, first(2))]
    found = compare({"a": a, "b": b}, "a")
    assert found.cells() == [("quiz", "greedy")]
    assert found.notes[0] == "quiz (sampled) is left out: not every run was tested on it."
    assert compare({"a": a}, "a", decodings=["sampled"]).cells() == [("quiz", "sampled")]
    for wanted in ({"decodings": ["sampled"]}, {"tasks": ["other"]}):
        with pytest.raises(StoreError, match="not every run was tested on that") as caught:
            compare({"a": a, "b": b}, "a", **wanted)
        assert "quiz (greedy)" in caught.value.hint
    c = [make_run("c", 0, first(2), task="other")]
    with pytest.raises(StoreError, match="not every run"):
        compare({"a": a, "c": c}, "a")


def test_two_runs_of_one_seed_are_refused(make_run: MakeRun) -> None:
    twice = [make_run("a", 0, first(2)), make_run("b", 0, first(2))]
    with pytest.raises(StoreError, match="a has two runs of seed 0"):
        compare({"a": twice}, "a")


@pytest.mark.parametrize(
    ("reference", "iteration", "message"),
    [("other", "last", "no arm 'other'"), ("a", "newest", "'newest' names no model")],
)
def test_a_choice_that_means_nothing(make_run: MakeRun, reference: str, iteration: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        compare({"a": [make_run("a", 0, first(2))]}, reference, iteration=iteration)


def test_rows_csv_and_json_agree(chosen_arms: Arms, tmp_path: Path) -> None:
    found = compare(chosen_arms, "plain")
    rows = found.rows()
    assert all(list(row) == list(COLUMNS) for row in rows)
    found.to_csv(tmp_path / "c.csv")
    found.to_json(tmp_path / "c.json")
    with (tmp_path / "c.csv").open(newline="") as stream:
        read = list(csv.DictReader(stream))
    plain = json.loads((tmp_path / "c.json").read_text())
    assert plain["rows"] == rows
    assert plain["reference"] == "plain"
    assert len(read) == len(rows) == 6
    for text, row in zip(read, rows, strict=True):
        assert float(text["score"]) == row["score"] == pytest.approx(fmean(row["score_by_seed"]))
        assert [float(v) for v in text["score_by_seed"].split()] == row["score_by_seed"]
        assert text["compute_matched"] == {None: "", True: "true", False: "false"}[row["compute_matched"]]
        assert text["difference_p_holm"] == ("" if row["arm"] == "plain" else str(row["difference_p_holm"]))
    better = next(row for row in rows if row["arm"] == "better")
    result = next(r for r in found.results if r.arm == "better")
    assert result.difference is not None
    assert (better["difference_low"], better["difference_df"]) == (
        result.difference.low,
        result.difference.df,
    )
    assert better["pair_matched_why"] == list(result.pair_matched or ())
    assert better["compute_matched_why"] == list(result.compute_matched or ())
    assert (better["pair_matched"], better["compute_matched"]) == (False, False)
    assert (better["kept"], better["trained_pairs"], better["generated"]) == ([8, 6], [8, 6], 200)
    assert {(x["arm"], x["iteration"]) for x in plain["ledgers"]} == {(a, "last") for a in chosen_arms}
    assert [arm["name"] for arm in plain["arms"]] == list(chosen_arms)


def test_lines_hold_a_row_for_each_result(chosen_arms: Arms) -> None:
    found = compare(chosen_arms, "plain")
    header, *rows = lines(found)
    assert len(rows) == len(found.results)
    assert all(len(row) == len(header) for row in rows)
    assert [row[0] for row in rows] == [r.arm for r in found.results]
    cells = dict(zip(header, rows[1], strict=True))
    assert (cells["arm"], cells["model"], cells["compute"], cells["kept"]) == (
        "better",
        "last: M2",
        "no",
        "8 6",
    )


def test_real_runs_of_the_fake_backend(fake_arms: Arms) -> None:
    found = compare(fake_arms, "best", iteration="all")
    assert not any(arm.left_out for arm in found.arms)
    for result in found.results:
        assert result.seeds == (0, 1, 2)
        assert result.score.prompts == 12
        assert result.score.low <= result.score.value <= result.score.high
        assert len(result.ledger.kept) == int(result.iteration)
    # The arms choose other pairs from one pool in the first iteration, and as many.
    assert of_cell(found, "random", "1").pair_matched == ()


def of_cell(found: Comparison, arm: str, iteration: str) -> Result:
    task, decoding = found.cells()[0]
    return next(
        r
        for r in found.results
        if (r.arm, r.iteration, r.task, r.decoding) == (arm, iteration, task, decoding)
    )


def test_an_arm_against_itself_is_no_difference(make_run: MakeRun) -> None:
    runs = [make_run("a", seed, skilled(0.5, 0.1, seed), items=40) for seed in range(3)]
    result = of(compare({"a": runs, "again": runs}, "a"), "again")
    assert result.difference is not None
    assert (result.difference.value, result.p_holm) == (0, 1)
    assert result.difference.low < 0 < result.difference.high
