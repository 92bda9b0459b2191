"""Writes what is generated: docs/recipe.md (every setting) and the recipes' JSON schema. Run by `make docs`.

A test asserts that both are as this program would write them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isheep.recipe import Recipe, schema

DOCS = Path(__file__).parent
REFERENCE = DOCS / "recipe.md"
SCHEMA = DOCS.parent / "src" / "isheep" / "recipes" / "recipe.schema.json"

HEAD = """# Every setting of a recipe

Made from the recipe's schema by `make docs`; do not edit. A recipe is YAML; what it does not set has the default below.
`extends: NAME` starts from another recipe (a shipped name or a path). On the command line, `--set key.path=value`
changes one setting. Nothing under `runtime` enters a key: it may change speed, never the result.

Files (seeds, prompts, tests) are given as a shipped name or a path; a path is looked for from the working directory,
then beside the recipe. What counts is the content: editing a file makes new keys, moving it does not.
"""


def reference() -> str:
    """The text of docs/recipe.md."""
    return "\n".join([HEAD, *_section("", Recipe)]) + "\n"


def schema_text() -> str:
    """The text of recipe.schema.json."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _section(prefix: str, model: Any) -> Iterator[str]:
    plain = {name: info for name, info in model.model_fields.items() if not _is_group(info)}
    if plain:
        yield "| setting | default | meaning |"
        yield "|---|---|---|"
        for name, info in plain.items():
            default = json.dumps(info.get_default(call_default_factory=True), ensure_ascii=False)
            meaning = " ".join((info.description or "").split()).replace("|", "\\|")
            yield f"| `{prefix}{name}` | `{default}` | {meaning}{_range(info)} |"
        yield ""
    for name, info in model.model_fields.items():
        if _is_group(info):
            yield f"## {prefix}{name}\n\n{' '.join((info.description or '').split())}\n"
            yield from _section(f"{prefix}{name}.", info.annotation)


def _is_group(info: Any) -> bool:
    return hasattr(info.annotation, "model_fields")


def _range(info: Any) -> str:
    signs = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    limits = [
        f"{words} {getattr(mark, sign):g}"
        for mark in info.metadata
        for sign, words in signs.items()
        if getattr(mark, sign, None) is not None and getattr(mark, sign) < 1e15  # a machine's limit, not ours
    ]
    return f" ({', '.join(limits)})" if limits else ""


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    print(REFERENCE, SCHEMA, sep="\n")  # noqa: T201
