"""What belongs to the identity of a step's result: each setting changes its own stage and what rests on it, no more."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from evaluated import ASKED, IFEVAL, PAIRS, TALK, write_evaluations
from isheep.files import PACKAGE
from isheep.plan import Plan, make_plan
from isheep.recipe import Recipe
from isheep.recipe_sections import ReportSettings, RuntimeSettings
from isheep.stages import STAGE_BY_NAME, STAGES
from isheep.stages.sieves import DensitySettings, PairOverlapSettings, PerplexitySettings
from isheep.stages.stage import Settings
from isheep.steps import WIRING
from plans import by_name, changed, downstream, keys, kinds, own, plan_of
from toy import TESTS, toy, toy_recipe, write_lines


def alternative(info: FieldInfo, default: Any) -> Any:
    """Another allowed value of a setting."""
    kind = info.annotation
    options = [kind, *get_args(kind)]
    literals = [value for option in options if get_origin(option) is Literal for value in get_args(option)]
    if literals and isinstance(default, str):
        return next(value for value in literals if value != default)
    if isinstance(default, bool):
        return not default
    if isinstance(default, tuple):
        return list(default[1:]) if default else ["other"]
    if isinstance(default, int):
        return default + 1
    if isinstance(default, float):
        return default / 2
    if default is None:
        return 1 if int in options or float in options else "other"
    assert isinstance(default, str)
    return default + "x"


#: Settings whose other value needs more than that.
SPECIAL: dict[str, Any] = {
    "assessment.level": "quality",
    "assessment.prompts": "simple",
    "responses.principles": "general",
    "filter.threshold": 5.0,
    "filter.keep_fraction": 0.25,
    "filter.ppl": {},
    "filter.density": {},
    "filter.overlap": {},
    "instructions.prompt": "lamb",
    "model.dtype": "bfloat16",
    "train.lora.target_modules": ["q_proj"],
    "train.weight_decay": 0.1,
    "prefer.weight_decay": 0.1,
    "review.min_effect": 0.01,
    "backend.engine": "hf",
    "backend.trainer": "trl",
    "backend.examiner": "lm_eval",
    "report.truth": "lamb",
    "benchmarks.tasks": ["piqa", "squadv2"],
    "chat.temperature": 0.5,
    "judge.kind": "openai",
    "judge.script": "first",
    "judge.temperature": 0.5,
}
#: What must be chosen for a setting to matter, by its path or the beginning of it.
NEEDS: dict[str, tuple[str, ...]] = {
    "assessment.samples": ("assessment.reading=sampled",),
    "followups.": ("followups.turns=2",),
    "preferences.": ("preferences.samples=2",),
    "prefer.": ("preferences.samples=2",),
    "filter.ppl.": ("filter.ppl={}",),
    "filter.density.": ("filter.density={}",),
    "filter.density.share": ("filter.density={clusters: null, share: 0.5}",),
    "filter.overlap.": ("filter.overlap={}",),
    "judge.kind": ("judge.model=sheepdog",),
    "judge.url": ("judge={kind: openai, model: sheepdog}",),
    "judge.key_env": ("judge={kind: openai, model: sheepdog}",),
}
#: Settings that other steps are made by, too.
ALSO: dict[str, set[str]] = {
    "filter.density.pooling": {"vectors"},
    "filter.density.of": {"vectors"},
    "preferences.samples": {"candidates"},
}


def settings_of(cls: type[Settings], where: str) -> Iterator[tuple[str, FieldInfo]]:
    """Every setting below a group, as a path."""
    for name, info in cls.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, Settings):
            yield from settings_of(kind, f"{where}{name}.")
        else:
            yield f"{where}{name}", info


def value_at(recipe: Recipe, path: str) -> Any:
    found: Any = recipe
    for name in path.split("."):
        found = getattr(found, name)
    return found


def both(folder: Path, path: str, info: FieldInfo, *rest: str) -> tuple[Plan, Plan]:
    """The toy plan, with `rest` overrides, and that with one setting changed."""
    needed = max((start for start in NEEDS if path.startswith(start)), key=len, default="")
    overrides = (*rest, *NEEDS.get(needed, ()))
    before = toy(folder, *overrides)
    old = value_at(before.recipe, path)
    new = SPECIAL[path] if path in SPECIAL else alternative(info, old)
    after = toy(folder, *overrides, f"{path}={json.dumps(new)}")
    assert value_at(after.recipe, path) != old, f"{path} was not changed"
    return make_plan(before), make_plan(after)


#: Sections that ask for evaluations besides the loop's own tests.
EVALUATIONS = ("benchmarks", "ifeval", "chat", "judge", "contamination", "exam")
#: Settings that name outside files or tests, or choose inputs: their content counts. Tested below.
BELOW = {"seeds.file", "evaluate.tasks", "evaluate.also", "ifeval.file", "benchmarks.data_dir", "chat.pairwise",
         "chat.graded", "chat.baseline", "chat.references", "judge.prompts"}  # fmt: skip
STAGE_SETTINGS = [
    pytest.param(stage.name, path, info, id=path)
    for stage in STAGES
    if stage.name in Recipe.model_fields and stage.name not in EVALUATIONS
    for path, info in settings_of(stage.settings, f"{stage.name}.")
    if path.split(".")[1] not in WIRING and path not in BELOW
] + [
    pytest.param("filter", path, info, id=path)
    for name, cls in (("ppl", PerplexitySettings), ("density", DensitySettings), ("overlap", PairOverlapSettings))
    for path, info in settings_of(cls, f"filter.{name}.")
]  # fmt: skip


@pytest.mark.parametrize(("stage", "path", "info"), STAGE_SETTINGS)
def test_a_setting_changes_its_stage_and_what_rests_on_it_only(
    tmp_path: Path, stage: str, path: str, info: FieldInfo
) -> None:
    before, after = both(tmp_path, path, info)
    new = keys(after).keys() - keys(before).keys()
    also = {name for name in keys(after) if name.partition(".")[0] in ALSO.get(path, ())}
    assert changed(before, after) == downstream(after, own(after, stage) | new | also)
    assert new <= {"likelihood.0", "likelihood.1", "vectors.0", "vectors.1"}


#: Steps, by their names without the iteration, that each setting of an evaluation is part of; by its path or section.
TOUCHES: dict[str, set[str]] = {
    "benchmarks": {"benchmarks"},
    "benchmarks.tasks": {"benchmarks", "questions.benchmarks"},
    "benchmarks.limit": {"benchmarks", "questions.benchmarks"},
    "ifeval": {"ifeval"},
    "ifeval.limit": {"ifeval", "questions.ifeval"},
    "chat": {"pairs.chat", "talk.chat"},
    "chat.limit": {"pairs.chat", "talk.chat", "questions.pairs", "questions.talk"},
    "judge": {"pairs.judged", "talk.judged"},
    "judge.reading": {"pairs.judged"},
    "judge.url": set(),
    "judge.key_env": set(),
    "contamination": {"contamination"},
    "exam": {"exam"},
}


@pytest.mark.parametrize(
    ("path", "info"),
    [
        pytest.param(path, info, id=path)
        for section in EVALUATIONS
        for path, info in settings_of(Recipe.model_fields[section].annotation, f"{section}.")  # type: ignore[arg-type]
        if path.split(".")[1] not in WIRING and path not in BELOW
    ],
)
def test_a_setting_of_an_evaluation_changes_its_own_steps_only(
    tmp_path: Path, path: str, info: FieldInfo
) -> None:
    before, after = both(tmp_path, path, info, *write_evaluations(tmp_path))
    assert set(keys(before)) == set(keys(after))
    touched = TOUCHES[path] if path in TOUCHES else TOUCHES[path.partition(".")[0]]
    assert changed(before, after) == downstream(after, kinds(after, *touched))
    # No training rests on it: an evaluation looks on. (Dropping what is copied is asked for by contamination.drop.)
    assert not changed(before, after) & own(after, "instructions", "filter", "train", "review")


@pytest.mark.parametrize(
    ("override", "first"),
    [
        ("instructions.author=base", {"instructions.1"}),
        ("assessment.judge=base", {"assessment.1"}),
        ("train.start=one_last", {"train.1"}),
        ("train.start=total_base", {"train.1"}),
    ],
)
def test_a_choice_of_model_or_data_changes_nothing_before_it_makes_a_difference(
    tmp_path: Path, override: str, first: set[str]
) -> None:
    before, after = plan_of(tmp_path, "probes.count=0"), plan_of(tmp_path, "probes.count=0", override)
    assert changed(before, after) == downstream(before, first)


def test_another_turn_leaves_the_ones_before_it(tmp_path: Path) -> None:
    before, after = plan_of(tmp_path, "followups.turns=2"), plan_of(tmp_path, "followups.turns=3")
    assert {"responses.0", "turn2.followups.0", "turn2.responses.0"} <= keys(before).keys() - changed(
        before, after
    )


def test_the_preference_step_leaves_the_training_before_it(tmp_path: Path) -> None:
    before, after = (
        plan_of(tmp_path, "iterations=1"),
        plan_of(tmp_path, "iterations=1", "preferences.samples=2"),
    )
    new = keys(after).keys() - keys(before).keys()
    assert changed(before, after) == downstream(after, new) == new | {"evaluate.1", "review.0"}


def test_arms_that_train_differently_share_what_the_base_model_writes(tmp_path: Path) -> None:
    arms = [
        plan_of(tmp_path, "instructions.author=base", override)
        for override in ("seed=0", "train.epochs=3.0", "filter.by=random", "assessment.prompts=simple")
    ]
    assert len({step.key for arm in arms for step in arm.of("instructions")}) == 2
    assert len({step.key for arm in arms for step in arm.of("responses")}) == 1 + len(arms)


@pytest.mark.parametrize(
    ("path", "info"),
    [
        pytest.param(path, info, id=path)
        for group, cls in (("runtime.", RuntimeSettings), ("report.", ReportSettings))
        for path, info in settings_of(cls, group)
    ]
    + [pytest.param(name, Recipe.model_fields[name], id=name) for name in ("name", "description")],
)
def test_how_to_run_and_what_to_show_change_no_key(tmp_path: Path, path: str, info: FieldInfo) -> None:
    assert changed(*both(tmp_path, path, info)) == set()


@pytest.mark.parametrize("override", ["model.base=other", "model.revision=main", "model.dtype=bfloat16"])
def test_the_model_changes_every_step_that_has_one(tmp_path: Path, override: str) -> None:
    before = plan_of(tmp_path)
    used = {step.name for step in before.steps if step.model is not None}
    assert changed(before, plan_of(tmp_path, override)) == downstream(before, used)
    assert keys(before)["seeds"] == keys(plan_of(tmp_path, override))["seeds"]


def test_the_layout_changes_the_steps_that_lay_out_requests(tmp_path: Path) -> None:
    rest = write_evaluations(tmp_path)
    before = plan_of(tmp_path, *rest)
    used = {s.name for s in before.steps if s.model is not None and STAGE_BY_NAME[s.stage].lays_out}
    found = changed(before, plan_of(tmp_path, *rest, "model.layout=qa"))
    assert found == downstream(before, used)
    assert {"ifeval.0", "pairs.chat.0", "benchmarks.0", "exam_responses.0"} <= found
    assert not found & {"instructions.0", "questions.benchmarks", "exam"}


def test_the_seed_changes_every_key(tmp_path: Path) -> None:
    before = plan_of(tmp_path)
    assert changed(before, plan_of(tmp_path, "seed=1")) == set(keys(before))


def test_the_engine_and_the_trainer_are_part_of_identity(tmp_path: Path) -> None:
    whole = ("preferences.samples=2", "filter.ppl={}")
    before = plan_of(tmp_path, *whole)
    written = {step.name for step in before.steps if step.model} - own(before, "train", "prefer")
    assert changed(before, plan_of(tmp_path, *whole, "backend.engine=hf")) == downstream(before, written)
    trained = own(before, "train", "prefer")
    assert changed(before, plan_of(tmp_path, *whole, "backend.trainer=trl")) == downstream(before, trained)


@pytest.mark.parametrize(("examiner", "opened"), [("auto", "fake"), ("lm_eval_vllm", "lm_eval_vllm")])
def test_who_examines(tmp_path: Path, examiner: str, opened: str) -> None:
    asked = ("benchmarks.tasks=[piqa]", "iterations=1")
    plan = plan_of(tmp_path, *asked, f"backend.examiner={examiner}")
    assert {step.backend for step in plan.of("benchmarks")} == {opened}
    base = plan_of(tmp_path, *asked)
    examined = own(base, "benchmarks", "questions") | {"questions.benchmarks", "questions.tests"}
    expected = downstream(base, examined) if opened != "fake" else set()
    assert changed(base, plan) == expected


# evaluations


def test_evaluations_change_nothing_of_the_loop(tmp_path: Path) -> None:
    rest = write_evaluations(tmp_path)
    plain, looked_at = plan_of(tmp_path), plan_of(tmp_path, *rest)
    assert changed(plain, looked_at) == {
        name for name in keys(looked_at) if name not in keys(plain) or name.startswith(("questions.", "contamination."))
    }  # fmt: skip


def test_what_is_copied_and_dropped_changes_the_filters(tmp_path: Path) -> None:
    rest = (*write_evaluations(tmp_path), "preferences.samples=2")
    before, after = plan_of(tmp_path, *rest), plan_of(tmp_path, *rest, "contamination.drop=true")
    assert changed(before, after) == downstream(after, own(after, "filter", "preferences"))
    assert "contamination.0" not in changed(before, after), "it is the same search"
    other = plan_of(tmp_path, *rest, "contamination={drop: true, n: 8}")
    assert changed(after, other) == downstream(other, own(other, "contamination"))
    assert "train.0" in changed(after, other)


def test_another_test_to_look_at_changes_what_it_is_asked_of_only(tmp_path: Path) -> None:
    more = write_lines(tmp_path / "more.jsonl", ASKED)
    before, after = plan_of(tmp_path), plan_of(tmp_path, f"evaluate.also=[{more}]")
    new = {"tests.more", "also.0", "also.1", "also.2"}
    assert keys(after).keys() - keys(before).keys() == new
    assert changed(before, after) == downstream(after, new)
    assert not changed(before, after) & {"evaluate.0", "filter.0", "review.0"}, "it is not held out"
    assert "contamination.0" in changed(before, after), "but what is copied of it is told"


def test_whose_answers_pairs_are_held_against(tmp_path: Path) -> None:
    rest = write_evaluations(tmp_path)
    base, file = plan_of(tmp_path, *rest), plan_of(tmp_path, *rest, "chat.baseline=file")
    assert changed(base, file) == {"pairs.judged.0", "pairs.judged.1", "pairs.judged.2"}
    assert "pairs.judged.0" not in keys(base), "the base model is not held against itself"


def test_a_judge_of_ones_own_goes_by_its_model(tmp_path: Path) -> None:
    rest = write_evaluations(tmp_path)
    base, other, revised = (
        plan_of(tmp_path, *rest, *words)
        for words in (
            ("judge={kind: engine, model: base}",),
            ("judge={kind: engine, model: other}",),
            ("judge={kind: engine, model: base}", "model.revision=main"),
        )
    )
    judged = {name for name in keys(base) if ".judged." in name}
    assert changed(base, other) == judged
    assert judged < changed(base, revised)


def test_code_that_is_allowed_to_run_changes_no_key(tmp_path: Path) -> None:
    asked = ("benchmarks.tasks=[boolq, humaneval]", "runtime.allow_code_execution=true")
    assert "benchmarks.0" in keys(plan_of(tmp_path, *asked))
    both = [plan_of(tmp_path, f"runtime.allow_code_execution={b}") for b in ("true", "false")]
    assert keys(both[0]) == keys(both[1])


# outside files


@pytest.mark.parametrize(
    ("setting", "rows", "touched"),
    [
        ("ifeval.file", IFEVAL, {"ifeval", "questions.ifeval"}),
        ("chat.pairwise", PAIRS, {"pairs.chat", "pairs.judged", "questions.pairs"}),
        ("chat.graded", TALK, {"talk.chat", "talk.judged", "questions.talk"}),
        ("evaluate.also", ASKED, {"tests.more"}),
        ("judge.script", [{"text": "Verdict: A"}], {"pairs.judged", "talk.judged"}),
        (
            "chat.references",
            [{"id": "111", "references": ["4", "7"]}, {"id": "81", "references": ["x", "y"]}],
            {"talk.judged", "questions.talk"},
        ),
    ],
)
def test_moving_an_evaluations_file_changes_nothing_and_editing_it_does(
    tmp_path: Path, setting: str, rows: list[Any], touched: set[str]
) -> None:
    rest = write_evaluations(tmp_path)
    name = {"chat.pairwise": "pairs", "chat.graded": "talk", "evaluate.also": "more"}.get(setting, "rows")
    listed = name != "rows"

    def planned(path: Path) -> Plan:
        return plan_of(tmp_path, *rest, f"{setting}={[str(path)] if listed else path}")

    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_lines(tmp_path / folder / f"{name}.jsonl", rows)
    before, moved = (planned(tmp_path / folder / f"{name}.jsonl") for folder in ("one", "two"))
    assert changed(before, moved) == set()
    write_lines(tmp_path / "two" / f"{name}.jsonl", rows[::-1] if len(rows) > 1 else [{"text": "Verdict: B"}])
    edited = planned(tmp_path / "two" / f"{name}.jsonl")
    assert changed(before, edited) == downstream(edited, kinds(edited, *touched))


def test_the_benchmarks_data_go_by_their_content(tmp_path: Path) -> None:
    asked = ("benchmarks.tasks=[boolq]",)
    row = {"question": "is it", "passage": "It is.", "label": 1}
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_lines(tmp_path / folder / "boolq.jsonl", [row])
    before, moved = (plan_of(tmp_path, *asked, f"benchmarks.data_dir={tmp_path}/{n}") for n in ("one", "two"))
    assert changed(before, moved) == set()
    write_lines(tmp_path / "two" / "boolq.jsonl", [row, row])
    edited = plan_of(tmp_path, *asked, f"benchmarks.data_dir={tmp_path}/two")
    assert changed(before, edited) == downstream(edited, kinds(edited, "benchmarks", "questions.benchmarks"))


def test_the_judges_prompts_go_by_their_content(tmp_path: Path) -> None:
    rest = write_evaluations(tmp_path)
    shutil.copytree(PACKAGE / "prompts" / "chat" / "isheep", tmp_path / "mine")
    before, moved = plan_of(tmp_path, *rest), plan_of(tmp_path, *rest, f"judge.prompts={tmp_path}/mine")
    assert changed(before, moved) == set()
    path = tmp_path / "mine" / "graded.txt"
    path.write_text(path.read_text(encoding="utf-8") + "Be strict.\n", encoding="utf-8")
    edited = plan_of(tmp_path, *rest, f"judge.prompts={tmp_path}/mine")
    assert changed(before, edited) == kinds(edited, "pairs.judged", "talk.judged")


@pytest.mark.parametrize("setting", ["seeds.file", "instructions.prompt", "responses.principles"])
def test_moving_an_outside_file_changes_nothing_and_editing_it_does(tmp_path: Path, setting: str) -> None:
    text = "{request}"
    if setting == "seeds.file":
        text = Path(toy_recipe(tmp_path)["seeds"]["file"]).read_text(encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "first").write_text(text, encoding="utf-8")
    (tmp_path / "elsewhere" / "second").write_text(text, encoding="utf-8")
    before = plan_of(tmp_path, f"{setting}={tmp_path}/first")
    after = plan_of(tmp_path, f"{setting}={tmp_path}/elsewhere/second")
    assert changed(before, after) == set()
    (tmp_path / "elsewhere" / "second").write_text(text + "\n", encoding="utf-8")
    edited = plan_of(tmp_path, f"{setting}={tmp_path}/elsewhere/second")
    assert changed(before, edited) == downstream(before, own(before, setting.split(".")[0]))


def test_judging_prompts_go_by_all_files_of_their_folder(tmp_path: Path) -> None:
    example = {"instruction": "Say no.", "input": "", "response": "No.", "quality": 9, "following": 10}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_lines(tmp_path / name / "examples.jsonl", [example])
        for scale in ("quality", "following"):
            text = "{examples}\n{request}\n{response}\n"
            (tmp_path / name / f"{scale}.txt").write_text(text, encoding="utf-8")
    before = plan_of(tmp_path, f"assessment.prompts={tmp_path}/a")
    assert changed(before, plan_of(tmp_path, f"assessment.prompts={tmp_path}/b")) == set()
    write_lines(tmp_path / "b" / "examples.jsonl", [{**example, "quality": 8}])
    after = plan_of(tmp_path, f"assessment.prompts={tmp_path}/b")
    assert changed(before, after) == downstream(before, own(before, "assessment"))


def test_moving_a_test_file_changes_nothing_and_editing_it_does(tmp_path: Path) -> None:
    before = plan_of(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    path = write_lines(tmp_path / "elsewhere" / "toy_tests.jsonl", TESTS)
    assert changed(before, plan_of(tmp_path, f"evaluate.tasks=[{path}]")) == set()
    write_lines(path, TESTS[:2])
    found = changed(before, plan_of(tmp_path, f"evaluate.tasks=[{path}]"))
    assert found == downstream(before, {"tests.toy_tests"})
    assert "responses.0" not in found


def test_a_model_folder_goes_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    at_a = plan_of(tmp_path, f"model.base={tmp_path}/a")
    assert changed(at_a, plan_of(tmp_path, f"model.base={tmp_path}/b")) == set()
    monkeypatch.setenv("HOME", str(tmp_path))
    at_home = plan_of(tmp_path, "model.base='~/a'")
    assert changed(at_a, at_home) == set()
    spec = by_name(at_home)["evaluate.0"].model
    assert spec is not None
    assert spec.base == str(tmp_path / "a")
    (tmp_path / "b" / "config.json").write_text('{"layers": 2}')
    assert "responses.0" in changed(at_a, plan_of(tmp_path, f"model.base={tmp_path}/b"))
    shutil.rmtree(tmp_path / "b")
