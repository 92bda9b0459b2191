"""The store: what has been done, by key. The only room that writes outside a step's own folder.

Knows: keys, journals, artifacts, locks, remote places, provenance. Does not know: what stages do, what recipes say.
"""

from __future__ import annotations

from isheep.store.artifacts import Artifact, Claim, Store
from isheep.store.journal import Journal
from isheep.store.key import canonical, digest, file_digest

__all__ = ["Artifact", "Claim", "Journal", "Store", "canonical", "digest", "file_digest"]
