"""The plan: Algorithm 1 unrolled, which model does what, and what belongs to the identity of a step's result."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from isheep.plan import WIRING, Plan, Step, make_plan
from isheep.recipe import Recipe, ReportSettings, RuntimeSettings, load_recipe
from isheep.stages import STAGES
from isheep.stages.stage import Settings, outside_files
from toy import SEEDS, TESTS, toy, toy_recipe, write_lines


def plan_of(folder: Path, *overrides: str) -> Plan:
    return make_plan(toy(folder, *overrides))


def by_name(plan: Plan) -> dict[str, Step]:
    return {step.name: step for step in plan.steps}


def keys(plan: Plan) -> dict[str, str]:
    return {step.name: step.key for step in plan.steps}


def sources(plan: Plan) -> dict[str, set[str]]:
    """Step -> the steps it reads or whose model it uses."""
    names = {step.key: step.name for step in plan.steps}
    return {
        step.name: {names[ref.key] for refs in step.inputs.values() for ref in refs}
        | ({names[step.adapter.key]} if step.adapter else set())
        for step in plan.steps
    }


def downstream(plan: Plan, first: set[str]) -> set[str]:
    """The steps in `first` and all that rest on them."""
    found = set(first)
    for name, needs in sources(plan).items():  # in the order they run
        if needs & found:
            found.add(name)
    return found


def changed(before: Plan, after: Plan) -> set[str]:
    old, new = keys(before), keys(after)
    assert set(old) == set(new)
    return {name for name in old if old[name] != new[name]}


# the order


def test_the_row_is_algorithm_1(tmp_path: Path) -> None:
    assert [step.name for step in plan_of(tmp_path).steps] == [
        "seeds", "tests.toy_tests", "evaluate.0",
        "instructions.0", "responses.0", "assessment.0", "filter.0", "train.0", "evaluate.1",
        "instructions.1", "responses.1", "assessment.1", "filter.1", "train.1", "evaluate.2",
    ]  # fmt: skip


def test_no_iterations_only_test_the_base(tmp_path: Path) -> None:
    assert list(by_name(plan_of(tmp_path, "iterations=0"))) == ["seeds", "tests.toy_tests", "evaluate.0"]


def test_without_tests_nothing_is_evaluated(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "evaluate.tasks=[]")
    assert not plan.of("evaluate")
    assert [step.name for step in plan.of("seeds")] == ["seeds"]


def test_every_step_comes_after_what_it_needs(tmp_path: Path) -> None:
    for start in ("one_base", "one_last", "total_base"):
        plan = plan_of(tmp_path, "iterations=4", f"train.start={start}")
        done: set[str] = set()
        for name, needs in sources(plan).items():
            assert needs <= done
            done.add(name)


def test_inputs(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "iterations=3")
    needs, steps = sources(plan), by_name(plan)
    assert needs["instructions.0"] == {"seeds"}
    assert needs["instructions.2"] == {"seeds", "instructions.0", "instructions.1", "train.1"}
    assert needs["responses.2"] == {"instructions.2", "train.1"}
    assert needs["assessment.2"] == {"responses.2", "train.1"}
    assert needs["filter.2"] == {"responses.2", "assessment.2", "tests.toy_tests"}
    assert needs["train.2"] == {"responses.2", "filter.2"}
    assert needs["evaluate.3"] == {"tests.toy_tests", "train.2"}
    assert set(steps["instructions.2"].inputs) == {"seeds", "earlier"}
    assert steps["filter.0"].model is None
    assert steps["seeds"].model is None


def adapters(plan: Plan, stage: str) -> list[str | None]:
    """The train step whose adapter is loaded, by iteration; None is the base model."""
    names = {step.key: step.name for step in plan.steps}
    return [names[step.adapter.key] if step.adapter else None for step in plan.of(stage)]


@pytest.mark.parametrize(
    ("override", "stage", "expected"),
    [
        ("seed=0", "instructions", [None, "train.0", "train.1"]),
        ("seed=0", "responses", [None, "train.0", "train.1"]),
        ("seed=0", "assessment", [None, "train.0", "train.1"]),
        ("seed=0", "evaluate", [None, "train.0", "train.1", "train.2"]),
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
    assert adapters(plan_of(tmp_path, "iterations=3", override), stage) == expected


def test_what_is_trained_on(tmp_path: Path) -> None:
    for start, expected in {
        "one_base": {"responses.2", "filter.2"},
        "one_last": {"responses.2", "filter.2", "train.1"},
        "total_base": {f"{stage}.{t}" for stage in ("responses", "filter") for t in range(3)},
    }.items():
        assert sources(plan_of(tmp_path, "iterations=3", f"train.start={start}"))["train.2"] == expected


def test_more_iterations_go_on_from_fewer(tmp_path: Path) -> None:
    fewer, more = plan_of(tmp_path, "iterations=2"), plan_of(tmp_path, "iterations=3")
    assert more.steps[: len(fewer.steps)] == fewer.steps


# identity


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
        return list(default[1:])
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
    "filter.threshold": 5.0,
    "filter.keep_fraction": 0.25,
    "instructions.prompt": "lamb",
    "assessment.quality_prompt": "lamb",
    "assessment.following_prompt": "lamb",
    "model.dtype": "bfloat16",
    "train.lora.target_modules": ["q_proj"],
    "train.weight_decay": 0.1,
    "backend.engine": "hf",
    "backend.trainer": "trl",
    "report.truth": "lamb",
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


def with_other(folder: Path, path: str, info: FieldInfo) -> Plan:
    """The toy plan with one setting changed."""
    loaded = toy(folder)
    old = value_at(loaded.recipe, path)
    new = SPECIAL[path] if path in SPECIAL else alternative(info, old)
    data: dict[str, Any] = toy_recipe(folder)
    here = data
    *groups, last = path.split(".")
    for group in groups:
        here = here.setdefault(group, {})
    here[last] = new
    other = load_recipe(data)
    assert value_at(other.recipe, path) != old, f"{path} was not changed"
    return make_plan(other)


STAGE_SETTINGS = [
    pytest.param(stage.name, path, info, id=path)
    for stage in STAGES
    for path, info in settings_of(stage.settings, f"{stage.name}.")
    if path.split(".")[1] not in WIRING
]


@pytest.mark.parametrize(("stage", "path", "info"), STAGE_SETTINGS)
def test_a_setting_changes_its_stage_and_what_rests_on_it_only(
    tmp_path: Path, stage: str, path: str, info: FieldInfo
) -> None:
    if path == "seeds.file":
        return  # its content counts; tested below
    before = plan_of(tmp_path)
    own = {step.name for step in before.of(stage) if not step.name.startswith("tests.")}
    assert changed(before, with_other(tmp_path, path, info)) == downstream(before, own)


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
    before = plan_of(tmp_path)
    assert changed(before, plan_of(tmp_path, override)) == downstream(before, first)


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
    assert changed(plan_of(tmp_path), with_other(tmp_path, path, info)) == set()


@pytest.mark.parametrize("override", ["model.base=other", "model.revision=main", "model.dtype=bfloat16"])
def test_the_model_changes_every_step_that_has_one(tmp_path: Path, override: str) -> None:
    before = plan_of(tmp_path)
    own = {step.name for step in before.steps if step.model is not None}
    assert changed(before, plan_of(tmp_path, override)) == downstream(before, own)
    assert keys(before)["seeds"] == keys(plan_of(tmp_path, override))["seeds"]


def test_the_layout_changes_the_steps_that_lay_out_requests(tmp_path: Path) -> None:
    before = plan_of(tmp_path)
    own = {s.name for s in before.steps if s.model is not None and s.stage != "instructions"}
    found = changed(before, plan_of(tmp_path, "model.layout=qa"))
    assert found == downstream(before, own)
    assert "instructions.0" not in found


def test_the_seed_changes_every_key(tmp_path: Path) -> None:
    before = plan_of(tmp_path)
    assert changed(before, plan_of(tmp_path, "seed=1")) == set(keys(before))


def test_the_engine_and_the_trainer_are_part_of_identity(tmp_path: Path) -> None:
    before = plan_of(tmp_path)
    written = {step.name for step in before.steps if step.model and step.stage != "train"}
    assert changed(before, plan_of(tmp_path, "backend.engine=hf")) == downstream(before, written)
    trained = {step.name for step in before.of("train")}
    assert changed(before, plan_of(tmp_path, "backend.trainer=trl")) == downstream(before, trained)


def test_another_filter_leaves_the_scored_pool(tmp_path: Path) -> None:
    """Filters are views over one immutable scored pool: law 5."""
    same = keys(plan_of(tmp_path)).keys() - changed(plan_of(tmp_path), plan_of(tmp_path, "filter.by=random"))
    assert {"seeds", "evaluate.0", "instructions.0", "responses.0", "assessment.0"} == same - {
        "tests.toy_tests"
    }


@pytest.mark.parametrize("setting", ["seeds.file", "instructions.prompt", "assessment.quality_prompt"])
def test_moving_an_outside_file_changes_nothing_and_editing_it_does(tmp_path: Path, setting: str) -> None:
    text = "{request} {response}"
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
    stage = setting.split(".")[0]
    own = {step.name for step in before.of(stage) if not step.name.startswith("tests.")}
    assert changed(before, edited) == downstream(before, own)


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
    assert by_name(at_home)["evaluate.0"].model.base == str(tmp_path / "a")
    (tmp_path / "b" / "config.json").write_text('{"layers": 2}')
    assert "responses.0" in changed(at_a, plan_of(tmp_path, f"model.base={tmp_path}/b"))
    shutil.rmtree(tmp_path / "b")


def test_the_model_goes_by_its_own_name_in_what_leaves_this_machine(tmp_path: Path) -> None:
    spec = by_name(plan_of(tmp_path, "model.base=lamb"))["evaluate.0"].model
    assert spec is not None
    assert spec.name == "lamb"


def test_all_keys_of_a_plan_differ(tmp_path: Path) -> None:
    found = list(keys(plan_of(tmp_path, "iterations=4")).values())
    assert len(found) == len(set(found))


def test_outside_files_are_all_in_the_plan(tmp_path: Path) -> None:
    for step in plan_of(tmp_path).steps:
        assert set(step.files) == {name for name, _ in outside_files(type(step.settings))}
        assert all(path.is_file() for path in step.files.values())


#: What every stage's result goes by, for settings that are all written out in `golden_plan`.
GOLDEN: dict[str, str] = {
    "seeds": "f97de6fe2b5415f2",
    "tests.toy_tests": "d1142a88db4fc94e",
    "evaluate.0": "81e9f2fdb4c2113d",
    "instructions.0": "e089798d5511d56e",
    "responses.0": "ce5393a780ecf064",
    "assessment.0": "3a6aaf19bf4bb407",
    "filter.0": "fd13c4f233e14462",
    "train.0": "bed4556e8423561c",
    "evaluate.1": "6e8a146e0deda3c4",
}


def golden_plan(folder: Path) -> Plan:
    prompt = folder / "prompt.txt"
    prompt.write_text("{request}\n{response}\n", encoding="utf-8")
    data = toy_recipe(folder)
    data["instructions"] |= {"prompt": str(prompt), "rules": ["length"]}
    data["filter"]["rules"] = ["empty"]
    data["assessment"] = {"quality_prompt": str(prompt), "following_prompt": str(prompt)}
    return make_plan(load_recipe(data))


def test_golden_keys(tmp_path: Path) -> None:
    """A key changed: everybody's stored results of that stage, and of all after it, will be made again.

    If results of the stage now mean something else, raise its version in stages/<name>.py. If a setting was added,
    removed or got another default, that is reason enough. Then put the keys below into GOLDEN. If neither is the
    case, the change came in by accident: find it.
    """
    assert [s["id"] for s in SEEDS] == ["s1", "s2", "s3", "s4", "s5", "s6"]
    found = {step.name: step.key[:16] for step in golden_plan(tmp_path).steps[:9]}
    assert found == GOLDEN, f"GOLDEN = {found}"
