"""The plan: Algorithm 1 unrolled, and which model does what; the golden key of every stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from isheep.plan import Plan, make_plan
from isheep.recipe import load_recipe
from plans import by_name, changed, downstream, inputs, keys, loaded, names, own, plan_of
from toy import SEEDS, toy_recipe

STEPS = [
    "instructions",
    "responses",
    "assessment",
    "probe_scores",
    "contamination",
    "filter",
    "train",
    "evaluate",
    "review",
]


# the order


def test_the_row_is_algorithm_1(tmp_path: Path) -> None:
    assert names(plan_of(tmp_path)) == [
        "seeds", "tests.toy_tests", "evaluate.0", "probes", "questions.tests",
        "instructions.0", "responses.0", "assessment.0", "probe_scores.0", "contamination.0", "filter.0",
        "train.0", "evaluate.1", "review.0",
        "instructions.1", "responses.1", "assessment.1", "probe_scores.1", "contamination.1", "filter.1",
        "train.1", "evaluate.2", "review.1",
    ]  # fmt: skip


def test_the_row_with_every_option(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "iterations=1", *EVERYTHING)
    assert names(plan)[5:] == [
        "instructions.0", "responses.0", "turn2.followups.0", "turn2.responses.0", "assessment.0",
        "probe_scores.0", "contamination.0", "likelihood.0", "vectors.0", "filter.0", "train.0",
        "candidates.0", "candidate_scores.0", "preferences.0", "prefer.0", "evaluate.1", "review.0",
    ]  # fmt: skip


EVERYTHING = (
    "followups.turns=2",
    "preferences.samples=3",
    "filter.ppl={}",
    "filter.density={}",
    "filter.overlap={}",
)


def test_no_iterations_only_test_the_base(tmp_path: Path) -> None:
    assert names(plan_of(tmp_path, "iterations=0")) == ["seeds", "tests.toy_tests", "evaluate.0"]


def test_without_tests_nothing_is_evaluated(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "evaluate.tasks=[]")
    assert not plan.of("evaluate")
    assert names(plan)[:2] == ["seeds", "probes"]
    assert "tests" not in inputs(plan, "filter.0")


@pytest.mark.parametrize("override", ["probes.count=0", "assessment={level: none}"])
def test_where_there_is_no_judge_or_no_probe_nothing_is_planted(tmp_path: Path, override: str) -> None:
    plan = plan_of(tmp_path, override, "filter.by=random")
    assert not [name for name in names(plan) if name.startswith("probe")]
    assert not {"probes", "probe_scores"} & inputs(plan, "review.1").keys()


def test_more_iterations_go_on_from_fewer(tmp_path: Path) -> None:
    fewer, more = plan_of(tmp_path, "iterations=2"), plan_of(tmp_path, "iterations=3")
    assert more.steps[: len(fewer.steps)] == fewer.steps


def test_turns_alternate(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "followups.turns=3")
    turns = ["responses.1", "turn2.responses.1", "turn3.responses.1"]
    assert inputs(plan, "turn2.followups.1") == {"responses": ["responses.1"]}
    assert inputs(plan, "turn2.responses.1") == {"instructions": ["turn2.followups.1"]}
    assert inputs(plan, "turn3.followups.1") == {"responses": ["turn2.responses.1"]}
    assert loaded(plan, *turns, "turn3.followups.1") == ["train.0"] * 4
    for reader in ("assessment.1", "filter.1", "train.1", "review.1"):
        assert inputs(plan, reader)["responses"] == turns


# what each step reads


def test_inputs(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "iterations=3")
    assert inputs(plan, "instructions.0") == {"seeds": ["seeds"]}
    assert inputs(plan, "instructions.2") == {
        "seeds": ["seeds"],
        "earlier": ["instructions.0", "instructions.1"],
    }
    assert inputs(plan, "responses.2") == {"instructions": ["instructions.2"]}
    assert inputs(plan, "assessment.2") == {"responses": ["responses.2"]}
    assert inputs(plan, "probe_scores.2") == {"responses": ["probes"]}
    assert inputs(plan, "questions.tests") == {"tests": ["tests.toy_tests"]}
    assert inputs(plan, "contamination.2") == {
        "questions": ["questions.tests"],
        "seeds": ["seeds"],
        "instructions": ["instructions.2"],
        "responses": ["responses.2"],
    }
    assert inputs(plan, "filter.2") == {
        "responses": ["responses.2"],
        "assessment": ["assessment.2"],
        "tests": ["tests.toy_tests"],
    }
    assert inputs(plan, "train.2") == {"responses": ["responses.2"], "filter": ["filter.2"]}
    assert inputs(plan, "evaluate.3") == {"tests": ["tests.toy_tests"]}
    assert inputs(plan, "review.2") == {
        "instructions": ["instructions.2"],
        "responses": ["responses.2"],
        "assessment": ["assessment.2"],
        "filter": ["filter.2"],
        "earlier_responses": ["responses.0", "responses.1"],
        "earlier": ["filter.0", "filter.1"],
        "probes": ["probes"],
        "probe_scores": ["probe_scores.2"],
        "first": ["review.0"],
        **{f"evaluate.{t}": [f"evaluate.{t}"] for t in range(4)},
    }
    assert "first" not in inputs(plan, "review.0")
    without = own(plan, "seeds", "probes", "contamination", "filter", "review") | {"tests.toy_tests"}
    assert {step.name for step in plan.steps if step.model is None} == without


@pytest.mark.parametrize(
    ("override", "made"),
    [
        ("filter.ppl={}", {"likelihood"}),
        ("filter.density={}", {"vectors"}),
        ("filter.density={choose: perplexity}", {"vectors", "likelihood"}),
        ("filter.overlap={}", set()),
        ("filter.verifier=lamb", set()),
    ],
)
def test_likelihoods_and_vectors_are_read_only_where_a_filter_needs_them(
    tmp_path: Path, override: str, made: set[str]
) -> None:
    plan = plan_of(tmp_path, override)
    for t in range(2):
        for stage in ("likelihood", "vectors"):
            assert (f"{stage}.{t}" in keys(plan)) == (stage in made)
            assert inputs(plan, f"filter.{t}").get(stage) == ([f"{stage}.{t}"] if stage in made else None)
    for stage in made:
        assert inputs(plan, f"{stage}.1") == {"responses": ["responses.1"]}
        assert loaded(plan, f"{stage}.0", f"{stage}.1") == [None, "train.0"]


def test_vectors_are_those_the_filter_asks_for(tmp_path: Path) -> None:
    (step, _) = plan_of(tmp_path, "filter.density={pooling: last, of: instruction}").of("vectors")
    assert step.settings.model_dump() == {"pooling": "last", "of": "instruction"}


def test_pairs_of_earlier_iterations_are_read_only_to_be_compared_with(tmp_path: Path) -> None:
    roles = {"earlier_responses": ["responses.0"], "earlier": ["filter.0"]}
    across = inputs(plan_of(tmp_path, "filter.overlap={}"), "filter.1")
    assert {role: across[role] for role in roles} == roles
    for override in ("filter.overlap={across: false}", "filter.overlap=null"):
        assert not roles.keys() & inputs(plan_of(tmp_path, override), "filter.1").keys()


def test_what_is_copied_is_dropped_only_where_the_recipe_says_so(tmp_path: Path) -> None:
    strict = plan_of(tmp_path, "contamination.drop=true", "preferences.samples=2")
    lenient = plan_of(tmp_path, "preferences.samples=2")
    for name in ("filter.1", "preferences.1"):
        assert inputs(strict, name)["leaks"] == ["contamination.1"]
        assert "leaks" not in inputs(lenient, name)
    assert changed(lenient, strict) == downstream(lenient, own(lenient, "filter", "preferences"))


# which model does what


@pytest.mark.parametrize(
    ("override", "stage", "expected"),
    [
        ("seed=0", "instructions", [None, "train.0", "train.1"]),
        ("seed=0", "responses", [None, "train.0", "train.1"]),
        ("seed=0", "assessment", [None, "train.0", "train.1"]),
        ("seed=0", "probe_scores", [None, "train.0", "train.1"]),
        ("seed=0", "train", [None, None, None]),
        ("instructions.author=base", "instructions", [None, None, None]),
        ("instructions.author=base", "responses", [None, "train.0", "train.1"]),
        ("assessment.judge=base", "assessment", [None, None, None]),
        ("assessment.judge=base", "responses", [None, "train.0", "train.1"]),
        ("train.start=one_base", "train", [None, None, None]),
        ("train.start=one_last", "train", [None, "train.0", "train.1"]),
        ("train.start=total_base", "train", [None, None, None]),
    ],
)
def test_which_model_does_what(tmp_path: Path, override: str, stage: str, expected: list[str | None]) -> None:
    plan = plan_of(tmp_path, "iterations=3", override)
    assert loaded(plan, *(f"{stage}.{t}" for t in range(3))) == expected
    assert loaded(plan, *(f"evaluate.{t}" for t in range(4))) == [None, "train.0", "train.1", "train.2"]


def test_what_is_trained_on(tmp_path: Path) -> None:
    for start, since in {"one_base": 2, "one_last": 2, "total_base": 0}.items():
        assert inputs(plan_of(tmp_path, "iterations=3", f"train.start={start}"), "train.2") == {
            "responses": [f"responses.{t}" for t in range(since, 3)],
            "filter": [f"filter.{t}" for t in range(since, 3)],
        }


def test_direct_is_one_iteration_as_large_as_all(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "iterations=3", "train.start=direct")
    assert names(plan)[5:] == [f"{s}.{1 if s == 'evaluate' else 0}" for s in STEPS]
    assert by_name(plan)["instructions.0"].settings.model_dump()["count"] == 3 * 12
    assert loaded(plan, "instructions.0", "responses.0", "train.0", "evaluate.1") == [
        None,
        None,
        None,
        "train.0",
    ]
    alone = plan_of(tmp_path, "iterations=1", "instructions.count=36")
    assert keys(plan) == keys(alone), "the same work as one iteration of that size, so it is shared"
    assert names(plan_of(tmp_path, "iterations=0", "train.start=direct"))[-1] == "evaluate.0"


def test_the_preferred_model_is_the_next(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "preferences.samples=3", "train.start=one_last")
    drawn = by_name(plan)["candidates.1"]
    assert drawn.settings.model_dump() == plan.recipe.responses.model_dump() | {"samples": 3}
    assert inputs(plan, "candidates.1") == {"instructions": ["instructions.1"]}
    assert inputs(plan, "candidate_scores.1") == {"responses": ["candidates.1"]}
    assert inputs(plan, "preferences.1") == {
        "responses": ["candidates.1"],
        "assessment": ["candidate_scores.1"],
        "tests": ["tests.toy_tests"],
    }
    assert inputs(plan, "prefer.1") == {"preferences": ["preferences.1"]}
    assert loaded(plan, "candidates.1", "candidate_scores.1", "prefer.1") == ["train.1"] * 3
    following = ("instructions.1", "responses.1", "assessment.1", "train.1", "evaluate.1", "evaluate.2")
    assert loaded(plan, *following) == ["prefer.0"] * 5 + ["prefer.1"]
    assert loaded(plan_of(tmp_path, "preferences.samples=3"), "train.1") == [None], "one_base: base it is"
    strict = plan_of(tmp_path, "preferences.samples=3", "assessment.judge=base")
    assert loaded(strict, "candidate_scores.0", "candidate_scores.1") == [None, None]


def test_the_base_model_judges_the_probes_once(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "iterations=3", "assessment.judge=base")
    assert [name for name in names(plan) if name.startswith("probe_scores")] == ["probe_scores.0"]
    for t in range(3):
        assert inputs(plan, f"review.{t}")["probe_scores"] == ["probe_scores.0"]


def test_the_model_goes_by_its_own_name_in_what_leaves_this_machine(tmp_path: Path) -> None:
    spec = by_name(plan_of(tmp_path, "model.base=lamb"))["evaluate.0"].model
    assert spec is not None
    assert spec.name == "lamb"


# golden keys


#: What every stage's result goes by, for settings that are all written out in `golden_plan`.
GOLDEN: dict[str, str] = {
    "seeds": "f97de6fe2b5415f2",
    "tests.toy_tests": "d1142a88db4fc94e",
    "evaluate.0": "81e9f2fdb4c2113d",
    "probes": "5f50c6f267c4f823",
    "questions.tests": "7556b9315c3bb7e1",
    "instructions.0": "6cd2ff8d88db6332",
    "responses.0": "5306c096e8c4b69d",
    "turn2.followups.0": "408dcf32b5a684de",
    "turn2.responses.0": "656b9d15ada73b4c",
    "assessment.0": "8472ad87e7cf84fe",
    "probe_scores.0": "5d91d8e783145a2e",
    "contamination.0": "b4a620e3bbc65af5",
    "likelihood.0": "6d59d28abcc3a9eb",
    "vectors.0": "0f1f52b03cf44eb9",
    "filter.0": "582c6dca1fecf8a9",
    "train.0": "42b17bc1d3f37eb6",
    "candidates.0": "18b8e1c5231ae440",
    "candidate_scores.0": "93e11e9f3cb0b9d4",
    "preferences.0": "cd22fe738a081737",
    "prefer.0": "12d57b00918200b8",
    "evaluate.1": "a3eef83a0cd5b1a3",
    "review.0": "5c390d31dc581f80",
}


def golden_plan(folder: Path) -> Plan:
    prompt, judge = folder / "prompt.txt", folder / "judge"
    judge.mkdir()
    for path in (prompt, judge / "quality.txt", judge / "following.txt"):
        path.write_text("{request}\n{response}\n", encoding="utf-8")
    data = toy_recipe(folder)
    data["instructions"] |= {"prompt": str(prompt), "rules": ["length"]}
    data["filter"] |= {"rules": ["empty"], "ppl": {}, "density": {}}
    data["assessment"] = {"prompts": str(judge)}
    data["followups"] = {"turns": 2, "rules": ["length"]}
    data["preferences"] = {"samples": 2}
    return make_plan(load_recipe(data))


def test_golden_keys(tmp_path: Path) -> None:
    """A key changed: everybody's stored results of that stage, and of all after it, will be made again.

    If results of the stage now mean something else, raise its version in stages/<name>.py. If a setting was added,
    removed or got another default, that is reason enough. Then put the keys below into GOLDEN. If neither is the
    case, the change came in by accident: find it.
    """
    assert [s["id"] for s in SEEDS] == ["s1", "s2", "s3", "s4", "s5", "s6"]
    found = {step.name: step.key[:16] for step in golden_plan(tmp_path).steps[: len(GOLDEN)]}
    assert found == GOLDEN, f"GOLDEN = {found}"
