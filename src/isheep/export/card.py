"""What both cards (README.md) are made of: front matter, tables, where it comes from.

Names, notes and settings are data: escaped, so that none becomes markup. No text a model wrote stands in a card.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from isheep.export.licences import Licence
from isheep.report.markdown import safe
from isheep.report.origin import finished, manifests, provenance_table
from isheep.runs import Run

#: A name on the hub: owner/name, or a name alone.
HUB_ID = re.compile(r"(?!.*(?:--|\.\.))[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
PAPER = "[I-SHEEP](https://arxiv.org/abs/2408.08072)"
#: What of a run's provenance says where it ran, and is nobody else's business.
_PRIVATE = ("host", "platform", "cpus")


def front(told: Mapping[str, Any]) -> Iterator[str]:
    """The YAML between two lines of dashes; what is None or empty is left out."""
    plain = {name: value for name, value in told.items() if value not in (None, "", [])}
    yield "---"
    yield yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100).rstrip()
    yield "---"
    yield ""


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """A table; figures stand right, but for the first column."""
    yield f"| {' | '.join(map(safe, columns))} |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield f"| {' | '.join(safe(str(cell)) for cell in row)} |"
    yield ""


def bullets(items: Sequence[str]) -> Iterator[str]:
    yield from (f"- {safe(item)}" for item in items)
    if items:
        yield ""


def code(language: str, text: str) -> Iterator[str]:
    """A fenced block."""
    yield from (f"```{language}", text.rstrip(), "```", "")


def base_name(run: Run) -> str:
    """How a card calls the base model: by its hub id, or by the last part of a folder's name, as the rest of a path
    says more of a person's machine than of the model."""
    return run.recipe.model.base.rstrip("/").rpartition("/")[2] if _is_path(run) else run.recipe.model.base


def hub_base(run: Run) -> str | None:
    """The base model's id on the hub; None for the embedded one and for a folder."""
    base = run.recipe.model.base
    return base if base != "lamb" and not _is_path(run) and HUB_ID.fullmatch(base) else None


def _is_path(run: Run) -> bool:
    from isheep.files import is_folder

    base = run.recipe.model.base
    return base.startswith((".", "/", "~", "\\")) or base.count("/") > 1 or is_folder(base)


def origin(run: Run, licences: Sequence[Licence], keys: Mapping[str, str]) -> Iterator[str]:
    """Where it comes from: run, recipe, base, licences, versions, and the keys of the steps it was read from."""
    recipe = run.recipe
    revision = f" (revision {recipe.model.revision})" if recipe.model.revision else ""
    rows = [
        ("base model", base_name(run) + revision),
        ("recipe", f"{recipe.name}, seed {recipe.seed}, {recipe.iterations} iterations"),
        ("run", run.name),
        ("finished", finished(run)),
    ]
    rows += [
        (f"licence of the {found.of}", f"{found.name or 'not known'} ({found.source})") for found in licences
    ]
    rows += [(name, value) for name, value in provenance_table(run).rows if name not in _PRIVATE]
    rows += [(f"key of {name}", key) for name, key in keys.items()]
    yield "## Where it comes from"
    yield ""
    yield from table(("what", "value"), rows)
    if any(found.name is None for found in licences):
        yield (
            "Where a licence is not known, nobody has said yet what may be done with this: look it up at the source, "
            "and write it into the front matter above, before you pass this on."
        )
        yield ""


def mark(run: Run, kind: str, keys: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """isheep.json: the same for machines."""
    versions = [m["provenance"]["isheep"] for _, _, m in manifests(run) if m and m.get("provenance")]
    return {
        "isheep_export": kind,
        "isheep": versions[-1] if versions else None,
        "run": run.name,
        "recipe": run.recipe.name,
        "seed": run.recipe.seed,
        "base": base_name(run),
        "revision": run.recipe.model.revision,
        "keys": dict(keys),
        **more,
    }
