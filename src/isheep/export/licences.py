"""Under which licences a run's base model and seeds are, as far as their own files say. Never guessed.

Knows: model cards at hand (in a folder, or in the hub's cache on this machine) and what ships with isheep. Asks no
server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from isheep.files import is_folder, model_path, shipped
from isheep.runs import Run

#: What ships with isheep.
OURS = "apache-2.0"
#: The hub's name for a licence nobody stated.
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Licence:
    """Of what, which (the hub's name of it; None: not known), and how that is known."""

    of: str
    name: str | None
    source: str


def licences(run: Run) -> tuple[Licence, Licence]:
    """Those of the base model and of the seeds."""
    return _base(run), _seeds(run)


def common(found: Sequence[Licence]) -> str | list[str]:
    """What a card's front matter states: all of them, or `unknown` as soon as one is not known."""
    names = sorted({licence.name or UNKNOWN for licence in found})
    if UNKNOWN in names:
        return UNKNOWN
    return names[0] if len(names) == 1 else names


def _base(run: Run) -> Licence:
    model = run.recipe.model
    card = _card(model.base, model.revision)
    told = front_matter(card).get("license") if card else None
    name = told.strip().lower() if isinstance(told, str) and told.strip() else None
    if name:
        return Licence("base model", name, "its own model card")
    return Licence("base model", None, "no model card at hand names one")


def _card(base: str, revision: str | None) -> Path | None:
    path = model_path(base)
    if is_folder(path):
        readme = Path(path).expanduser() / "README.md"
        return readme if readme.is_file() else None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(base, "README.md", revision=revision)
    except HFValidationError:  # no hub id: a folder that is not here
        return None
    return Path(found) if isinstance(found, str) else None


def _seeds(run: Run) -> Licence:
    if run.recipe.seeds.file in shipped("seeds", ".jsonl"):
        return Licence("seed tasks", OURS, "they ship with isheep")
    return Licence("seed tasks", None, "a file of the user's own")


def front_matter(card: Path) -> dict[str, Any]:
    """The YAML a card begins with; nothing where there is none that can be read."""
    try:
        text = card.read_text(encoding="utf-8")
        if not text.startswith("---\n"):
            return {}
        found = yaml.safe_load(text[4:].partition("\n---")[0])
    except (OSError, UnicodeError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}
