"""The store: look up a step by its key, claim it, list, verify, collect garbage.

Knows: the layout below one folder, and who may write in it. Does not know: stages, recipes, runs.

    STORE/artifacts/<stage>/<key>/      manifest.json, <type>.jsonl, files of the stage; never changed
    STORE/work/<stage>/<key>/           journal.jsonl and files/ of an unfinished step (works.py)
    STORE/locks/  STORE/trash/          who works on what; what is being removed
    STORE/runs/                         belongs to runs.py
    STORE/copies/                       of a remote store only: what was brought from there (mirror.py)

A store by an address (s3://bucket/path) is such a folder in the user's cache, with a mirror: finished steps and runs
are found there and brought here, and sent there when they were made here.
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
from isheep.store.disk import in_words, look_anew, remove
from isheep.store.journal import lines_in
from isheep.store.manifest import MANIFEST, Artifact
from isheep.store.mirror import Mirror, cache_folder
from isheep.store.remote import Remote, is_address
from isheep.store.works import JOURNAL, Works, works_in

__all__ = ["Artifact", "Claim", "Store"]

#: How long a waiting claim sleeps between two looks: first and at most, in seconds.
POLL_SECONDS = (0.05, 1.0)

#: A file in trash/ that is younger may just be coming in from a remote store.
ABANDONED_SECONDS = 86400

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
#: What Path makes of an address.
_BROKEN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/(?!/)")


class Store:
    """One folder that many runs share, or a remote store's side on this machine. Making this object touches neither
    disk nor network."""

    def __init__(self, root: Path | str) -> None:
        """`root`: a folder, or, as text, an address that fsspec knows (s3://bucket/path)."""
        if isinstance(root, Path) and _BROKEN.match(str(root)):
            raise StoreError(f"{root} was an address before it became a Path", "give the address as text")
        remote = Remote(str(root)) if is_address(root) else None
        #: What another process makes the same store from.
        self.address: str = remote.address if remote else str(Path(root).absolute())
        self.root = cache_folder(remote.address) if remote else Path(root).absolute()
        self.trash = self.root / "trash"
        self._mirror = Mirror(remote, self.root) if remote else None

    def __reduce__(self) -> tuple[object, ...]:
        return (Store, (self.address,))  # another process listens and looks for itself

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
        return self._find(stage, key)

    def _find(self, stage: str, key: str, fresh: bool = False) -> Artifact | None:
        found = self._find_here(stage, key)
        if found is None and self._mirror is not None:
            found = self._mirror.find(_safe(stage), _safe(key), fresh)
        return found

    def _find_here(self, stage: str, key: str) -> Artifact | None:
        folder = self.artifact_folder(stage, key)
        with in_words(f"cannot look into {folder}"):
            return Artifact(stage, key, folder) if (folder / MANIFEST).is_file() else None

    def journalled(self, stage: str, key: str) -> int:
        """How many records an unfinished step has written so far; 0 when it has not begun. Changes
        nothing."""
        return max((lines_in(work / JOURNAL) for work in self._works(stage, key).there()), default=0)

    def _works(self, stage: str, key: str) -> Works:
        return Works(self.work_folder(stage, key), self.trash)

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
            artifact = self._find(stage, key, fresh=True)
            if artifact is not None:
                self._works(stage, key).remove()
                yield artifact
                return
            remove(self.artifact_folder(stage, key), self.trash)  # without a manifest it is nothing
            with self._work(stage, key, held) as claim:
                yield claim
        finally:
            held.release()

    @contextlib.contextmanager
    def _work(self, stage: str, key: str, held: lock.Lock) -> Iterator[Claim]:
        """The work folder of a key whose lock is held; left as it is to whoever comes next."""
        works = self._works(stage, key)
        with in_words(f"cannot work in {self.work_folder(stage, key)}"):
            mine = works.claim(held.token)
        target = self.artifact_folder(stage, key)
        try:
            held.check()
            claim = Claim(stage, key, work=mine, target=target, trash=self.trash, check=held.check)
            try:
                yield claim
            finally:
                claim.journal.close()
        finally:
            with contextlib.suppress(OSError, StoreError):
                held.check()
                works.let_go(mine)

    def _wait(self, stage: str, key: str, on_wait: Callable[[str], None]) -> Artifact | lock.Lock:
        """The artifact as soon as there is one here, else the lock as soon as it is free."""
        place = lock.at(self.lock_path(stage, key))
        pause, longest = POLL_SECONDS
        told = False
        while True:
            done = self._find_here(stage, key)
            if done is not None:
                return done
            held = place.take()
            if held is not None:
                if held.token:
                    with in_words(f"cannot write to {self.root}"):
                        look_anew(self.artifact_folder(stage, key).parent)
                return held
            if not told:
                on_wait(f"{stage} {key[:12]} is being worked on by {place.holder()}; waiting for it")
                told = True
            time.sleep(pause)
            pause = min(2 * pause, longest)

    def _tidy(self, stage: str, key: str) -> None:
        """Clear what a kill between publishing and clearing up left, if we may: a store can be read-only."""
        if self._works(stage, key).there():
            with contextlib.suppress(StoreError):
                held = lock.take(self.lock_path(stage, key))
                if held is not None:
                    try:
                        self._works(stage, key).remove()
                    finally:
                        held.release()

    # ---------------------------------------------------------------- a remote store; of a folder, these do nothing

    def listen(self, note: Callable[[str], None]) -> None:
        """Whom to tell of large transfers."""
        if self._mirror is not None:
            self._mirror.note = note

    def check(self) -> None:
        """Raise IsheepError unless one may read and write there. Asks once."""
        if self._mirror is not None:
            self._mirror.check()

    def keep(self, artifact: Artifact) -> Artifact:
        """Return when a finished step is there as well; the one that counts. If somebody else made the same step at the
        same time and came to other content, theirs does, and ours is dropped."""
        if self._mirror is None:
            return artifact
        place = lock.at(self.lock_path(f"send-{artifact.stage}", artifact.key))  # one sender on this machine
        while (held := place.take()) is None:
            time.sleep(POLL_SECONDS[-1])
        try:
            kept = self._mirror.send(artifact)
            if kept is not artifact:
                remove(artifact.folder, self.trash)
            return kept
        finally:
            held.release()

    def bring_papers(self) -> None:
        """Bring what others wrote down of their runs and sweeps."""
        if self._mirror is not None:
            self._mirror.bring_papers()

    def send_papers(self, path: Path) -> None:
        """Send a file of a run or sweep, or all of its folder."""
        if self._mirror is not None:
            self._mirror.send_papers(path)

    # ---------------------------------------------------------------- all of it

    def artifacts(self) -> Iterator[Artifact]:
        """Every finished step in the store, sorted by stage and key."""
        entries = set(self._entries("artifacts")) | set(self._mirror.keys() if self._mirror else ())
        for stage, key in sorted(entries):
            artifact = self.find(stage, key)
            if artifact is not None:
                yield artifact

    def verify(self, artifact: Artifact) -> list[str]:
        """What is wrong with an artifact, in words; an empty list when nothing is. Reads every byte of it."""
        return artifact.verify()

    def collect_garbage(self, keep: Collection[str], only_say: bool = False) -> list[str]:
        """Remove every artifact and every unfinished step whose key is not in `keep`; say which, as paths below the
        store. Of a remote store, only what is on this machine. `only_say`: remove nothing, write nothing.

        An unfinished step in `keep` stays, so it can be resumed, unless it is a leftover of a finished one.
        What somebody works on or is about to (its lock is held) is never touched.
        """
        removed = []
        with in_words(f"cannot clean up {self.root}"):
            for room in ("artifacts", "copies", "work"):
                for stage, key in self._entries(room):
                    finished = self._find_here(stage, key) is not None
                    if key in keep and (room == "copies" or finished == (room == "artifacts")):
                        continue
                    if only_say:
                        removed.append(f"{room}/{stage}/{key}")
                        continue
                    held = lock.take(self.lock_path(stage, key))
                    if held is None:
                        continue
                    try:
                        if room == "work":
                            self._works(stage, key).remove()
                        else:
                            remove(self.root / room / stage / key, self.trash)
                        removed.append(f"{room}/{stage}/{key}")
                    finally:
                        held.release()
            for left in () if only_say else self.trash.glob("*"):
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
                elif time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                    left.unlink(missing_ok=True)
        return removed

    def _entries(self, room: str) -> list[tuple[str, str]]:
        """(stage, key) of every folder in artifacts/, copies/ or work/."""
        return sorted(
            {entry for entry in works_in(self.root / room) if all(_NAME.fullmatch(name) for name in entry)}
        )


def _safe(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise StoreError(f"{name!r} cannot be the name of a folder", "use letters, digits, '.', '_' and '-'")
    return name
