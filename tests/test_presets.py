"""Every shipped recipe and sweep can be run as its first line says; the presets hold what their sources say."""

from __future__ import annotations

import json
import re
import shlex
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from isheep.files import PACKAGE
from isheep.plan import Plan, make_plan
from isheep.recipe import load_recipe, recipe_names, schema
from isheep.recipe_text import read
from isheep.sweep import LoadedSweep, load_sweep, sweep_names
from isheep.sweep.definition import schema as sweep_schema
from isheep.text.released import (
    DEFAULT_INSTRUCTION_RULES,
    DEFAULT_RESPONSE_RULES,
    RELEASED_INSTRUCTION_RULES,
    RELEASED_RESPONSE_RULES,
)

RECIPES, SWEEPS = recipe_names(), sweep_names()
#: The paper's tables and figures, for a model of one's own.
OF_THE_PAPER = ["figure2a", "figure2b", "iterations", "table1_baselines", "table2", "table3", "table4"]
BASELINES = ["base", "dromedary", "random_filter", "self_instruct"]


@cache
def sweep(name: str) -> LoadedSweep:
    return load_sweep(name)


def arms(name: str) -> dict[str, Plan]:
    """The plan of every arm, with the sweep's first seed."""
    loaded = sweep(name)
    return {job.arm: job.plan for job in loaded.jobs if job.seed == loaded.sweep.seeds[0]}


def first_line(path: Path, verb: str) -> tuple[str, list[str]]:
    """What the first line of a shipped file says to run: a name and its overrides."""
    line, editors = path.read_text(encoding="utf-8").split("\n")[:2]
    assert editors == f"# yaml-language-server: $schema={'recipe' if verb == 'run' else 'sweep'}.schema.json"
    words = shlex.split(line.removeprefix(f"# isheep {verb} "))
    assert line.startswith(f"# isheep {verb} ")
    assert words[1::2] == ["--set"] * len(words[1::2])
    return words[0], words[2::2]


# recipes


def test_recipes_are_shipped() -> None:
    presets = ["paper", "released_code", "qwen", "llama3", "one_gpu", "lamb", "fake"]
    assert {*presets, *BASELINES} <= RECIPES.keys()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs_as_its_first_line_says(name: str) -> None:
    called, overrides = first_line(RECIPES[name], "run")
    assert called == name
    loaded = load_recipe(called, overrides)
    assert loaded.recipe.name == name
    assert loaded.recipe.description
    steps = make_plan(loaded).steps
    assert len(steps) == len({step.name for step in steps}) == len({step.key for step in steps})
    jsonschema.validate(read(RECIPES[name]), schema())


@pytest.mark.parametrize(
    "name", ["paper", "released_code", "qwen", "llama3", "one_gpu", "table4", *BASELINES]
)
def test_any_model_can_be_given(name: str) -> None:
    change = ["model.base=somebody/some-model"]
    plan = make_plan(load_recipe(name, change)) if name in RECIPES else load_sweep(name, change).jobs[0].plan
    assert {step.model.base for step in plan.steps if step.model} <= {"somebody/some-model"}
    assert plan.recipe.model.base == "somebody/some-model"


# sweeps


def test_the_papers_tables_and_figures_are_shipped_for_a_gpu_and_for_a_laptop() -> None:
    laptop = {"lamb_baselines", "lamb_table2", "lamb_figure2a", "lamb_figure2b", "lamb_table3", "lamb_table4"}
    assert {*OF_THE_PAPER, *laptop} <= SWEEPS.keys()


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_runs_as_its_first_line_says(name: str) -> None:
    called, overrides = first_line(SWEEPS[name], "sweep")
    assert called == name
    loaded = load_sweep(called, overrides)
    assert loaded.sweep.name == name
    assert loaded.sweep.description
    assert loaded.sweep.question.count("?") >= 1
    assert len(loaded.jobs) == len(loaded.sweep.arms) * len(loaded.sweep.seeds)
    assert all(job.plan.steps for job in loaded.jobs)
    whole = [frozenset(step.key for step in plan.steps) for plan in arms(name).values()]
    assert len(set(whole)) == len(whole), "two arms are the same"


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_is_what_the_shipped_schema_allows(name: str) -> None:
    found = Resource.from_contents(schema())
    validator = jsonschema.Draft202012Validator(
        sweep_schema(), registry=Registry().with_resource("../recipe.schema.json", found)
    )
    validator.check_schema(sweep_schema())
    data = read(SWEEPS[name])
    validator.validate(data)
    wrong = {"filter": {"treshold": 3}}
    for bad in ({**data, "arm": {}}, {**data, "common": wrong}, {**data, "arms": {"a": wrong}}):
        assert not validator.is_valid(bad)


def test_the_shipped_schema_of_sweeps_finds_that_of_recipes() -> None:
    folder = PACKAGE / "recipes" / "sweeps"
    text = (folder / "sweep.schema.json").read_text(encoding="utf-8")
    (ref,) = set(re.findall(r'"\$ref": "([^"#]+)"', text))
    assert json.loads((folder / ref).read_text(encoding="utf-8"))["title"] == "Recipe"


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_the_papers_sweeps_have_three_seeds_and_the_papers_settings_for_reference(name: str) -> None:
    loaded = sweep(name).sweep
    assert (loaded.recipe, loaded.seeds) == ("paper", (0, 1, 2))
    reference = arms(name)[loaded.reference]
    base = make_plan(load_recipe("paper"))
    if name == "figure2a":
        assert reference.recipe.filter.threshold == 0
    elif name == "iterations":
        assert {s.key for s in reference.steps} < {s.key for s in base.steps}
    else:
        assert [s.key for s in reference.steps] == [s.key for s in base.steps]


def test_the_arms_are_the_papers() -> None:
    starts = {arm: plan.recipe.train.start for arm, plan in arms("table2").items()}
    assert starts == {
        "one_base": "one_base",
        "one_last": "one_last",
        "total_base": "total_base",
        "direct_20k": "direct",
        "direct_30k": "direct",
    }
    asked = [arms("table2")[arm].of("instructions") for arm in ("direct_20k", "direct_30k")]
    assert [[s.settings.count for s in steps] for steps in asked] == [[20_000], [30_000]]  # type: ignore[attr-defined]
    assert [p.recipe.filter.threshold for p in arms("figure2a").values()] == [-1, 0, 2, 4, 6, 8, 9]
    counts = [p.recipe.instructions.count for p in arms("figure2b").values()]
    assert counts == [10_000, 20_000, 30_000, 40_000, 50_000]
    levels = {arm: plan.recipe.assessment.level for arm, plan in arms("table4").items()}
    assert all(level == arm.removesuffix("_matched") for arm, level in levels.items())
    assert levels.keys() > {"both", "following", "quality", "none"}
    prompts = {plan.recipe.assessment.prompts for plan in arms("table3").values()}
    assert prompts == {"simple", "combined", "icl"}


@pytest.mark.parametrize("arm", ["ppl", "density", "density_ppl"])
def test_the_papers_other_filters_judge_nothing(arm: str) -> None:
    chosen = arms("table3")[arm].recipe.filter
    assert bool(chosen.ppl) == (arm == "ppl")
    if chosen.ppl:
        assert (chosen.ppl.limit, chosen.ppl.of) == (50, "both")
    if chosen.density:
        assert (chosen.density.clusters, chosen.density.per_cluster) == (3000, 1)
        assert chosen.density.choose == ("perplexity" if arm == "density_ppl" else "random")
    assert arms("table3")[arm].recipe.assessment.level == "none"


@pytest.mark.parametrize("name", ["table3", "table4"])
def test_matched_arms_differ_from_the_papers_in_their_count_alone(name: str) -> None:
    found = {a: plan.recipe for a, plan in arms(name).items()}
    reference = sweep(name).sweep.reference
    matched = [arm for arm in found if arm.endswith("_matched")]
    assert matched
    for arm in matched:
        recipe = found[arm]
        judged = recipe.assessment.level != "none"
        assert (recipe.filter.match, recipe.filter.by) == (reference, "score" if judged else "random")
        assert recipe.filter.threshold in (None, 0)
        plain = found.get(arm.removesuffix("_matched"))
        if plain:
            assert recipe.assessment == plain.assessment
            assert (recipe.filter.ppl, recipe.filter.density) == (plain.filter.ppl, plain.filter.density)


def test_the_iterations_of_a_seed_are_one_run() -> None:
    plans = list(arms("iterations").values())
    keys = [{step.key for step in plan.steps} for plan in plans]
    assert [plan.recipe.iterations for plan in plans] == [0, 1, 2, 3, 4, 5, 6]
    assert all(less < more for less, more in pairwise(keys))


# what the sources say


def value(name: str, path: str) -> Any:
    here: Any = load_recipe(name).recipe
    for part in path.split("."):
        here = getattr(here, part)
    return here


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("iterations", 3),
        ("model.layout", "chatml"),
        ("model.dtype", "bfloat16"),
        ("instructions.count", 10_000),  # I, Figure 2b
        ("instructions.author", "current"),  # Algorithm 1
        ("responses.samples", 1),  # Algorithm 1
        ("responses.principles", None),
        ("followups.turns", 1),
        ("assessment.level", "both"),  # Table 4
        ("assessment.judge", "current"),  # Algorithm 1
        ("assessment.reading", "sampled"),
        ("filter.threshold", 8),  # C
        ("filter.keep_fraction", None),
        ("filter.match", None),
        ("filter.ppl", None),
        ("filter.density", None),
        ("filter.overlap", None),
        ("filter.verifier", "none"),
        ("train.start", "one_base"),  # Table 2
        ("train.lora.rank", 8),
        ("train.lora.alpha", 16),
        ("train.lora.dropout", 0.05),
        ("train.lora.target_modules", "all-linear"),
        ("train.learning_rate", 5e-5),
        ("train.scheduler", "cosine"),
        ("train.warmup_steps", 20),
        ("train.epochs", 2),
        ("train.batch_size", 1),
        ("train.accumulation", 16),  # 1 x 2 on each of 8 GPUs
        ("train.cutoff", 1024),
        ("train.max_samples", None),  # all of D_t
        ("preferences.samples", 0),
        ("review.guard.action", "warn"),  # watches, changes nothing
        ("review.until", "fixed"),
        ("review.keep", "last"),
    ],
)
def test_the_papers_values(path: str, expected: Any) -> None:
    assert value("paper", path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("instructions.shots", 5),
        ("instructions.list_length", 16),  # stops at "17"
        ("instructions.temperature", 1.0),
        ("instructions.top_p", 0.95),
        ("instructions.max_tokens", 1000),
        ("instructions.rules", RELEASED_INSTRUCTION_RULES),
        ("instructions.min_words", 4),
        ("instructions.max_words", 150),
        ("instructions.overlap.threshold", 0.7),
        ("instructions.overlap.seeds", True),
        ("instructions.overlap.across", False),  # never across iterations
        ("instructions.overlap.window", 100),  # the current chunk only
        ("responses.temperature", 1.0),
        ("responses.top_p", 0.95),
        ("responses.max_tokens", 1000),
        ("assessment.level", "both"),
        ("assessment.judge", "base"),  # at every iteration
        ("assessment.reading", "sampled"),
        ("assessment.temperature", 1.0),
        ("assessment.top_p", 0.95),
        ("assessment.max_tokens", 1000),
        ("filter.threshold", 8),  # strictly greater, on both scores
        ("filter.rules", RELEASED_RESPONSE_RULES),
        ("train.max_samples", 3000),
        ("review.guard.action", "off"),
        ("probes.count", 0),
    ],
)
def test_the_released_codes_values(path: str, expected: Any) -> None:
    assert value("released_code", path) == expected


def test_the_paper_preset_uses_our_rules() -> None:
    assert value("paper", "instructions.rules") == DEFAULT_INSTRUCTION_RULES
    assert value("paper", "filter.rules") == DEFAULT_RESPONSE_RULES


@pytest.mark.parametrize("name", ["paper", "released_code"])
def test_every_value_of_a_preset_says_where_it_comes_from(name: str) -> None:
    lines = RECIPES[name].read_text(encoding="utf-8").splitlines()
    values = [line for line in lines if re.match(r" *\w+: +\S", line)]
    values = [line for line in values if not re.match(r"(name|description|extends): ", line)]
    assert len(values) >= 20
    for line in values:
        said = re.search(r" # (paper|released code|ours)\b", line)
        assert said, line
        assert name == "paper" or said[1] == "released code", line


@pytest.mark.parametrize("name", ["paper", "released_code"])
def test_every_line_of_a_preset_is_one_setting(name: str) -> None:
    """So that its comment can be read off: no group in braces."""
    assert "{" not in RECIPES[name].read_text(encoding="utf-8")


def test_the_paper_preset_says_everything_that_makes_its_result() -> None:
    """A changed default changes no preset, where paper or released code have spoken."""
    given = read(RECIPES["paper"])
    for section in ("instructions", "responses", "assessment", "train"):
        whole = set(type(value("paper", section)).model_fields)
        harmless = {"min_yield", "patience", "min_mass", "save_steps", "merge", "principles"}
        assert whole - set(given[section]) <= harmless, section


# baselines


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_the_papers_loop_without_judging(name: str) -> None:
    assert read(RECIPES[name])["extends"] == "paper"
    plan = make_plan(load_recipe(name))
    assert plan.recipe.assessment.level == "none" or not plan.recipe.iterations
    assert not plan.of("probes")
    assert len(plan.of("train")) == {"base": 0, "random_filter": 3}.get(name, 1)


def test_what_the_baselines_drop() -> None:
    kept = {name: load_recipe(name).recipe.filter for name in BASELINES}
    assert kept["self_instruct"].threshold == -1  # nothing, not even by the rules
    assert kept["dromedary"].threshold == 0
    assert (kept["random_filter"].by, kept["random_filter"].keep_fraction) == ("random", 0.3)
    assert load_recipe("dromedary").recipe.responses.principles == "general"


def test_random_pairs_are_as_many_as_the_methods_own() -> None:
    drawn = arms("table1_baselines")["random_filter"].recipe.filter
    assert (drawn.match, drawn.by, drawn.keep_fraction) == ("isheep", "random", None)
