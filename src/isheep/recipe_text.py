"""The text of a recipe -> plain data: strict YAML, `extends`, and overrides.

Knows: YAML files and how one changes another. Does not know: which settings exist (recipe.py does).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from isheep.errors import RecipeError
from isheep.files import locate

#: Recipes may extend one another this deep; deeper is a circle.
DEPTH = 8


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of scalars, as editors have it: `on` and `no` are words, 2e-3 is a number, a date is text.

    A key that occurs twice is an error instead of a silent loss.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own way

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen and key.value != "<<":
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} occurs twice", key.start_mark
                    )
                seen.add(key.value)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


def _number(loader: _Loader, node: yaml.ScalarNode) -> int | float:
    """1e4 is a whole number: a count may be written so."""
    value = loader.construct_yaml_float(node)
    return int(value) if "." not in node.value and value.is_integer() else value


_Loader.add_constructor("tag:yaml.org,2002:float", _number)
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+."),
    ("merge", "<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), [*_first])
_Loader.yaml_implicit_resolvers[""] = _Loader.yaml_implicit_resolvers.pop("\0")  # an empty value is null


def read(path: Path) -> dict[str, Any]:
    """A recipe file as plain data. Raises RecipeError."""
    try:
        data = _parse(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}", "give a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"{path}: not YAML: {error}", "check indentation and quotes near that line"
        ) from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise RecipeError(
            f"{path}: expected a mapping of settings, found {type(data).__name__}", "see `isheep recipes`"
        )
    return data


def _parse(text: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except RecursionError:
        raise yaml.YAMLError("nested too deep") from None


def extended(data: Mapping[str, Any], folder: Path | None) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """Resolve `extends: NAME`: the named recipe, changed by this one; and the folders of all recipes read, this first.

    A file that any of them names beside itself is looked for in these folders.
    """
    folders = [folder] if folder else []
    chain = [dict(data)]
    while (parent := chain[-1].pop("extends", None)) is not None:
        if not isinstance(parent, str):
            raise RecipeError(f"extends: expected the name or path of a recipe, found {parent!r}")
        if len(chain) > DEPTH:
            raise RecipeError("extends: recipes extend one another in a circle", "remove one `extends`")
        found = locate(parent, "recipes", ".yaml", folders[-1:])
        if isinstance(found, str):
            raise RecipeError(f"extends: {found}", "`isheep recipes` lists the shipped ones")
        chain.append(read(found))
        folders.append(found.parent)
    whole: dict[str, Any] = {}
    for part in reversed(chain):
        whole = merged(whole, part)
    return whole, tuple(dict.fromkeys(folders))


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` changed by `change`, group by group."""
    out = dict(base)
    for key, value in change.items():
        old = out.get(key)
        out[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return out


def override(data: dict[str, Any], text: str) -> list[str]:
    """Apply one "a.b=value", the value in YAML; a list of mistakes (empty when fine)."""
    key, equals, value = text.partition("=")
    *parents, last = key.strip().split(".")
    if not equals or not all((*parents, last)):
        return [f"--set {text}: expected key.path=value"]
    if key.strip() == "extends":
        return [f"--set {text}: `extends` stands in a recipe file"]
    try:
        parsed = _parse(value)
    except yaml.YAMLError:
        return [f"--set {text}: the value is not YAML (put quotes around it)"]
    here: Any = data
    for depth, name in enumerate(parents, 1):
        below = here.get(name)
        if below is not None and not isinstance(below, Mapping):
            return [f"--set {text}: {'.'.join(parents[:depth])} is a value, not a group of settings"]
        here[name] = dict(below or {})
        here = here[name]
    here.update(merged(here, {last: parsed}))
    return []
