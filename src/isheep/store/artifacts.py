"""The store: look up a step by its key, claim it, list, verify, collect garbage.

Knows: the layout below one folder, and who may write in it. Does not know: stages, recipes, runs.

    STORE/artifacts/<stage>/<key>/      manifest.json, <type>.jsonl, files of the stage; never changed
    STORE/work/<stage>/<key>/           journal.jsonl and files/ of an unfinished step
    STORE/locks/  STORE/trash/          who works on what; what is being removed
    STORE/runs/                         belongs to runs.py
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from isheep.errors import StoreError
from isheep.store import lock
from isheep.store.claim import Claim
from isheep.store.disk import in_words, remove
from isheep.store.manifest import MANIFEST, Artifact

__all__ = ["Artifact", "Claim", "Store"]

#: How long a waiting claim sleeps between two looks: first and at most, in seconds.
POLL_SECONDS = (0.05, 1.0)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Store:
    """One folder that many runs share. Making this object touches nothing on the disk."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).absolute()
        self.trash = self.root / "trash"

    @property
    def runs_folder(self) -> Path:
        return self.root / "runs"

    def artifact_folder(self, stage: str, key: str) -> Path:
        return self.root / "artifacts" / _safe(stage) / _safe(key)

    def work_folder(self, stage: str, key: str) -> Path:
        return self.root / "work" / _safe(stage) / _safe(key)

    def lock_path(self, stage: str, key: str) -> Path:
        return self.root / "locks" / f"{_safe(stage)}-{_safe(key)}.lock"

    def find(self, stage: str, key: str) -> Artifact | None:
        """The finished step of this key, if there is one. A manifest that exists means complete."""
        folder = self.artifact_folder(stage, key)
        with in_words(f"cannot look into {folder}"):
            return Artifact(stage, key, folder) if (folder / MANIFEST).is_file() else None

    def journalled(self, stage: str, key: str) -> int:
        """How many records an unfinished step has written so far; 0 when it has not begun. Changes
        nothing."""
        try:
            with (self.work_folder(stage, key) / "journal.jsonl").open("rb") as lines:
                return sum(line.endswith(b"\n") for line in lines)
        except OSError:
            return 0

    @contextlib.contextmanager
    def claim(
        self, stage: str, key: str, *, on_wait: Callable[[str], None] = lambda message: None
    ) -> Iterator[Claim | Artifact]:
        """The finished step, or the right to do it.

        While somebody else works on this key we wait, having said so once by `on_wait`. Then there is their
        artifact, or, if they gave up or died, a claim on their work folder with all they had journalled.
        """
        held = self._wait(stage, key, on_wait)
        if isinstance(held, Artifact):
            self._tidy(stage, key)
            yield held
            return
        try:
            artifact = self.find(stage, key)
            if artifact is not None:
                remove(self.work_folder(stage, key), self.trash)
                yield artifact
                return
            remove(self.artifact_folder(stage, key), self.trash)  # without a manifest it is nothing
            claim = Claim(
                stage,
                key,
                work=self.work_folder(stage, key),
                target=self.artifact_folder(stage, key),
                trash=self.trash,
            )
            try:
                yield claim
            finally:
                claim.journal.close()
        finally:
            held.release()

    def _wait(self, stage: str, key: str, on_wait: Callable[[str], None]) -> Artifact | lock.Lock:
        """The artifact as soon as there is one, else the lock as soon as it is free."""
        path = self.lock_path(stage, key)
        pause, longest = POLL_SECONDS
        told = False
        while True:
            done = self.find(stage, key)
            if done is not None:
                return done
            held = lock.take(path)
            if held is not None:
                return held
            if not told:
                on_wait(f"{stage} {key[:12]} is being worked on by {lock.holder(path)}; waiting for it")
                told = True
            time.sleep(pause)
            pause = min(2 * pause, longest)

    def _tidy(self, stage: str, key: str) -> None:
        """Clear what a kill between publishing and clearing up left, if we may: a store can be read-only."""
        if self.work_folder(stage, key).exists():
            with contextlib.suppress(StoreError):
                held = lock.take(self.lock_path(stage, key))
                if held is not None:
                    try:
                        remove(self.work_folder(stage, key), self.trash)
                    finally:
                        held.release()

    def artifacts(self) -> Iterator[Artifact]:
        """Every finished step in the store, sorted by stage and key."""
        for stage, key in self._entries("artifacts"):
            artifact = self.find(stage, key)
            if artifact is not None:
                yield artifact

    def verify(self, artifact: Artifact) -> list[str]:
        """What is wrong with an artifact, in words; an empty list when nothing is. Reads every byte of it."""
        return artifact.verify()

    def collect_garbage(self, keep: Collection[str]) -> list[str]:
        """Remove every artifact and every unfinished step whose key is not in `keep`; say which.

        An unfinished step in `keep` stays, so it can be resumed, unless it is a leftover of a finished one.
        What somebody works on or is about to (its lock is held) is never touched.
        """
        removed = []
        with in_words(f"cannot clean up {self.root}"):
            for room in ("artifacts", "work"):
                for stage, key in self._entries(room):
                    finished = self.find(stage, key) is not None
                    if key in keep and finished == (room == "artifacts"):
                        continue
                    held = lock.take(self.lock_path(stage, key))
                    if held is None:
                        continue
                    try:
                        remove(self.root / room / stage / key, self.trash)
                        removed.append(f"{room}/{stage}/{key}")
                    finally:
                        held.release()
            for left in self.trash.glob("*"):
                shutil.rmtree(left, ignore_errors=True)
        return removed

    def _entries(self, room: str) -> list[tuple[str, str]]:
        """(stage, key) of every folder in artifacts/ or work/."""
        found = [path for path in (self.root / room).glob("*/*") if path.is_dir()]
        return sorted(
            (path.parent.name, path.name)
            for path in found
            if _NAME.fullmatch(path.name) and _NAME.fullmatch(path.parent.name)
        )


def _safe(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise StoreError(f"{name!r} cannot be the name of a folder", "use letters, digits, '.', '_' and '-'")
    return name
