"""What leaves the store: the data and the models of a run, in the forms other tools read, and the way to the hub.

`export_data` and `export_model` write a folder; `plan_push` and `push` upload one. Everything written says where it
comes from: a card for people (README.md) and isheep.json for machines.
"""

from __future__ import annotations

from isheep.export.data import FORMATS, export_data
from isheep.export.hub import Push, plan_push, push
from isheep.export.model import export_model

__all__ = ["FORMATS", "Push", "export_data", "export_model", "plan_push", "push"]
