"""isheep: align a base language model with nothing but the model itself and 175 seed tasks (I-SHEEP).

    from isheep import load_recipe, make_plan, open_run, run
    done = run(load_recipe("lamb", ["iterations=1"]), store="my-store")
    print(done.folder / "report.html")

Names are imported when first used, so `import isheep` costs next to nothing and never imports torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isheep.events import Event
    from isheep.plan import Plan, make_plan
    from isheep.recipe import Loaded, Recipe, load_recipe
    from isheep.report import summarize, write_report
    from isheep.runs import Run, open_run
    from isheep.store import Store
    from isheep.walk import run

__version__ = "0.1.0"

_HOME = {
    "Plan": "isheep.plan",
    "make_plan": "isheep.plan",
    "Loaded": "isheep.recipe",
    "Recipe": "isheep.recipe",
    "load_recipe": "isheep.recipe",
    "summarize": "isheep.report",
    "write_report": "isheep.report",
    "run": "isheep.walk",
    "Run": "isheep.runs",
    "open_run": "isheep.runs",
    "Event": "isheep.events",
    "Store": "isheep.store",
}

__all__ = [
    "Event",
    "Loaded",
    "Plan",
    "Recipe",
    "Run",
    "Store",
    "load_recipe",
    "make_plan",
    "open_run",
    "run",
    "summarize",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'isheep' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
