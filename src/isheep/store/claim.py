"""The work on one key: a journal, a folder, and publishing both by one rename.

Knows: how an unfinished step becomes a finished one. Does not know: locks (the store holds this key's lock, and hands
in the question whether it still does).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from isheep.errors import StoreError
from isheep.records import RECORD_TYPES, Record, kind, to_json
from isheep.store.disk import in_words, remove, sync_file, sync_tree
from isheep.store.journal import Journal, encode
from isheep.store.manifest import MANIFEST, Artifact, describe
from isheep.store.works import JOURNAL


class Claim:
    """The right to work on one key, held until its `with` block ends."""

    def __init__(
        self, stage: str, key: str, *, work: Path, target: Path, trash: Path, check: Callable[[], None]
    ) -> None:
        """`check` raises StoreError once this key's lock belongs to somebody else."""
        self.stage = stage
        self.key = key
        self._work = work
        self._target = target
        self._trash = trash
        self._check = check
        #: Where the stage puts files that are not records. Names starting with a dot, at the top, are scratch
        #: (checkpoints): they survive an interruption and are dropped when the step is published.
        self.folder = self._work / "files"
        with in_words(f"cannot work in {self._work}"):
            self.folder.mkdir(parents=True, exist_ok=True)
            # A publish that was interrupted leaves these; it will be done again, from the journal.
            for name in (MANIFEST, *(f"{name}.jsonl" for name in RECORD_TYPES)):
                (self.folder / name).unlink(missing_ok=True)
        self.journal = Journal(self._work / JOURNAL, check)

    def sync(self) -> None:
        """Return when the stage's files, and then the journal, are on the disk."""
        with in_words(f"cannot write to {self.folder}"):
            sync_tree(self.folder)
        self.journal.sync()

    def publish(self, manifest: Mapping[str, Any], order: Sequence[type[Record]]) -> Artifact:
        """Write the records as <type>.jsonl and the manifest last; then move all in place by one rename.

        `order` names every type the step writes, also those of which it wrote none. If somebody else
        published this key first (only possible where the disk's locks do not work), theirs stays and ours is
        dropped.
        """
        stray = [kind(cls) for cls in self.journal.types() if cls not in order]
        if stray:
            raise StoreError(
                f"{self.stage} wrote {', '.join(stray)} records", "list the type in the stage's `writes`"
            )
        target = self._target
        self._check()
        with in_words(f"cannot publish {self.stage} {self.key[:12]}"):
            for cls in order:
                records = sorted(self.journal.read(cls), key=lambda record: record.id)
                with (self.folder / f"{kind(cls)}.jsonl").open("wb") as out:
                    out.writelines(encode(to_json(record) + "\n") for record in records)
            counts = {kind(cls): len(self.journal.read(cls)) for cls in order}
            whole = describe(self.folder, self.stage, self.key, counts, manifest)
            sync_tree(self.folder)
            (self.folder / MANIFEST).write_text(json.dumps(whole, indent=1, ensure_ascii=True) + "\n")
            sync_file(self.folder / MANIFEST)
            sync_file(self.folder)
            self._drop_scratch()
            target.parent.mkdir(parents=True, exist_ok=True)
            self._check()
            if not _move(self.folder, target) and not (target / MANIFEST).exists():
                remove(target, self._trash)
                _move(self.folder, target)
            sync_file(target.parent)
            self.journal.close()
            remove(self._work, self._trash)
        return Artifact(self.stage, self.key, target)

    def _drop_scratch(self) -> None:
        for path in self.folder.glob(".*"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _move(folder: Path, target: Path) -> bool:
    """Rename a folder into place; False when something is there already."""
    try:
        os.rename(folder, target)
    except OSError:
        if target.exists():
            return False
        raise
    return True
