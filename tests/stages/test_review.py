"""review: the figures of an iteration, the limits they are held to, and what a broken limit does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isheep.records import Completion, Decision, Instruction, Measure, Outcome, Pair, Record, Verdict
from isheep.stages.review import ReviewSettings, run
from isheep.stages.stage import Context
from toy import context, pair, whole

VERBS = ("Describe", "Explain", "Compare", "Rewrite", "List", "Suggest", "Summarize", "Translate")
NOUNS = ("river", "poem", "train", "garden", "letter", "recipe", "mountain", "song", "bridge", "city")
WORDS = (
    "amber",
    "birch",
    "copper",
    "dune",
    "ember",
    "frost",
    "grove",
    "heron",
    "iris",
    "jade",
    "kelp",
    "lark",
)


def lively(t: int, count: int = 12, start: int = 0) -> list[Pair]:
    """Pairs of a healthy iteration: each asks for another thing and answers in ten words of its own."""
    made = []
    for n in range(start, start + count):
        asked = f"{VERBS[n % 8]} the {NOUNS[n * 3 % 10]} of number {n}{t}."
        said = " ".join(f"{WORDS[(n + k) % len(WORDS)]}{n}{t}" for k in range(10))
        made.append(pair(f"{t}.{n:02}", said, instruction=asked))
    return made


def dull(t: int, count: int = 12) -> list[Pair]:
    """Pairs of a collapsed iteration."""
    return [pair(f"{t}.{n:02}", "Yes.", instruction="Is it so?") for n in range(count)]


def verdicts(pairs: Sequence[Pair], score: float | None = None) -> list[Verdict]:
    """Scores that rise over the pairs, or one and the same."""
    return [
        Verdict(f"{p.id}/{scale}", p.id, scale, 1.0 + n % 9 if score is None else score)
        for n, p in enumerate(pairs)
        for scale in ("quality", "following")
    ]


def decisions(pairs: Sequence[Pair], dropped: int = 0) -> list[Decision]:
    """The first `dropped` pairs are dropped."""
    return [Decision(p.id, n >= dropped, None if n >= dropped else "x", 9, 9) for n, p in enumerate(pairs)]


def ctx_for(
    folder: Path,
    pairs: Sequence[Pair],
    before: Sequence[Pair] = (),
    journal: Sequence[Record] = (),
    guard: dict[str, Any] | None = None,
    dropped: int = 0,
    notes: list[str] | None = None,
    **inputs: Sequence[Record],
) -> Context[Any]:
    iteration = int(pairs[0].id.partition(".")[0]) if pairs else 0
    given: dict[str, Sequence[Record]] = {
        "responses": pairs,
        "filter": decisions(pairs, dropped),
        "earlier_responses": before,
        "earlier": decisions(before),
        **inputs,
    }
    note = {} if notes is None else {"note": notes.append}
    return context(ReviewSettings(guard=guard or {}), folder, given, journal, iteration=iteration, **note)


def reviewed(ctx: Context[Any]) -> tuple[dict[str, Measure], Outcome]:
    """The measures by id, and the outcome: there is always exactly one."""
    made = list(run(ctx))
    (outcome,) = (record for record in made if isinstance(record, Outcome))
    measures = [record for record in made if isinstance(record, Measure)]
    assert len({m.id for m in measures}) == len(measures) == len(made) - 1
    return {m.id: m for m in measures}, outcome


def faults(measures: dict[str, Measure]) -> set[str]:
    return {id for id, measure in measures.items() if measure.ok is False}


# figures


def test_the_first_iteration_is_held_to_itself(tmp_path: Path) -> None:
    pairs = lively(0)
    found, outcome = reviewed(ctx_for(tmp_path, pairs, assessment=verdicts(pairs), dropped=3))
    assert found["kept"] == Measure("kept", 9.0)
    assert found["kept_share"].value == 0.75
    assert found["median_words"] == Measure("median_words", 10.0, 3.0, True)
    assert found["share_short"] == Measure("share_short", 0.0, 0.15, True)
    assert found["near_duplicates_earlier"] == Measure("near_duplicates_earlier", None)
    assert found["near_duplicates"].value == 0.0
    assert faults(found) == set()
    assert outcome == Outcome("outcome", False, "", 1)


def test_only_kept_pairs_are_looked_at(tmp_path: Path) -> None:
    found, _ = reviewed(ctx_for(tmp_path, [*dull(0, 5), *lively(0, start=5)], dropped=5))
    assert found["median_words"].value == 10.0
    assert found["near_duplicates"].value == 0.0


def test_the_lists_are_counted(tmp_path: Path) -> None:
    lists = [Completion(f"0.{n}", "", "stop", 1, 1) for n in range(2)]
    fates = (None, None, None, "near_duplicate", "format", "cut", "length", "blacklist", "over_count")
    asked = [Instruction(f"0.0.{n:02}", "x", "", (), "0.0", reason) for n, reason in enumerate(fates)]
    found, _ = reviewed(ctx_for(tmp_path, lively(0), instructions=[*lists, *asked]))
    assert {id: m.value for id, m in found.items() if id.startswith("list_") or "per_list" in id} == {
        "items_per_list": 4.0,
        "new_per_list": 1.5,
        "list_form": 1 / 8,
        "list_cut": 1 / 8,
        "list_known": 1 / 8,
        "list_kept": 3 / 8,
    }


def test_an_iteration_without_any_pair_has_figures_that_are_not_known(tmp_path: Path) -> None:
    found, outcome = reviewed(ctx_for(tmp_path, []))
    assert found.pop("kept").value == 0.0
    assert {m.value for m in found.values()} == {None}
    assert not outcome.stop


def test_without_an_assessment_there_are_no_figures_of_the_judge(tmp_path: Path) -> None:
    with_judge, _ = reviewed(ctx_for(tmp_path, lively(0), assessment=verdicts(lively(0))))
    without, _ = reviewed(ctx_for(tmp_path, lively(0)))
    assert with_judge.keys() - without.keys() == {
        "unreadable", "agreement", "saturation/quality", "saturation/following",
    }  # fmt: skip


def test_the_figures_of_the_judge(tmp_path: Path) -> None:
    pairs = lively(0, 4)
    given = {"quality": (10.0, 9.6, 3.0, None), "following": (5.0, 4.0, 3.0, 2.0)}
    judged = [
        Verdict(f"{p.id}/{scale}", p.id, scale, score)
        for scale, scores in given.items()
        for p, score in zip(pairs, scores, strict=True)
    ]
    found, _ = reviewed(ctx_for(tmp_path, pairs, assessment=judged))
    assert found["unreadable"].value == 1 / 8
    assert found["saturation/quality"] == Measure("saturation/quality", 2 / 3, 0.9, True)
    assert found["saturation/following"].value == 0.0
    assert found["agreement"].value == pytest.approx(1.0)


# limits


def test_a_healthy_iteration_breaks_nothing(tmp_path: Path) -> None:
    found, _ = reviewed(ctx_for(tmp_path, lively(1), lively(0), assessment=verdicts(lively(1))))
    assert faults(found) == set()
    assert found["distinct"].ok
    assert found["spread"].ok
    assert found["near_duplicates_earlier"] == Measure("near_duplicates_earlier", 0.0, 0.2, True)


def test_fewer_pairs_of_the_same_kind_are_no_collapse(tmp_path: Path) -> None:
    """What grows with the number of pairs is measured at equal size."""
    found, _ = reviewed(ctx_for(tmp_path, lively(1, 3), lively(0, 12)))
    assert found["spread"].value == pytest.approx(3.0)
    assert faults(found) == set()


def test_a_collapse_is_seen(tmp_path: Path) -> None:
    found, _ = reviewed(ctx_for(tmp_path, dull(1), lively(0)))
    assert faults(found) == {"median_words", "share_short", "near_duplicates", "distinct", "spread"}
    assert found["median_words"] == Measure("median_words", 1.0, 3.0, False)
    assert found["near_duplicates"].value == pytest.approx(11 / 12)


def test_it_is_held_to_the_first_iteration_and_not_to_the_last(tmp_path: Path) -> None:
    """A slow decline would pass a guard that only looks one step back."""
    found, _ = reviewed(ctx_for(tmp_path, dull(2), [*lively(0), *dull(1)]))
    assert found["median_words"] == Measure("median_words", 1.0, 3.0, False)
    assert found["near_duplicates_earlier"] == Measure("near_duplicates_earlier", 1.0, 0.2, False)


def test_what_is_said_again_from_any_iteration_before_is_seen(tmp_path: Path) -> None:
    again = [pair(f"2.{n:02}", p.response, instruction=p.instruction) for n, p in enumerate(lively(0))]
    found, _ = reviewed(ctx_for(tmp_path, again, [*lively(0), *lively(1)]))
    assert faults(found) == {"near_duplicates_earlier"}


def test_pairs_dropped_earlier_may_be_written_again(tmp_path: Path) -> None:
    again = [pair(f"1.{n:02}", p.response, instruction=p.instruction) for n, p in enumerate(lively(0))]
    ctx = ctx_for(tmp_path, again, lively(0), earlier=[])
    assert reviewed(ctx)[0]["near_duplicates_earlier"].value is None


def test_a_judge_that_always_gives_the_top_score_is_seen_at_once(tmp_path: Path) -> None:
    found, _ = reviewed(ctx_for(tmp_path, lively(0), assessment=verdicts(lively(0), 10.0)))
    assert faults(found) == {"saturation/quality", "saturation/following"}


def test_the_share_kept_is_held_to_what_the_first_review_measured(tmp_path: Path) -> None:
    given: dict[str, Any] = {"guard": {"min_kept_share_of_first": 0.5}, "first": [Measure("kept_share", 0.9)]}
    for dropped, fault in ((6, set()), (7, {"kept_share"})):
        ctx = ctx_for(tmp_path, lively(1), lively(0), dropped=dropped, **given)
        assert faults(reviewed(ctx)[0]) == fault


@pytest.mark.parametrize(("kept", "ok"), [(3, True), (2, False)])
def test_lists_that_give_next_to_nothing_are_seen(tmp_path: Path, kept: int, ok: bool) -> None:
    """At first a list gave ten new tasks; below three the list format is lost."""
    lists = [Completion("1.0", "", "stop", 1, 1)]
    asked = [
        Instruction(f"1.0.{n:02}", "x", "", (), "1.0", None if n < kept else "format") for n in range(10)
    ]
    given = {"instructions": [*lists, *asked], "first": [Measure("new_per_list", 10.0)]}
    found, _ = reviewed(ctx_for(tmp_path, lively(1), lively(0), **given))
    assert found["new_per_list"] == Measure("new_per_list", pytest.approx(kept), 3.0, ok)


# what a broken limit does

NAMES = "median_words, share_short, distinct, spread, near_duplicates"


@pytest.mark.parametrize(
    ("action", "stops", "warns"), [("warn", False, True), ("stop", True, True), ("off", False, False)]
)
def test_the_action(tmp_path: Path, action: str, stops: bool, warns: bool) -> None:
    notes: list[str] = []
    found, outcome = reviewed(ctx_for(tmp_path, dull(1), lively(0), guard={"action": action}, notes=notes))
    assert len(faults(found)) == 5, "what was measured does not hang on what is done about it"
    assert outcome.stop == stops
    assert outcome.reason == (f"stopped by the collapse guard: {NAMES}" if stops else "")
    assert ("collapse guard: median_words is 1, its limit 3" in notes) == warns
    assert len(notes) == 5 * warns + stops


def test_a_limit_can_be_lifted(tmp_path: Path) -> None:
    lifted = {"min_share_of_first_median": None, "max_rise_short": None, "action": "stop"}
    found, outcome = reviewed(ctx_for(tmp_path, dull(1), lively(0), guard=lifted))
    assert found["median_words"] == Measure("median_words", 1.0)
    assert outcome.reason == "stopped by the collapse guard: distinct, spread, near_duplicates"


@pytest.mark.parametrize("action", ["warn", "stop"])
def test_an_interruption_anywhere_changes_nothing(tmp_path: Path, action: str) -> None:
    given: dict[str, Any] = {"guard": {"action": action}, "assessment": verdicts(dull(1))}
    made = whole(run, lambda journal: ctx_for(tmp_path, dull(1), lively(0), journal, **given))
    assert sum(isinstance(record, Outcome) for record in made) == 1
