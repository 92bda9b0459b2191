"""Look into a run's data: where each record comes from and what became of it.

Knows: how the records of a run's steps hang together. Does not know: how they were made. `lineage` and `find_id` need
nothing but the run; the page (isheep.look.app) needs the extra `browse`.
"""

from __future__ import annotations

from isheep.look.ids import find_id
from isheep.look.lineage import Lineage, lineage

__all__ = ["Lineage", "find_id", "lineage"]
