"""What is generated is up to date, and links between documents lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

from isheep.files import shipped
from isheep.plan import make_plan
from isheep.recipe import Recipe, load_recipe, recipe_names
from isheep.sweep import Sweep, load_sweep, sweep_names
from isheep.text.released import ALL_RESPONSE_RULES, RULE_SETS
from toy import TESTS, write_lines

DOCS = Path(__file__).parents[1] / "docs"
PAPER = (DOCS / "paper.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line.removeprefix("isheep "))
    for block in re.findall(r"```bash\n(.*?)```", PAPER, re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_generated_is_up_to_date(generate: ModuleType) -> None:
    made = generate.outputs()
    assert {path.name for path in made} == {
        "recipe.md",
        "cli.md",
        "paper.md",
        "recipe.schema.json",
        "sweep.schema.json",
    }
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make docs`"


def test_every_setting_says_what_it_means(generate: ModuleType) -> None:
    settings = generate.reference().split("## Names")[0]
    rows = [line for line in settings.splitlines() if line.startswith("| `")]
    assert len(rows) > 130
    assert all(row.split("|")[3].strip() for row in rows)


def test_the_reference_covers_every_setting_of_every_group(generate: ModuleType) -> None:
    text = generate.reference()
    for path in leaves(Recipe):
        assert f"| `{path}` |" in text, path
    for group in ("filter.ppl", "filter.density", "filter.overlap", "review.guard", "train.lora"):
        assert f"### {group}\n" in text
    for name in Sweep.model_fields:
        assert f"| `{name}` |" in text.split("## A sweep")[1], name


def leaves(model: Any, prefix: str = "") -> Iterator[str]:
    """The path of every setting, of optional groups too."""
    for name, info in model.model_fields.items():
        kinds = [k for k in (info.annotation, *get_args(info.annotation)) if hasattr(k, "model_fields")]
        yield from (leaf for kind in kinds for leaf in leaves(kind, f"{prefix}{name}."))
        if not kinds:
            yield prefix + name


@pytest.mark.parametrize("group", ["filter.ppl", "filter.density", "filter.overlap"])
def test_a_group_that_is_off_is_switched_on_as_the_reference_says(generate: ModuleType, group: str) -> None:
    assert f"Off by default; `{group}={{}}` switches it on." in generate.reference()
    section, name = group.split(".")
    for overrides, on in (([], False), ([f"{group}={{}}"], True)):
        found = getattr(getattr(load_recipe({}, overrides).recipe, section), name)
        assert (found is not None) == on


def test_the_reference_names_what_is_shipped(generate: ModuleType) -> None:
    text = generate.reference().split("## Names")[1]
    rules = [rule for sets in RULE_SETS.values() for members in sets.values() for rule in members]
    for name in (*rules, *recipe_names(), *sweep_names()):
        assert f"\n| `{name}` | " in text, name
    for name in shipped("prompts/judge", "/quality.txt"):
        assert f"`{name}`" in text
    assert RULE_SETS["response"]["ours"]
    assert str(ALL_RESPONSE_RULES["cjk"].drops.__doc__) in text


def test_the_table_of_differences_is_true(generate: ModuleType) -> None:
    """Read back: setting, both values and both sources."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in generate.differences("paper", "released_code").splitlines()[2:]
    ]
    recipes = [load_recipe(name).recipe.model_dump(mode="json") for name in ("paper", "released_code")]
    assert {row[0].strip("`") for row in rows} == {
        path
        for path in leaves(Recipe)
        if path not in ("name", "description") and at(recipes[0], path) != at(recipes[1], path)
    }
    for name, here, there, theirs, said in rows:
        assert here.startswith("`")
        assert there.startswith(("paper", "released code", "ours"))
        assert theirs.startswith("`")
        assert said.startswith("released code"), name
    found = {row[0].strip("`"): row for row in rows}
    assert found["assessment.judge"][1::2] == ['`"current"`', '`"base"`']
    assert found["train.max_samples"][1::2] == ["`null`", "`3000`"]
    assert found["filter.rules"][1::2] == ['`["ours"]`', '`["released"]`']


def at(data: dict[str, Any], path: str) -> Any:
    """The value at a path; None below a group that is off."""
    here: Any = data
    for part in path.split("."):
        here = here.get(part) if here else None
    return here


def test_a_page_keeps_what_stands_around_its_table(generate: ModuleType) -> None:
    page = "before\n<!-- made by `make docs` -->\nold\n<!-- end -->\nafter \\1\n"
    filled = generate.filled(page, "| new \\1 |\n")
    assert filled == page.replace("old\n", "| new \\1 |\n")
    assert generate.filled(filled, "| new \\1 |\n") == filled


def test_comments_are_read_off_a_recipe(generate: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "# head: not a setting\nseed: 1  # ours: a # in it\nmodel:\n  base: x#y\n  dtype: auto # paper\nname: z\n"
    )
    assert generate.sources(path) == {
        "seed": "ours: a # in it",
        "model": "",
        "model.base": "",
        "model.dtype": "paper",
        "name": "",
    }


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: " ".join(words))
def test_the_commands_on_the_papers_page_are_right(command: list[str], tmp_path: Path) -> None:
    test = write_lines(tmp_path / "questions.jsonl", TESTS)
    verb, name, *words = [word.replace("./questions.jsonl", str(test)) for word in command]
    assert words[::2] == ["--set"] * len(words[::2])
    if verb == "run":
        assert make_plan(load_recipe(name, words[1::2])).steps
    else:
        assert load_sweep(name, words[1::2]).jobs


def test_every_sweep_on_the_papers_page_exists() -> None:
    table = PAPER.split("## Which sweep")[1].split("## Baselines")[0]
    rows = [line.split("|")[2:4] for line in table.splitlines() if re.match(r"\| [0-9]\. ", line)]
    assert len(rows) == 7
    named = [name for row in rows for cell in row for name in re.findall(r"`([a-z]+[0-9_]\w*)`", cell)]
    assert len(named) == 10
    assert set(named) <= sweep_names().keys()


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_every_run_of_the_scale_page_can_be_planned() -> None:
    text = (DOCS / "scale.md").read_text(encoding="utf-8")
    found = [
        shlex.split(line, comments=True)
        for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(found) == 5
    for words in found:
        assert words[:2] == ["isheep", "run"]
        settings = [words[n + 1] for n, word in enumerate(words) if word == "--set"]
        assert make_plan(load_recipe(words[2], settings)).steps
