"""Names a recipe may give to backends and layouts, and the error for one that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from isheep.errors import RecipeError
from isheep.text.prompts import LAYOUTS, Layout

#: Layout names that are not fixed texts: they are resolved with the model's own tokenizer.
RESOLVED_LAYOUTS = ("auto", "chat")


def unknown(what: str, name: str, known: Iterable[str]) -> RecipeError:
    """The error for a name nobody knows, with the nearest name that does exist."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return RecipeError(f"unknown {what} {name!r}", f"{hint}known: {', '.join(names)}")


def named_layout(name: str) -> Layout:
    """A layout that needs no tokenizer."""
    if name not in LAYOUTS:
        raise unknown("layout", name, [*LAYOUTS, *RESOLVED_LAYOUTS])
    return LAYOUTS[name]
