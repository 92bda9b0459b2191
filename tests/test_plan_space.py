"""Plans over the whole space of settings: what holds of every one; and arms that are matched to others."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluated import write_evaluations
from isheep.errors import RecipeError
from isheep.estimate import estimate
from isheep.plan import make_plan
from isheep.stages.stage import outside_files
from plans import by_name, inputs, keys, names, plan_of, sources
from toy import toy

# counts to be matched


def test_a_matched_arm_reads_the_decisions_it_is_matched_to(tmp_path: Path) -> None:
    reference = plan_of(tmp_path, "iterations=1")
    plan = make_plan(toy(tmp_path, "filter.match=other", "filter.by=random"), reference)
    filters = by_name(plan)
    (ref,) = filters["filter.0"].inputs["match"]
    assert ref == by_name(reference)["filter.0"].ref
    assert "match" not in filters["filter.1"].inputs, "the other arm has no second iteration"


def test_the_name_of_the_arm_is_no_part_of_the_result(tmp_path: Path) -> None:
    reference = plan_of(tmp_path)
    first, second = (make_plan(toy(tmp_path, f"filter.match={name}"), reference) for name in ("a", "b"))
    assert keys(first) == keys(second)
    other = make_plan(toy(tmp_path, "filter.match=a"), plan_of(tmp_path, "filter.by=random"))
    assert keys(first)["filter.0"] != keys(other)["filter.0"]


def test_an_arm_to_match_is_only_in_a_sweep(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"filter\.match: there is no arm 'other' to match outside a sweep"):
        plan_of(tmp_path, "filter.match=other")
    assert "match" not in inputs(plan_of(tmp_path, "filter.match=3"), "filter.0")


# whatever the settings


CHOICES: dict[str, list[str]] = {
    "iterations": ["0", "1", "3"],
    "instructions.author": ["current", "base"],
    "assessment.judge": ["current", "base"],
    "assessment.level": ["both", "quality"],
    "train.start": ["one_base", "one_last", "total_base", "direct"],
    "followups.turns": ["1", "3"],
    "preferences.samples": ["0", "2"],
    "probes.count": ["0", "2"],
    "filter.ppl": ["null", "{}"],
    "filter.density": ["null", "{}", "{choose: perplexity}"],
    "filter.overlap": ["null", "{}", "{across: false}"],
    "evaluate.decodings": ["[greedy]", "[greedy, sampled]"],
    "review.until": ["fixed", "stagnation"],
    "contamination.drop": ["false", "true"],
    "exam": ["{questions: 0, constraints: 0}", "{questions: 2, constraints: 1}"],
}
#: Which evaluations are on besides.
EVALUATIONS: dict[str, list[str]] = {
    "evaluate.also": ["[]", "[FOLDER/more.jsonl]"],
    "benchmarks.tasks": ["[]", "[boolq]", "[paper_standard]"],
    "ifeval.file": ["null", "FOLDER/prompts.jsonl"],
    "chat.pairwise": ["[]", "[FOLDER/pairs.jsonl]"],
    "chat.graded": ["[]", "[FOLDER/talk.jsonl]"],
    "chat.baseline": ["base", "file"],
    "judge": ["{kind: scripted, script: longer}", "{kind: engine, model: base, reading: expected}"],
}
OVERRIDES = st.fixed_dictionaries({key: st.sampled_from(values) for key, values in CHOICES.items()}).map(
    lambda chosen: [f"{key}={value}" for key, value in chosen.items()]
)


EVALUATED = st.fixed_dictionaries({key: st.sampled_from(values) for key, values in EVALUATIONS.items()}).map(
    lambda chosen: [f"{key}={value}" for key, value in chosen.items()]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("plan")
    write_evaluations(found)
    return found


def placed(overrides: list[str], folder: Path) -> list[str]:
    return [text.replace("FOLDER", str(folder)) for text in overrides]


@settings(max_examples=60, deadline=None)
@given(overrides=OVERRIDES, evaluated=EVALUATED)
def test_every_plan_can_be_walked(folder: Path, overrides: list[str], evaluated: list[str]) -> None:
    overrides = [*overrides, *placed(evaluated, folder)]
    plan = plan_of(folder, *overrides)
    assert plan == plan_of(folder, *overrides)
    assert len(set(names(plan))) == len(set(keys(plan).values())) == len(plan.steps)
    done: set[str] = set()
    for name, needs in sources(plan).items():
        assert needs <= done, f"{name} comes before what it needs"
        done.add(name)
    for step in plan.steps:
        files = {n for n, _ in outside_files(type(step.settings)) if getattr(step.settings, n) is not None}
        assert set(step.files) == files
        assert all(path.exists() for path in step.files.values())
    assert estimate(plan).keys() == keys(plan).keys()


@settings(max_examples=40, deadline=None)
@given(overrides=OVERRIDES)
def test_another_filter_makes_nothing_again_that_it_chooses_from(folder: Path, overrides: list[str]) -> None:
    """Filters are views over one immutable scored pool: all but the filter rests on the model that comes of it."""
    before, after = plan_of(folder, *overrides), plan_of(folder, *overrides, "filter.by=random")
    assert names(before) == names(after)
    same = {name for name, key in keys(after).items() if keys(before)[name] == key}
    for step in after.steps:
        needs, uses = sources(after)[step.name], step.name.partition(".")[0]
        assert (step.name in same) == (uses != "filter" and needs <= same)
    first = {name for name in names(after) if name.endswith(".0")} - {"review.0"}
    again = {"filter.0", "train.0", "candidates.0", "candidate_scores.0", "preferences.0", "prefer.0"}
    assert first - same <= again
    assert {"filter.0", "train.0"} & first <= first - same


@settings(max_examples=30, deadline=None)
@given(overrides=OVERRIDES, evaluated=EVALUATED)
def test_evaluations_look_on(folder: Path, overrides: list[str], evaluated: list[str]) -> None:
    """What is evaluated besides changes no step of the loop, unless what is copied from it is dropped; and what the
    loop does changes nothing that the base model is asked."""
    overrides = [text for text in overrides if not text.startswith(("contamination.", "evaluate."))]
    evaluated = placed(evaluated, folder)
    loop, whole, base = (
        keys(plan_of(folder, *words))
        for words in (overrides, [*overrides, *evaluated], ["iterations=0", *evaluated])
    )
    looking = ("questions.", "contamination.")
    assert {n: k for n, k in loop.items() if not n.startswith(looking)}.items() <= whole.items()
    assert base.items() <= whole.items()
