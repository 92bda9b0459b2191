"""pydantic's errors as sentences people can act on: path, what was found, what was expected, the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel

#: What was expected, by pydantic's kind of error.
_EXPECTED = {
    "model_type": "expected a group of settings",
    "dict_type": "expected a group of settings",
    "tuple_type": "expected a list",
    "string_type": "expected text",
    "bool_type": "expected true or false",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "finite_number": "expected a finite number",
    "greater_than": "expected a number above {gt:g}",
    "greater_than_equal": "expected {ge:g} or more",
    "less_than": "expected a number below {lt:g}",
    "less_than_equal": "expected {le:g} or less",
    "literal_error": "expected {expected}",
    "string_pattern_mismatch": "expected letters, digits, '.', '_' and '-', at most 64",
}


def mistake(error: Any, root: type[BaseModel]) -> str:
    """One of pydantic's errors in one line: path, what was found, what was expected, the nearest valid name."""
    # pydantic also puts the members of a union into the path
    path = ".".join(str(part) for part in error["loc"] if part != "str" and "[" not in str(part))
    if error["type"] == "extra_forbidden":
        names = _valid_names(error["loc"][:-1], root)
        near = difflib.get_close_matches(str(error["loc"][-1]), names, 1)
        offer = f"did you mean {near[0]!r}?" if near else f"valid here: {', '.join(sorted(names))}"
        return f"{path}: unknown setting; {offer}"
    if error["type"] == "value_error":  # our own: it says what it found
        return f"{path}: {error['ctx']['error']}" if path else str(error["ctx"]["error"])
    message = _EXPECTED.get(error["type"], error["msg"]).format_map(error.get("ctx", {}))
    if error["type"] == "string_type" and isinstance(error["input"], bool | int | float):
        message += "; put it in quotes"
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        options = [o.strip(" '") for o in error["ctx"]["expected"].replace(" or ", ",").split(",")]
        near = difflib.get_close_matches(error["input"], options, 1)
        message += f"; did you mean {near[0]!r}?" if near else ""
    return f"{path}: {message} (found {error['input']!r:.60})"


def _valid_names(loc: Sequence[Any], root: type[BaseModel]) -> list[str]:
    """Names of the settings at a place in the recipe."""
    here: Any = root
    for part in loc:
        info = getattr(here, "model_fields", {}).get(part)
        if info is None:
            return []
        # an optional group ("ppl: null") is a union
        here = next(
            (c for c in (info.annotation, *get_args(info.annotation)) if hasattr(c, "model_fields")), None
        )
    names = list(getattr(here, "model_fields", {}))
    return [*names, "extends"] if here is root else names
