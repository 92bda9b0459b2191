"""The text under each setting as its description, for schemas and tables.

Knows: source code. Pydantic can do the same when a class is made, but reading all sources again is a tenth of the time
of `isheep plan`; here it is done for those who ask.
"""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from textwrap import dedent
from typing import get_args

from isheep.stages.stage import S, Settings


def described(model: type[S]) -> type[S]:
    """The settings and the groups in them, each with the text under it in the source as its description."""
    for info in model.model_fields.values():
        for part in (info.annotation, *get_args(info.annotation)):
            if isinstance(part, type) and issubclass(part, Settings):
                described(part)
    for cls in reversed(model.__mro__):
        if cls is not Settings and issubclass(cls, Settings):
            for name, text in _texts(cls).items():
                model.model_fields[name].description = text
    model.model_rebuild(force=True)
    return model


def _texts(cls: type[Settings]) -> dict[str, str]:
    """Field -> the text right under it in the source."""
    (body,) = (
        node.body for node in ast.parse(dedent(inspect.getsource(cls))).body if isinstance(node, ast.ClassDef)
    )
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
