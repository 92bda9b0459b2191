"""Writes what is generated: docs/recipe.md, docs/cli.md, the table in docs/paper.md, the two JSON schemas: `make docs`.

A test asserts that all of them are as this program would write them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from isheep.files import shipped
from isheep.recipe import Recipe, load_recipe, recipe_names, schema
from isheep.recipe_text import extended, read
from isheep.stages.described import described
from isheep.sweep import Sweep, sweep_names
from isheep.sweep.definition import schema as sweep_schema
from isheep.text.prompts import read_examples
from isheep.text.released import ALL_INSTRUCTION_RULES, ALL_RESPONSE_RULES, RULE_SETS

DOCS = Path(__file__).parent
RECIPES = DOCS.parent / "src" / "isheep" / "recipes"

#: Below the title of a page that is made whole.
MADE = "Made from the code by `make docs`; do not edit."

HEAD = """# Every setting

Made from the code by `make docs`; do not edit. In order: the settings of a recipe, the settings of a sweep, and the
names that may be given to them.

## A recipe

YAML; what it does not set has the default below. `extends: NAME` starts from another recipe (a shipped name or a path).
On the command line, `--set key.path=value` changes one setting. Nothing under `runtime` enters a key: it may change
speed, never the result; nor does anything under `trackers`.

Files (seeds, prompts, tests) are given as a shipped name or a path; a path is looked for from the working directory,
then beside the recipe. What counts is the content: editing a file makes new keys, moving it does not.
"""

SWEEPS = """## A sweep

YAML too: a recipe, arms (changes to it) and seeds. `isheep sweep NAME` runs and compares them. In `arms` an arm without
changes is written `name:`.
"""

NAMES = "## Names\n"


def outputs() -> Mapping[Path, str]:
    """Every generated file and its text."""
    page = DOCS / "paper.md"
    return {
        DOCS / "recipe.md": reference(),
        DOCS / "cli.md": commands(),
        page: filled(page.read_text(encoding="utf-8"), differences("paper", "released_code")),
        RECIPES / "recipe.schema.json": _json(schema()),
        RECIPES / "sweeps" / "sweep.schema.json": _json(sweep_schema()),
    }


def _json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


# ---------------------------------------------------------------- docs/recipe.md


def reference() -> str:
    """The text of docs/recipe.md."""
    return "\n".join(
        [HEAD, *_section("", described(Recipe)), SWEEPS, *_section("", described(Sweep)), NAMES, *_names()]
    )


def _section(prefix: str, model: Any) -> Iterator[str]:
    """A table of a group's plain settings, then its groups, those that are off by default too."""
    groups = {name: group for name, info in model.model_fields.items() if (group := _group(info))}
    rows = [
        (f"`{prefix}{name}`", f"`{_default(info)}`", _line(info.description) + _range(info))
        for name, info in model.model_fields.items()
        if name not in groups
    ]
    if rows:
        yield from _table(("setting", "default", "meaning"), rows)
    for name, group in groups.items():
        info = model.model_fields[name]
        off = f" Off by default; `{prefix}{name}={{}}` switches it on." if info.default is None else ""
        yield f"### {prefix}{name}\n\n{_line(info.description)}{off}\n"
        yield from _section(f"{prefix}{name}.", group)


def _group(info: Any) -> Any:
    """The settings class behind a field, `Group` or `Group | None`; None for a plain value."""
    return next(
        (t for t in (info.annotation, *get_args(info.annotation)) if hasattr(t, "model_fields")), None
    )


def _default(info: Any) -> str:
    return "required" if info.is_required() else _value(info.get_default(call_default_factory=True))


def _range(info: Any) -> str:
    signs = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    limits = [
        f"{words} {getattr(mark, sign):g}"
        for mark in info.metadata
        for sign, words in signs.items()
        if getattr(mark, sign, None) is not None and getattr(mark, sign) < 1e15  # a machine's limit, not ours
    ]
    return f" ({', '.join(limits)})" if limits else ""


def _names() -> Iterator[str]:
    """Everything shipped that a setting can name."""
    for title, found in (("Shipped recipes", recipe_names()), ("Shipped sweeps", sweep_names())):
        yield f"### {title}\n"
        yield from _table(
            ("name", "what it is"), [(f"`{n}`", read(p)["description"]) for n, p in found.items()]
        )
    yield "### Files\n"
    yield from _table(
        ("setting", "shipped names"), [(f"`{name}`", _listed(found)) for name, found in _files()]
    )
    for about, rules in (("instruction", ALL_INSTRUCTION_RULES), ("response", ALL_RESPONSE_RULES)):
        for name, members in RULE_SETS[about].items():
            section = (
                "`instructions.rules`, `followups.rules`" if about == "instruction" else "`filter.rules`"
            )
            yield f"### Rules on {about}s: the set `{name}`\n\nFor {section}, by the set's name or one by one.\n"
            made = [(f"`{n}`", rules[n].why, _line(rules[n].drops.__doc__)) for n in members]
            yield from _table(("rule", "drops what", "more exactly"), made)


def _files() -> Iterator[tuple[str, Mapping[str, str]]]:
    """Setting -> the names of the files shipped for it, each with a remark."""
    for setting, folder, suffix in (
        ("seeds.file", "seeds", ".jsonl"),
        ("instructions.prompt", "prompts", "/instructions.txt"),
        ("responses.principles", "prompts/principles", ".txt"),
        ("evaluate.tasks", ".", "/held_out.jsonl"),
    ):
        yield setting, dict.fromkeys(shipped(folder, suffix), "")
    sets = shipped("prompts/judge", "/quality.txt")
    yield (
        "assessment.prompts",
        {name: _shown(path.with_name("examples.jsonl")) for name, path in sets.items()},
    )


def _shown(path: Path) -> str:
    return (
        f" ({len(read_examples(path.read_text(encoding='utf-8')))} scored examples)" if path.is_file() else ""
    )


def _listed(found: Mapping[str, str]) -> str:
    return ", ".join(f"`{name}`{remark}" for name, remark in found.items())


# ---------------------------------------------------------------- docs/cli.md


def commands() -> str:
    """The text of docs/cli.md: what `--help` says of every verb, by typer's own writer."""
    words = [sys.executable, "-m", "typer", "isheep.cli", "utils", "docs", "--name", "isheep"]
    said = subprocess.run(
        words, capture_output=True, text=True, check=True, env={**os.environ, "NO_COLOR": "1"}
    )
    lines = said.stdout.strip().splitlines()
    return "\n".join(["# Every command", "", MADE, "", *lines[1:], ""])


# ---------------------------------------------------------------- docs/paper.md

_COMMENTED = re.compile(r"( *)(\w+):.*?(?: # (.*))?$")
_MARKED = re.compile(r"(<!-- made by `make docs` -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, table: str) -> str:
    """A page with a table put between its markers."""
    return _MARKED.sub(lambda m: f"{m[1]}{table}{m[2]}", page)


def differences(first: str, second: str) -> str:
    """A table of every setting in which two shipped recipes differ, with the comments behind it."""
    names, headings = (first, second), []
    for name in names:
        headings += [f"{name}.yaml", "source"]
    resolved = [_flat(load_recipe(name).recipe.model_dump(mode="json")) for name in names]
    given = [
        _flat(extended(read(recipe_names()[name]), None)[0]) for name in names
    ]  # rule sets by their names
    said = [sources(recipe_names()[name]) for name in names]
    rows = []
    for key in dict.fromkeys((*resolved[0], *resolved[1])):
        if key not in ("name", "description") and resolved[0].get(key) != resolved[1].get(key):
            row = [f"`{key}`"]
            for one, own, why in zip(resolved, given, said, strict=True):
                row += [f"`{_value(own.get(key, one.get(key)))}`", why.get(key, "")]
            rows.append(row)
    return "\n".join(_table(("setting", *headings), rows))


def sources(path: Path) -> dict[str, str]:
    """Setting -> the comment behind it, in a recipe that has one setting to a line; empty where there is none."""
    found: dict[str, str] = {}
    here: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        match = _COMMENTED.fullmatch(line)
        if match:
            here = [*here[: len(match[1]) // 2], match[2]]
            found[".".join(here)] = (match[3] or "").strip()
    return found


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in data.items():
        found |= (
            _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
        )
    return found


# ---------------------------------------------------------------- both


def _table(head: tuple[str, ...], rows: Any) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


if __name__ == "__main__":
    for path, text in outputs().items():
        path.write_text(text, encoding="utf-8")
        print(path)  # noqa: T201
