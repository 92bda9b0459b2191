"""The work folder of one step: whose it is, and how the next worker gets what the last one left.

Knows: names below work/<stage>/. Does not know: journals' content, locks.

    <key>             nobody's: its worker let go of it, or holds a lock that cannot be lost
    <key>~<token>     belongs to the holder of this lease; `owner` in it says which process that is
    <key>~<token>.new being copied

Whoever takes over from a worker that may still be alive copies its folder. A late write of the old one then goes to a
file that nobody reads, by an open file, or fails, by a path that is gone: it can neither add to the new worker's
journal nor publish what the new one is changing.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from isheep.store import owner
from isheep.store.disk import remove, sync_file, sync_tree

JOURNAL = "journal.jsonl"
_OWNER = "owner"
_COPYING = ".new"


class Works:
    """The work folders of one key. `folder` is the one that is nobody's."""

    def __init__(self, folder: Path, trash: Path) -> None:
        self._folder = folder
        self._trash = trash

    def there(self) -> list[Path]:
        """Every folder of this key, the one with the most in its journal first. More than one is there only after a
        takeover that was interrupted."""
        beside, ours = self._folder.parent, f"{self._folder.name}~"
        names = os.listdir(beside) if beside.is_dir() else []  # a glob would compile a pattern for every key
        found = [self._folder, *(beside / name for name in names if name.startswith(ours))]
        return sorted((path for path in found if path.is_dir()), key=_journalled, reverse=True)

    def claim(self, token: str) -> Path:
        """The folder for the holder of this lock, with what the one before left in it. Raises OSError."""
        mine = self._folder.with_name(f"{self._folder.name}~{token}") if token else self._folder
        while others := [old for old in self.there() if old != mine]:
            for old in sorted(others, key=lambda old: not old.name.endswith(_COPYING)):
                if mine.exists() or old.name.endswith(_COPYING):
                    remove(old, self._trash)
                else:
                    self._take(old, mine)
        mine.mkdir(parents=True, exist_ok=True)
        if token:
            (mine / _OWNER).write_text(json.dumps(owner.whoami()), encoding="utf-8")
        return mine

    def let_go(self, mine: Path) -> None:
        """Leave a folder to whoever comes next, as a whole."""
        if mine != self._folder and mine.exists():
            mine.rename(self._folder)

    def remove(self) -> None:
        """Remove all of them."""
        for path in self.there():
            remove(path, self._trash)

    def _take(self, old: Path, mine: Path) -> None:
        """What a worker left becomes ours. It may vanish meanwhile: its worker came back, and let go of it."""
        try:
            if old == self._folder or _is_gone(old):
                old.rename(mine)
                return
            aside = mine.with_name(mine.name + _COPYING)
            shutil.copytree(old, aside, symlinks=True)
        except (FileNotFoundError, shutil.Error):
            if old.exists():
                raise
            return
        sync_tree(aside)
        aside.rename(mine)
        sync_file(mine.parent)
        remove(old, self._trash)


def works_in(room: Path) -> Iterator[tuple[str, str]]:
    """(stage, key) of every step that has a work folder below a room."""
    for path in room.glob("*/*"):
        if path.is_dir():
            yield path.parent.name, path.name.split("~")[0]


def _journalled(folder: Path) -> int:
    try:
        return (folder / JOURNAL).stat().st_size
    except OSError:
        return -1


def _is_gone(folder: Path) -> bool:
    try:
        return owner.is_gone(owner.parse((folder / _OWNER).read_bytes()))
    except OSError:
        return False
