"""Recipes: every mistake at once, each with its path and what was expected; overrides, `extends`, files, schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.errors import RecipeError
from isheep.files import PACKAGE
from isheep.plan import make_plan
from isheep.recipe import Recipe, load_recipe, recipe_path, schema
from isheep.recipe_text import override
from toy import SEEDS, toy, toy_recipe, write_lines


def written(folder: Path, text: str | bytes, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def mistakes(source: Path | dict[str, Any], *overrides: str) -> list[str]:
    """The lines of the refusal, one per mistake."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(source, overrides)
    assert caught.value.hint
    head, *lines = caught.value.message.split("\n")
    assert head == f"the recipe has {len(lines)} mistake{'s' if len(lines) > 1 else ''}:"
    return [line.removeprefix("  ") for line in lines]


# mistakes


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        sead: 3
        seed: -1
        iterations: true
        model: {layout: chatlm, bas: x}
        backend: {engine: hff, trainer: tlr}
        seeds: {file: genral}
        instructions:
          cuont: 5
          temperature: hot
          rules: [lenght]
          overlap: {threshold: 0, treshold: 0.5}
        responses: 4
        assessment: {prompts: ../nowhere, level: neither}
        filter:
        train:
          lora: {rank: 0, rnak: 4, target_modules: 3}
          learning_rate: .inf
        evaluate: {tasks: [lam], decodings: [gredy], base_layouts: [pln]}
        runtime: {batch_size: 1.5}
        """,
    )
    assert set(mistakes(path)) == {
        "sead: unknown setting; did you mean 'seed'?",
        "seed: expected 0 or more (found -1)",
        "iterations: expected a whole number (found True)",
        "model.layout: expected 'auto', 'chat', 'chatml', 'plain', 'question', 'qa' or 'user'; "
        "did you mean 'chatml'? (found 'chatlm')",
        "model.bas: unknown setting; did you mean 'base'?",
        "backend.engine: unknown name 'hff'; did you mean 'hf'?",
        "backend.trainer: unknown name 'tlr'; did you mean 'trl'?",
        "seeds.file: no file 'genral'; did you mean 'general'?",
        "instructions.cuont: unknown setting; did you mean 'count'?",
        "instructions.temperature: expected a number (found 'hot')",
        "instructions.rules: unknown name 'lenght'; did you mean 'length'?",
        "instructions.overlap.threshold: expected a number above 0 (found 0)",
        "instructions.overlap.treshold: unknown setting; did you mean 'threshold'?",
        "responses: expected a group of settings (found 4)",
        "assessment.level: expected 'none', 'quality', 'following' or 'both' (found 'neither')",
        "assessment.prompts: no file '../nowhere'; shipped names: combined, icl, lamb, lamb_combined, lamb_icl, "
        "lamb_simple, simple",
        "filter: expected a group of settings (found None)",
        "train.lora.rank: expected 1 or more (found 0)",
        "train.lora.rnak: unknown setting; did you mean 'rank'?",
        "train.lora.target_modules: expected text; put it in quotes (found 3)",
        "train.lora.target_modules: expected a list (found 3)",
        "train.learning_rate: expected a finite number (found inf)",
        "evaluate.tasks.0: no file 'lam'; did you mean 'lamb'?",
        "evaluate.decodings.0: expected 'greedy' or 'sampled'; did you mean 'greedy'? (found 'gredy')",
        "evaluate.base_layouts: unknown name 'pln'; did you mean 'plain'?",
        "runtime.batch_size: expected a whole number (found 1.5)",
    }


@pytest.mark.parametrize(
    ("override", "mistake"),
    [
        ("xyz=1", "xyz: unknown setting; valid here: assessment, backend, benchmarks, chat, contamination,"),
        ("train.lora.zzz=1", "train.lora.zzz: unknown setting; valid here: alpha, dropout, rank, target"),
        ('seed="3"', "seed: expected a whole number (found '3')"),
        ("seed=3.5", "seed: expected a whole number (found 3.5)"),
        ("seed=99999999999999999999", "seed: expected a number below 9.22337e+18"),
        ("name=12", "name: expected text; put it in quotes (found 12)"),
        ("name=../up", "name: expected letters, digits, '.', '_' and '-', at most 64 (found '../up')"),
        ("name=" + "a" * 65, "name: expected letters, digits, '.', '_' and '-', at most 64"),
        ("name=''", "name: expected letters, digits"),
        ("model.base=./nowhere", "model.base: no folder './nowhere'"),
        ("model.base='~nobody-of-this-name/x'", "model.base: no folder '~nobody-of-this-name/x'"),
        ("model.revision=2024", "model.revision: expected text; put it in quotes (found 2024)"),
        ("model.trust_remote_code=1", "model.trust_remote_code: expected true or false (found 1)"),
        ("responses.temperature=.nan", "responses.temperature: expected a finite number (found nan)"),
        ("responses.temperature=true", "responses.temperature: expected a number (found True)"),
        ("responses.top_p=0", "responses.top_p: expected a number above 0 (found 0)"),
        ("responses.top_p=1.01", "responses.top_p: expected 1 or less (found 1.01)"),
        ("train.lora.dropout=1", "train.lora.dropout: expected a number below 1 (found 1)"),
        ("instructions.rules=length", "instructions.rules: expected a list (found 'length')"),
        ("instructions.rules=[length, length]", "instructions.rules: 'length' stands in the list twice"),
        ("instructions.min_yield=0", "instructions.min_yield: expected a number above 0 (found 0)"),
        ("instructions.list_length=3", "instructions: list_length (3) must be above shots (3)"),
        ("instructions.min_words=200", "instructions: min_words (200) is above max_words (150)"),
        ("filter.threshold=11", "filter.threshold: expected 10 or less (found 11)"),
        ("filter.keep_fraction=0", "filter.keep_fraction: expected a number above 0 (found 0)"),
        ("filter.rules=[ours, ours]", "filter.rules: 'empty' stands in the list twice"),
        ("filter.ppl.limit=1", "filter.ppl.limit: expected a number above 1 (found 1)"),
        ("filter.density={share: 0.5}", "filter.density: give either clusters or share"),
        ("filter.density={clusters: null}", "filter.density: give either clusters or share"),
        ("filter.order=[threshold]", "filter: order: keep_fraction is switched on and has no place in it"),
        ("filter.order=[ppl, ppl]", "filter: order: a filter stands in it twice"),
        ("filter.match=0", "filter: match (0) is below min_kept (1)"),
        ("assessment.samples=2", "assessment: samples: the expected score is always the same"),
        ("followups.turns=0", "followups.turns: expected 1 or more (found 0)"),
        ("review.guard.action=stpo", "review.guard.action: expected 'warn', 'stop' or 'off'; did you mean"),
        ("filter.rules=[empy]", "filter.rules: unknown name 'empy'; did you mean 'empty'?"),
        ("assessment.level=none", "filter.by: there is no score to keep the best by"),
        (
            "filter.min_kept=7",
            "filter.min_kept: 7 pairs can never be kept, as at most 0.5 of 12, which is 6,",
        ),
        ("evaluate.decodings=[greedy, greedy]", "evaluate.decodings: 'greedy' stands in the list twice"),
        ("evaluate.tasks=lamb", "evaluate.tasks: expected a list (found 'lamb')"),
        ("evaluate.tasks=[lamb, lamb]", "evaluate.tasks: two test files are called 'lamb'; rename one"),
        ("evaluate.tasks=['a:b.jsonl']", "evaluate.tasks: a test file cannot be called 'a:b'; rename it"),
        ("evaluate.tasks=[./]", "evaluate.tasks: a test file cannot be called ''; rename it"),
        ("evaluate.tasks=[3]", "evaluate.tasks.0: expected text; put it in quotes (found 3)"),
        ("evaluate.also=[lamb, ./lamb]", "evaluate.also: two test files are called 'lamb'; rename one"),
        ("evaluate.also=[lam]", "evaluate.also.0: no file 'lam'; did you mean 'lamb'?"),
        ("benchmarks.tasks=[helaswag]", "benchmarks.tasks: unknown benchmark 'helaswag'"),
        ("benchmarks.tasks=boolq", "benchmarks.tasks: expected a list (found 'boolq')"),
        ("benchmarks.limit=0", "benchmarks.limit: expected 1 or more (found 0)"),
        ("benchmarks.data_dir=./nowhere", "benchmarks.data_dir: no file './nowhere'"),
        ("benchmarks.layout=modle", "benchmarks.layout: expected 'none' or 'model'; did you mean 'model'?"),
        ("ifeval.file=gone.jsonl", "ifeval.file: no file 'gone.jsonl'"),
        ("ifeval.limit=true", "ifeval.limit: expected a whole number (found True)"),
        ("chat.pairwise=[3]", "chat.pairwise.0: expected text; put it in quotes (found 3)"),
        ("chat.graded=gone.jsonl", "chat.graded: expected a list (found 'gone.jsonl')"),
        ("chat.baseline=bas", "chat.baseline: expected 'file' or 'base'; did you mean 'base'?"),
        ("chat.references=gone.jsonl", "chat.references: no file 'gone.jsonl'"),
        ("judge.kind=opnai", "judge.kind: expected 'openai', 'engine' or 'scripted'; did you mean 'openai'?"),
        ("judge.prompts=isheeep", "judge.prompts: no file 'isheeep'; did you mean 'isheep'?"),
        ("judge.temperature=-1", "judge.temperature: expected 0 or more (found -1)"),
        ("contamination.n=4", "contamination.n: expected 5 or more (found 4)"),
        ("contamination.drop=yes please", "contamination.drop: expected true or false (found 'yes please')"),
        ("exam.constraints=1001", "exam.constraints: expected 1000 or less (found 1001)"),
        ("runtime.concurrency=0", "runtime.concurrency: expected 1 or more (found 0)"),
        ("report.family=task", "report.family: expected a list (found 'task')"),
    ],
)
def test_impossible_values(tmp_path: Path, override: str, mistake: str) -> None:
    found = mistakes(toy_recipe(tmp_path), override)
    assert found[0].startswith(mistake)


def test_mistakes_in_overrides_and_in_the_recipe_come_together(tmp_path: Path) -> None:
    recipe = {**toy_recipe(tmp_path), "sead": 1}
    assert mistakes(recipe, "iterations", "seeds.file=gone.jsonl") == [
        "--set iterations: expected key.path=value",
        "sead: unknown setting; did you mean 'seed'?",
        "seeds.file: no file 'gone.jsonl'; shipped names: general, lamb",
    ]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        *Recipe.model_fields,
                        "extends",
                        "count",
                        "rules",
                        "lora",
                        "overlap",
                        "on",
                        "file",
                        "tasks",
                    ]
                )
                | st.text(max_size=8),
                inner,
                max_size=4,
            )
        ),
        max_leaves=15,
    ).filter(lambda value: isinstance(value, dict))
)
def test_any_mapping_is_a_recipe_or_a_recipe_error(data: dict[str, Any]) -> None:
    try:
        loaded = load_recipe(data)
    except RecipeError:
        return
    assert make_plan(loaded).steps


def test_a_prompt_must_be_a_text_file_with_its_fields(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path)
    (tmp_path / "folder").mkdir()
    recipe["instructions"]["prompt"] = str(written(tmp_path, b"\xff\xfe", "latin.txt"))
    recipe["responses"]["principles"] = str(written(tmp_path, "Be kind. {instruction}", "principles.txt"))
    assert mistakes(recipe) == [
        f"instructions.prompt: {tmp_path}/latin.txt is not UTF-8 text",
        f"responses.principles: {tmp_path}/principles.txt needs exactly the fields {{request}}; "
        "missing or unknown: instruction, request",
    ]
    recipe["instructions"]["prompt"] = str(tmp_path / "folder")
    assert mistakes(recipe)[0] == (
        f"instructions.prompt: {tmp_path}/folder is a folder, expected a text file"
    )


FORM = "Rate {request} and {response}"


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"quality.txt": FORM}, "holds no following.txt"),
        (
            {"quality.txt": FORM, "following.txt": "Rate {request} and {answer}"},
            "holds a following.txt that needs exactly the fields {request} and {response}; "
            "missing or unknown: answer, response",
        ),
        ({"quality.txt": b"\xff\xfe", "following.txt": FORM}, "holds a quality.txt that is not UTF-8 text"),
        (
            {"quality.txt": "{examples}\n" + FORM, "following.txt": FORM},
            "holds a quality.txt that cannot be used: the judging prompt has {examples}, but there are none",
        ),
    ],
)
def test_a_set_of_judging_prompts_is_whole(
    tmp_path: Path, files: dict[str, str | bytes], problem: str
) -> None:
    for name, text in files.items():
        written(tmp_path, text, f"forms/{name}")
    assert mistakes(toy_recipe(tmp_path), f"assessment.prompts={tmp_path}/forms") == [
        f"assessment.prompts: {tmp_path}/forms {problem}"
    ]


def test_a_set_of_judging_prompts_may_be_named_by_its_folder_or_by_a_file_in_it(tmp_path: Path) -> None:
    path = written(tmp_path, FORM, "forms/quality.txt")
    written(tmp_path, FORM, "forms/following.txt")
    for name in (path, path.parent):
        assert toy(tmp_path, f"assessment.prompts={name}").files["assessment.prompts"] == path.parent


def test_an_empty_folder_holds_no_tasks(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    assert mistakes(toy_recipe(tmp_path), f"seeds.file={tmp_path}/hub") == [
        f"seeds.file: {tmp_path}/hub is an empty folder"
    ]


def test_braces_that_are_no_field_may_stand_in_a_prompt(tmp_path: Path) -> None:
    prompt = written(tmp_path, 'Answer as {"score": 7}. {request}', "q.txt")
    toy(tmp_path, f"responses.principles={prompt}")


# the text of a recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: }", "not YAML: .*line 2"),
        ("a:\n\tb: 1", "not YAML: .*line 2"),
        ("- a\n- b\n", "expected a mapping of settings, found list"),
        ("just words", "expected a mapping of settings, found str"),
        (b"\xff\xfe\x00a", "not YAML: 'utf-8' codec can't decode byte 0xff"),
        ("seed: 1\nname: x\nseed: 2\n", "not YAML: the key 'seed' occurs twice(.|\n)*line 3"),
        ("[1, 2]: 3", "not YAML: .*"),
        ("a: !!python/object/apply:os.getcwd []", "not YAML: .*could not determine a constructor"),
        ("[" * 500, "not YAML: "),
        ("a: &a [*a]\nseeds: &b {file: *b}", "the recipe contains itself"),
        ("extends: [paper]", "extends: expected the name or path of a recipe, found"),
        ("extends: mine.yaml", "extends: recipes extend one another in a circle"),
        ("extends: papr", "extends: no file 'papr'; did you mean 'paper'?"),
        ("extends: ./", "cannot be read: Is a directory"),
    ],
)
def test_a_text_that_is_no_recipe(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(RecipeError, match=message.replace(".*", "(.|\n)*")):
        load_recipe(written(tmp_path, text))


def test_an_empty_recipe_is_the_defaults(tmp_path: Path) -> None:
    for text in ("", "# nothing\n", "---\n"):
        assert load_recipe(written(tmp_path, text)).recipe == Recipe()


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    assert load_recipe(written(tmp_path, b"\xef\xbb\xbfseed: 4\n")).recipe.seed == 4


def test_words_stay_words_and_numbers_numbers(tmp_path: Path) -> None:
    """YAML 1.1 would read `on` as true, 2e-3 as text, and a date as a date."""
    path = written(
        tmp_path,
        "instructions: {count: 1e3, overlap: {on: pair}}\ntrain: {learning_rate: 2e-3}\nname: 2024-01-01\n",
    )
    recipe = load_recipe(path).recipe
    assert recipe.instructions.overlap.on == "pair"
    assert (recipe.instructions.count, recipe.train.learning_rate, recipe.name) == (1000, 0.002, "2024-01-01")


@pytest.mark.parametrize("name", ["nope.yaml", "papr", "x" * 5000, "a\0b", "~nobody-of-this-name/a.yaml", ""])
def test_a_recipe_that_is_not_there(name: str) -> None:
    with pytest.raises(RecipeError, match=r"recipe: "):
        recipe_path(name)


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="is a folder"):
        recipe_path(tmp_path)


# overrides


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("seed=3", "seed", 3),
        ("filter.threshold=null", "filter.threshold", None),
        ("filter.threshold=", "filter.threshold", None),
        ("filter.threshold=7.5", "filter.threshold", 7.5),
        ("train.lora.rank = 4", "train.lora.rank", 4),
        ("instructions.overlap.on=pair", "instructions.overlap.on", "pair"),
        ("instructions.rules=[]", "instructions.rules", ()),
        ("evaluate.decodings=[greedy]", "evaluate.decodings", ("greedy",)),
        ("train.lora.target_modules=[q_proj, v_proj]", "train.lora.target_modules", ("q_proj", "v_proj")),
        ("train.lora={rank: 2}", "train.lora.rank", 2),
        ("model.base=models/my=odd name", "model.base", "models/my=odd name"),
    ],
)
def test_set(tmp_path: Path, text: str, path: str, value: Any) -> None:
    found: Any = toy(tmp_path, text).recipe
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("seed", "expected key.path=value"),
        ("=3", "expected key.path=value"),
        ("train..rank=3", "expected key.path=value"),
        (".seed=3", "expected key.path=value"),
        ("", "expected key.path=value"),
        ("description=a: b: c", "the value is not YAML (put quotes around it)"),
        ("seed=[1", "the value is not YAML (put quotes around it)"),
        ("extends=paper", "`extends` stands in a recipe file"),
        ("name.x=3", "name is a value, not a group of settings"),
        ("model.base.x=3", "model.base is a value, not a group of settings"),
    ],
)
def test_wrong_set(tmp_path: Path, text: str, mistake: str) -> None:
    assert f"--set {text}: {mistake}" in mistakes(toy_recipe(tmp_path), text)


def test_the_last_override_wins_and_the_callers_mapping_stays(tmp_path: Path) -> None:
    given = toy_recipe(tmp_path)
    before = json.dumps(given)
    recipe = load_recipe(given, ["train.lora.rank=2", "train.lora.rank=3", "train.epochs=1"], seed=9).recipe
    assert (recipe.train.lora.rank, recipe.train.epochs, recipe.train.batch_size, recipe.seed) == (3, 1, 2, 9)
    assert json.dumps(given) == before


def test_an_override_of_a_group_changes_what_it_names(tmp_path: Path) -> None:
    lora = toy(tmp_path, "train.lora={rank: 2, alpha: 3}", "train.lora={rank: 4}").recipe.train.lora
    assert (lora.rank, lora.alpha) == (4, 3)


def test_a_single_override_may_stand_alone(tmp_path: Path) -> None:
    assert load_recipe(toy_recipe(tmp_path), "seed=3").recipe.seed == 3


def test_an_override_may_fill_an_empty_group(tmp_path: Path) -> None:
    path = written(tmp_path, "filter:\n")
    assert load_recipe(path, ["filter.threshold=5"]).recipe.filter.threshold == 5


@given(st.text())
def test_any_override_is_applied_or_refused(text: str) -> None:
    data: dict[str, Any] = {"seed": 1, "train": {"lora": {"rank": 3}}}
    found = override(data, text)
    assert found == [] or found[0].startswith(f"--set {text}: ")


# extends


def test_extends_merges_group_by_group(tmp_path: Path) -> None:
    written(tmp_path, "train: {epochs: 7, lora: {rank: 3, alpha: 5}}\nseed: 1\nname: old\n", "base/old.yaml")
    written(tmp_path, "extends: old.yaml\ntrain: {lora: {rank: 4}}\nname: middle\n", "base/middle.yaml")
    path = written(tmp_path, "extends: base/middle.yaml\ninstructions: {rules: []}\nname: new\n")
    recipe = load_recipe(path).recipe
    lora = recipe.train.lora
    assert (lora.rank, lora.alpha, recipe.train.epochs, recipe.seed, recipe.name) == (4, 5, 7, 1, "new")
    assert recipe.instructions.rules == ()


def test_extends_a_shipped_recipe_from_a_mapping() -> None:
    recipe = load_recipe({"extends": "paper", "instructions": {"count": 30}}).recipe
    assert (recipe.instructions.count, recipe.assessment.reading) == (30, "sampled")


def test_files_beside_an_extended_recipe_are_found(tmp_path: Path) -> None:
    seeds = write_lines(tmp_path / "s.jsonl", SEEDS)
    (tmp_path / "base").mkdir()
    seeds.rename(tmp_path / "base" / "s.jsonl")
    written(tmp_path, "seeds: {file: s.jsonl}\n", "base/old.yaml")
    path = written(tmp_path, "extends: base/old.yaml\n")
    assert load_recipe(path).files["seeds.file"] == tmp_path / "base" / "s.jsonl"


# files


def test_files_are_looked_for_among_the_shipped_then_here_then_beside_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "seeds: {file: mine}\n", "there/mine.yaml")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "there" / "mine").write_text("{}")
    assert load_recipe(path).files["seeds.file"] == tmp_path / "there" / "mine"
    (tmp_path / "here" / "mine").write_text("{}")
    assert load_recipe(path).files["seeds.file"] == tmp_path / "here" / "mine"
    (tmp_path / "here" / "lamb").write_text("{}")
    assert load_recipe({"seeds": {"file": "lamb"}}).files["seeds.file"] == PACKAGE / "seeds" / "lamb.jsonl"


def test_a_folder_named_like_a_shipped_file_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "general").mkdir()
    (tmp_path / "general" / "a.jsonl").write_text("")
    (tmp_path / "lamb").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_recipe({}).files["seeds.file"] == PACKAGE / "seeds" / "general.jsonl"
    assert load_recipe({"seeds": {"file": "./general"}}).files["seeds.file"] == tmp_path / "general"
    assert recipe_path("lamb") == PACKAGE / "recipes" / "lamb.yaml"


# the schema


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    "data",
    [
        {"sead": 1},
        {"seed": "3"},
        {"model": {"layout": "chatlm"}},
        {"train": {"lora": {"rnk": 3}}},
        {"filter": {"threshold": 11}},
        {"extends": 3},
    ],
)
def test_the_schema_refuses_what_load_refuses(data: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, schema())
    with pytest.raises(RecipeError):
        load_recipe(data)


def test_every_setting_says_what_it_means() -> None:
    """Editors and the recipe reference show these."""

    def walk(where: str, node: dict[str, Any]) -> None:
        for name, inner in node.get("properties", {}).items():
            assert inner.get("description"), f"{where}.{name} has no description"

    made = schema()
    walk("recipe", made)
    for name, group in made["$defs"].items():
        walk(name, group)


@pytest.mark.parametrize(
    ("setting", "offer"),
    [
        ("filter.ppl={limt: 30}", "filter.ppl.limt: unknown setting; did you mean 'limit'?"),
        ("review.guard.max_satration=1", "did you mean 'max_saturation'?"),
        ("filter.rules=[relased]", "did you mean 'released'?"),
    ],
)
def test_a_typo_in_an_optional_group_or_a_rule_set_gets_an_offer(setting: str, offer: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(offer)):
        load_recipe("lamb", [setting])
