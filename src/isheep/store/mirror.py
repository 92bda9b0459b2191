"""The finished steps and the runs of a store that others share, on an object store: found there, brought here, sent.

Knows: the layout on the other side, and the copies on this one. Does not know: fsspec, locks, how a step is done.

    there: artifacts/<stage>/<key>/manifest.json          written last and once: it makes the step complete
           artifacts/<stage>/<key>/<content>/<files>      named after what is in them, so that two machines that made
                                                          one step never write into one another's files
           runs/<name>/...  sweeps/<name>/...             recipes, evaluations, reports
    here:  copies/<stage>/<key>/<files>                   each brought when it is asked for, and checked on its way

Names from the other side are data: a file is only ever brought by a name that its manifest lists, and never to a place
outside its folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isheep.errors import StoreError
from isheep.store.disk import in_words, sync_file
from isheep.store.key import digest
from isheep.store.manifest import MANIFEST, Artifact, check_manifest
from isheep.store.remote import Note, Remote

#: Seconds for which a step that is not there is not asked for again, unless somebody is about to do it.
ABSENT_SECONDS = 30.0
#: Seconds for which the list of runs is taken as it was.
PAPERS_SECONDS = 5.0
#: Of a run or sweep, what this side needs to go on with it, and what the report of another run refers to.
_PAPERS = re.compile(
    r"(runs|sweeps)/[A-Za-z0-9][A-Za-z0-9._-]{0,127}/(run|evaluations|summary|sweep|compare)\.json"
)
_ARTIFACT = re.compile(r"artifacts/([A-Za-z0-9][A-Za-z0-9._-]*)/([A-Za-z0-9][A-Za-z0-9._-]*)/manifest\.json")


class Copy(Artifact):
    """A finished step on the other side. Its files are brought when they are asked for."""

    def __init__(self, stage: str, key: str, folder: Path, mirror: Mirror) -> None:
        super().__init__(stage, key, folder)
        self._mirror = mirror

    def _file(self, name: str) -> Path:
        self._bring(name)
        return super()._file(name)

    def verify(self) -> list[str]:
        """Brings every file that is not here yet."""
        try:
            self._bring("")
        except StoreError as error:
            return [error.message]
        return super().verify()

    def _bring(self, name: str) -> None:
        """A file, everything below a folder, or all."""
        for listed in self.manifest["files"]:
            if name in ("", listed) or listed.startswith(f"{name}/"):
                self._mirror.bring(self, listed)


class Mirror:
    """What a store on this machine has in common with others, by way of a remote place."""

    def __init__(self, remote: Remote, root: Path) -> None:
        self._remote = remote
        self._root = root
        #: Who hears of large transfers.
        self.note: Note = lambda text: None
        self._absent: dict[tuple[str, str], float] = {}
        self._sent: set[tuple[str, str]] = set()
        self._looked: float | None = None
        self._checked = False

    def check(self) -> None:
        """Return when we may read and write there; asks once."""
        if not self._checked:
            self._remote.check()
            self._checked = True

    # ---------------------------------------------------------------- steps

    def find(self, stage: str, key: str, fresh: bool) -> Artifact | None:
        """The finished step of this key, if it is there. `fresh`: ask, even if it was not there a moment ago."""
        copy = self._copy(stage, key)
        if (copy.folder / MANIFEST).is_file():
            return copy
        last = self._absent.get((stage, key))
        if not fresh and last is not None and time.monotonic() - last < ABSENT_SECONDS:
            return None
        found = self._manifest(stage, key)
        if found is None:
            self._absent[stage, key] = time.monotonic()
            return None
        self._place(found[1], copy.folder / MANIFEST)
        return copy

    def keys(self) -> Iterator[tuple[str, str]]:
        """(stage, key) of every finished step there."""
        for name in self._remote.list("artifacts"):
            found = _ARTIFACT.fullmatch(name)
            if found:
                yield found[1], found[2]

    def bring(self, copy: Copy, name: str) -> None:
        """One file of a copy, by its name in the manifest: aside, checked, then into its place."""
        target = copy.folder / name
        if target.is_file():
            return
        stamp = copy.manifest["files"][name]
        there = f"{_place(copy.stage, copy.key)}/{copy.manifest['content']}/{name}"
        aside = self._aside()
        try:
            for _ in range(2):
                self._remote.get(there, aside, stamp["bytes"], self.note)
                if _digest(aside) == stamp["sha256"]:
                    break
            else:
                raise StoreError(
                    f"{self._remote.address}/{there} is not what its manifest says (its digest differs)",
                    f"remove {self._remote.address}/{_place(copy.stage, copy.key)} and {copy.folder}; the next run "
                    "makes it again",
                )
            with in_words(f"cannot write to {target.parent}"):
                sync_file(aside)
                target.parent.mkdir(parents=True, exist_ok=True)
                aside.replace(target)
        except FileNotFoundError as error:
            raise StoreError(
                f"{self._remote.address}/{there} is missing, though its manifest is here",
                f"if it was removed there, remove {copy.folder} too; the next run makes it again",
            ) from error
        finally:
            aside.unlink(missing_ok=True)

    def send(self, artifact: Artifact) -> Artifact:
        """Return when the step is there too. What counts is the first that got there: ours, or one with other content
        that somebody else made at the same time."""
        stage, key = artifact.stage, artifact.key
        if isinstance(artifact, Copy) or (stage, key) in self._sent:
            return artifact
        text = self._read_manifest(stage, key)
        found = self._accept(text, stage, key)
        if found is None:
            self._upload(artifact, torn=text is not None)
            found = self._manifest(stage, key)
        if found is None:
            raise StoreError(
                f"{self._remote.address}/{_place(stage, key)} is not there, though it was just written",
                "is something else writing or cleaning there? run again",
            )
        self._absent.pop((stage, key), None)
        if found[0]["content"] != artifact.manifest["content"]:
            self._place(found[1], self._copy(stage, key).folder / MANIFEST)
            return self._copy(stage, key)
        self._sent.add((stage, key))
        return artifact

    def _upload(self, artifact: Artifact, torn: bool) -> None:
        """`torn`: there is the beginning of a manifest, to be replaced."""
        place = _place(artifact.stage, artifact.key)
        wrong = artifact.verify()
        if wrong:
            raise StoreError(
                f"{artifact.folder} is not sent, for it is damaged: {wrong[0]}",
                f"remove {artifact.folder}; the next run makes it again",
            )
        files = artifact.manifest["files"]
        under = f"{place}/{artifact.manifest['content']}"
        there = self._remote.list(under)
        for name, stamp in files.items():
            # Names there appear with their whole content, so one of the right size was sent before an interruption.
            if there.get(f"{under}/{name}", (None,))[0] != stamp["bytes"]:
                self._remote.put(artifact.folder / name, f"{under}/{name}", self.note)
        text = (artifact.folder / MANIFEST).read_bytes()
        (self._remote.write if torn else self._remote.create)(f"{place}/{MANIFEST}", text)

    def _manifest(self, stage: str, key: str) -> tuple[dict[str, Any], bytes] | None:
        """The manifest there, and its bytes; None when there is none, or only the beginning of one."""
        return self._accept(self._read_manifest(stage, key), stage, key)

    def _read_manifest(self, stage: str, key: str) -> bytes | None:
        return self._remote.read(f"{_place(stage, key)}/{MANIFEST}")

    def _accept(self, text: bytes | None, stage: str, key: str) -> tuple[dict[str, Any], bytes] | None:
        try:
            manifest = json.loads(text or b"")
        except (ValueError, RecursionError):
            return None
        wrong = check_manifest(manifest, stage, key)
        if wrong:
            raise StoreError(
                f"{self._remote.address}/{_place(stage, key)}/{MANIFEST}: {wrong[0]}",
                "somebody changed it, or another version wrote it: remove that folder, or use another store",
            )
        return manifest, text or b""

    def _copy(self, stage: str, key: str) -> Copy:
        return Copy(stage, key, self._root / "copies" / stage / key, self)

    # ---------------------------------------------------------------- runs and sweeps

    def bring_papers(self) -> None:
        """Bring the runs and sweeps of others. A file that lies there wins over one here."""
        if self._looked is not None and time.monotonic() - self._looked < PAPERS_SECONDS:
            return
        for room in ("runs", "sweeps"):
            for name, (size, when) in self._remote.list(room).items():
                if _PAPERS.fullmatch(name) and not _is_as(self._root / name, size, when):
                    text = self._remote.read(name)
                    if text is not None:
                        self._place(text, self._root / name, when)
        self._looked = time.monotonic()

    def send_papers(self, path: Path) -> None:
        """Send a file, or those of a folder, that belong to a run or sweep."""
        with in_words(f"cannot read {path}"):
            files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.is_file())
        for file in files:
            if not file.name.startswith("."):
                self._remote.put(file, file.relative_to(self._root).as_posix(), self.note)

    def _place(self, text: bytes, target: Path, when: float | None = None) -> None:
        """Write a file here at once."""
        with in_words(f"cannot write to {target.parent}"):
            target.parent.mkdir(parents=True, exist_ok=True)
            aside = self._aside()
            aside.write_bytes(text)
            sync_file(aside)
            if when is not None:
                os.utime(aside, (when, when))
            aside.replace(target)

    def _aside(self) -> Path:
        folder = self._root / "trash"
        with in_words(f"cannot write to {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
        return folder / f"coming-{uuid.uuid4().hex}"


def cache_folder(address: str) -> Path:
    """Where this machine keeps its side of a remote store: in ISHEEP_CACHE, else in the user's cache
    (XDG_CACHE_HOME)."""
    own = os.environ.get("ISHEEP_CACHE")
    top = Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "isheep"
    readable = re.sub(r"[^A-Za-z0-9]+", "-", address)[:60].strip("-")
    return top.expanduser().absolute() / "stores" / f"{readable}-{digest(address)[:12]}"


def _place(stage: str, key: str) -> str:
    return f"artifacts/{stage}/{key}"


def _is_as(path: Path, size: int, when: float | None) -> bool:
    """Whether a file here is the one that was brought from there: its size and time are those."""
    try:
        found = path.stat()
    except OSError:
        return False
    return when is not None and found.st_size == size and abs(found.st_mtime - when) < 0.001


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
